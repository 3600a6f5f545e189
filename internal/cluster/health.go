package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// shortfall is a workload that has fewer pods available than it wants.
type shortfall struct {
	object             string // `Deployment "web"`
	available, desired int32
	selector           *metav1.LabelSelector
}

// Health looks at a preview that was ready before: nil means that its workloads have all the pods they want, a diagnosis says which has
// not and, as far as its pods tell, why. A namespace that is gone is a diagnosis too. It costs two requests for a healthy preview.
func (c *Cluster) Health(ctx context.Context, id Identity) (*preview.Diagnosis, error) {
	short, found, err := c.shortfalls(ctx, id.Namespace)
	if err != nil {
		return nil, kind(fmt.Errorf("look at the workloads of %s: %w", id.Namespace, err))
	}
	if !found {
		if _, err := c.live(ctx, id); err != nil {
			return &preview.Diagnosis{
				Code: preview.CodeNamespace, Blame: preview.BlameCluster,
				Cause: fmt.Sprintf("the namespace %s, or what was in it, was removed by somebody else", id.Namespace),
				Fix:   "Push again to bring the preview back.",
			}, nil //nolint:nilerr // it is gone or no longer ours, which is the finding
		}
		return nil, nil //nolint:nilnil // a chart without workloads is as healthy as it can be
	}
	for _, s := range short {
		d := preview.Diagnosis{
			Code: preview.CodeRollout, Blame: preview.BlameUnknown,
			Cause: fmt.Sprintf("%s has %d of %d pods available", s.object, s.available, s.desired),
		}
		if t := c.explain(ctx, id.Namespace, s); t != nil {
			d = *t
		}
		return &d, nil
	}
	return nil, nil //nolint:nilnil // healthy
}

// shortfalls lists the workloads that lack pods; found says whether there is any workload at all.
func (c *Cluster) shortfalls(ctx context.Context, namespace string) (short []shortfall, found bool, err error) {
	note := func(kind, name string, available, desired int32, selector *metav1.LabelSelector) {
		found = true
		if available < desired {
			short = append(short, shortfall{fmt.Sprintf("%s %q", kind, name), available, desired, selector})
		}
	}
	want := func(replicas *int32) int32 {
		if replicas == nil {
			return 1
		}
		return *replicas
	}
	deployments, err := c.client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, false, err
	}
	for _, d := range deployments.Items {
		note("Deployment", d.Name, d.Status.AvailableReplicas, want(d.Spec.Replicas), d.Spec.Selector)
	}
	sets, err := c.client.AppsV1().StatefulSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, false, err
	}
	for _, s := range sets.Items {
		note("StatefulSet", s.Name, s.Status.AvailableReplicas, want(s.Spec.Replicas), s.Spec.Selector)
	}
	return short, found, nil
}

// explain asks the pods of a workload what is wrong; nil when they do not tell.
func (c *Cluster) explain(ctx context.Context, namespace string, s shortfall) *preview.Diagnosis {
	pods, err := c.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(s.selector)})
	if err != nil {
		return nil
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.DeletionTimestamp != nil {
			continue
		}
		if t := examine(pod, time.Now()); t != nil {
			return &c.podFailure(ctx, s.object, pod, t).Diagnosis
		}
	}
	return nil
}
