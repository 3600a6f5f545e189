//go:build faults

package faults

import (
	"fmt"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/lab"
	"catalyst.dev/catalyst/test/rig"
)

// TestReplicas: three processes on PostgreSQL share a dozen pull requests, opened, pushed to and in part closed, while each of the
// three is killed in the middle of its work and started again. No deployment is lost and none is made twice.
func TestReplicas(t *testing.T) {
	t.Parallel()
	s := setup(t, postgres(t))
	replicas := make([]*lab.Replica, 3)
	for i := range replicas {
		replicas[i] = s.start()
	}
	n := 12
	if !*full {
		n = 4
	}
	pulls := make([]*lab.Pull, n)
	for i := range pulls {
		pulls[i] = s.Open(fmt.Sprintf("Pull request %d", i+1))
	}
	killed, turn := 0, 0
	for _, r := range replicas {
		// Killed while it writes. Who gets which job is chance: there is a push every second or so until this one has one.
		before, pushed := s.written(r), time.Time{}
		if err := rig.Until(t.Context(), limit, r.Name+" works", func() (bool, error) {
			if time.Since(pushed) > time.Second {
				pulls[turn%n].Push()
				turn, pushed = turn+1, time.Now()
			}
			return s.written(r) > before, nil
		}); err != nil {
			t.Fatalf("void: %v", err)
		}
		r.Kill()
		killed++
		s.start()
	}
	for _, pull := range pulls[:n/4] {
		pull.Close(false)
	}
	s.healed("replica killed", killed)
}

// written is how often the replica has written to the cluster.
func (s *scene) written(r *lab.Replica) int {
	count := 0
	for _, w := range s.Writes() {
		if w.Replica == r.Name && !w.Hub {
			count++
		}
	}
	return count
}
