package faults

import (
	"fmt"
	"testing"

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
	killed := 0
	for i, r := range replicas {
		// Killed while it writes: it has a deployment under way, of those opened or of those just pushed to.
		before := s.written(r)
		if i > 0 {
			for j := i % 2; j < n; j += 2 {
				pulls[j].Push()
			}
		}
		if err := rig.Until(t.Context(), limit, r.Name+" works", func() (bool, error) { return s.written(r) > before, nil }); err != nil {
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
