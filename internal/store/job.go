package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// Claim takes the job of the kind that is due longest, under a lease of ttl. preview.ErrNotFound when none is due, or when
// another claimer took it in the same moment: NextDue tells. A job whose holder died is due again when its lease runs out; of
// several claimers, in whatever process, exactly one gets it. All claimers of a kind give the same ttl: a lease of more than twice as
// long is taken for one of a clock that has gone back, and ends as if it were given now.
func (s *Store) Claim(ctx context.Context, kind preview.JobKind, holder string, ttl time.Duration) (preview.Job, error) {
	var row db.Job
	none := false
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (due bool, err error) {
		none = false // it may be tried again
		lease := ttl.Milliseconds()
		row, err = q.ClaimJob(ctx, db.ClaimJobParams{Kind: string(kind), Holder: holder, LeaseUntil: now + lease, Now: now})
		if errors.Is(err, sql.ErrNoRows) {
			none = true
			err = q.ShortenLeases(ctx, db.ShortenLeasesParams{Kind: string(kind), LeaseUntil: now + lease, Longest: now + 2*lease})
		}
		return false, err
	})
	if err == nil && none {
		err = sql.ErrNoRows
	}
	if err != nil {
		return preview.Job{}, notFound(err, "claim a %s job", kind)
	}
	return preview.Job{
		Kind: preview.JobKind(row.Kind), PreviewID: row.PreviewID, Generation: row.Generation, Attempt: int(row.Attempt),
		Token: row.Token, Holder: row.Holder, LeaseUntil: fromMS(row.LeaseUntil),
	}, nil
}

// Renew prolongs the lease by ttl from now and returns the job's newest generation, which is higher than the claimed one
// when it was asked for again. preview.ErrStale when the lease is lost: stop at once.
func (s *Store) Renew(ctx context.Context, f preview.Fence, ttl time.Duration) (generation int64, err error) {
	err = s.tx(ctx, scope{}, func(q *db.Queries, now int64) (due bool, err error) {
		generation, err = q.RenewJob(ctx, db.RenewJobParams{Kind: string(f.Kind), PreviewID: f.PreviewID, Token: f.Token, LeaseUntil: now + ttl.Milliseconds(), Now: now})
		return false, err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, stale(f)
	}
	if err != nil {
		return 0, fmt.Errorf("renew lease of %s for preview %s: %w", f.Kind, f.PreviewID, err)
	}
	return generation, nil
}

// Finish ends the claim: everything asked for up to generation is done. What was asked for later makes the job due again
// at once. preview.ErrStale when the lease is lost.
func (s *Store) Finish(ctx context.Context, f preview.Fence, generation int64) error {
	return s.endClaim(ctx, f, func(q *db.Queries, now int64) (int64, error) {
		return q.FinishJob(ctx, db.FinishJobParams{Kind: string(f.Kind), PreviewID: f.PreviewID, Token: f.Token, Done: generation, Now: now})
	})
}

// Retry ends the claim and makes the job due again after a delay, or at once when it was asked for after what the work covered.
// preview.ErrStale when the lease is lost.
func (s *Store) Retry(ctx context.Context, f preview.Fence, r preview.Retry) error {
	return s.endClaim(ctx, f, func(q *db.Queries, now int64) (int64, error) {
		return q.RetryJob(ctx, db.RetryJobParams{Kind: string(f.Kind), PreviewID: f.PreviewID, Token: f.Token, Attempt: int64(r.Attempt),
			Covered: r.Covered, NotBefore: now + r.Delay.Milliseconds(), LastError: r.Reason, Now: now})
	})
}

func (s *Store) endClaim(ctx context.Context, f preview.Fence, end func(*db.Queries, int64) (int64, error)) error {
	var rows int64
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (due bool, err error) {
		rows, err = end(q, now)
		return rows > 0, err
	})
	if err != nil {
		return fmt.Errorf("end claim of %s for preview %s: %w", f.Kind, f.PreviewID, err)
	}
	if rows == 0 {
		return stale(f)
	}
	return nil
}

func stale(f preview.Fence) error {
	return fmt.Errorf("lease %d of %s for preview %s is over: %w", f.Token, f.Kind, f.PreviewID, preview.ErrStale)
}

// Request asks for jobs of one preview outside of an event: by a timer, or because a place became free. previewID is empty
// for a kind that concerns no preview.
func (s *Store) Request(ctx context.Context, previewID string, jobs ...preview.JobRequest) error {
	return s.tx(ctx, scope{}, func(q *db.Queries, now int64) (due bool, err error) {
		return len(jobs) > 0, requestJobs(ctx, q, previewID, jobs, now)
	})
}

// NextDue returns how long it is until a job becomes due: zero when one is, preview.ErrNotFound when there is none.
func (s *Store) NextDue(ctx context.Context) (wait time.Duration, err error) {
	err = s.tx(ctx, scope{}, func(q *db.Queries, now int64) (bool, error) {
		at, err := q.NextDue(ctx)
		switch {
		case err != nil:
			return false, err
		case at == 0:
			return false, sql.ErrNoRows
		}
		wait = max(0, time.Duration(at-now)*time.Millisecond)
		return false, nil
	})
	if err != nil {
		return 0, notFound(err, "look for the next job")
	}
	return wait, nil
}
