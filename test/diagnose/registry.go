package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// refusing is the address of a registry that delivers nothing, as the node knows it. Runtimes speak plain HTTP to their own machine.
const refusing = "127.0.0.1:15555"

const registryNamespace = "diagnose-registry"

// startRegistry runs that registry on the node.
func (t *theatre) startRegistry(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: meta(registryNamespace)}
	if _, err := t.admin.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	zero := int64(0)
	p := &corev1.Pod{ObjectMeta: meta("registry"), Spec: corev1.PodSpec{
		HostNetwork: true, TerminationGracePeriodSeconds: &zero,
		Containers: []corev1.Container{{Name: "registry", Image: t.images.good, Args: []string{"-registry", refusing}}},
	}}
	pods := t.admin.CoreV1().Pods(registryNamespace)
	return until(ctx, 2*time.Minute, "the registry that delivers nothing runs", func() (bool, error) {
		got, err := pods.Get(ctx, p.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			if _, err := pods.Create(ctx, p, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.IsForbidden(err) {
				return false, fmt.Errorf("start a registry: %w", err)
			}
			return false, nil // refused while the namespace has no service account
		case err != nil:
			return false, err
		case got.Spec.Containers[0].Image != t.images.good && got.DeletionTimestamp == nil:
			return false, pods.Delete(ctx, p.Name, metav1.DeleteOptions{})
		}
		return got.Spec.Containers[0].Image == t.images.good && isReady(got), nil
	})
}
