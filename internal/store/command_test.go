package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// commanded applies an event about the command of a comment. decide gets what was stored of it and returns what is to be.
func commanded(t *testing.T, s *store.Store, k preview.Key, comment int64, decide func(known *preview.Command) *preview.Command) {
	t.Helper()
	e := preview.Event{Kind: preview.EventCommand, Key: k, Command: &preview.Command{CommentID: comment}}
	_, _, err := s.Apply(t.Context(), e, func(st preview.State) (preview.Decision, error) {
		return preview.Decision{Command: decide(st.Command)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCommands: they are stored whole, listed in the order of their comments until their end was told, and what was asked never changes.
func TestCommands(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p, other := create(t, s, 1, 7), create(t, s, 1, 8)
		at := time.UnixMilli(1_700_000_000_123).UTC()
		const late, early = 9_000_000_002, 9_000_000_001
		want := map[int64]preview.Command{}
		for _, id := range []int64{late, early} {
			c := preview.Command{
				CommentID: id, Order: preview.Order{Verb: preview.VerbApprove, Argument: sha}, Author: "dora", AuthorID: 5, SHA: sha, Generation: 3, ReceivedAt: at,
			}
			commanded(t, s, p.Key, id, func(known *preview.Command) *preview.Command {
				if known != nil {
					t.Errorf("a new comment is known: %+v", known)
				}
				return &c
			})
			c.PreviewID = p.ID
			want[id] = c
		}
		list := func(k preview.Preview) []preview.Command {
			t.Helper()
			got, err := s.Commands(t.Context(), k.ID)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if d := cmp.Diff([]preview.Command{want[early], want[late]}, list(p)); d != "" {
			t.Errorf("stored and read differ (-want +got):\n%s", d)
		}
		if got := list(other); len(got) != 0 {
			t.Errorf("another preview has %d commands", len(got))
		}

		step := func(change func(*preview.Command)) {
			commanded(t, s, p.Key, early, func(known *preview.Command) *preview.Command {
				c := *known
				change(&c)
				return &c
			})
		}
		step(func(c *preview.Command) {
			c.Outcome, c.Generation = preview.CommandAccepted, 4
			c.Order, c.Author, c.AuthorID, c.SHA = preview.Order{Verb: preview.VerbDestroy}, "mallory", 6, "else"
		})
		step(func(c *preview.Command) { c.Told = preview.CommandAccepted })
		changed := want[early]
		changed.Outcome, changed.Told, changed.Generation = preview.CommandAccepted, preview.CommandAccepted, 4
		if d := cmp.Diff([]preview.Command{changed, want[late]}, list(p)); d != "" {
			t.Errorf("under way (-want +got):\n%s", d)
		}
		step(func(c *preview.Command) { c.Outcome, c.FinishedAt = preview.CommandDone, at.Add(time.Minute) })
		if got := list(p); len(got) != 2 || got[0].Outcome != preview.CommandDone || !got[0].FinishedAt.Equal(at.Add(time.Minute)) {
			t.Errorf("done and not told: %+v", got)
		}
		step(func(c *preview.Command) { c.Told = preview.CommandDone })
		if d := cmp.Diff([]preview.Command{want[late]}, list(p)); d != "" {
			t.Errorf("done and told (-want +got):\n%s", d)
		}
	})
}

// TestOneCommandPerComment: of many deliveries of one comment under different bodies, all at once, one gives the command.
func TestOneCommandPerComment(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		one, other := create(t, s, 1, 7), create(t, s, 1, 8)
		var given atomic.Int64
		var wg sync.WaitGroup
		for i := range 16 {
			p := one
			if i%2 == 1 { // a forged one on another pull request, whose events are not kept apart from the first's
				p = other
			}
			wg.Go(func() {
				fresh := false
				commanded(t, s, p.Key, 42, func(known *preview.Command) *preview.Command {
					if fresh = known == nil; !fresh {
						return nil
					}
					return &preview.Command{CommentID: 42, Order: preview.Order{Verb: preview.VerbDestroy}}
				})
				if fresh {
					given.Add(1)
				}
			})
		}
		wg.Wait()
		if n := given.Load(); n != 1 {
			t.Errorf("%d deliveries gave the command, want 1", n)
		}
	})
}

// TestRefusedCommandIsNotStored: a command and what it causes are stored together or not at all.
func TestRefusedCommandIsNotStored(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7)
		e := preview.Event{Kind: preview.EventCommand, Key: preview.Key{RepositoryID: 2, Number: 7}, Command: &preview.Command{CommentID: 1}}
		_, _, err := s.Apply(t.Context(), e, func(st preview.State) (preview.Decision, error) {
			return preview.Decision{
				Preview: &preview.Preview{PullRequest: preview.PullRequest{Key: e.Key}, Status: preview.StatusPending}, Names: []string{p.Namespace},
				Command: e.Command, Jobs: []preview.JobRequest{{Kind: preview.JobCommand}},
			}, nil
		})
		if err == nil {
			t.Fatal("a preview without a free name was stored")
		}
		commanded(t, s, p.Key, 1, func(known *preview.Command) *preview.Command {
			if known != nil {
				t.Errorf("the command is there: %+v", known)
			}
			return nil
		})
		if _, err := s.Claim(t.Context(), preview.JobCommand, "me", time.Minute); err == nil {
			t.Error("its job is there")
		}
	})
}
