package main

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// only chooses the stage's own namespace.
func (s *stage) only() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.namespace}}
}

// policy has the API server refuse Deployments with an even number of replicas.
func policy(ctx context.Context, s *stage) error {
	client := s.admin.AdmissionregistrationV1()
	name := "odd-replicas-" + s.namespace
	p := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: meta(name), Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: rule("apps", "deployments")}}},
		Validations:      []admissionv1.Validation{{Expression: "object.spec.replicas % 2 == 1", Message: "replicas must be odd"}},
	}}
	if _, err := client.ValidatingAdmissionPolicies().Create(ctx, p, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make a policy: %w", err)
	}
	s.cleanup(func(ctx context.Context) error {
		return client.ValidatingAdmissionPolicies().Delete(ctx, name, metav1.DeleteOptions{})
	})
	b := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta(name), Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		MatchResources: &admissionv1.MatchResources{NamespaceSelector: s.only()},
	}}
	if _, err := client.ValidatingAdmissionPolicyBindings().Create(ctx, b, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("bind a policy: %w", err)
	}
	s.cleanup(func(ctx context.Context) error {
		return client.ValidatingAdmissionPolicyBindings().Delete(ctx, name, metav1.DeleteOptions{})
	})
	return s.inForce(ctx, "replicas must be odd", 2)
}

func rule(group, resources string) admissionv1.RuleWithOperations {
	return admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resources}},
	}
}

// webhook registers an admission webhook for a resource that nobody serves.
func webhook(resources string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		client := s.admin.AdmissionregistrationV1().ValidatingWebhookConfigurations()
		name := "down-" + s.namespace
		group := map[string]string{"deployments": "apps"}[resources]
		none, fail, port, path := admissionv1.SideEffectClassNone, admissionv1.Fail, int32(443), "/"
		w := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: meta(name), Webhooks: []admissionv1.ValidatingWebhook{{
			Name: resources + ".diagnose.example.com", SideEffects: &none, FailurePolicy: &fail, AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector: s.only(), Rules: []admissionv1.RuleWithOperations{rule(group, resources)},
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: s.namespace, Name: "nobody", Port: &port, Path: &path}},
		}}}
		if _, err := client.Create(ctx, w, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("register a webhook: %w", err)
		}
		s.cleanup(func(ctx context.Context) error { return client.Delete(ctx, name, metav1.DeleteOptions{}) })
		if resources != "deployments" {
			return nil // by the time of the first pod it is in force
		}
		return s.inForce(ctx, "failed calling webhook", 1)
	}
}
