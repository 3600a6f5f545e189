package store

import (
	"context"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// Record adds a line to the record of who did what, at the database's time. Lines are never changed.
func (s *Store) Record(ctx context.Context, a preview.Audit) error {
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (bool, error) {
		return false, q.InsertAudit(ctx, db.InsertAuditParams{
			ID: newID(), At: now, Actor: a.Actor, UserID: a.UserID, Via: a.Via, Action: a.Action, Subject: a.Subject, Outcome: a.Outcome, Detail: a.Detail,
		})
	})
	if err != nil {
		return fmt.Errorf("record %s of %s: %w", a.Action, a.Actor, err)
	}
	return nil
}

// Audit returns at most limit lines of the record, the newest first: those about the subject, unless it is empty, and older than
// the line with the id, unless that is empty.
func (s *Store) Audit(ctx context.Context, subject, before string, limit int) ([]preview.Audit, error) {
	rows, err := s.q.ListAudit(ctx, db.ListAuditParams{BeforeID: orLast(before), Subject: subject, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("read the record of who did what: %w", err)
	}
	out := make([]preview.Audit, len(rows))
	for i, r := range rows {
		out[i] = preview.Audit{
			ID: r.ID, At: fromMS(r.At), Actor: r.Actor, UserID: r.UserID, Via: r.Via, Action: r.Action, Subject: r.Subject, Outcome: r.Outcome, Detail: r.Detail,
		}
	}
	return out, nil
}

// orLast is what every id is smaller than, unless there is something to stand before.
func orLast(before string) string {
	if before == "" {
		return "~"
	}
	return before
}
