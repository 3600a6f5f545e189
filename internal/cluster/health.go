package cluster

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// Health looks once at a preview that was ready: nil when its workloads still run completely, otherwise what it has lost and
// why. A namespace that is gone, going or somebody else's is a diagnosis too; an error means that the cluster did not tell.
func (c *Cluster) Health(ctx context.Context, id Identity) (*preview.Diagnosis, error) {
	d, err := c.health(ctx, id)
	if err != nil {
		return nil, c.hidden(ctx, id, err)
	}
	if d == nil {
		return nil, nil //nolint:nilnil // healthy: there is nothing to tell
	}
	var failure *preview.Failure
	errors.As(c.hidden(ctx, id, preview.Fail(nil, *d)), &failure)
	return &failure.Diagnosis, nil
}

func (c *Cluster) health(ctx context.Context, id Identity) (*preview.Diagnosis, error) {
	ns, err := c.live(ctx, id)
	if errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrConflict) || err == nil && ns.DeletionTimestamp != nil {
		d := lost(preview.CodeNamespace, fmt.Sprintf("The preview's namespace %s is gone: somebody has deleted it.", id.Namespace))
		d.Fix, d.Blame = "Deploy again.", preview.BlameCluster
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", id.Namespace, err)
	}
	w := newWait(c, id, nil, 0)
	for _, resource := range []schema.GroupVersionResource{
		appsv1.SchemeGroupVersion.WithResource("deployments"), appsv1.SchemeGroupVersion.WithResource("statefulsets"),
		appsv1.SchemeGroupVersion.WithResource("daemonsets"), podResource,
	} {
		list, err := c.dynamic.Resource(resource).Namespace(id.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", id.Namespace, kind(err))
		}
		all := change{resource: resource, all: true}
		for i := range list.Items {
			all.objects = append(all.objects, &list.Items[i])
		}
		w.take(all)
		if resource != podResource {
			w.expect(resource, all.objects)
		}
	}
	p, err := w.look(ctx)
	var failure *preview.Failure
	switch {
	case errors.As(err, &failure):
		return &failure.Diagnosis, nil
	case err != nil:
		return nil, fmt.Errorf("look at %s: %w", id.Namespace, err)
	case p.Ready < p.Total:
		return lost(diagnose.CodeNotReady, p.Waiting+"."), nil
	}
	return nil, nil //nolint:nilnil // healthy: there is nothing to tell
}

func lost(code, cause string) *preview.Diagnosis {
	return &preview.Diagnosis{Code: code, Cause: cause, Fix: "Wait until it is back, or deploy again.", Blame: preview.BlameUnknown}
}

// expect makes objects that were found objects that are to be ready.
func (w *wait) expect(resource schema.GroupVersionResource, objects []*unstructured.Unstructured) {
	for _, object := range objects {
		gvk := object.GroupVersionKind()
		ref := ObjectRef{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: w.id.Namespace, Name: object.GetName()}
		w.refs = append(w.refs, ref)
		w.resources[ref] = resource
	}
}
