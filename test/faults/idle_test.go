//go:build faults

package faults

import (
	"testing"

	"catalyst.dev/catalyst/test/lab"
	"catalyst.dev/catalyst/test/rig"
)

// TestIdle: where all is well, neither the rounds that are made by the clock nor a restart write anything, to the cluster or to GitHub
// (I14).
func TestIdle(t *testing.T) {
	t.Parallel()
	s := setup(t, postgres(t))
	r := s.start()
	s.before()
	closed := s.Open("Closed again")
	s.settle()
	closed.Close(false)
	s.settle()
	before := len(s.Writes())
	s.rounds(r)
	r.Kill()
	s.rounds(s.start())
	for _, w := range s.Writes()[before:] {
		t.Errorf("I14: with nothing to do %s has written %q to %q", w.Replica, w.Effect, w.Namespace)
	}
	s.healed("restart with nothing to do", 1)
}

// rounds waits until the process has swept and looked at the health of previews several times.
func (s *scene) rounds(r *lab.Replica) {
	s.Helper()
	const enough = 5
	kinds := []string{`kind="sweep"`, `kind="health"`}
	before := make([]int, len(kinds))
	for i, kind := range kinds {
		before[i] = metric(s.Context(), r, kind)
	}
	if err := rig.Until(s.Context(), limit, "it has made its rounds", func() (bool, error) {
		for i, kind := range kinds {
			if metric(s.Context(), r, kind) < before[i]+enough {
				return false, nil
			}
		}
		return true, nil
	}); err != nil {
		s.Fatalf("void: %v\n%s", err, r.Log())
	}
}
