package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// Progress is how far a release is on its way to ready.
type Progress struct {
	Ready   int    // objects
	Total   int    // objects
	Waiting string // one sentence: what is waited for; "" when everything is ready
}

// WaitReady waits until all the objects are ready: workloads when the revision that was applied runs completely (an older one that
// still does counts for nothing), Jobs when they are complete, other objects by their conditions, and those without any, Ingress
// among them, when they exist. What was ready is noted at the namespace, for Health.
// progress (may be nil) is called from one goroutine, on every change and only then.
//
// A rollout that has failed or that cannot succeed (an image that does not exist, a container that crashes again and again, …) ends the wait
// at once with a *preview.Failure, the limit with one of code TIMEOUT that names what was waited for.
func (c *Cluster) WaitReady(ctx context.Context, id Identity, objects []ObjectRef, limit time.Duration, progress func(Progress)) (err error) {
	defer func() { err = c.hidden(ctx, id, err) }()
	w := newWait(c, id, objects, limit)
	if progress == nil {
		progress = func(Progress) {}
	}
	// The limit holds as well when the API server takes a question and never answers.
	bounded, cancel := context.WithTimeout(ctx, limit+2*evidenceTime)
	defer cancel()
	err = w.run(bounded, progress)
	if err == nil {
		err = c.note(ctx, id, objects)
	}
	var failure *preview.Failure
	if err == nil || errors.As(err, &failure) {
		return err
	}
	return fmt.Errorf("wait for %s to be ready: %w", id.Namespace, err)
}

type objectKey struct {
	resource schema.GroupVersionResource
	name     string
}

// wait is one run of WaitReady. One goroutine owns it.
type wait struct {
	c         *Cluster
	id        Identity
	refs      []ObjectRef
	limit     time.Duration
	resources map[ObjectRef]schema.GroupVersionResource
	objects   map[objectKey]*unstructured.Unstructured
	seen      map[schema.GroupVersionResource]bool  // resources of which there was news
	errs      map[schema.GroupVersionResource]error // why there is none at the moment
	owners    map[string]replicaSet                 // by name; see ownerOf
	runs      map[runKey]time.Time                  // when each was first seen
	began     time.Time
	once      bool           // one look, at what was ready before
	hook      *diagnose.Hook // what is waited for, when it is a hook
	evidence  evidence
}

func newWait(c *Cluster, id Identity, refs []ObjectRef, limit time.Duration) *wait {
	return &wait{
		c: c, id: id, refs: refs, limit: limit,
		resources: map[ObjectRef]schema.GroupVersionResource{},
		objects:   map[objectKey]*unstructured.Unstructured{},
		seen:      map[schema.GroupVersionResource]bool{},
		errs:      map[schema.GroupVersionResource]error{},
		owners:    map[string]replicaSet{},
		runs:      map[runKey]time.Time{},
		began:     time.Now(),
	}
}

func (w *wait) run(ctx context.Context, progress func(Progress)) error {
	watched := map[schema.GroupVersionResource]bool{podResource: true}
	var plain []ObjectRef
	for _, ref := range w.refs {
		m, err := w.c.mapper.RESTMapping(schema.GroupKind{Group: ref.Group, Kind: ref.Kind}, ref.Version)
		if err != nil {
			return fmt.Errorf("find the kind of %s: %w", ref, err)
		}
		w.resources[ref] = m.Resource
		if settles(ref) {
			watched[m.Resource] = true
		} else {
			plain = append(plain, ref)
		}
	}

	inner, cancel := context.WithCancel(ctx)
	changes := make(chan change, 16)
	var running sync.WaitGroup
	defer func() { cancel(); running.Wait() }()
	for resource := range watched {
		o := observer{c: w.c, resource: resource, namespace: w.id.Namespace, out: changes}
		running.Go(func() { o.run(inner) })
	}
	for _, ref := range plain {
		running.Go(func() { w.exists(inner, ref, w.resources[ref], changes) })
	}

	w.evidence.follow = func(o observer) {
		o.out = changes
		running.Go(func() { o.run(inner) })
	}

	timer := time.NewTimer(w.limit)
	defer timer.Stop()
	// For what depends on the time alone; asks the API server nothing.
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	var last *Progress
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return w.late(ctx)
		case <-clock.C:
		case ch := <-changes:
			w.take(ch)
			for more := true; more; {
				select {
				case ch := <-changes:
					w.take(ch)
				default:
					more = false
				}
			}
		}
		for resource, err := range w.errs {
			if resource != eventResource && apierrors.IsForbidden(err) {
				return kind(err)
			}
		}
		now, err := w.look(ctx)
		if err != nil {
			return err
		}
		if last == nil || *last != now {
			last = &now
			progress(now)
		}
		if now.Ready == now.Total {
			return nil
		}
	}
}

// exists sends the object as soon as it is there.
func (w *wait) exists(ctx context.Context, ref ObjectRef, resource schema.GroupVersionResource, out chan<- change) {
	for ctx.Err() == nil {
		ch := change{resource: resource}
		object, err := w.c.dynamic.Resource(resource).Namespace(w.id.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err == nil {
			ch.objects = []*unstructured.Unstructured{object}
		} else if !apierrors.IsNotFound(err) {
			ch.err = err
		}
		select {
		case out <- ch:
		case <-ctx.Done():
		}
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
}

func (w *wait) take(ch change) {
	if ch.err != nil {
		w.errs[ch.resource] = ch.err
		return
	}
	delete(w.errs, ch.resource)
	w.seen[ch.resource] = true
	if ch.all {
		maps.DeleteFunc(w.objects, func(k objectKey, _ *unstructured.Unstructured) bool { return k.resource == ch.resource })
	}
	for _, object := range ch.objects {
		k := objectKey{ch.resource, object.GetName()}
		if ch.deleted {
			delete(w.objects, k)
		} else {
			w.objects[k] = object
		}
	}
}
