//go:build killpoints

package killpoints

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/lab"
	"catalyst.dev/catalyst/test/rig"
)

// limit is how long something may take that is no measure, on a busy machine.
const limit = 2 * time.Minute

// heal is within which all must have healed. Beside other tests the machine is too busy to say so.
func heal() time.Duration {
	if *full {
		return time.Minute
	}
	return limit
}

// binary is the watched Catalyst, built once.
var binary = sync.OnceValues(func() (string, error) {
	return rig.Build(context.Background(), "catalyst-watched", "./test/killpoints/catalyst")
})

// quiet is a worker that does nothing by the clock while the test looks. A lease is as long as it must be for a busy machine not to
// lose one by itself.
func quiet(lease string) map[string]any {
	return map[string]any{"lease": lease, "poll": "100ms", "sweep": "1h", "health": "1h"}
}

// brisk is a worker that is quick to see what the dead one left.
var brisk = map[string]any{"lease": "4s", "poll": "100ms", "sweep": "2s", "health": "2s"}

var labs atomic.Int64

// scene is a pull request's life with one process under the conductor.
type scene struct {
	*testing.T
	*conductor
	lab   *lab.Lab
	first *lab.Replica
	pull  *lab.Pull
}

func setup(t *testing.T, database, lease string) *scene {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	o := lab.Options{Name: fmt.Sprintf("kill%d", labs.Add(1)), Binary: program, Worker: quiet(lease)}
	if database == "postgres" {
		o.Postgres = lab.Shared(storetest.PostgresDSN(t))
	}
	s := &scene{T: t, conductor: newConductor()}
	t.Cleanup(s.close)
	s.lab = lab.New(t, o)
	s.first, err = s.lab.Start(t.Context(), lab.ReplicaOptions{
		Watchers: []edge.Watcher{watcher{s.conductor}}, Args: []string{"--watch", s.server.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// act does what the author does in the phase.
func (s *scene) act(phase string) {
	s.begin(phase)
	switch phase {
	case "open":
		s.pull = s.lab.Open("A change")
	case "push":
		s.pull.Push()
	case "close":
		s.pull.Close(false)
	}
}

// TestList plays the life and compares its side effects with the list.
func TestList(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			if !*update {
				t.Parallel()
			}
			s := setup(t, database, "30s")
			for _, phase := range phases {
				s.act(phase)
				if _, err := s.lab.Settle(t.Context(), limit); err != nil {
					t.Fatalf("%s: %v", phase, err)
				}
			}
			found := inOrder(s.points())
			if *update && database == "sqlite" {
				if err := write(found); err != nil {
					t.Fatal(err)
				}
			}
			want, err := listed()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(lines(want), lines(found)); diff != "" {
				t.Errorf("the side effects are not those of testdata/points.txt, which has a case for each (-listed +found). If that is meant: make killpoints UPDATE=1\n%s", diff)
			}
			for _, f := range s.failed {
				t.Errorf("commit failed: %s", f)
			}
		})
	}
}

// TestKillPoints hits a process at each point, in each way, on each database, and looks whether another one heals it.
func TestKillPoints(t *testing.T) {
	points, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	total.Points = len(points)
	if !*full {
		for i, p := range sample(points) {
			m, database := []mode{before, lost, after, paused}[i%4], []string{"sqlite", "postgres"}[i/2%2]
			if m == paused {
				database = "postgres"
			}
			each(t, p, m, database)
		}
		return
	}
	for _, p := range points {
		for _, m := range []mode{before, lost, after} {
			each(t, p, m, "sqlite")
			each(t, p, m, "postgres")
		}
		each(t, p, paused, "postgres") // a second process on one SQLite file is refused
	}
}

func each(t *testing.T, p point, m mode, database string) {
	t.Helper()
	name := fmt.Sprintf("%s/%s/%s", strings.ReplaceAll(p.String(), " ", "_"), m, database)
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		took, healed := time.Duration(0), false
		defer func() { total.add(name, took, healed && !t.Failed()) }() // a void case too
		took, healed = run(t, p, m, database)
	})
}

// run plays the life up to the point, hits the process there and has another one heal it.
func run(t *testing.T, p point, m mode, database string) (took time.Duration, healed bool) {
	t.Helper()
	s := setup(t, database, "4s")
	s.aim(p, m, func() {
		if m != paused {
			s.first.Kill()
		} else if err := s.first.Pause(); err != nil {
			t.Errorf("pause: %v", err)
		}
	})
	for _, phase := range phases {
		s.act(phase)
		if phase == p.phase {
			break
		}
		if _, err := s.lab.Settle(t.Context(), limit); err != nil {
			t.Fatalf("before the point, %s: %v", phase, err)
		}
	}
	select {
	case <-s.fired:
	case <-time.After(limit):
		t.Fatalf("void: %s never came; %s", p, strings.Join(lines(inOrder(s.points())), "\n"))
	}
	if s.missed != "" {
		t.Fatalf("void: %s", s.missed)
	}
	start := time.Now()
	if _, err := s.lab.Start(t.Context(), lab.ReplicaOptions{Config: func(c map[string]any) { c["worker"] = brisk }}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.lab.Settle(t.Context(), heal()-time.Since(start)); err != nil {
		t.Error(err)
		return 0, false
	}
	took = time.Since(start)
	if m == paused {
		s.wake(p)
	}
	return took, true
}

// wake has the paused process go on, and makes sure that it writes nothing that is not its business any more.
func (s *scene) wake(p point) {
	s.Helper()
	woken := time.Now()
	if err := s.first.Resume(); err != nil {
		s.Fatal(err)
	}
	held := p.lane != "webhook" && p.what != "FinishJob" // it had a job, and must find that it has it no more
	err := rig.Until(s.Context(), limit, "the process that was paused has come to itself", func() (bool, error) {
		if s.first.Exited() {
			return false, fmt.Errorf("it ended:\n%s", s.first.Log())
		}
		text, err := get(s.Context(), s.first.URL+"/metrics")
		return err == nil && (!held || strings.Contains(text, `outcome="stale"`)), nil
	})
	if err != nil {
		s.Fatal(err)
	}
	for _, w := range s.lab.Writes() {
		if w.Replica == s.first.Name && w.Start.After(woken) {
			s.Errorf("stale: the process that was paused has written %q to %q after another one had taken over", w.Effect, w.Namespace)
		}
	}
	if _, err := s.lab.Settle(s.Context(), heal()); err != nil {
		s.Error(err)
	}
}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}
