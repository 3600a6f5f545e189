package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

func TestPreviewIsStoredWhole(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7)
		want := p
		want.Draft, want.Merged, want.Open, want.Comments = true, true, false, 4
		want.NamespaceUID, want.Host, want.URL = "uid", "host", "https://host"
		want.Status, want.Generation, want.Settled = preview.StatusFailed, 5, 4
		want.LiveSHA, want.LiveSince = sha, time.UnixMilli(1_700_000_000_123).UTC()
		want.Diagnosis = &preview.Diagnosis{Code: preview.CodeRender, Cause: "c", Evidence: []string{"l1", "l2"}, Fix: "f", Blame: preview.BlameChange}
		want.CommentID, want.CommentHash, want.CommentAttempted = 9, "h", true
		want.ClosedAt = want.LiveSince.Add(time.Hour)
		want.Title, want.Branch = "Ttl", "a,b=c{{.X}}"
		want.Bot, want.HeadRepository = true, "octo/web"
		if _, err := change(t, s, p.Key, nil, func(q *preview.Preview) { *q = want }); err != nil {
			t.Fatal(err)
		}
		got, err := s.Preview(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("stored and read differ (-want +got):\n%s", d)
		}
		if _, err := s.Preview(t.Context(), "none"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("Preview of an unknown id: %v, want ErrNotFound", err)
		}
	})
}

// TestNamesAreReserved: the second repository that writes itself alike gets the hashed name, for ever.
func TestNamesAreReserved(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		first, second := create(t, s, 1, 7), create(t, s, 2, 7)
		if first.Namespace != "pr-web-7" || second.Namespace == first.Namespace || !strings.HasSuffix(second.Namespace, "-7") {
			t.Errorf("namespaces %q and %q", first.Namespace, second.Namespace)
		}
	})
}

// TestConcurrentChanges: no change is lost when many writers meet on one preview.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7)
		const writers = 16
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				if _, err := change(t, s, p.Key, nil, func(q *preview.Preview) { q.Generation++ }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := s.PreviewOf(t.Context(), p.Key)
		if err != nil || got.Generation != 1+writers {
			t.Errorf("generation %d, %v, want %d", got.Generation, err, 1+writers)
		}
	})
}

// TestAttempts: one row per attempt at a commit, numbered by the database (S7).
func TestAttempts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7)
		for range 2 {
			_, _, err := s.Apply(t.Context(), preview.Event{Key: p.Key}, func(st preview.State) (preview.Decision, error) {
				return preview.Decision{Deployments: []preview.Deployment{{SHA: sha, Generation: 1, Status: preview.DeploymentRunning, StartedAt: st.Now}}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Deployments(t.Context(), p.ID, 10)
		if err != nil || len(got) != 2 || got[0].Attempt != 2 || got[1].Attempt != 1 {
			t.Errorf("deployments %+v, %v", got, err)
		}
	})
}

// TestDecisionRefused: nothing is written when the decision is an error.
func TestDecisionRefused(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		_, _, err := s.Apply(t.Context(), delivery(1, "body"), func(preview.State) (preview.Decision, error) { return preview.Decision{}, preview.ErrInvalid })
		if !errors.Is(err, preview.ErrInvalid) {
			t.Fatal(err)
		}
		empty(t, s)
	})
}

// TestRolledBack: what was written before the error is gone, here the delivery of a preview for which no name is left.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		taken := create(t, s, 1, 7).Namespace
		e := delivery(2, "body")
		_, _, err := s.Apply(t.Context(), e, func(st preview.State) (preview.Decision, error) {
			d := decide(e, st)
			d.Names = []string{taken}
			return d, nil
		})
		if !errors.Is(err, preview.ErrConflict) {
			t.Errorf("a preview whose names are all taken: %v, want ErrConflict", err)
		}
		if got, err := s.Deliveries(t.Context(), 10); err != nil || len(got) != 0 {
			t.Errorf("%d deliveries, %v, want none", len(got), err)
		}
	})
}

// TestOneRowPerPreview: of many first deliveries about one pull request one creates the preview, the others find it, and
// every delivery is stored once however often its transaction was run.
func TestOneRowPerPreview(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		const deliveries = 16
		others := newCrowd()
		var created atomic.Int64
		var wg sync.WaitGroup
		for i := range deliveries {
			wg.Go(func() {
				d, err := deliver(t.Context(), s, 1, fmt.Sprintf("body %d", i), others)
				if err != nil {
					t.Error(err)
				}
				if d.Preview != nil {
					created.Add(1)
				}
			})
		}
		wg.Wait()
		if n := created.Load(); n != 1 {
			t.Errorf("%d deliveries created the preview, want 1", n)
		}
		if got, err := s.Previews(t.Context(), 10); err != nil || len(got) != 1 {
			t.Errorf("%d previews, %v, want 1", len(got), err)
		}
		if got, err := s.Deliveries(t.Context(), 100); err != nil || len(got) != deliveries {
			t.Errorf("%d deliveries, %v, want %d", len(got), err, deliveries)
		}
	})
}

