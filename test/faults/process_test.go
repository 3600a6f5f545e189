//go:build faults

package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/lab"
	"catalyst.dev/catalyst/test/rig"
)

// TestPaused: a process that is stopped in the middle of a deployment for longer than its lease finds, when it wakes up, that another
// one has taken over and gone on to a newer commit. It writes nothing any more, neither to the cluster nor to the database.
func TestPaused(t *testing.T) {
	t.Parallel()
	s := setup(t, postgres(t))
	// Stopped when the first object of the release is applied: the namespace is half full then.
	stop := make(chan struct{})
	first := s.start(&pauser{when: effect("apply"), stop: stop})
	pull := s.Open("Paused")
	<-stop
	if err := first.Pause(); err != nil {
		t.Fatal(err)
	}
	s.start()
	pull.Push()
	s.settle()
	woken := time.Now()
	if err := first.Resume(); err != nil {
		t.Fatal(err)
	}
	stale := func() int { return metric(s.Context(), first, `outcome="stale"`) }
	if err := rig.Until(t.Context(), limit, "it has found that its lease is over", func() (bool, error) { return stale() > 0, nil }); err != nil {
		t.Fatalf("void: %v\n%s", err, first.Log())
	}
	for _, w := range s.Writes() {
		if w.Replica == first.Name && w.Start.After(woken) {
			t.Errorf("stale: it has written %q to %q", w.Effect, w.Namespace)
		}
	}
	s.healed("paused process", 1)
}

// pauser tells when the first request that matches has been answered.
type pauser struct {
	when func(*edge.Request) bool
	stop chan struct{}
}

// Before implements edge.Watcher.
func (*pauser) Before(*edge.Request) (*edge.Answer, error) { return nil, nil }

// After implements edge.Watcher. The answer waits until the process has been stopped, so that it is what it wakes up to.
func (p *pauser) After(r *edge.Request, _ int) error {
	if p.when(r) {
		select {
		case <-p.stop:
		default:
			close(p.stop)
		}
	}
	return nil
}

// Told implements edge.Watcher.
func (*pauser) Told(*edge.Request) {}

// metric adds up the samples of a replica's metrics whose line has the text.
func metric(ctx context.Context, r *lab.Replica, text string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+"/metrics", nil)
	if err != nil {
		return 0
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		return 0
	}
	sum := 0
	for line := range strings.Lines(string(page)) {
		var n int
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.Contains(name, "_count{") && strings.Contains(name, text) {
			if _, err := fmt.Sscan(value, &n); err == nil {
				sum += n
			}
		}
	}
	return sum
}

// TestSecondProcess: on one SQLite file the second process refuses to start and says why, and the first goes on.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	s := setup(t, lab.Options{})
	r := s.start()
	s.Open("One at a time")
	s.settle()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	second := exec.CommandContext(ctx, s.Binary, "serve", "--config", filepath.Join(r.Dir, "catalyst.yaml"))
	out, err := second.CombinedOutput()
	if err == nil || ctx.Err() != nil || !strings.Contains(string(out), "another catalyst process uses this file") {
		t.Errorf("the second process: %v\n%s", err, out)
	}
	s.healed("second process on one file", 1)
}
