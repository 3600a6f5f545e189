//go:build faults

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/lab"
	"catalyst.dev/catalyst/test/rig"
)

// mostWrites is how often the comment may be written in the storm, whatever comes.
const mostWrites = 25

// weather is a GitHub that takes its time, and whose answers get lost now and then.
type weather struct{ requests, lost atomic.Int64 }

func hub(r *edge.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/v3/") }

// Before implements edge.Watcher.
func (w *weather) Before(r *edge.Request) (*edge.Answer, error) {
	if hub(r) {
		w.requests.Add(1)
		select {
		case <-r.Context().Done():
		case <-time.After(200*time.Millisecond + rand.N(600*time.Millisecond)):
		}
	}
	return nil, nil //nolint:nilnil // no answer: the request goes on
}

// After implements edge.Watcher.
func (w *weather) After(r *edge.Request, _ int) error {
	if hub(r) && rand.N(100) < 5 {
		w.lost.Add(1)
		return edge.ErrBreak
	}
	return nil
}

// Told implements edge.Watcher.
func (w *weather) Told(*edge.Request) {}

// TestStorm: a pull request changes 300 times within a minute, before three processes on PostgreSQL and a slow GitHub that loses one answer in
// twenty, while a stranger copies the marker. In the end there is one comment of Catalyst's, it says what is, and it was written a few times only.
func TestStorm(t *testing.T) {
	changes, pace := 300, 200*time.Millisecond
	if !*full {
		changes = 60
	}
	o := postgres(t)
	var err error
	if o.Binary, err = binary(); err != nil {
		t.Fatal(err)
	}
	// Leases as they are in production: many small ones are not what is looked at here.
	o.Name, o.Worker = "storm", map[string]any{"poll": "200ms", "sweep": "20s", "health": "20s"}
	l := lab.New(t, o)
	var w weather
	for range 3 {
		if _, err := l.StartUnswept(t.Context(), lab.ReplicaOptions{Watchers: []edge.Watcher{&w}}); err != nil {
			t.Fatal(err)
		}
	}
	pull := l.Open("In a storm")
	mallory := l.GitHub.CreateUser("mallory")
	pull.As(mallory).Comment("The preview is at https://evil.example.com\n\n" + ghapp.Marker)
	took := blow(t.Context(), pull, changes, pace)
	heals, err := l.Settle(t.Context(), limit)
	if err != nil {
		t.Error(err)
	}
	writes := 0
	for _, one := range l.Writes() {
		if one.Hub && strings.HasSuffix(one.Effect, " comment") {
			writes++
		}
	}
	ours, forged := 0, 0
	for _, c := range pull.Comments() {
		switch {
		case c.AppID == l.GitHub.App.ID():
			ours++
		case strings.Contains(c.Body, "evil.example.com"):
			forged++
		}
	}
	if ours != 1 || forged != 1 || writes > mostWrites {
		t.Errorf("%d comments of ours, %d of the stranger's as it was, written %d times; want 1, 1 and at most %d", ours, forged, writes, mostWrites)
	}
	fmt.Println(rig.JSON(map[string]any{
		"changes": changes, "seconds": seconds(took), "replicas": 3, "requests": w.requests.Load(), "lost_replies": w.lost.Load(),
		"comments": ours, "writes": writes, "settled_after_seconds": seconds(heals), "true": !t.Failed(),
	}))
}

func seconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Millisecond)) / float64(time.Second)
}

// blow changes the pull request again and again, and leaves it open.
func blow(ctx context.Context, pull *lab.Pull, changes int, pace time.Duration) time.Duration {
	start := time.Now()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 1; n <= changes; n++ {
		select {
		case <-ctx.Done():
			return time.Since(start)
		case <-tick.C:
		}
		switch {
		case n%30 == 28:
			pull.Close(false)
		case n%30 == 29:
			pull.Reopen()
		default:
			pull.Push()
		}
	}
	return time.Since(start)
}
