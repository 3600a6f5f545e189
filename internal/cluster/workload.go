package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// pods looks for pods of the release that will never be ready and gives the diagnosis of the first. waiting are the objects that are not ready.
func (w *wait) pods(ctx context.Context, waiting map[string]ObjectRef) error {
	type looper struct {
		ref ObjectRef
		pod *corev1.Pod
		t   *trouble
	}
	var loops []looper
	looping := map[ObjectRef]bool{}
	for _, pod := range w.allPods() {
		t := examine(pod, time.Now())
		if t == nil {
			continue
		}
		ref, ok := waiting[w.ownerOf(ctx, pod)]
		if !ok || t.ends > 0 && ref.Kind == "Job" { // a Job knows itself how often to try
			continue
		}
		if t.ends == 0 || t.ends >= manyCrashes {
			return w.c.podFailure(ctx, ref.String(), pod, t)
		}
		loops = append(loops, looper{ref, pod, t})
		looping[ref] = true
	}
	// While something that does not crash is on its way, a crashing container may only be waiting for it.
	if len(loops) > 0 && len(looping) == len(waiting) {
		l := loops[0]
		return w.c.podFailure(ctx, l.ref.String(), l.pod, l.t)
	}
	return nil
}

func (w *wait) allPods() []*corev1.Pod {
	var pods []*corev1.Pod
	for k, object := range w.objects {
		if k.resource != podResource {
			continue
		}
		var pod corev1.Pod
		if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod) == nil {
			pods = append(pods, &pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

// podsOf are the pods of an object's present revision.
func (w *wait) podsOf(ctx context.Context, ref ObjectRef) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, pod := range w.allPods() {
		if w.ownerOf(ctx, pod) == ref.Kind+"/"+ref.Name {
			pods = append(pods, pod)
		}
	}
	return pods
}

// ownerOf gives the object that a pod belongs to, as "Kind/name", or "" when the pod belongs to a revision that is being replaced: what
// happens to those says nothing about the one that was applied.
func (w *wait) ownerOf(ctx context.Context, pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "Pod/" + pod.Name
	}
	name := owner.Kind + "/" + owner.Name
	switch owner.Kind {
	case "ReplicaSet":
		return w.deploymentOf(ctx, owner.Name)
	case "StatefulSet":
		set := w.observed("StatefulSet", owner.Name)
		if set == nil {
			return ""
		}
		if update, _, _ := unstructured.NestedString(set.Object, "status", "updateRevision"); update != pod.Labels[appsv1.StatefulSetRevisionLabel] {
			return ""
		}
	case "DaemonSet":
		set := w.observed("DaemonSet", owner.Name)
		if set == nil || set.GetAnnotations()[appsv1.DeprecatedTemplateGeneration] != pod.Labels["pod-template-generation"] {
			return ""
		}
	}
	return name
}

// deploymentOf gives the Deployment that a ReplicaSet is the present revision of. ReplicaSets are read when one of their pods is of interest
// and not watched: nearly always none is.
func (w *wait) deploymentOf(ctx context.Context, name string) string {
	set := w.owners[name]
	if set == nil {
		var err error
		if set, err = w.c.client.AppsV1().ReplicaSets(w.id.Namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			w.c.log.DebugContext(ctx, "owner of a pod not read", "namespace", w.id.Namespace, "replicaset", name, "err", err)
			return ""
		}
	}
	owner := metav1.GetControllerOf(set)
	if owner == nil {
		return "ReplicaSet/" + name
	}
	deployment := w.observed("Deployment", owner.Name)
	const revision = "deployment.kubernetes.io/revision"
	if deployment == nil {
		return ""
	}
	if deployment.GetAnnotations()[revision] != set.Annotations[revision] {
		// A ReplicaSet gets a new revision when the Deployment goes back to it: read it again next time.
		delete(w.owners, name)
		return ""
	}
	w.owners[name] = set
	return "Deployment/" + owner.Name
}

// observed returns an object of the release once its controller has seen what was applied; until then, what is known of its
// pods is about what was there before.
func (w *wait) observed(kind, name string) *unstructured.Unstructured {
	for _, ref := range w.refs {
		if ref.Group != appsv1.GroupName || ref.Kind != kind || ref.Name != name {
			continue
		}
		object := w.objects[objectKey{w.resources[ref], name}]
		if object == nil {
			return nil
		}
		if seen, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration"); seen != object.GetGeneration() {
			return nil
		}
		return object
	}
	return nil
}

// hint says in a few words what the first pod of an object that is not ready waits for; "" when there is nothing to say.
func (w *wait) hint(ctx context.Context, ref ObjectRef) string {
	for _, pod := range w.podsOf(ctx, ref) {
		for _, cond := range pod.Status.Conditions {
			if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
				return fmt.Sprintf("a node for pod %s: %s", pod.Name, oneLine(cond.Message))
			}
		}
		for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			switch {
			case s.State.Waiting != nil && s.State.Waiting.Message != "":
				return fmt.Sprintf("container %s of pod %s (%s: %s)", s.Name, pod.Name, s.State.Waiting.Reason, oneLine(s.State.Waiting.Message))
			case s.State.Waiting != nil:
				return fmt.Sprintf("container %s of pod %s (%s)", s.Name, pod.Name, s.State.Waiting.Reason)
			case s.State.Running != nil && !s.Ready:
				return fmt.Sprintf("container %s of pod %s, which runs but is not ready", s.Name, pod.Name)
			case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
				return fmt.Sprintf("container %s of pod %s, which ended with exit code %d", s.Name, pod.Name, s.State.Terminated.ExitCode)
			}
		}
	}
	return ""
}
