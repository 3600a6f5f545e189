//go:build faults

package faults

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/lab"
	"catalyst.dev/catalyst/test/rig"
)

var (
	full   = flag.Bool("full", false, "every fault, not a sample")
	atOnce = flag.Int("at-once", 4, "how many labs at once; each is a process of Catalyst or more")
)

const (
	heal   = 4 * time.Minute // within which all must have healed after a fault, on a busy machine; the summary has the worst that was seen
	limit  = 4 * time.Minute // of what is no measure
	outage = 4 * time.Second // how long a fault lasts: shorter than what is tried again before a deployment is given up (S10)
)

// summary is what a run came to.
type summary struct {
	Cases      int            `json:"cases"`
	Healed     int            `json:"healed"`
	Worst      float64        `json:"worst_heal_seconds"`
	WorstCase  string         `json:"worst_case"`
	Faults     map[string]int `json:"faults"` // by kind: how many requests, connections or processes it met
	Violations int            `json:"violations"`

	mu sync.Mutex
}

var total = summary{Faults: map[string]int{}}

func (s *summary) add(name string, took time.Duration, healed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Cases++
	if !healed {
		s.Violations++
		return
	}
	s.Healed++
	if took.Seconds() > s.Worst {
		s.Worst, s.WorstCase = took.Seconds(), name
	}
}

// TestMain prints the summary as the last line.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(*atOnce)); err != nil {
		panic(err)
	}
	code := m.Run()
	if total.Cases > 0 {
		line, err := json.Marshal(&total)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", line)
	}
	os.Exit(code)
}

// binary is Catalyst, built once.
var binary = sync.OnceValues(func() (string, error) { return rig.BuildCatalyst(context.Background()) })

// worker is quick to see what a fault has left.
func worker() map[string]any {
	return map[string]any{"lease": "4s", "poll": "100ms", "sweep": "2s", "health": "2s"}
}

var labs atomic.Int64

// scene is one lab and what was done to it.
type scene struct {
	*testing.T
	*lab.Lab
	took time.Duration
}

// setup makes a lab over SQLite or, when there is one, over the given PostgreSQL.
func setup(t *testing.T, o lab.Options) *scene {
	t.Helper()
	var err error
	if o.Binary, err = binary(); err != nil {
		t.Fatal(err)
	}
	o.Name, o.Worker = fmt.Sprintf("fault%d", labs.Add(1)), worker()
	s := &scene{T: t, Lab: lab.New(t, o)}
	t.Cleanup(func() { total.add(t.Name(), s.took, s.took > 0 && !t.Failed()) })
	return s
}

func postgres(t *testing.T) lab.Options {
	t.Helper()
	return lab.Options{Postgres: lab.Shared(storetest.PostgresDSN(t))}
}

// start starts a replica whose requests the watchers see.
func (s *scene) start(watchers ...edge.Watcher) *lab.Replica {
	s.Helper()
	r, err := s.Lab.Start(s.Context(), lab.ReplicaOptions{Watchers: watchers})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// settle waits until all is well, before or between faults.
func (s *scene) settle() {
	s.Helper()
	if _, err := s.Settle(s.Context(), limit); err != nil {
		s.Fatal(err)
	}
}

// healed waits until all is well after the fault, and notes how long it took. hits is how often the fault met somebody.
func (s *scene) healed(kind string, hits int) {
	s.Helper()
	if hits == 0 {
		s.Fatalf("void: %s met nobody", kind)
	}
	total.mu.Lock()
	total.Faults[kind] += hits
	total.mu.Unlock()
	took, err := s.Settle(s.Context(), heal)
	if err != nil {
		s.Error(err)
		return
	}
	s.took = max(s.took, took)
}

// busy is the work that goes on while a fault lasts: one pull request is opened, one pushed to, one closed.
type busy struct{ pushed, closed *lab.Pull }

// before opens the pull requests that are pushed to and closed, and waits until they are ready.
func (s *scene) before() busy {
	s.Helper()
	b := busy{pushed: s.Open("To be pushed to"), closed: s.Open("To be closed")}
	s.settle()
	return b
}

func (s *scene) during(b busy) {
	s.Open("Opened meanwhile")
	b.pushed.Push()
	b.closed.Close(false)
}

// met waits until the fault has met somebody, and then until it has lasted its time.
func (s *scene) met(kind string, since time.Time, hits func() int) {
	s.Helper()
	if err := rig.Until(s.Context(), time.Minute, kind+" meets somebody", func() (bool, error) {
		return hits() > 0 && time.Since(since) > outage, nil
	}); err != nil {
		s.Fatalf("void: %v", err)
	}
}

// logged counts the lines of a replica's log that have the text.
func logged(r *lab.Replica, text string) int {
	b, err := os.ReadFile(r.LogFile())
	if err != nil {
		return 0
	}
	return strings.Count(string(b), text)
}
