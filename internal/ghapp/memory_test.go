package ghapp

import (
	"fmt"
	"testing"
	"time"
)

// TestMemoryBound: it never grows above its bound, and keeps what was asked for last.
func TestMemoryBound(t *testing.T) {
	t.Parallel()
	m := memory{answers: map[string]remembered{}}
	start := time.Now()
	for i := range 2 * maxRemembered {
		at := start.Add(time.Duration(i) * time.Second)
		m.put(fmt.Sprint(i), remembered{etag: fmt.Sprint(i), used: at})
		if _, ok := m.get("0", at); !ok {
			t.Fatalf("the answer that is asked for all the time was forgotten after %d others", i)
		}
	}
	if n := len(m.answers); n != maxRemembered {
		t.Errorf("%d answers are kept, want %d", n, maxRemembered)
	}
	if _, ok := m.get(fmt.Sprint(2*maxRemembered-1), start); !ok {
		t.Error("the newest answer was forgotten")
	}
}