// TestNoDuplicateSlipsIn: of many deliveries of one body, all at once, exactly one is taken for new.
func TestNoDuplicateSlipsIn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		create(t, s, 1, 7)
		others := newCrowd()
		var accepted atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				d, err := deliver(t.Context(), s, 1, "the same", others)
				if err != nil {
					t.Error(err)
				}
				if d.Outcome == preview.DeliveryAccepted {
					accepted.Add(1)
				}
			})
		}
		wg.Wait()
		if n := accepted.Load(); n != 1 {
			t.Errorf("%d of the same deliveries were accepted, want 1", n)
		}
	})
}

// TestRaceForAName: repositories that write themselves alike and come at the same time get names of their own.
func TestRaceForAName(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		const repositories = crowded
		others := newCrowd()
		var wg sync.WaitGroup
		for id := range int64(repositories) {
			wg.Go(func() {
				if _, err := deliver(t.Context(), s, id+1, fmt.Sprintf("body %d", id), others); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := s.Previews(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, p := range got {
			names[p.Namespace] = true
		}
		if len(got) != repositories || len(names) != repositories || !names["pr-web-7"] {
			t.Errorf("%d previews with the names %v, want %d, each its own, one of them pr-web-7", len(got), names, repositories)
		}
	})
}

// TestTextAndSizes: what GitHub can send is stored as it came, up to its largest body; what is no text is replaced, not refused.
func TestTextAndSizes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7)
		title := "Füße 日本語 🎁 e\u0301 \u202e \\ ' \" $1 \t\n"
		if _, err := change(t, s, p.Key, nil, func(q *preview.Preview) { q.Title, q.Author = title, "a\x00b\xffc" }); err != nil {
			t.Fatal(err)
		}
		got, err := s.Preview(t.Context(), p.ID)
		if err != nil || got.Title != title || got.Author != "a\uFFFDb\uFFFDc" {
			t.Errorf("title %q and author %q, %v", got.Title, got.Author, err)
		}
		if _, err := s.Preview(t.Context(), "a\x00"); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("Preview of an id that is no text: %v, want ErrNotFound", err)
		}

		body := make([]byte, 25<<20)
		for i := range body {
			body[i] = byte(i ^ i>>8)
		}
		e := preview.Event{Delivery: &preview.Delivery{GUID: "g", Event: "ping", BodySHA256: "x", Body: body}}
		if _, _, err := s.Apply(t.Context(), e, func(preview.State) (preview.Decision, error) { return preview.Decision{}, nil }); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Deliveries(t.Context(), 1); err != nil || len(got) != 1 || !bytes.Equal(got[0].Body, body) {
			t.Errorf("the body came back different, %v", err)
		}
	})
}

// TestKilledHalfWay: a transaction whose caller goes away in the middle leaves nothing.
func TestKilledHalfWay(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		ctx, cancel := context.WithCancel(t.Context())
		e := delivery(1, "body")
		_, _, err := s.Apply(ctx, e, func(st preview.State) (preview.Decision, error) {
			cancel()
			return decide(e, st), nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Apply with a cancelled context: %v", err)
		}
		empty(t, s)
		if _, err := deliver(t.Context(), s, 1, "body", nil); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

// empty checks that nothing is stored.
func empty(t *testing.T, s *store.Store) {
	t.Helper()
	deliveries, err := s.Deliveries(t.Context(), 10)
	if err != nil || len(deliveries) != 0 {
		t.Errorf("%d deliveries, %v, want none", len(deliveries), err)
	}
	if got, err := s.Previews(t.Context(), 10); err != nil || len(got) != 0 {
		t.Errorf("%d previews, %v, want none", len(got), err)
	}
	if jobs, err := s.CountJobs(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("jobs %v, %v, want none", jobs, err)
	}
}

// TestLimitHolds: previews that begin at the same moment do not take one place twice.
func TestLimitHolds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		const previews = 12
		var keys []preview.Key
		for i := range previews {
			keys = append(keys, create(t, s, 1, i+1).Key)
		}
		others := newCrowd()
		var deploying atomic.Int64
		var wg sync.WaitGroup
		for _, k := range keys {
			wg.Go(func() {
				_, d, err := s.Apply(t.Context(), preview.Event{Kind: preview.EventStarted, Key: k}, func(st preview.State) (preview.Decision, error) {
					for _, other := range st.Line {
						if other.Status == preview.StatusDeploying {
							return preview.Decision{}, nil
						}
					}
					others.meet()
					p := *st.Preview
					p.Status = preview.StatusDeploying
					return preview.Decision{Preview: &p}, nil
				})
				if err != nil {
					t.Error(err)
				}
				if d.Preview != nil {
					deploying.Add(1)
				}
			})
		}
		wg.Wait()
		if n := deploying.Load(); n != 1 {
			t.Errorf("%d previews took the one place", n)
		}
	})
}
