package main

import (
	"context"
	"regexp"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// sign tells an object in which the cluster shows that it knows.
type sign func(object any) bool

// waiting is a container that waits for one of these reasons.
func waiting(reasons ...string) sign {
	return func(object any) bool {
		return slices.ContainsFunc(statuses(object), func(s corev1.ContainerStatus) bool {
			return s.State.Waiting != nil && slices.Contains(reasons, s.State.Waiting.Reason)
		})
	}
}

// ended is a container that has ended n times.
func ended(n int) sign {
	return func(object any) bool {
		return slices.ContainsFunc(statuses(object), func(s corev1.ContainerStatus) bool {
			return int(s.RestartCount) == n-1 && (s.State.Terminated != nil || s.State.Waiting != nil && s.LastTerminationState.Terminated != nil) || int(s.RestartCount) >= n
		})
	}
}

func statuses(object any) []corev1.ContainerStatus {
	p, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	return slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
}

// event is an event of that reason that says so, count times.
func event(reason, words string, count int32) sign {
	pattern := regexp.MustCompile(words)
	return func(object any) bool {
		e, ok := object.(*corev1.Event)
		return ok && e.Reason == reason && pattern.MatchString(e.Message) && max(1, e.Count) >= count
	}
}

// noNode is a pod that the scheduler cannot place.
func noNode(object any) bool {
	p, ok := object.(*corev1.Pod)
	return ok && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
	})
}

// notLetIn is a Deployment whose pods are refused.
func notLetIn(object any) bool {
	d, ok := object.(*appsv1.Deployment)
	return ok && slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
	})
}

// jobFailed is a Job that has failed.
func jobFailed(object any) bool {
	j, ok := object.(*batchv1.Job)
	return ok && slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobFailed || c.Type == batchv1.JobFailureTarget) && c.Status == corev1.ConditionTrue
	})
}

// isReady is a pod that is ready.
func isReady(object any) bool {
	p, ok := object.(*corev1.Pod)
	return ok && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// witness sees the objects of all namespaces and remembers when it saw a sign first.
type witness struct {
	mu    sync.Mutex
	signs map[string]sign      // by namespace
	seen  map[string]time.Time // by namespace
}

func newWitness(admin *kubernetes.Clientset, stop <-chan struct{}) *witness {
	w := &witness{signs: map[string]sign{}, seen: map[string]time.Time{}}
	factory := informers.NewSharedInformerFactory(admin, 0)
	handler := cache.ResourceEventHandlerFuncs{AddFunc: w.look, UpdateFunc: func(_, now any) { w.look(now) }}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().Pods().Informer(), factory.Core().V1().Events().Informer(),
		factory.Apps().V1().Deployments().Informer(), factory.Batch().V1().Jobs().Informer(),
	} {
		_, _ = informer.AddEventHandler(handler) // fails only once the informer is stopped
	}
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	return w
}

// expect has the witness look for a sign in a namespace from now on.
func (w *witness) expect(namespace string, s sign) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.signs[namespace] = s
	delete(w.seen, namespace)
}

func (w *witness) look(object any) {
	at := time.Now()
	m, ok := object.(metav1.Object)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.signs[m.GetNamespace()]
	if s == nil || !w.seen[m.GetNamespace()].IsZero() || !s(object) {
		return
	}
	w.seen[m.GetNamespace()] = at
}

// wait gives when the sign was seen; zero when it is not seen within the limit either.
func (w *witness) wait(ctx context.Context, limit time.Duration, namespace string) time.Time {
	var at time.Time
	_ = until(ctx, limit, "the cluster is seen to know", func() (bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		at = w.seen[namespace]
		return !at.IsZero(), nil
	}) // not seen is what the zero time says
	return at
}
