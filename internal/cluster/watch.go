package cluster

import (
	"context"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// pollInterval is how often the objects are listed while no watch can be held (S4).
const pollInterval = 2 * time.Second

// resync is how long a watch is believed without a new listing. One that has gone silent, somewhere between here and the API server,
// looks just like one with nothing to tell.
const resync = 15 * time.Second

// change is what an observer learnt about the objects of one resource.
type change struct {
	resource schema.GroupVersionResource
	all      bool // objects are all there are; what is not among them is gone
	objects  []*unstructured.Unstructured
	deleted  bool  // objects are gone
	err      error // nothing could be learnt this time; the observer goes on
}

// observer follows the objects of one resource in one namespace.
type observer struct {
	c         *Cluster
	resource  schema.GroupVersionResource
	namespace string // "" for resources of the whole cluster
	options   metav1.ListOptions
	out       chan<- change
}

// run sends a listing, then changes as they come, until ctx is done. It resumes a watch that ended where it ended, lists anew when
// that is too long ago (410) and in any case every 15 seconds, and lists every two seconds while the API server grants no watch.
func (o *observer) run(ctx context.Context) {
	for ctx.Err() == nil {
		started := time.Now()
		o.round(ctx)
		// A watch that is refused, or ends as soon as it is granted, must not become a busy loop.
		if rest := pollInterval - time.Since(started); rest > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(rest):
			}
		}
	}
}

// round is one listing and what follows from it. Nothing in it outlasts resync: not an answer that never comes either.
func (o *observer) round(ctx context.Context) {
	// Those that began together need not all list at the same moment.
	bounded, cancel := context.WithTimeout(ctx, resync-rand.N(resync/5))
	defer cancel()
	version, err := o.list(bounded)
	if err != nil {
		o.send(ctx, change{err: err})
		return
	}
	o.follow(bounded, version)
}

func (o *observer) send(ctx context.Context, c change) {
	c.resource = o.resource
	select {
	case o.out <- c:
	case <-ctx.Done():
	}
}

func (o *observer) list(ctx context.Context) (version string, err error) {
	// The listing is consistent, a watch without a version need not be: it may begin with the objects as they were before
	// they were applied, and an old object that is ready must not pass for the new one.
	list, err := o.c.dynamic.Resource(o.resource).Namespace(o.namespace).List(ctx, o.options)
	if err != nil {
		return "", err
	}
	objects := make([]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		objects[i] = &list.Items[i]
	}
	o.send(ctx, change{all: true, objects: objects})
	return list.GetResourceVersion(), nil
}

// follow watches from version on and returns when a new listing is needed.
func (o *observer) follow(ctx context.Context, version string) {
	for ctx.Err() == nil {
		options := o.options
		options.ResourceVersion = version
		options.AllowWatchBookmarks = true
		w, err := o.c.dynamic.Resource(o.resource).Namespace(o.namespace).Watch(ctx, options)
		if err != nil {
			o.c.log.DebugContext(ctx, "no watch, polling", "resource", o.resource.Resource, "namespace", o.namespace, "err", err)
			return
		}
		started := time.Now()
		version, err = o.pump(ctx, w, version)
		if err != nil || time.Since(started) < time.Second {
			return
		}
	}
}

// pump sends the events of one watch and returns the version it came to; an error when the watch cannot be resumed from there.
func (o *observer) pump(ctx context.Context, w watch.Interface, version string) (string, error) {
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return version, ctx.Err()
		case e, ok := <-w.ResultChan():
			if !ok {
				return version, nil
			}
			if e.Type == watch.Error {
				return "", apierrors.FromObject(e.Object)
			}
			if object, err := meta.Accessor(e.Object); err == nil {
				version = object.GetResourceVersion()
			}
			object, ok := e.Object.(*unstructured.Unstructured)
			if !ok || e.Type == watch.Bookmark {
				continue
			}
			o.send(ctx, change{objects: []*unstructured.Unstructured{object}, deleted: e.Type == watch.Deleted})
		}
	}
}
