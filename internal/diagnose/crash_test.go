package diagnose_test

import (
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/diagnose"
)

// TestLastWords: nobody is given up on a log that was read while the container still ran, or in the moment of its end: what it said last
// may name who it waits for. It is read again once it is sure to be whole.
func TestLastWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		finished, read time.Duration // before now
		want           diagnose.State
		wants          int
	}{
		"read after its end":             {5 * time.Second, time.Second, diagnose.Hopeless, 0},
		"read while it ran":              {5 * time.Second, 6 * time.Second, diagnose.Waiting, 1},
		"read in the second of its end":  {5 * time.Second, 4 * time.Second, diagnose.Waiting, 1},
		"ended just now":                 {time.Second, time.Second, diagnose.Waiting, 0},
		"the node's clock is far ahead":  {-time.Hour, time.Second, diagnose.Hopeless, 0},
		"the node's clock is far behind": {time.Hour, time.Second, diagnose.Hopeless, 0},
	} {
		o := release(ended(3, 3, "Error"), says("starting"))
		o.Pods[0].Containers[0].Ended.Finished = before(test.finished)
		o.Logs[0].ReadAt = before(test.read)
		v := diagnose.Judge(o)
		if v.State != test.want || len(v.Wants) != test.wants {
			t.Errorf("%s: %s, asks for %v; want %s and %d", name, v.State, v.Wants, test.want, test.wants)
		}
	}
}
