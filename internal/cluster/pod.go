package cluster

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"catalyst.dev/catalyst/internal/preview"
)

const (
	// configGrace is how long a container may refer to a Secret or ConfigMap that is not there: operators make some from
	// other objects a little later.
	configGrace = 15 * time.Second
	// crashes is how often a container must have ended badly to be looping; manyCrashes ends the wait even while something
	// else it may depend on (its database) is still starting.
	crashes, manyCrashes = 3, 5
	// evidenceTime is how long a diagnosis waits for its evidence: a node may be silent.
	evidenceTime = 5 * time.Second
)

// trouble is why a pod will not become ready.
type trouble struct {
	code      string
	container string
	cause     string
	fix       string
	blame     preview.Blame
	ends      int // how often the container ended badly
	logs      bool
}

// examine looks for a reason why the pod will never become ready; nil when there is none (yet).
func examine(pod *corev1.Pod, now time.Time) *trouble {
	if pod.DeletionTimestamp != nil {
		return nil
	}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if t := examineContainer(pod, status, now); t != nil {
			t.container = status.Name
			return t
		}
	}
	return nil
}

func examineContainer(pod *corev1.Pod, status corev1.ContainerStatus, now time.Time) *trouble {
	if w := status.State.Waiting; w != nil {
		message := strings.ToLower(w.Message)
		has := func(words ...string) bool {
			return slices.ContainsFunc(words, func(s string) bool { return strings.Contains(message, s) })
		}
		switch {
		case w.Reason == "InvalidImageName":
			return &trouble{
				code: CodeImageName, blame: preview.BlameConfig,
				cause: fmt.Sprintf("%q is not the name of an image", status.Image),
				fix:   "Correct the image's name or tag in the values.",
			}
		case w.Reason != "ErrImagePull" && w.Reason != "ImagePullBackOff" && w.Reason != "CreateContainerConfigError":
		case w.Reason == "CreateContainerConfigError":
			if now.Sub(waitingSince(pod)) > configGrace {
				return &trouble{
					code: CodeContainerConfig, blame: preview.BlameConfig,
					cause: "it cannot be started: " + oneLine(w.Message),
					fix:   "Have the chart make what is missing, or correct the reference.",
				}
			}
		// A registry that hides what one may not see answers "denied" for what does not exist, too; the message says both.
		case has("unauthorized", "authorization failed", "denied", "forbidden", "authentication required", "no basic auth"):
			return &trouble{
				code: CodeImageDenied, blame: preview.BlameRegistry,
				cause: fmt.Sprintf("the registry refuses image %s", image(pod, status)),
				fix:   "Check that the image exists, and that the namespace has credentials for the registry (imagePullSecrets).",
			}
		case has("not found", "manifest unknown", "name unknown", "does not exist", "no such image"):
			return &trouble{
				code: CodeImageNotFound, blame: preview.BlameChange,
				cause: fmt.Sprintf("image %s does not exist", image(pod, status)),
				fix:   "Check that the build pushed this tag, and the image's name in the values.",
			}
		}
	}
	// While it runs, this may be the run that goes well.
	end := lastEnd(status)
	if end == nil || status.State.Running != nil || end.ExitCode == 0 && !mustRun(pod, status.Name) {
		return nil
	}
	ends := int(status.RestartCount) + 1
	if (end.Reason == "StartError" || end.Reason == "ContainerCannotRun") && ends >= 2 {
		return &trouble{
			code: CodeContainerConfig, blame: preview.BlameChange,
			cause: "it cannot be started: " + oneLine(end.Message),
			fix:   "Correct the container's command, or the program in the image.",
		}
	}
	if ends < crashes {
		return nil
	}
	t := &trouble{
		code: CodeCrashLoop, blame: preview.BlameChange, ends: ends, logs: true,
		cause: fmt.Sprintf("it has ended %d times, last with exit code %d", ends, end.ExitCode),
		fix:   "See its last lines; the application ends by itself right after it starts.",
	}
	if end.Reason == "OOMKilled" {
		t.code = CodeOutOfMemory
		t.cause = fmt.Sprintf("it was killed %d times for using more memory than it may%s", ends, memoryLimit(pod, status.Name))
		t.fix = "Make it use less memory, or raise resources.limits.memory."
	}
	return t
}

