package worker

import (
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// TestIdle: a worker waits for what is due first, but not for a kind whose slots are all taken: looking again and again would give it none.
func TestIdle(t *testing.T) {
	t.Parallel()
	free, full := make(chan struct{}, 1), make(chan struct{}, 1)
	full <- struct{}{}
	slots := map[preview.JobKind]chan struct{}{preview.JobReconcile: free, preview.JobComment: full}
	w := New(Options{Poll: 2 * time.Second})
	for name, c := range map[string]struct {
		due  map[preview.JobKind]time.Duration
		want time.Duration
	}{
		"nothing is open":           {nil, 2 * time.Second},
		"due soon":                  {map[preview.JobKind]time.Duration{preview.JobReconcile: time.Second}, time.Second},
		"due later":                 {map[preview.JobKind]time.Duration{preview.JobReconcile: time.Hour}, 2 * time.Second},
		"due, and somebody else's":  {map[preview.JobKind]time.Duration{preview.JobReconcile: 0}, 20 * time.Millisecond},
		"due, and no slot is free":  {map[preview.JobKind]time.Duration{preview.JobComment: 0}, 2 * time.Second},
		"the one that has no slot":  {map[preview.JobKind]time.Duration{preview.JobComment: 0, preview.JobReconcile: time.Second}, time.Second},
		"a kind that nobody claims": {map[preview.JobKind]time.Duration{"of a newer version": 0}, 2 * time.Second},
	} {
		if got := w.idle(c.due, slots); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
