package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// lookLimit is how long one look at a preview may take: an API server that does not answer for one must not keep the others waiting.
const lookLimit = 15 * time.Second

// Health looks once at a preview that was ready: nil when all that made it ready is still there and its workloads run completely,
// otherwise what it has lost and why. What others have put into its namespace does not count. A namespace that is gone, going or
// somebody else's is a diagnosis too; an error means that the cluster did not tell.
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
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
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
	w.once = true
	missing, err := w.survey(ctx, noted(ns))
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", id.Namespace, err)
	}
	if missing != nil {
		d := lost(diagnose.CodeObjectGone, missing.String()+" is gone: somebody has deleted it.")
		d.Fix, d.Blame = "Put it back, or deploy again.", preview.BlameCluster
		return d, nil
	}
	p, err := w.look(ctx)
	if err == nil && p.Ready == p.Total {
		return nil, nil //nolint:nilnil // healthy: there is nothing to tell
	}
	// Only now are the pods of interest: they say why.
	if err := w.list(ctx, podResource); err != nil {
		return nil, fmt.Errorf("look at %s: %w", id.Namespace, err)
	}
	p, err = w.look(ctx)
	var failure *preview.Failure
	switch {
	case errors.As(err, &failure):
		return &failure.Diagnosis, nil
	case err != nil:
		return nil, fmt.Errorf("look at %s: %w", id.Namespace, err)
	case p.Ready == p.Total:
		return nil, nil //nolint:nilnil // it has healed in between
	}
	return lost(diagnose.CodeNotReady, p.Waiting+"."), nil
}

func lost(code, cause string) *preview.Diagnosis {
	return &preview.Diagnosis{Code: code, Cause: cause, Fix: "Wait until it is back, or deploy again.", Blame: preview.BlameUnknown}
}

// survey reads the workloads that are expected, makes them those to be looked at, and returns the first object that is not there.
func (w *wait) survey(ctx context.Context, expected []ObjectRef) (missing *ObjectRef, err error) {
	names := map[schema.GroupVersionResource]map[string]bool{}
	for _, ref := range expected {
		if ref.Kind == "Job" {
			continue // a Job may be set to go when it is done
		}
		m, err := w.c.mapper.RESTMapping(schema.GroupKind{Group: ref.Group, Kind: ref.Kind}, ref.Version)
		if meta.IsNoMatchError(err) {
			return &ref, nil // its definition was deleted, and with it every object
		}
		if err != nil {
			return nil, fmt.Errorf("find the kind of %s: %w", ref, err)
		}
		if names[m.Resource] == nil {
			if names[m.Resource], err = w.there(ctx, ref, m.Resource); err != nil {
				return nil, err
			}
		}
		switch there := names[m.Resource]; {
		case there[""]: // it may not be read
		case !there[ref.Name]:
			return &ref, nil
		case runs(ref):
			w.refs = append(w.refs, ref)
			w.resources[ref] = m.Resource
		}
	}
	return nil, nil //nolint:nilnil // nothing is missing
}

// runs reports whether the object runs pods: only then has it a health of its own.
func runs(ref ObjectRef) bool {
	return ref.Group == appsv1.GroupName && settles(ref) || ref.Group == "" && ref.Kind == "Pod"
}

// there gives the names of the objects of a resource, whole objects being kept where they are to be looked at. The name "" stands for a
// resource that may not be listed: what it holds is not known.
func (w *wait) there(ctx context.Context, ref ObjectRef, resource schema.GroupVersionResource) (map[string]bool, error) {
	names := map[string]bool{}
	if runs(ref) {
		err := w.list(ctx, resource)
		for k := range w.objects {
			if k.resource == resource {
				names[k.name] = true
			}
		}
		return names, err
	}
	list, err := w.c.metadata.Resource(resource).Namespace(w.id.Namespace).List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsForbidden(err):
		w.c.log.DebugContext(ctx, "objects not looked at", "namespace", w.id.Namespace, "resource", resource.Resource, "err", err)
		names[""] = true
		return names, nil
	case err != nil && !apierrors.IsNotFound(err):
		return nil, kind(fmt.Errorf("list %s: %w", resource.Resource, err))
	case err == nil:
		for i := range list.Items {
			names[list.Items[i].Name] = true
		}
	}
	return names, nil
}

// list reads all objects of a resource once.
func (w *wait) list(ctx context.Context, resource schema.GroupVersionResource) error {
	list, err := w.c.dynamic.Resource(resource).Namespace(w.id.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return kind(fmt.Errorf("list %s: %w", resource.Resource, err))
	}
	all := change{resource: resource, all: true}
	for i := range list.Items {
		all.objects = append(all.objects, &list.Items[i])
	}
	w.take(all)
	return nil
}
