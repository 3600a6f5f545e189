package preview_test

import (
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// TestPace shows that the comment may be written a few times at once and then now and then, and that a quiet while makes good again.
func TestPace(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now, writes := start, 0
	var p preview.Pace
	for ; now.Sub(start) < 80*time.Second; now = now.Add(100 * time.Millisecond) {
		if p.Wait(now) == 0 {
			p = p.Written(now)
			writes++
		}
	}
	if writes < 14 || writes > 17 {
		t.Errorf("%d writes in 80 s", writes)
	}
	now = now.Add(p.Wait(now))
	if p = p.Written(now); p.Wait(now) == 0 {
		t.Error("it need not wait right after")
	}
	if wait := p.Wait(now.Add(p.Wait(now))); wait != 0 {
		t.Errorf("it waits %s more after its wait", wait)
	}
	if wait := p.Wait(now.Add(-time.Hour)); wait > 16*time.Second {
		t.Errorf("a clock that goes back makes it wait %s", wait)
	}
	for n := range 6 {
		if p.Wait(now.Add(time.Minute)) != 0 {
			t.Errorf("after a minute's quiet, write %d has to wait", n+1)
		}
		p = p.Written(now.Add(time.Minute))
	}
}
