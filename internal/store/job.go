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
// another claimer took it in the same moment: Due tells. A job whose holder died is due again when its lease runs out; of
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

// Due returns, for each kind of which a job is open, how long it is until one can be claimed: zero when one can. It is a plain read, and
// only a hint: Claim decides.
func (s *Store) Due(ctx context.Context) (map[preview.JobKind]time.Duration, error) {
	now, err := s.now(ctx, clean{s.sql})
	if err != nil {
		return nil, fmt.Errorf("ask the database for its time: %w", err)
	}
	rows, err := s.q.DueJobs(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for due jobs: %w", err)
	}
	due := make(map[preview.JobKind]time.Duration, len(rows))
	for _, r := range rows {
		due[preview.JobKind(r.Kind)] = max(0, time.Duration(r.DueAt-now)*time.Millisecond)
	}
	return due, nil
}

// Generations returns the newest generation of every job whose last claim is the holder's and has not ended. It is a plain read, which
// prolongs no lease and does not say that one lasts.
func (s *Store) Generations(ctx context.Context, holder string) (map[preview.Fence]int64, error) {
	rows, err := s.q.HeldJobs(ctx, holder)
	if err != nil {
		return nil, fmt.Errorf("look for what was asked for again: %w", err)
	}
	newest := make(map[preview.Fence]int64, len(rows))
	for _, r := range rows {
		newest[preview.Fence{Kind: preview.JobKind(r.Kind), PreviewID: r.PreviewID, Token: r.Token}] = r.Generation
	}
	return newest, nil
}
