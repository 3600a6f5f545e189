package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// maxRetries is how often an operation that failed for a passing reason is tried again (S10).
const maxRetries = 3

// slowest is the longest pause between attempts of work that is never given up: a comment, a removal.
const slowest = 5 * time.Minute

// backoff is the pause after the attempt-th failure: 2, 4, 8 … seconds (S10).
func backoff(attempt int) time.Duration {
	return min(time.Duration(1<<min(attempt, 10))*time.Second, slowest)
}

// errAgain asks for another run after a pause, without counting an attempt. Nothing failed.
type errAgain struct {
	after time.Duration
	why   string
}

func (e *errAgain) Error() string { return fmt.Sprintf("again in %s: %s", e.after, e.why) }

// later is an error that says from when on trying again makes sense: GitHub's limits, or a breaker that is open.
type later interface {
	error
	RetryAt() time.Time
}

// end tells the queue how the job went and returns a word for the metrics and the error to log, if it deserves one.
// parent is the worker's own context: when it is over the job was interrupted, which is nobody's failure.
func (w *Worker) end(ctx, parent context.Context, job preview.Job, covered int64, err error) (string, error) {
	var again *errAgain
	var limited later
	retry := func(r preview.Retry) error {
		r.Covered, r.Reason = covered, w.Hide.String(r.Reason)
		return w.Queue.Retry(ctx, job.Fence(), r)
	}
	switch {
	case err == nil:
		return "done", w.Queue.Finish(ctx, job.Fence(), covered)
	case errors.Is(err, preview.ErrStale):
		return "stale", retry(preview.Retry{Attempt: job.Attempt - 1})
	case parent.Err() != nil:
		return "interrupted", retry(preview.Retry{Attempt: job.Attempt - 1, Reason: "interrupted by a stop"})
	case errors.As(err, &limited):
		delay := max(time.Until(limited.RetryAt()), time.Second)
		return "limited", errors.Join(err, retry(preview.Retry{Attempt: job.Attempt - 1, Delay: delay, Reason: err.Error()}))
	case errors.As(err, &again):
		return "again", retry(preview.Retry{Delay: again.after, Reason: again.why})
	default:
		return "retry", errors.Join(err, retry(preview.Retry{Attempt: job.Attempt, Delay: backoff(job.Attempt), Reason: err.Error()}))
	}
}