// lastEnd is how the container ended last; nil when it never has. The waiting reason alone does not tell: a crashing container can sit
// in state terminated for minutes.
func lastEnd(status corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if status.State.Terminated != nil {
		return status.State.Terminated
	}
	return status.LastTerminationState.Terminated
}

// mustRun reports whether a container is not meant to end, not even well.
func mustRun(pod *corev1.Pod, container string) bool {
	return pod.Spec.RestartPolicy == corev1.RestartPolicyAlways &&
		slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == container })
}

// waitingSince is when the pod was given to its node: containers are prepared from then on.
func waitingSince(pod *corev1.Pod) time.Time {
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.PodScheduled {
			return cond.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

// image is the image as the pod asks for it: the status may have a resolved form.
func image(pod *corev1.Pod, status corev1.ContainerStatus) string {
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if c.Name == status.Name {
			return c.Image
		}
	}
	return status.Image
}

func memoryLimit(pod *corev1.Pod, container string) string {
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == container {
			return " (" + q.String() + ")"
		}
	}
	return ""
}

// podFailure is the diagnosis of a pod in trouble. owner is the object of the release it belongs to.
func (c *Cluster) podFailure(ctx context.Context, owner string, pod *corev1.Pod, t *trouble) *preview.Failure {
	d := preview.Diagnosis{
		Code:  t.code,
		Cause: fmt.Sprintf("%s: container %s: %s.", owner, t.container, t.cause),
		Fix:   t.fix,
		Blame: t.blame,
	}
	if t.logs {
		d.Evidence = c.lastLines(ctx, pod, t.container)
	}
	if len(d.Evidence) == 0 {
		d.Evidence = c.warnings(ctx, pod)
	}
	return preview.Fail(nil, d)
}

// lastLines reads the end of a container's log, of its previous run when the present one has said nothing. Evidence is a help: when it cannot
// be had the diagnosis stands without.
func (c *Cluster) lastLines(ctx context.Context, pod *corev1.Pod, container string) []string {
	ctx, cancel := context.WithTimeout(ctx, evidenceTime)
	defer cancel()
	for _, previous := range []bool{false, true} {
		lines, size := int64(maxEvidence), int64(16<<10)
		stream, err := c.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: container, Previous: previous, TailLines: &lines, LimitBytes: &size,
		}).Stream(ctx)
		if err != nil {
			c.log.DebugContext(ctx, "log not read", "namespace", pod.Namespace, "pod", pod.Name, "container", container, "previous", previous, "err", err)
			continue
		}
		var text []string
		for scanner := bufio.NewScanner(stream); scanner.Scan(); {
			text = append(text, scanner.Text())
		}
		stream.Close()
		if text = tail(text); len(text) > 0 {
			return text
		}
	}
	return nil
}

// warnings reads the warning events about an object, oldest first.
func (c *Cluster) warnings(ctx context.Context, object metav1.Object) []string {
	ctx, cancel := context.WithTimeout(ctx, evidenceTime)
	defer cancel()
	// By UID: a pod of a StatefulSet has the name of the one before it.
	selector := fields.Set{"involvedObject.uid": string(object.GetUID()), "type": corev1.EventTypeWarning}.AsSelector().String()
	events, err := c.client.CoreV1().Events(object.GetNamespace()).List(ctx, metav1.ListOptions{FieldSelector: selector, Limit: 100})
	if err != nil {
		c.log.DebugContext(ctx, "events not read", "namespace", object.GetNamespace(), "name", object.GetName(), "err", err)
		return nil
	}
	slices.SortStableFunc(events.Items, func(a, b corev1.Event) int { return lastSeen(a).Compare(lastSeen(b)) })
	var lines []string
	for _, e := range events.Items {
		if line := e.Reason + ": " + oneLine(e.Message); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return tail(lines)
}

func lastSeen(e corev1.Event) time.Time {
	if e.LastTimestamp.IsZero() {
		return e.EventTime.Time
	}
	return e.LastTimestamp.Time
}
