package cluster

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/redact"
)

// Container is a container of a preview's pods as it is now, with what can be read of its log.
type Container struct {
	Pod       string
	Name      string
	Init      bool
	State     string // waiting, running or terminated
	Reason    string // why it waits or ended, as Kubernetes calls it
	Message   string // foreign text
	Restarts  int
	StartedAt time.Time // zero before its first start
	Previous  bool      // the log of the run before can be read, too
}

// LogRequest names the log of one run of a container.
type LogRequest struct {
	Pod, Container string
	Previous       bool      // the run before
	Follow         bool      // until the container ends, or the context
	Tail           int       // the last lines alone; 0: all
	Since          time.Time // lines from this second on; zero: all
}

// Containers lists the containers of the preview's pods, those that have begun first. A preview without a namespace has none: preview.ErrNotFound,
// and preview.ErrConflict when the namespace is somebody else's.
func (c *Cluster) Containers(ctx context.Context, id Identity) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	if _, err := c.live(ctx, id); err != nil {
		return nil, fmt.Errorf("list the containers of %s: %w", id.Namespace, err)
	}
	pods, err := c.client.CoreV1().Pods(id.Namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil, kind(fmt.Errorf("list the pods of %s: %w", id.Namespace, err))
	}
	var all []Container
	for i := range pods.Items {
		status := &pods.Items[i].Status
		for _, s := range status.InitContainerStatuses {
			all = append(all, container(&pods.Items[i], s, true))
		}
		for _, s := range status.ContainerStatuses {
			all = append(all, container(&pods.Items[i], s, false))
		}
		if len(status.ContainerStatuses) == 0 { // no node has it yet
			for _, spec := range pods.Items[i].Spec.Containers {
				all = append(all, Container{Pod: pods.Items[i].Name, Name: spec.Name, State: "waiting", Reason: unscheduled(status)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Container) int {
		if a.StartedAt.IsZero() != b.StartedAt.IsZero() {
			if a.StartedAt.IsZero() {
				return 1
			}
			return -1
		}
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.Pod, b.Pod))
	})
	return all, nil
}

// unscheduled is why a pod without a node has none.
func unscheduled(s *corev1.PodStatus) string {
	for _, c := range s.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason
		}
	}
	return "Pending"
}

func container(pod *corev1.Pod, s corev1.ContainerStatus, init bool) Container {
	c := Container{Pod: pod.Name, Name: s.Name, Init: init, Restarts: int(s.RestartCount), Previous: s.LastTerminationState.Terminated != nil, State: "waiting"}
	switch {
	case s.State.Running != nil:
		c.State, c.StartedAt = "running", s.State.Running.StartedAt.Time
	case s.State.Terminated != nil:
		t := s.State.Terminated
		c.State, c.StartedAt, c.Reason, c.Message = "terminated", t.StartedAt.Time, t.Reason, t.Message
	case s.State.Waiting != nil:
		c.Reason, c.Message = s.State.Waiting.Reason, s.State.Waiting.Message
		if last := s.LastTerminationState.Terminated; last != nil {
			c.StartedAt = last.StartedAt.Time
		}
	}
	return c
}

// Log opens the log of one run of a container: lines that begin with their time, as RFC 3339 with nanoseconds, and a space. It is what the
// container wrote: what reads it hides what Hide says. preview.ErrNotFound when there is no such run, or nothing of it left.
func (c *Cluster) Log(ctx context.Context, id Identity, r LogRequest) (io.ReadCloser, error) {
	look, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	if _, err := c.live(look, id); err != nil {
		return nil, fmt.Errorf("read the log of %s/%s: %w", r.Pod, r.Container, err)
	}
	o := &corev1.PodLogOptions{Container: r.Container, Previous: r.Previous, Follow: r.Follow, Timestamps: true}
	if r.Tail > 0 {
		lines := int64(r.Tail)
		o.TailLines = &lines
	}
	if !r.Since.IsZero() {
		since := metav1.NewTime(r.Since)
		o.SinceTime = &since
	}
	stream, err := c.client.CoreV1().Pods(id.Namespace).GetLogs(r.Pod, o).Stream(ctx)
	if err != nil {
		return nil, kind(fmt.Errorf("read the log of %s/%s: %w", r.Pod, r.Container, err))
	}
	return stream, nil
}

// Hide returns what takes the secrets of the preview's namespace, and Catalyst's own, out of what is shown of it. The error means that they could
// not be read: then nothing may be shown.
func (c *Cluster) Hide(ctx context.Context, id Identity) (*redact.Redactor, error) {
	if err := c.readSecrets(ctx, id.Namespace); err != nil {
		return nil, kind(fmt.Errorf("read the Secrets of %s, which its logs are searched for: %w", id.Namespace, err))
	}
	return c.redactor(id.Namespace), nil
}

// Events lists the events of the preview's namespace, the newest first, with the secrets in them hidden.
func (c *Cluster) Events(ctx context.Context, id Identity) ([]diagnose.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	if _, err := c.live(ctx, id); err != nil {
		return nil, fmt.Errorf("list the events of %s: %w", id.Namespace, err)
	}
	hide, err := c.Hide(ctx, id)
	if err != nil {
		return nil, err
	}
	list, err := c.client.CoreV1().Events(id.Namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil, kind(fmt.Errorf("list the events of %s: %w", id.Namespace, err))
	}
	all := make([]diagnose.Event, len(list.Items))
	for i := range list.Items {
		all[i] = observedEvent(&list.Items[i])
		all[i].Message = hide.String(all[i].Message)
	}
	slices.SortStableFunc(all, func(a, b diagnose.Event) int { return b.Last.Compare(a.Last) })
	return all, nil
}
