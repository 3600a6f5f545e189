package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/diagnose"
)

// placeScenes are pods that get no place, no volume, or no leave.
func placeScenes(i images) []scene {
	selector := func(key, value string) edit {
		return func(p *corev1.PodSpec, _ *corev1.Container) { p.NodeSelector = map[string]string{key: value} }
	}
	memory := func(q string) edit {
		return func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Resources.Requests[corev1.ResourceMemory], c.Resources.Limits[corev1.ResourceMemory] = resource.MustParse(q), resource.MustParse(q)
		}
	}
	uses := func(claim string) edit {
		return volume("data", "/data", corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}})
	}
	return []scene{
		{name: "node-label", want: diagnose.CodeUnschedulable, words: []string{"disk=nvme"}, fix: "nodeSelector", known: noNode, chart: chart(deployment(i, "web", selector("disk", "nvme")))},
		{name: "node-taint", want: diagnose.CodeUnschedulable, words: []string{"taint"}, fix: "toleration", known: noNode, before: taintedNode, chart: chart(deployment(i, "web", selector("diagnose.example.com/pool", "gpu")))},
		{name: "no-room", want: diagnose.CodeNoCapacity, words: []string{"4Ti", "memory"}, fix: "requests", known: noNode, chart: chart(deployment(i, "web", memory("4Ti")))},
		{name: "claim-without-class", want: diagnose.CodeAdmission, words: []string{`"data"`, "storage classes of previews are fast"}, fix: "operator", chart: chart(claim(""), deployment(i, "web", uses("data")))},
		{name: "claim-of-unknown-class", want: diagnose.CodeClaim, words: []string{`"fast"`}, fix: "class", known: event("ProvisioningFailed", "", 1), chart: chart(claim("fast"), deployment(i, "web", uses("data")))},
		{name: "claim-missing", want: diagnose.CodeContainerConfig, words: []string{`PersistentVolumeClaim "data"`}, fix: "chart", known: noNode, chart: chart(deployment(i, "web", uses("data")))},
	}
}

// rulesScenes are charts that the cluster's rules do not let in.
func rulesScenes(i images) []scene {
	quota := func(resourceName corev1.ResourceName, amount string) func(context.Context, *stage) error {
		return func(ctx context.Context, s *stage) error {
			q := &corev1.ResourceQuota{ObjectMeta: meta("small"), Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{resourceName: resource.MustParse(amount)}}}
			_, err := s.admin.CoreV1().ResourceQuotas(s.namespace).Create(ctx, q, metav1.CreateOptions{})
			return err
		}
	}
	insecure := func(p *corev1.PodSpec, c *corev1.Container) { p.SecurityContext, c.SecurityContext = nil, nil }
	failedCreate := event("FailedCreate", "", 1)
	return []scene{
		{name: "quota-of-pods", want: diagnose.CodeQuota, words: []string{"pods", `"small"`}, fix: "fewer pods", known: notLetIn, before: quota("pods", "1"), chart: chart(replicas(i, "web", 2))},
		{name: "quota-of-memory", want: diagnose.CodeQuota, words: []string{"memory (limits)", "40Mi"}, fix: "limits", known: notLetIn, before: quota("limits.memory", "40Mi"), chart: chart(deployment(i, "web"))},
		{name: "quota-of-memory-in-statefulset", want: diagnose.CodeQuota, words: []string{"memory (limits)", `StatefulSet "web"`}, fix: "limits", known: failedCreate, before: quota("limits.memory", "40Mi"), chart: chart(statefulSet(i, "web"))},
		{name: "quota-of-storage", want: diagnose.CodeQuota, words: []string{"storage"}, fix: "quota", before: quota("requests.storage", "1Ki"), chart: chart(claim("fast"))},
		{name: "limit-range", want: diagnose.CodeQuota, words: []string{"32Mi", "memory"}, fix: "within", known: notLetIn, before: limitRange, chart: chart(deployment(i, "web"))},
		{name: "pod-security", want: diagnose.CodeAdmission, words: []string{"restricted", "runAsNonRoot"}, fix: "securityContext", known: notLetIn, before: restricted, chart: chart(deployment(i, "web", insecure))},
		{name: "pod-security-in-daemonset", want: diagnose.CodeAdmission, words: []string{"restricted", `DaemonSet "web"`}, fix: "securityContext", known: failedCreate, before: restricted, long: true, chart: chart(daemonSet(i, "web", insecure))},
		{name: "policy-refuses-object", want: diagnose.CodeAdmission, words: []string{"replicas must be odd"}, fix: "policy", before: policy, chart: chart(replicas(i, "web", 2))},
		{name: "webhook-down", want: diagnose.CodeWebhookDown, words: []string{"pods.diagnose.example.com"}, fix: "webhook", known: notLetIn, before: webhook("pods"), chart: chart(deployment(i, "web"))},
		{name: "webhook-down-at-once", want: diagnose.CodeWebhookDown, words: []string{"deployments.diagnose.example.com"}, fix: "webhook", before: webhook("deployments"), chart: chart(deployment(i, "web"))},
	}
}

func limitRange(ctx context.Context, s *stage) error {
	most := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("32Mi")}
	l := &corev1.LimitRange{ObjectMeta: meta("small"), Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: most}}}}
	_, err := s.admin.CoreV1().LimitRanges(s.namespace).Create(ctx, l, metav1.CreateOptions{})
	return err
}

func restricted(ctx context.Context, s *stage) error {
	patch := `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`
	_, err := s.admin.CoreV1().Namespaces().Patch(ctx, s.namespace, "application/merge-patch+json", []byte(patch), metav1.PatchOptions{})
	return err
}

// taintedNode makes a node that exists in name only and keeps everything off.
func taintedNode(ctx context.Context, s *stage) error {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "diagnose-tainted", Labels: map[string]string{"diagnose.example.com/pool": "gpu"}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}}},
	}
	if _, err := s.admin.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make a tainted node: %w", err)
	}
	s.cleanup(func(ctx context.Context) error {
		return s.admin.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{})
	})
	return nil
}
