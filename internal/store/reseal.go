package store

import (
	"context"
	"errors"
	"fmt"

	"catalyst.dev/catalyst/internal/seal"
	"catalyst.dev/catalyst/internal/store/db"
)

// resealed is how many rows are read at once.
const resealed = 100

// bodyPlace is where a delivery's body stands, which is sealed for there alone.
func bodyPlace(id string) string { return "deliveries/body/" + id }

// Reseal encrypts with the first key what is stored plainly or under another, and returns how many values that changed. It may be stopped and
// run again, and others may use the database meanwhile. What no key opens stays as it is and is told in the error, which is preview.ErrInvalid.
func (s *Store) Reseal(ctx context.Context) (int, error) {
	var lost error
	changed, unread := 0, 0
	for after := ""; ; {
		rows, err := s.q.ListBodies(ctx, db.ListBodiesParams{After: after, MaxRows: resealed})
		if err != nil {
			return changed, fmt.Errorf("read the bodies of deliveries: %w", err)
		}
		if len(rows) == 0 {
			break
		}
		after = rows[len(rows)-1].ID
		for _, r := range rows {
			if s.keys.Current(r.Body) {
				continue
			}
			body, err := s.keys.Open(bodyPlace(r.ID), r.Body)
			if err != nil {
				lost = err
				unread++
				continue
			}
			// A body never changes, so nobody else can have written another.
			if err := s.q.UpdateBody(ctx, db.UpdateBodyParams{ID: r.ID, Body: s.keys.Seal(bodyPlace(r.ID), body)}); err != nil {
				return changed, fmt.Errorf("write the body of delivery %s: %w", r.ID, err)
			}
			changed++
		}
	}
	if changed > 0 {
		if err := s.wipe(ctx); err != nil {
			return changed, err
		}
	}
	if lost != nil {
		return changed, fmt.Errorf("%d values stay as they are: %w", unread, lost)
	}
	return changed, nil
}

// wipe takes what was overwritten out of a SQLite file, in which it stays otherwise. PostgreSQL's own vacuum does so in time.
func (s *Store) wipe(ctx context.Context) error {
	if s.postgres {
		return nil
	}
	for _, statement := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := s.sql.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("take what was overwritten out of the file: %s: %w", statement, err)
		}
	}
	return nil
}

// CheckKeys returns nil when there is a key for everything that is stored encrypted, otherwise preview.ErrInvalid with those that are missing. plain
// reports whether something is stored unencrypted.
func (s *Store) CheckKeys(ctx context.Context) (plain bool, err error) {
	heads, err := s.q.ListBodyHeads(ctx, int32(seal.HeadLength))
	if err != nil {
		return false, fmt.Errorf("read which keys the database was encrypted with: %w", err)
	}
	var missing []error
	for _, head := range heads {
		if id, sealed := seal.KeyID(head); sealed {
			missing = append(missing, s.keys.Has(id))
		} else {
			plain = true
		}
	}
	return plain, errors.Join(missing...)
}
