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
		var err error
		switch info.Mapping.GroupVersionKind.GroupKind() {
		case schema.GroupKind{Group: "batch", Kind: "Job"}:
			err = w.job(info, timeout)
		case schema.GroupKind{Kind: "Pod"}:
			err = w.each(info, podResource, named(info), timeout, func(o *unstructured.Unstructured) (bool, error) {
				return w.pod(info, o, true)
			})
		}
		if errors.Is(err, errTimeout) {
			return w.late(info, timeout)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// named chooses the object itself.
func named(info *resource.Info) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", info.Name).String()}
}

// podsOf chooses the pods of a Job.
func podsOf(info *resource.Info) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + info.Name}
}

func (w hookWaiter) job(info *resource.Info, timeout time.Duration) error {
	// The pods as well: a Job whose image does not exist never fails by itself.
	pods, cancel := context.WithCancel(w.ctx)
	defer cancel()
	hopeless := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		inner := w
		inner.ctx = pods
		err := inner.each(info, podResource, podsOf(info), timeout, func(o *unstructured.Unstructured) (bool, error) {
			return w.pod(info, o, false)
		})
		var failure *preview.Failure
		if errors.As(err, &failure) {
			hopeless <- failure
			cancel()
		}
	}()
	inner := w
	inner.ctx = pods
	err := inner.each(info, jobResource, named(info), timeout, func(o *unstructured.Unstructured) (bool, error) {
		return w.ended(info, o)
	})
	cancel()
	<-done
	if err == nil {
		return nil
	}
	select {
	case failure := <-hopeless:
		return failure
	default:
		return err
	}
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

// ended reports whether a hook's Job is complete.
func (w hookWaiter) ended(info *resource.Info, object *unstructured.Unstructured) (bool, error) {
	if object == nil {
		return false, nil
	}
	var job batchv1.Job
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &job); err != nil {
		return false, fmt.Errorf("read job %s: %w", info.Name, err)
	}
	for _, cond := range job.Status.Conditions {
		if cond.Status != corev1.ConditionTrue {
			continue
		}
		switch cond.Type {
		case batchv1.JobComplete:
			return true, nil
		case batchv1.JobFailed:
			pods, err := w.c.client.CoreV1().Pods(w.namespace).List(w.ctx, podsOf(info))
			if err != nil {
				return false, fmt.Errorf("list the pods of job %s: %w", info.Name, err)
			}
			theirs := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return !metav1.IsControlledBy(&p, &job) })
			return false, w.failed(info, newest(theirs), oneLine(cond.Message))
		}
	}
	return false, nil
}

// pod looks at a pod of a hook. A hook that is a pod itself has ended when the pod has.
func (w hookWaiter) pod(info *resource.Info, object *unstructured.Unstructured, whole bool) (bool, error) {
	if object == nil {
		return false, nil
	}
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod); err != nil {
		return false, fmt.Errorf("read pod %s: %w", object.GetName(), err)
	}
	// A pod of the Job's last run, of the same name, may not have been collected yet.
	job, err := metaOf(info.Object)
	if err != nil {
		return false, fmt.Errorf("read hook %s: %w", info.Name, err)
	}
	if !whole && !metav1.IsControlledBy(&pod, job) {
		return false, nil
	}
	if whole && pod.Status.Phase == corev1.PodSucceeded {
		return true, nil
	}
	if whole && pod.Status.Phase == corev1.PodFailed {
		return false, w.failed(info, &pod, pod.Status.Message)
	}
	if t := examine(&pod, time.Now()); t != nil && t.code != CodeCrashLoop && t.code != CodeOutOfMemory {
		return false, w.c.podFailure(w.ctx, hookName(info), &pod, t)
	}
	return false, nil
}

// failed is the diagnosis of a hook that ended badly, with the last words of its pod.
func (w hookWaiter) failed(info *resource.Info, pod *corev1.Pod, message string) error {
	d := preview.Diagnosis{
		Code:  preview.CodeHook,
		Cause: fmt.Sprintf("The %s failed.", hookName(info)),
		Fix:   "See its log; the objects of the release were not brought up to date.",
		Blame: preview.BlameChange,
	}
	if message != "" {
		d.Cause = fmt.Sprintf("The %s failed: %s", hookName(info), message)
	}
	if pod != nil {
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			if t := lastEnd(status); t != nil && t.ExitCode != 0 {
				d.Cause = fmt.Sprintf("The %s failed: container %s ended with exit code %d.", hookName(info), status.Name, t.ExitCode)
				d.Evidence = w.c.lastLines(w.ctx, pod, status.Name)
				break
			}
		}
	}
	return preview.Fail(nil, d)
}

// late is the diagnosis of a hook that does not end.
func (w hookWaiter) late(info *resource.Info, timeout time.Duration) error {
	return preview.Fail(nil, preview.Diagnosis{
		Code:  preview.CodeHook,
		Cause: fmt.Sprintf("The %s has not ended within %s.", hookName(info), timeout),
		Fix:   "Make it end sooner, or give it more time in the configuration.",
		Blame: preview.BlameChange,
	})
}

func hookName(info *resource.Info) string {
	events := "hook"
	if object, err := metaOf(info.Object); err == nil && object.GetAnnotations()["helm.sh/hook"] != "" {
		events = object.GetAnnotations()["helm.sh/hook"] + " hook"
	}
	return fmt.Sprintf("%s %s %q", events, info.Mapping.GroupVersionKind.Kind, info.Name)
}

func newest(pods []corev1.Pod) *corev1.Pod {
	var last *corev1.Pod
	for i := range pods {
		if last == nil || last.CreationTimestamp.Before(&pods[i].CreationTimestamp) {
			last = &pods[i]
		}
	}
	return last
}
