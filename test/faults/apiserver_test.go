//go:build faults

package faults

import (
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/lab"
	"catalyst.dev/catalyst/test/rig"
)

// TestAPIServer: the API server crashes in the middle of the work and comes back; watches and requests under way end with it. It is not
// parallel: all others have the same cluster.
func TestAPIServer(t *testing.T) {
	if !*full {
		t.Log("only in the full form")
		return
	}
	cluster := os.Getenv("CATALYST_TEST_CLUSTER")
	if cluster == "" {
		t.Fatal("CATALYST_TEST_CLUSTER is not set: run make faults")
	}
	s := setup(t, lab.Options{})
	cut := &unanswered{}
	s.start(cut)
	work := s.before()
	s.during(work)
	if err := rig.Until(t.Context(), limit, "something is under way", func() (bool, error) { return s.deploying() > 0, nil }); err != nil {
		t.Fatal(err)
	}
	before := cut.requests.Load()
	restart := exec.CommandContext(t.Context(), "go", "-C", "../../localcluster", "run", ".", "restart", "--name", cluster)
	if out, err := restart.CombinedOutput(); err != nil {
		t.Fatalf("restart the API server: %v\n%s", err, out)
	}
	s.healed("API server crashed and restarted", int(cut.requests.Load()-before))
}

// unanswered counts the requests that were passed on and have no answer: those under way too.
type unanswered struct{ requests atomic.Int64 }

// Before implements edge.Watcher.
func (u *unanswered) Before(*edge.Request) (*edge.Answer, error) {
	u.requests.Add(1)
	return nil, nil
}

// After implements edge.Watcher.
func (u *unanswered) After(*edge.Request, int) error {
	u.requests.Add(-1)
	return nil
}

// Told implements edge.Watcher.
func (*unanswered) Told(*edge.Request) {}
