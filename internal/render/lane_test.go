package render

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/sandbox"
)

// TestLane: of those that work long one works at a time, each has its turns, and one that is left alone is not stopped any more.
func TestLane(t *testing.T) {
	t.Parallel()
	l := newLane()
	var sharing sync.WaitGroup
	all := make([]*process, 3)
	for i := range all {
		p := &process{done: make(chan struct{}), cmd: exec.Command("/bin/sh", "-c", "while :; do :; done")}
		all[i] = p
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = p.cmd.Wait(); close(p.done) }()
		t.Cleanup(func() { p.kill(); <-p.done })
		sharing.Go(func() { l.share(p) })
	}
	until(t, "two wait", func() bool { return l.waiting.Load() == 2 })
	before := make([]time.Duration, len(all))
	for i, p := range all {
		before[i] = sandbox.Worked(p.cmd.Process.Pid)
	}
	samples, crowded := 0, 0 // on a busy machine one that is told to stop may be in the line for a processor first
	until(t, "each had a turn", func() bool {
		had := 0
		for i, p := range all {
			if sandbox.Worked(p.cmd.Process.Pid) > before[i]+turnOf/10 {
				had++
			}
		}
		samples++
		if working(t, all) > 1 {
			crowded++
		}
		return had == len(all)
	})
	if 2*crowded > samples {
		t.Errorf("several worked at once, %d of %d times", crowded, samples)
	}
	all[0].kill()
	all[1].kill()
	until(t, "the last one is alone", func() bool { return l.waiting.Load() == 0 && working(t, all[2:]) == 1 })
	all[2].kill()
	sharing.Wait()
	if len(l.turn) != 0 {
		t.Error("the turn was not given back")
	}
}

// working counts the processes that are not stopped.
func working(t *testing.T, all []*process) (n int) {
	t.Helper()
	for _, p := range all {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if _, state, _ := strings.Cut(string(b), ") "); !strings.HasPrefix(state, "T") {
			n++
		}
	}
	return n
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
	}
}
