package worker

import (
	"context"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// lookAgain is how long a queued preview goes without looking whether it may go, in case nobody told it.
const lookAgain = 30 * time.Second

// stillWaits reports whether the preview waits in line and goes on waiting. That needs no question to GitHub as long as nobody
// asked for the job since this process last read the pull request: a delivery, the sweep and a place that became free all do.
func (w *Worker) stillWaits(ctx context.Context, c *claim, p preview.Preview) (bool, error) {
	w.mu.Lock()
	looked := w.waiting[p.ID]
	delete(w.waiting, p.ID)
	w.mu.Unlock()
	if p.Status != preview.StatusQueued || !p.MissingSince.IsZero() || looked != c.Generation {
		return false, nil
	}
	_, waits, err := w.Lifecycle.Waiting(ctx, p)
	if waits {
		w.noteWaiting(p, looked)
	}
	return waits, err
}

// noteWaiting keeps in mind which generation of the job the last look at the pull request of a waiting preview answered.
func (w *Worker) noteWaiting(p preview.Preview, looked int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[p.ID] = looked
}
