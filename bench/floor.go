package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"catalyst.dev/catalyst/test/rig"
)

// byFloor does the same as Catalyst by hand: the manifests of one of its releases, with images of their own that the node has not pulled
// yet either.
func (b *bench) byFloor(ctx context.Context, i int, manifest string) (t times, err error) {
	namespace := fmt.Sprintf("floor-%d", i)
	tags := []string{fmt.Sprintf("floor-%d-a-%d", i, time.Now().Unix()), fmt.Sprintf("floor-%d-b-%d", i, time.Now().Unix())}
	for _, tag := range tags {
		if err := rig.Sample(ctx, b.cluster, tag); err != nil {
			return t, err
		}
	}
	image := b.cluster.Registry + "/hello:"
	for step, tag := range tags {
		text := floorText(namespace, manifest, image, tag)
		start := time.Now()
		if _, err := b.cluster.KubectlIn(ctx, text, "apply", "-n", namespace, "-f", "-"); err != nil {
			return t, err
		}
		ready, err := b.watch.available(ctx, namespace, tag)
		if err != nil {
			return t, err
		}
		if step == 0 {
			t.open = ready.Sub(start)
		} else {
			t.push = ready.Sub(start)
		}
	}
	start := time.Now()
	if _, err := b.cluster.Kubectl(ctx, "delete", "namespace", namespace, "--wait=false"); err != nil {
		return t, err
	}
	gone, err := b.watch.gone(ctx, namespace)
	t.closing = gone.Sub(start)
	return t, err
}

// floorText is what is applied by hand: the namespace, and in it what Catalyst rendered.
func floorText(namespace, manifest, image, tag string) string {
	return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + namespace + "}\n---\n" + withImage(manifest, image, tag)
}

// withImage replaces the tag of the sample's image.
func withImage(manifest, image, tag string) string {
	lines := strings.Split(manifest, "\n")
	for i, line := range lines {
		if before, _, found := strings.Cut(line, image); found {
			lines[i] = before + image + tag + `"`
		}
	}
	return strings.Join(lines, "\n")
}

// renderedManifest reads what Catalyst rendered out of the release record in the namespace.
func renderedManifest(ctx context.Context, c *rig.Cluster, namespace string) (string, error) {
	var text string
	err := rig.Until(ctx, limit, "the release is recorded", func() (bool, error) {
		out, err := c.Kubectl(ctx, "get", "secrets", "-n", namespace, "-l", "owner=helm", "-o", "jsonpath={.items[0].data.release}")
		text = out
		return err == nil && out != "", nil
	})
	if err != nil {
		return "", err
	}
	for range 2 { // once by Kubernetes, once by Helm
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", fmt.Errorf("decode the release of %s: %w", namespace, err)
		}
		text = string(b)
	}
	zipped, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		return "", fmt.Errorf("unpack the release of %s: %w", namespace, err)
	}
	var release struct {
		Manifest string `json:"manifest"`
	}
	if err := json.NewDecoder(zipped).Decode(&release); err != nil {
		return "", fmt.Errorf("read the release of %s: %w", namespace, err)
	}
	return release.Manifest, nil
}

// watch notes, for the whole cluster, when Deployments became available and when namespaces went.
type watch struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}        // closed and replaced at each note
	ready   map[string]time.Time // by namespace and image tag
	lost    map[string]time.Time // by namespace
}

type watched struct {
	Type   string `json:"type"`
	Object struct {
		Metadata struct {
			Name       string `json:"name"`
			Namespace  string `json:"namespace"`
			Generation int64  `json:"generation"`
		} `json:"metadata"`
		Spec struct {
			Replicas int `json:"replicas"`
			Template struct {
				Spec struct {
					Containers []struct {
						Image string `json:"image"`
					} `json:"containers"`
				} `json:"spec"`
			} `json:"template"`
		} `json:"spec"`
		Status struct {
			ObservedGeneration int64 `json:"observedGeneration"`
			Replicas           int   `json:"replicas"`
			UpdatedReplicas    int   `json:"updatedReplicas"`
			AvailableReplicas  int   `json:"availableReplicas"`
		} `json:"status"`
	} `json:"object"`
}

func startWatch(ctx context.Context, c *rig.Cluster) (*watch, error) {
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{cancel: cancel, changed: make(chan struct{}), ready: map[string]time.Time{}, lost: map[string]time.Time{}}
	for _, kind := range []string{"deployments", "namespaces"} {
		cmd := exec.CommandContext(ctx, c.KubeBinary, "kubectl", "--kubeconfig", c.Kubeconfig, "get", kind, "-A", "--watch", "--output-watch-events", "-o", "json")
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			cancel()
			return nil, fmt.Errorf("watch %s: %w", kind, err)
		}
		w.done.Go(func() {
			decoder := json.NewDecoder(bufio.NewReader(out))
			for {
				var e watched
				if decoder.Decode(&e) != nil {
					break
				}
				w.note(kind, e, time.Now())
			}
			_ = cmd.Wait()
		})
	}
	return w, nil
}

func (w *watch) stop() {
	w.cancel()
	w.done.Wait()
}

func (w *watch) note(kind string, e watched, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, s := e.Object.Metadata, e.Object.Status
	switch {
	case kind == "namespaces" && e.Type == "DELETED":
		w.lost[m.Name] = now
	case kind == "deployments" && len(e.Object.Spec.Template.Spec.Containers) > 0:
		n := e.Object.Spec.Replicas
		_, tag, _ := cutLast(e.Object.Spec.Template.Spec.Containers[0].Image, ":")
		key := m.Namespace + " " + tag
		if _, seen := w.ready[key]; seen || s.ObservedGeneration < m.Generation || s.UpdatedReplicas < n || s.Replicas > n || s.AvailableReplicas < n {
			return
		}
		w.ready[key] = now
	default:
		return
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// available waits until the Deployment in the namespace runs the image with this tag and no other, and returns when that was seen.
func (w *watch) available(ctx context.Context, namespace, tag string) (time.Time, error) {
	return w.wait(ctx, w.ready, namespace+" "+tag, "is available in "+namespace)
}

// gone waits until the namespace is gone, and returns when that was seen.
func (w *watch) gone(ctx context.Context, namespace string) (time.Time, error) {
	return w.wait(ctx, w.lost, namespace, "namespace is gone")
}

func (w *watch) wait(ctx context.Context, notes map[string]time.Time, key, what string) (time.Time, error) {
	deadline := time.After(limit)
	for {
		w.mu.Lock()
		at, ok := notes[key]
		changed := w.changed
		w.mu.Unlock()
		if ok {
			return at, nil
		}
		select {
		case <-changed:
		case <-deadline:
			return time.Time{}, fmt.Errorf("waited %s in vain: %s %s", limit, key, what)
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
