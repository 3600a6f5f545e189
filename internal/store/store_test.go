package store_test

import (
	"errors"
	"path/filepath"
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

var sha = strings.Repeat("a1", 20)

// create stores a preview of acme/web#number, as the first delivery about it does.
func create(t *testing.T, s *store.Store, repositoryID int64, number int, jobs ...preview.JobRequest) preview.Preview {
	t.Helper()
	pr := preview.PullRequest{
		Key: preview.Key{RepositoryID: repositoryID, Number: number}, Repository: "acme/web", InstallationID: 3, Private: true,
		Title: "Add gift cards", Author: "octocat", Branch: "gift", BaseBranch: "main", HeadSHA: sha, HeadRepositoryID: repositoryID, Open: true, Comments: -1,
	}
	e := preview.Event{Kind: preview.EventHint, Key: pr.Key, PullRequest: pr}
	p, _, err := s.Apply(t.Context(), e, func(st preview.State) (preview.Decision, error) {
		return preview.Decision{
			Preview: &preview.Preview{PullRequest: pr, Status: preview.StatusPending, Generation: 1, ChangedAt: st.Now},
			Names:   preview.Names("github.com", "acme/web", pr.Key), Jobs: jobs,
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func change(t *testing.T, s *store.Store, k preview.Key, f *preview.Fence, fn func(*preview.Preview)) (preview.Preview, error) {
	t.Helper()
	p, _, err := s.Apply(t.Context(), preview.Event{Kind: preview.EventNamespace, Key: k, Fence: f}, func(st preview.State) (preview.Decision, error) {
		p := *st.Preview
		fn(&p)
		return preview.Decision{Preview: &p}, nil
	})
	return p, err
}

func TestPreviewIsStoredWhole(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
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
}

// TestNamesAreReserved: the second repository that writes itself alike gets the hashed name, for ever.
func TestNamesAreReserved(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	first, second := create(t, s, 1, 7), create(t, s, 2, 7)
	if first.Namespace != "pr-web-7" || second.Namespace == first.Namespace || !strings.HasSuffix(second.Namespace, "-7") {
		t.Errorf("namespaces %q and %q", first.Namespace, second.Namespace)
	}
}

// TestOneWinner: of many claimers of one job exactly one gets it, and nobody gets an error but "none due".
func TestOneWinner(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
	var winners atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			switch _, err := s.Claim(t.Context(), preview.JobReconcile, "w", time.Minute); {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, preview.ErrNotFound):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("%d claimers won, want 1", n)
	}
}

// TestFence: a worker whose lease ran out and whose job was claimed by another can write nothing.
func TestFence(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	p := create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
	stale, err := s.Claim(t.Context(), preview.JobReconcile, "first", time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	fresh := claimWhenDue(t, s, preview.JobReconcile)
	if fresh.Token <= stale.Token {
		t.Errorf("token went from %d to %d", stale.Token, fresh.Token)
	}
	f := stale.Fence()
	if _, err := change(t, s, p.Key, &f, func(q *preview.Preview) { q.NamespaceUID = "stale" }); !errors.Is(err, preview.ErrStale) {
		t.Errorf("write of a stale worker: %v, want ErrStale", err)
	}
	if _, err := s.Renew(t.Context(), f, time.Minute); !errors.Is(err, preview.ErrStale) {
		t.Errorf("renewal by a stale worker: %v, want ErrStale", err)
	}
	if err := s.Finish(t.Context(), f, 1); !errors.Is(err, preview.ErrStale) {
		t.Errorf("finish by a stale worker: %v, want ErrStale", err)
	}
	g := fresh.Fence()
	if got, err := change(t, s, p.Key, &g, func(q *preview.Preview) { q.NamespaceUID = "fresh" }); err != nil || got.NamespaceUID != "fresh" {
		t.Errorf("write of the holder: %v, %v", got.NamespaceUID, err)
	}
}

// claimWhenDue claims the next job of the kind, waiting until one is due.
func claimWhenDue(t *testing.T, s *store.Store, kind preview.JobKind) preview.Job {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		j, err := s.Claim(t.Context(), kind, "next", time.Minute)
		if err == nil {
			return j
		}
		if !errors.Is(err, preview.ErrNotFound) {
			t.Fatal(err)
		}
		wait, err := s.NextDue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(wait + time.Millisecond)
	}
	t.Fatal("no job became due")
	return preview.Job{}
}

// TestAskedForWhileRunning: what was asked for after the claim makes the job run once more, and only once.
func TestAskedForWhileRunning(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	p := create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
	job := claimWhenDue(t, s, preview.JobReconcile)
	ask := func() {
		_, _, err := s.Apply(t.Context(), preview.Event{Key: p.Key}, func(preview.State) (preview.Decision, error) {
			return preview.Decision{Jobs: []preview.JobRequest{{Kind: preview.JobReconcile}}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ask()
	ask()
	if _, err := s.Claim(t.Context(), preview.JobReconcile, "other", time.Minute); !errors.Is(err, preview.ErrNotFound) {
		t.Fatalf("claimed while leased: %v", err)
	}
	if g, err := s.Renew(t.Context(), job.Fence(), time.Minute); err != nil || g <= job.Generation {
		t.Errorf("Renew = %d, %v, want more than %d", g, err, job.Generation)
	}
	if err := s.Finish(t.Context(), job.Fence(), job.Generation); err != nil {
		t.Fatal(err)
	}
	again := claimWhenDue(t, s, preview.JobReconcile)
	if err := s.Finish(t.Context(), again.Fence(), again.Generation); err != nil {
		t.Fatal(err)
	}
	if _, err := s.NextDue(t.Context()); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("NextDue after all is done: %v, want ErrNotFound", err)
	}
}

// TestRetryWaits: a retried job is not due before its time and counts its attempts.
func TestRetryWaits(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobComment})
	job := claimWhenDue(t, s, preview.JobComment)
	if err := s.Retry(t.Context(), job.Fence(), job.Attempt, 200*time.Millisecond, "outage"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), preview.JobComment, "early", time.Minute); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("claimed before its time: %v", err)
	}
	if again := claimWhenDue(t, s, preview.JobComment); again.Attempt != 2 {
		t.Errorf("attempt %d, want 2", again.Attempt)
	}
}

// TestConcurrentChanges: no change is lost when many writers meet on one preview.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
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
}

// TestAttempts: one row per attempt at a commit, numbered by the database (S7).
func TestAttempts(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
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
}

// TestDecisionRefused: nothing is written when the decision is an error.
func TestDecisionRefused(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	e := preview.Event{Kind: preview.EventHint, Delivery: &preview.Delivery{GUID: "g", Event: "ping", BodySHA256: "x", Body: []byte("{}")}}
	_, _, err := s.Apply(t.Context(), e, func(preview.State) (preview.Decision, error) { return preview.Decision{}, preview.ErrInvalid })
	if !errors.Is(err, preview.ErrInvalid) {
		t.Fatal(err)
	}
	got, err := s.Deliveries(t.Context(), 10)
	if err != nil || len(got) != 0 {
		t.Errorf("deliveries %v, %v, want none", got, err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?.db")
	first, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), path); !errors.Is(err, preview.ErrConflict) {
		t.Errorf("second open: %v, want ErrConflict", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestSchemaIsChecked(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "catalyst.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.CheckSchema(t.Context()); !errors.Is(err, preview.ErrNotReady) || !strings.Contains(err.Error(), "catalyst migrate") {
		t.Errorf("CheckSchema of an empty database: %v", err)
	}
	applied, err := s.Migrate(t.Context())
	if err != nil || len(applied) == 0 {
		t.Fatalf("Migrate: %v, %v", applied, err)
	}
	if err := s.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	if again, err := s.Migrate(t.Context()); err != nil || len(again) != 0 {
		t.Errorf("second Migrate: %v, %v, want nothing", again, err)
	}
}
