package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// Time is what time it is for the database.
func (s *Store) Time(ctx context.Context) (time.Time, error) {
	ms, err := s.now(ctx, clean{s.sql})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database for its time: %w", err)
	}
	return fromMS(ms), nil
}

// CheckWritable returns nil when the database takes writes. It writes nothing that stays.
func (s *Store) CheckWritable(ctx context.Context) error {
	undo := errors.New("undo")
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (bool, error) {
		if err := q.RequestJob(ctx, db.RequestJobParams{Kind: string(preview.JobSweep), PreviewID: "check", NotBefore: now, Now: now}); err != nil {
			return false, fmt.Errorf("write to the database: %w", err)
		}
		return false, undo
	})
	if errors.Is(err, undo) {
		return nil
	}
	return err
}
