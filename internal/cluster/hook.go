package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

var (
	podResource       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	jobResource       = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	namespaceResource = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
)

func metaOf(o runtime.Object) (metav1.Object, error) { return meta.Accessor(o) }

// hookWaiter is the waiter Helm gets. It waits for hooks to end, within the operation's context, and for nothing else: whether the
// release is ready is WaitReady's question.
type hookWaiter struct {
	c         *Cluster
	ctx       context.Context
	namespace string
	step      func(preview.StepName) (end func(error))
}

// Wait implements kube.Waiter.
func (w hookWaiter) Wait(kube.ResourceList, time.Duration) error { return nil }

// WaitWithJobs implements kube.Waiter.
func (w hookWaiter) WaitWithJobs(kube.ResourceList, time.Duration) error { return nil }

// WaitForDelete returns when the objects are gone.
func (w hookWaiter) WaitForDelete(list kube.ResourceList, timeout time.Duration) error {
	for _, info := range list {
		err := w.each(info, info.Mapping.Resource, named(info), timeout, func(object *unstructured.Unstructured) (bool, error) {
			return object == nil, nil
		})
		if errors.Is(err, errTimeout) {
			return preview.Fail(nil, preview.Diagnosis{
				Code:  preview.CodeHook,
				Cause: fmt.Sprintf("The %s of an earlier run was deleted and is still there after %s.", hookName(info), timeout),
				Fix:   "See which finalizer holds it.",
				Blame: preview.BlameCluster,
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// WatchUntilReady returns when the hooks have ended well; a hook that fails, or cannot, is a *preview.Failure.
func (w hookWaiter) WatchUntilReady(list kube.ResourceList, timeout time.Duration) error {
	for _, info := range list {
		switch info.Mapping.GroupVersionKind.GroupKind() {
		case schema.GroupKind{Group: "batch", Kind: "Job"}, schema.GroupKind{Kind: "Pod"}:
			ended := w.step(preview.StepHooks)
			err := w.end(info, timeout)
			ended(err)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// end returns when a hook has ended well. It is watched with its pods: a Job whose image does not exist never fails by itself.
func (w hookWaiter) end(info *resource.Info, timeout time.Duration) error {
	gvk := info.Mapping.GroupVersionKind
	ref := ObjectRef{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: w.namespace, Name: info.Name}
	wait := newWait(w.c, Identity{Namespace: w.namespace}, []ObjectRef{ref}, timeout)
	wait.hook = &diagnose.Hook{Ref: refOf(ref), Event: hookEvents(info)}
	ctx, cancel := w.patience(info, timeout)
	defer cancel()
	err := wait.run(ctx, func(Progress) {})
	var failure *preview.Failure
	if err == nil || errors.As(err, &failure) {
		return err
	}
	return fmt.Errorf("wait for hook %s: %w", ref, err)
}

// hookGrace is how long a hook that runs may go on when a push replaces its deployment: a migration that is cut off in the middle is
// worse than one that ends.
const hookGrace = time.Minute

// patience returns the context of a wait for a hook. It ends with the deployment, but hookGrace later when that was replaced by a newer
// commit while the hook was running. The limit holds as well when the API server takes a question and never answers.
func (w hookWaiter) patience(info *resource.Info, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), timeout+2*evidenceTime)
	stop := context.AfterFunc(w.ctx, func() {
		if errors.Is(context.Cause(w.ctx), preview.ErrReplaced) && w.runs(ctx, info) {
			select {
			case <-time.After(hookGrace):
			case <-ctx.Done():
			}
		}
		cancel()
	})
	return ctx, func() { stop(); cancel() }
}

// runs reports whether the hook has a pod that runs. When nobody can tell, it has none.
func (w hookWaiter) runs(ctx context.Context, info *resource.Info) bool {
	ctx, cancel := context.WithTimeout(ctx, evidenceTime)
	defer cancel()
	which := named(info)
	if info.Mapping.GroupVersionKind.Kind == "Job" {
		which = metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + info.Name}
	}
	pods, err := w.c.client.CoreV1().Pods(w.namespace).List(ctx, which)
	return err == nil && slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
}

// named chooses the object itself.
func named(info *resource.Info) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", info.Name).String()}
}

var errTimeout = errors.New("time is up")

// each calls look with every state of the objects of a resource, and with nil when there are none, until look is content or
// fails, or time is up (errTimeout).
func (w hookWaiter) each(
	info *resource.Info, gvr schema.GroupVersionResource, which metav1.ListOptions, timeout time.Duration,
	look func(*unstructured.Unstructured) (bool, error),
) error {
	ctx, cancel := context.WithTimeoutCause(w.ctx, timeout, errTimeout)
	changes := make(chan change)
	o := observer{c: w.c, resource: gvr, namespace: w.namespace, options: which, out: changes}
	done := make(chan struct{})
	go func() { defer close(done); o.run(ctx) }()
	defer func() { cancel(); <-done }()
	var last error
	for {
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errTimeout) && last != nil {
				return fmt.Errorf("watch hook %s: %w", info.Name, last)
			}
			return context.Cause(ctx)
		case ch := <-changes:
			if last = ch.err; last != nil {
				continue
			}
			objects := ch.objects
			if ch.deleted || ch.all && len(objects) == 0 {
				objects = []*unstructured.Unstructured{nil}
			}
			for _, object := range objects {
				if ok, err := look(object); ok || err != nil {
					return err
				}
			}
		}
	}
}

// hookName names a hook for people.
func hookName(info *resource.Info) string {
	return fmt.Sprintf("%s hook %s %q", hookEvents(info), info.Mapping.GroupVersionKind.Kind, info.Name)
}

// hookEvents are the events a hook is for, as its annotation has them.
func hookEvents(info *resource.Info) string {
	object, err := metaOf(info.Object)
	if err != nil {
		return "Helm"
	}
	return object.GetAnnotations()["helm.sh/hook"]
}
