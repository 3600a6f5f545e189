package cluster

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Paper is a text that is left of a namespace: its events, or the end of a container's log.
type Paper struct{ Name, Text string }

const (
	// papersAtOnce and papersInAll bound the requests for logs.
	papersAtOnce, papersInAll = 6, 60
	// paperLines and paperBytes are how much of a log's end is taken.
	paperLines, paperBytes = 3000, 512 << 10
)

// Collect reads what tells of the namespace's last hours before it goes: its events and the ends of its containers' logs, those of the runs
// before too, without the values of its Secrets. What cannot be read by the end of ctx is left out; nothing, and no error, when the namespace is
// gone or not the one that is meant. When its Secrets cannot be read, neither are its logs: they could not be searched.
func (c *Cluster) Collect(ctx context.Context, id Identity) ([]Paper, error) {
	if _, err := c.live(ctx, id); err != nil {
		return nil, nil //nolint:nilerr // there is nothing of ours to read
	}
	papers, err := c.eventPaper(ctx, id.Namespace)
	if err != nil {
		return nil, fmt.Errorf("collect what is left of %s: %w", id.Namespace, err)
	}
	if err := c.readSecrets(ctx, id.Namespace); err != nil {
		return nil, fmt.Errorf("collect what is left of %s: its Secrets: %w", id.Namespace, err)
	}
	pods, err := c.client.CoreV1().Pods(id.Namespace).List(ctx, metav1.ListOptions{Limit: 200})
	if err != nil {
		return nil, fmt.Errorf("collect what is left of %s: its pods: %w", id.Namespace, err)
	}
	papers = append(papers, c.logPapers(ctx, pods.Items)...)
	r := c.redactor(id.Namespace)
	for i := range papers {
		papers[i].Text = strings.Join(r.Lines(strings.Split(papers[i].Text, "\n")), "\n")
	}
	return papers, nil
}

// eventPaper is one text of all events, the oldest first.
func (c *Cluster) eventPaper(ctx context.Context, namespace string) ([]Paper, error) {
	list, err := c.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{Limit: 1000})
	if err != nil {
		return nil, fmt.Errorf("its events: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return observedEvent(&a).Last.Compare(observedEvent(&b).Last) })
	var text strings.Builder
	for i := range list.Items {
		e := observedEvent(&list.Items[i])
		fmt.Fprintf(&text, "%s %s %s: %s (%d)\n", e.Last.UTC().Format(time.RFC3339), e.Ref, e.Reason, strings.Join(strings.Fields(e.Message), " "), e.Count)
	}
	return []Paper{{Name: "events.txt", Text: text.String()}}, nil
}

// source is one log to read.
type source struct {
	pod, container string
	previous       bool
}

func (s source) name() string {
	name := s.pod + "." + s.container
	if s.previous {
		name += ".previous"
	}
	return name + ".log"
}

func (c *Cluster) logPapers(ctx context.Context, pods []corev1.Pod) []Paper {
	sources := sourcesOf(pods)
	papers := make([]Paper, len(sources))
	places := make(chan struct{}, papersAtOnce)
	var reading sync.WaitGroup
	for i, s := range sources {
		reading.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			namespace := pods[0].Namespace
			text, err := c.logEnd(ctx, namespace, s)
			if err != nil {
				c.log.DebugContext(ctx, "log not kept", "namespace", namespace, "pod", s.pod, "container", s.container, "err", err)
			}
			papers[i] = Paper{Name: s.name(), Text: text}
		})
	}
	reading.Wait()
	return slices.DeleteFunc(papers, func(p Paper) bool { return p.Text == "" })
}

// sourcesOf are the logs that there may be, those of containers that are not well first.
func sourcesOf(pods []corev1.Pod) []source {
	var bad, good []source
	for i := range pods {
		p := &pods[i]
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			list := &good
			if !s.Ready {
				list = &bad
			}
			if s.RestartCount > 0 {
				*list = append(*list, source{p.Name, s.Name, true})
			}
			if s.State.Running != nil || s.State.Terminated != nil {
				*list = append(*list, source{p.Name, s.Name, false})
			}
		}
	}
	all := slices.Concat(bad, good)
	return all[:min(len(all), papersInAll)]
}

// logEnd is the end of a log, as far as it can be read.
func (c *Cluster) logEnd(ctx context.Context, namespace string, s source) (string, error) {
	lines := int64(paperLines)
	stream, err := c.client.CoreV1().Pods(namespace).GetLogs(s.pod, &corev1.PodLogOptions{
		Container: s.container, Previous: s.previous, TailLines: &lines, Timestamps: true,
	}).Stream(ctx)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	var tail []byte
	buffer := make([]byte, 32<<10)
	for {
		n, err := stream.Read(buffer)
		tail = append(tail, buffer[:n]...)
		if len(tail) > 2*paperBytes {
			tail = append(tail[:0], tail[len(tail)-paperBytes:]...)
		}
		if err == io.EOF {
			return string(tail[max(0, len(tail)-paperBytes):]), nil
		}
		if err != nil {
			return string(tail), err
		}
	}
}
