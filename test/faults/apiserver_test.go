//go:build faults

package faults

import (
	"os"
	"testing"
	"time"

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
	r := s.start()
	work := s.before()
	s.during(work)
	before, restarted := r.Unanswered(), make(chan error, 1)
	go func() { restarted <- rig.RestartAPIServer(t.Context(), cluster) }()
	pushed := time.Now()
	if err := rig.Until(t.Context(), limit, "the API server is back", func() (bool, error) {
		if time.Since(pushed) > time.Second/4 { // there is always something under way
			work.pushed.Push()
			pushed = time.Now()
		}
		select {
		case err := <-restarted:
			return true, err
		default:
			return false, nil
		}
	}); err != nil {
		t.Fatal(err)
	}
	s.healed("API server crashed and restarted", r.Unanswered()-before)
}
