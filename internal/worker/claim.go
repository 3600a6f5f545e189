package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// claim is a job while its lease is held. Its context ends, with the cause, when the lease is lost.
type claim struct {
	preview.Job
	ctx    context.Context //nolint:containedctx // the claim's life is what the context stands for
	asked  chan struct{}   // receives when the job was asked for again since it was last covered
	doubt  chan struct{}   // receives when the lease may be lost
	cancel context.CancelCauseFunc
	done   chan struct{}
	born   time.Time      // with a monotonic reading, so that a clock that is set changes nothing
	until  atomic.Int64   // nanoseconds since born up to which writes may leave; see writing
	steps  []preview.Step // of a deployment that was stopped; only the job's own goroutine touches it

	mu      sync.Mutex
	newest  int64 // generation when the queue was asked last
	covered int64 // generation that the work so far answers
}

// hold keeps the lease until release: renewed every third of its time, and at once when it is in doubt.
// asked is when the claim was asked for: the lease cannot last longer than from then on.
func (w *Worker) hold(ctx context.Context, job preview.Job, asked time.Time) *claim {
	c := &claim{Job: job, born: asked, asked: make(chan struct{}, 1), doubt: make(chan struct{}, 1), done: make(chan struct{}), newest: job.Generation, covered: job.Generation}
	c.ctx, c.cancel = context.WithCancelCause(preview.WithLease(ctx, c.held))
	c.until.Store(int64(w.writing()))
	w.mu.Lock()
	w.running[job.Fence()] = c
	w.mu.Unlock()
	go func() {
		defer close(c.done)
		defer func() {
			w.mu.Lock()
			delete(w.running, job.Fence())
			w.mu.Unlock()
		}()
		ticker := time.NewTicker(w.Lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-c.ctx.Done():
				return
			case <-c.doubt:
			case <-ticker.C:
			}
			asked := time.Since(c.born)
			generation, err := w.Queue.Renew(c.ctx, job.Fence(), w.Lease)
			switch {
			case err == nil:
				c.until.Store(int64(asked + w.writing()))
				c.see(generation)
			case errors.Is(err, preview.ErrStale), !c.held():
				c.cancel(errors.Join(preview.ErrStale, err))
				return
			case c.ctx.Err() == nil:
				w.Log.Warn("renew lease", "job", job.Kind, "preview_id", job.PreviewID, "error", err)
			}
		}
	}()
	return c
}

// writing is how long after its renewal was asked for a lease gives the right to write: a sixth less than it lasts, so that what is
// on its way then arrives before anybody else may take the job.
func (w *Worker) writing() time.Duration { return w.Lease - w.Lease/6 }

// held reports whether the lease gives the right to write. A process that was paused learns from it, before it learns from the
// database, that another may have taken the job.
func (c *claim) held() bool { return int64(time.Since(c.born)) < c.until.Load() }

func (c *claim) see(generation int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation <= c.newest {
		return
	}
	c.newest = generation
	select {
	case c.asked <- struct{}{}:
	default:
	}
}

// cover notes that what is done from here on answers everything asked for so far. Call it before reading the truth.
func (c *claim) cover() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.covered = c.newest
	select {
	case <-c.asked:
	default:
	}
}

// covers returns the generation up to which the work so far answers what was asked for.
func (c *claim) covers() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.covered
}

// release ends the upkeep of the lease and returns what the work covers.
func (c *claim) release() int64 {
	c.cancel(context.Canceled)
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.covered
}

// uncover takes the last cover back: the truth could not be read, so the job must run once more.
func (c *claim) uncover() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.covered = c.Generation
}
