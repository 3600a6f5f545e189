package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// TestSessions: they are read whole under their kind alone, end with their time, and one of several who take one gets it.
func TestSessions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		ctx := t.Context()
		person := preview.Person{Login: "dora", UserID: 9_000_000_001, Name: "dora", Operator: true}
		if err := s.PutSession(ctx, preview.Session{ID: "a", Kind: preview.SessionPerson, Person: person, Data: "{}"}, time.Hour); err != nil {
			t.Fatal(err)
		}
		got, err := s.Session(ctx, preview.SessionPerson, "a")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(person, got.Person); d != "" || got.ExpiresAt.Sub(got.CreatedAt) != time.Hour || got.Data != "{}" {
			t.Errorf("%+v (-want +got):\n%s", got, d)
		}
		if _, err := s.Session(ctx, preview.SessionLink, "a"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("as another kind: %v", err)
		}
		if err := s.PutSession(ctx, preview.Session{ID: "over", Kind: preview.SessionPerson}, -time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Session(ctx, preview.SessionPerson, "over"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("when its time is over: %v", err)
		}
		if err := s.EndSession(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Session(ctx, preview.SessionPerson, "a"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("when it was ended: %v", err)
		}

		if err := s.PutSession(ctx, preview.Session{ID: "link", Kind: preview.SessionLink}, time.Hour); err != nil {
			t.Fatal(err)
		}
		var got1 atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := s.TakeSession(context.WithoutCancel(ctx), preview.SessionLink, "link"); err == nil {
					got1.Add(1)
				} else if !errors.Is(err, preview.ErrNotFound) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got1.Load() != 1 {
			t.Errorf("%d took the link", got1.Load())
		}
	})
}

// TestTokens: they are found by their hash, noted when used, and end with their time or by their end.
func TestTokens(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		ctx := t.Context()
		want, err := s.PutToken(ctx, preview.Token{Hash: "h", Label: "ci", Scopes: []string{"read", "write"}, Person: preview.Person{Login: "dora", UserID: 5}}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.UseToken(ctx, "h")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		list, err := s.Tokens(ctx)
		if err != nil || len(list) != 1 || list[0].UsedAt.IsZero() {
			t.Errorf("after its use: %+v, %v", list, err)
		}
		if _, err := s.PutToken(ctx, preview.Token{Hash: "short"}, time.Nanosecond); err != nil {
			t.Fatal(err)
		}
		if _, err := s.UseToken(ctx, "short"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("when its time is over: %v", err)
		}
		if err := s.DropToken(ctx, want.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DropToken(ctx, want.ID); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("ended twice: %v", err)
		}
		if _, err := s.UseToken(ctx, "h"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("when it was ended: %v", err)
		}
	})
}

// TestAudit: the record comes newest first, in pages, about one thing or all.
func TestAudit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		ctx := t.Context()
		for _, subject := range []string{"acme/web#1", "acme/web#2", "acme/web#1"} {
			if err := s.Record(ctx, preview.Audit{Actor: "dora", UserID: 5, Via: "session", Action: "delete", Subject: subject, Outcome: "allowed"}); err != nil {
				t.Fatal(err)
			}
		}
		page, err := s.Audit(ctx, "", "", 2)
		if err != nil || len(page) != 2 || page[0].ID < page[1].ID || page[0].At.IsZero() {
			t.Fatalf("%+v, %v", page, err)
		}
		rest, err := s.Audit(ctx, "acme/web#1", page[0].ID, 10)
		if err != nil || len(rest) != 1 || rest[0].Subject != "acme/web#1" {
			t.Errorf("%+v, %v", rest, err)
		}
	})
}
