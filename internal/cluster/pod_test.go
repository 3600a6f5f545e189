package cluster

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestExamine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	ended := func(code int32, reason string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	for name, c := range map[string]struct {
		status corev1.ContainerStatus
		age    time.Duration
		policy corev1.RestartPolicy
		init   bool
		want   string
	}{
		"creating":                    {status: corev1.ContainerStatus{State: waiting("ContainerCreating", "")}},
		"pulls, registry is down":     {status: corev1.ContainerStatus{State: waiting("ErrImagePull", `dial tcp 10.0.0.1:443: connect: connection refused`)}},
		"pulls, too many requests":    {status: corev1.ContainerStatus{State: waiting("ErrImagePull", `429 Too Many Requests`)}},
		"no such image":               {status: corev1.ContainerStatus{State: waiting("ErrImagePull", `failed to resolve reference "r/app:x": r/app:x: not found`)}, want: CodeImageNotFound},
		"no such image, later":        {status: corev1.ContainerStatus{State: waiting("ImagePullBackOff", `Back-off pulling image "r/app:x": ErrImagePull: r/app:x: not found`)}, want: CodeImageNotFound},
		"no such image in an init":    {status: corev1.ContainerStatus{State: waiting("ErrImagePull", `manifest unknown`)}, init: true, want: CodeImageNotFound},
		"no credentials":              {status: corev1.ContainerStatus{State: waiting("ErrImagePull", `401 Unauthorized`)}, want: CodeImageDenied},
		"none or not allowed":         {status: corev1.ContainerStatus{State: waiting("ErrImagePull", `pull access denied, repository does not exist or may require authorization`)}, want: CodeImageDenied},
		"bad name":                    {status: corev1.ContainerStatus{State: waiting("InvalidImageName", `couldn't parse image name`)}, want: CodeImageName},
		"no secret yet":               {status: corev1.ContainerStatus{State: waiting("CreateContainerConfigError", `secret "a" not found`)}, age: 5 * time.Second},
		"no secret":                   {status: corev1.ContainerStatus{State: waiting("CreateContainerConfigError", `secret "a" not found`)}, age: time.Minute, want: CodeContainerConfig},
		"ended twice":                 {status: corev1.ContainerStatus{RestartCount: 1, State: ended(1, "Error")}},
		"ended three times":           {status: corev1.ContainerStatus{RestartCount: 2, State: ended(1, "Error")}, want: CodeCrashLoop},
		"ended, waits for its turn":   {status: corev1.ContainerStatus{RestartCount: 2, State: waiting("CrashLoopBackOff", ""), LastTerminationState: ended(1, "Error")}, want: CodeCrashLoop},
		"runs once more":              {status: corev1.ContainerStatus{RestartCount: 9, State: running, LastTerminationState: ended(1, "Error")}},
		"runs well":                   {status: corev1.ContainerStatus{RestartCount: 9, State: running, Ready: true, LastTerminationState: ended(1, "Error")}},
		"killed for its memory":       {status: corev1.ContainerStatus{RestartCount: 2, State: ended(137, "OOMKilled")}, want: CodeOutOfMemory},
		"a server that ends well":     {status: corev1.ContainerStatus{RestartCount: 2, State: ended(0, "Completed")}, want: CodeCrashLoop},
		"a task that ends well":       {status: corev1.ContainerStatus{RestartCount: 2, State: ended(0, "Completed")}, policy: corev1.RestartPolicyOnFailure},
		"an init that ended well":     {status: corev1.ContainerStatus{RestartCount: 2, State: ended(0, "Completed")}, init: true},
		"an init that ends badly":     {status: corev1.ContainerStatus{RestartCount: 2, State: ended(1, "Error")}, init: true, want: CodeCrashLoop},
		"cannot be started":           {status: corev1.ContainerStatus{RestartCount: 1, State: ended(128, "StartError")}, want: CodeContainerConfig},
		"could not be started, once":  {status: corev1.ContainerStatus{State: ended(128, "StartError")}},
		"waits after a single ending": {status: corev1.ContainerStatus{State: waiting("CrashLoopBackOff", ""), LastTerminationState: ended(1, "Error")}},
	} {
		c.status.Name = "web"
		pod := &corev1.Pod{
			Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-c.age))},
			}},
		}
		if c.policy != "" {
			pod.Spec.RestartPolicy = c.policy
		}
		if c.init {
			pod.Spec.InitContainers = []corev1.Container{{Name: "web"}}
			pod.Status.InitContainerStatuses = []corev1.ContainerStatus{c.status}
		} else {
			pod.Spec.Containers = []corev1.Container{{Name: "web"}}
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{c.status}
		}
		got := ""
		if found := examine(pod, now); found != nil {
			got = found.code
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		pod.DeletionTimestamp = &metav1.Time{Time: now}
		if examine(pod, now) != nil {
			t.Errorf("%s: a pod that is going away is in trouble", name)
		}
	}
}
