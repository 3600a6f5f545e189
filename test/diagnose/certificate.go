package main

import (
	"context"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	definitions  = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	certificateV = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}
)

// certificates has the cluster know cert-manager's certificates, as far as they matter here.
func certificates(ctx context.Context, s *stage) error {
	open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	d := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "certificates.cert-manager.io"},
		"spec": map[string]any{
			"group": "cert-manager.io", "scope": "Namespaced",
			"names": map[string]any{"plural": "certificates", "singular": "certificate", "kind": "Certificate"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": open},
			}},
		},
	}}
	if _, err := s.objects.Resource(definitions).Create(ctx, d, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	s.cleanup(func(ctx context.Context) error {
		return s.objects.Resource(definitions).Delete(ctx, d.GetName(), metav1.DeleteOptions{})
	})
	// As an operator lets previews have them (docs/guards.md), for deployers and Catalyst alike.
	role := &rbacv1.Role{ObjectMeta: meta("certificates"), Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{certificateV.Group}, Resources: []string{certificateV.Resource}, Verbs: []string{"get", "list", "watch", "create", "patch", "delete"},
	}}}
	if _, err := s.admin.RbacV1().Roles(s.namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta("certificates"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:serviceaccounts"}},
	}
	if _, err := s.admin.RbacV1().RoleBindings(s.namespace).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return err
	}
	return until(ctx, time.Minute, "the cluster knows certificates", func() (bool, error) {
		_, err := s.objects.Resource(certificateV).Namespace(s.namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// pendingCertificate says of the certificate what cert-manager would.
func pendingCertificate(ctx context.Context, s *stage) error {
	patch := `{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Failed","message":"The certificate request has failed to complete: acme: DNS problem: NXDOMAIN","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`
	_, err := s.objects.Resource(certificateV).Namespace(s.namespace).Patch(ctx, "web", "application/merge-patch+json", []byte(patch), metav1.PatchOptions{}, "status")
	return err
}
