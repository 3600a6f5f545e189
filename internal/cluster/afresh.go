package cluster

import (
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// hopeless are the reasons for which a container waits until the kubelet tries it again, which it does ever less often: five minutes lie
// between two attempts in the end.
var hopeless = []string{
	"CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
}

// lookForStuck notes the pods that will not come up by themselves, or not soon. Call it before anything is applied.
func (op *operation) lookForStuck() error {
	if len(op.records.all()) == 0 {
		return nil // nothing was ever applied here
	}
	pods, err := op.stuckPods()
	op.stuck = map[types.UID]bool{}
	for _, pod := range pods {
		op.stuck[pod.UID] = true
	}
	return err
}

// startAfresh deletes the pods that were stuck before and still are, so that their owners make them anew. Whoever has the same commit
// deployed again has mended something outside of it: left to itself, the kubelet finds that out after minutes, what such a pod went through
// before would be held against it, and a StatefulSet would never replace it by one of its new template. Where it may not be done, things
// are left to the kubelet.
func (op *operation) startAfresh() error {
	if len(op.stuck) == 0 {
		return nil
	}
	pods, err := op.stuckPods()
	if err != nil {
		return err
	}
	var all errgroup.Group
	all.SetLimit(8)
	for _, pod := range pods {
		if !op.stuck[pod.UID] {
			continue
		}
		all.Go(func() error {
			err := op.client.CoreV1().Pods(pod.Namespace).Delete(op.ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
			switch {
			case apierrors.IsNotFound(err), apierrors.IsConflict(err):
				return nil
			case apierrors.IsForbidden(err):
				op.c.log.WarnContext(op.ctx, "a pod that does not come up is not started afresh", "namespace", pod.Namespace, "pod", pod.Name, "err", err)
				return nil
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return kind(fmt.Errorf("have the pods of %s started afresh: %w", op.r.Identity.Namespace, err))
	}
	return nil
}

// stuckPods lists the pods that are stuck now.
func (op *operation) stuckPods() ([]corev1.Pod, error) {
	pods, err := op.client.CoreV1().Pods(op.r.Identity.Namespace).List(op.ctx, metav1.ListOptions{})
	if err != nil {
		return nil, kind(fmt.Errorf("look for pods that do not come up in %s: %w", op.r.Identity.Namespace, err))
	}
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !stuck(&pod) }), nil
}

// stuck reports whether a controller would make the pod anew, and a container of it has failed and is not ready.
func stuck(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind == "Job" || pod.DeletionTimestamp != nil {
		return false
	}
	return slices.ContainsFunc(slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses), func(s corev1.ContainerStatus) bool {
		waits := s.State.Waiting != nil && slices.Contains(hopeless, s.State.Waiting.Reason)
		done := s.State.Terminated != nil && s.State.Terminated.ExitCode == 0 // an init container
		return waits || s.RestartCount > 0 && !s.Ready && !done
	})
}
