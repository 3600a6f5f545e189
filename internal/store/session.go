package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// PutSession stores a session that lasts as long as it says from now, in the database's time, and forgets those that are over.
func (s *Store) PutSession(ctx context.Context, in preview.Session, lasts time.Duration) error {
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (bool, error) {
		if err := q.DeleteExpiredSessions(ctx, now); err != nil {
			return false, err
		}
		return false, q.InsertSession(ctx, db.InsertSessionParams{
			ID: in.ID, Kind: string(in.Kind), Login: in.Login, UserID: in.UserID, Name: in.Name, Operator: in.Operator, Data: in.Data,
			CreatedAt: now, ExpiresAt: now + lasts.Milliseconds(),
		})
	})
	if err != nil {
		return fmt.Errorf("store a session: %w", err)
	}
	return nil
}

// Session returns the session of the kind under the hash. preview.ErrNotFound when there is none, or when its time is over.
func (s *Store) Session(ctx context.Context, kind preview.SessionKind, id string) (preview.Session, error) {
	now, err := s.now(ctx, s.sql)
	if err != nil {
		return preview.Session{}, fmt.Errorf("ask the database for its time: %w", err)
	}
	row, err := s.q.SessionByID(ctx, db.SessionByIDParams{ID: id, Kind: string(kind), Now: now})
	if err != nil {
		return preview.Session{}, notFound(err, "read a session")
	}
	return toSession(row), nil
}

// TakeSession returns the session and ends it: of several who take it, one gets it.
func (s *Store) TakeSession(ctx context.Context, kind preview.SessionKind, id string) (preview.Session, error) {
	var row db.Session
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (due bool, err error) {
		row, err = q.TakeSession(ctx, db.TakeSessionParams{ID: id, Kind: string(kind), Now: now})
		return false, err
	})
	if err != nil {
		return preview.Session{}, notFound(err, "take a session")
	}
	return toSession(row), nil
}

// EndSession ends the session under the hash, if there is one.
func (s *Store) EndSession(ctx context.Context, id string) error {
	if err := s.q.DeleteSession(ctx, id); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

func toSession(r db.Session) preview.Session {
	return preview.Session{
		ID: r.ID, Kind: preview.SessionKind(r.Kind), Person: preview.Person{Login: r.Login, UserID: r.UserID, Name: r.Name, Operator: r.Operator},
		Data: r.Data, CreatedAt: fromMS(r.CreatedAt), ExpiresAt: fromMS(r.ExpiresAt),
	}
}

// usedEvery is how exactly the last use of a token is known: writing it each time would cost more than it tells.
const usedEvery = time.Minute

// PutToken stores a token that lasts as long as it says from now; zero: for ever. It returns the token with its id and times.
func (s *Store) PutToken(ctx context.Context, t preview.Token, lasts time.Duration) (preview.Token, error) {
	scopes, _ := json.Marshal(t.Scopes) // strings always encode
	t.ID = newID()
	err := s.tx(ctx, scope{}, func(q *db.Queries, now int64) (bool, error) {
		t.CreatedAt, t.ExpiresAt = fromMS(now), time.Time{}
		if lasts > 0 {
			t.ExpiresAt = t.CreatedAt.Add(lasts)
		}
		return false, q.InsertToken(ctx, db.InsertTokenParams{
			ID: t.ID, Hash: t.Hash, Label: t.Label, Scopes: string(scopes), Login: t.Login, UserID: t.UserID, Name: t.Name, Operator: t.Operator,
			CreatedAt: now, ExpiresAt: toMS(t.ExpiresAt),
		})
	})
	if err != nil {
		return preview.Token{}, fmt.Errorf("store token %q: %w", t.Label, err)
	}
	return t, nil
}

// UseToken returns the token with the hash and notes that it is used. preview.ErrNotFound when there is none, or when its time is over.
func (s *Store) UseToken(ctx context.Context, hash string) (preview.Token, error) {
	now, err := s.now(ctx, s.sql)
	if err != nil {
		return preview.Token{}, fmt.Errorf("ask the database for its time: %w", err)
	}
	row, err := s.q.TokenByHash(ctx, db.TokenByHashParams{Hash: hash, Now: now})
	if err != nil {
		return preview.Token{}, notFound(err, "read a token")
	}
	if before := now - usedEvery.Milliseconds(); row.UsedAt < before {
		if err := s.q.TouchToken(ctx, db.TouchTokenParams{ID: row.ID, Now: now, Before: before}); err != nil {
			return preview.Token{}, fmt.Errorf("note the use of a token: %w", err)
		}
	}
	return toToken(row)
}

// Tokens returns all tokens, the newest first, those whose time is over too.
func (s *Store) Tokens(ctx context.Context) ([]preview.Token, error) {
	rows, err := s.q.ListTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return convert(rows, toToken)
}

// DropToken ends the token with the id. preview.ErrNotFound when there is none.
func (s *Store) DropToken(ctx context.Context, id string) error {
	n, err := s.q.DeleteToken(ctx, id)
	if err != nil {
		return fmt.Errorf("end token %s: %w", id, err)
	}
	if n == 0 {
		return fmt.Errorf("end token %s: %w", id, preview.ErrNotFound)
	}
	return nil
}

func toToken(r db.Token) (preview.Token, error) {
	t := preview.Token{
		ID: r.ID, Hash: r.Hash, Label: r.Label, Person: preview.Person{Login: r.Login, UserID: r.UserID, Name: r.Name, Operator: r.Operator},
		CreatedAt: fromMS(r.CreatedAt), ExpiresAt: fromMS(r.ExpiresAt), UsedAt: fromMS(r.UsedAt),
	}
	if err := json.Unmarshal([]byte(r.Scopes), &t.Scopes); err != nil {
		return t, fmt.Errorf("read the scopes of token %s: %w", r.ID, err)
	}
	return t, nil
}
