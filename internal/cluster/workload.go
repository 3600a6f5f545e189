package cluster

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"catalyst.dev/catalyst/internal/diagnose"
)

// allPods are the pods of the namespace, by name.
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

// ownerOf gives the object that a pod belongs to, or none when the pod belongs to a revision that is being replaced: what
// happens to those says nothing about the one that was applied.
func (w *wait) ownerOf(ctx context.Context, pod *corev1.Pod) diagnose.Ref {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return diagnose.Ref{Kind: "Pod", Name: pod.Name}
	}
	switch owner.Kind {
	case "ReplicaSet":
		return w.deploymentOf(ctx, owner.Name)
	case "StatefulSet":
		set := w.observed("StatefulSet", owner.Name)
		if set == nil {
			return diagnose.Ref{}
		}
		if update, _, _ := unstructured.NestedString(set.Object, "status", "updateRevision"); update != pod.Labels[appsv1.StatefulSetRevisionLabel] {
			return diagnose.Ref{}
		}
	case "DaemonSet":
		set := w.observed("DaemonSet", owner.Name)
		if set == nil || set.GetAnnotations()[appsv1.DeprecatedTemplateGeneration] != pod.Labels["pod-template-generation"] {
			return diagnose.Ref{}
		}
	case "Job":
		// A pod of an earlier Job of the same name may not have been collected yet.
		job := w.objects[objectKey{jobResource, owner.Name}]
		if job == nil || job.GetUID() != owner.UID {
			return diagnose.Ref{}
		}
	}
	return diagnose.Ref{Kind: owner.Kind, Name: owner.Name}
}

// deploymentOf gives the Deployment that a ReplicaSet is the present revision of. ReplicaSets are read when one of their pods is of interest
// and not watched: nearly always none is.
func (w *wait) deploymentOf(ctx context.Context, name string) diagnose.Ref {
	known := w.owners[name]
	read := func(at string) bool {
		set, err := w.c.client.AppsV1().ReplicaSets(w.id.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			w.c.log.DebugContext(ctx, "owner of a pod not read", "namespace", w.id.Namespace, "replicaset", name, "err", err)
			return false
		}
		known = replicaSet{set, at}
		w.owners[name] = known
		return true
	}
	if known.set == nil && !read("") {
		return diagnose.Ref{}
	}
	owner := metav1.GetControllerOf(known.set)
	if owner == nil {
		return diagnose.Ref{Kind: "ReplicaSet", Name: name}
	}
	deployment := w.observed("Deployment", owner.Name)
	if deployment == nil {
		return diagnose.Ref{}
	}
	const revision = "deployment.kubernetes.io/revision"
	now := deployment.GetAnnotations()[revision]
	// A ReplicaSet gets a new revision when the Deployment goes back to it, before the Deployment says that it has it.
	if known.set.Annotations[revision] != now && known.at != now && !read(now) || known.set.Annotations[revision] != now {
		return diagnose.Ref{}
	}
	return diagnose.Ref{Kind: "Deployment", Name: owner.Name}
}

// replicaSet is one as it was read when its Deployment was at a revision.
type replicaSet struct {
	set *appsv1.ReplicaSet
	at  string
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
