package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"

	"catalyst.dev/catalyst/internal/preview"
)

// WaitGone waits until the namespace with the UID of id is gone; another one of the same name counts as gone. At the limit it returns a
// *preview.Failure of code STUCK_DELETE that names what is left and who holds it.
func (c *Cluster) WaitGone(ctx context.Context, id Identity, limit time.Duration) error {
	inner, cancel := context.WithCancel(ctx)
	changes := make(chan change)
	o := observer{c: c, resource: namespaceResource, out: changes, options: metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", id.Namespace).String(),
	}}
	var running sync.WaitGroup
	defer func() { cancel(); running.Wait() }()
	running.Go(func() { o.run(inner) })

	timer := time.NewTimer(limit)
	defer timer.Stop()
	var last *unstructured.Unstructured
	lastErr := errors.New("no answer")
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for namespace %s to be gone: %w", id.Namespace, ctx.Err())
		case <-timer.C:
			if last == nil {
				return fmt.Errorf("wait for namespace %s to be gone: %w", id.Namespace, lastErr)
			}
			return c.stuck(ctx, last, limit)
		case ch := <-changes:
			if ch.err != nil {
				lastErr = ch.err
				continue
			}
			if ch.deleted || len(ch.objects) == 0 {
				return nil
			}
			last = ch.objects[0]
			if id.UID == "" {
				id.UID = string(last.GetUID())
			}
			if string(last.GetUID()) != id.UID {
				return nil
			}
		}
	}
}

// stuck is the diagnosis of a namespace that does not go away.
func (c *Cluster) stuck(ctx context.Context, object *unstructured.Unstructured, limit time.Duration) error {
	var ns corev1.Namespace
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &ns); err != nil {
		return fmt.Errorf("read namespace %s: %w", object.GetName(), err)
	}
	d := preview.Diagnosis{
		Code:  preview.CodeStuckDelete,
		Cause: fmt.Sprintf("Namespace %s is still there %s after its deletion began.", ns.Name, limit),
		Fix:   "See what holds it; an operator of the cluster can mend or remove that.",
		Blame: preview.BlameCluster,
	}
	if ns.DeletionTimestamp == nil {
		d.Cause = fmt.Sprintf("Namespace %s is still there: its deletion has not begun.", ns.Name)
	}
	var lines []string
	for _, cond := range ns.Status.Conditions {
		if cond.Status != corev1.ConditionTrue {
			continue
		}
		lines = append(lines, string(cond.Type)+": "+oneLine(cond.Message))
		switch cond.Type {
		case corev1.NamespaceDeletionDiscoveryFailure:
			d.Cause = fmt.Sprintf("Namespace %s cannot be emptied: an extension API server of the cluster does not answer: %s", ns.Name, oneLine(cond.Message))
		case corev1.NamespaceContentRemaining:
			if held := c.holders(ctx, &ns, cond.Message); len(held) > 0 {
				d.Cause = fmt.Sprintf("Namespace %s is held by %s.", ns.Name, held[0])
				d.Fix = "Have the controller that put the finalizer there remove it, or remove the finalizer from the object by hand."
				lines = append(lines, held...)
			}
		}
	}
	d.Evidence = tail(lines)
	return preview.Fail(nil, d)
}
