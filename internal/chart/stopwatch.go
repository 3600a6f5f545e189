package chart

import (
	"fmt"
	"io"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// stopwatch measures how long it takes to unpack an archive. The waits for the archive's next bytes do not count: how fast they come is not
// the archive's doing, and bounded where it is fetched.
type stopwatch struct {
	limit  time.Duration
	now    func() time.Time
	start  time.Time
	waited time.Duration
}

func newStopwatch(limit time.Duration, now func() time.Time) *stopwatch {
	return &stopwatch{limit: limit, now: now, start: now()}
}

// check is preview.ErrTooLarge once the time is over.
func (s *stopwatch) check() error {
	if s.now().Sub(s.start)-s.waited > s.limit {
		return fmt.Errorf("the archive: it takes longer than %s to unpack: %w", s.limit, preview.ErrTooLarge)
	}
	return nil
}

// outside returns r, whose reads the stopwatch leaves out.
func (s *stopwatch) outside(r io.Reader) io.Reader { return waiting{s, r} }

type waiting struct {
	*stopwatch
	r io.Reader
}

// Read implements io.Reader.
func (w waiting) Read(p []byte) (int, error) {
	begun := w.now()
	n, err := w.r.Read(p)
	w.waited += w.now().Sub(begun)
	return n, err
}
