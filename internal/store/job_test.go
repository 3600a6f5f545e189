package store_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// TestOneWinner: of many claimers of one job exactly one gets it, and nobody gets an error but "none due".
func TestOneWinner(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
		var winners atomic.Int64
		var wg sync.WaitGroup
		for range 64 {
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
	})
}

// TestFence: a worker whose lease ran out and whose job was claimed by another can write nothing.
func TestFence(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
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
	})
}

// TestAskedForWhileRunning: what was asked for after the claim makes the job run once more, and only once.
func TestAskedForWhileRunning(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
		job := claimWhenDue(t, s, preview.JobReconcile)
		ask(t, s, p.Key, preview.JobReconcile)
		ask(t, s, p.Key, preview.JobReconcile)
		if _, err := s.Claim(t.Context(), preview.JobReconcile, "other", time.Minute); !errors.Is(err, preview.ErrNotFound) {
			t.Fatalf("claimed while leased: %v", err)
		}
		g, err := s.Renew(t.Context(), job.Fence(), time.Minute)
		if err != nil || g <= job.Generation {
			t.Errorf("Renew = %d, %v, want more than %d", g, err, job.Generation)
		}
		if seen, err := s.Generations(t.Context(), job.Holder); err != nil || len(seen) != 1 || seen[job.Fence()] != g {
			t.Errorf("Generations = %v, %v, want %d of the one job that is held", seen, err, g)
		}
		if err := s.Finish(t.Context(), job.Fence(), job.Generation); err != nil {
			t.Fatal(err)
		}
		again := claimWhenDue(t, s, preview.JobReconcile)
		if err := s.Finish(t.Context(), again.Fence(), again.Generation); err != nil {
			t.Fatal(err)
		}
		if due, err := s.Due(t.Context()); err != nil || len(due) != 0 {
			t.Errorf("Due after all is done: %v, %v, want nothing", due, err)
		}
		if seen, err := s.Generations(t.Context(), again.Holder); err != nil || len(seen) != 0 {
			t.Errorf("Generations after all is done: %v, %v, want none", seen, err)
		}
	})
}

// TestRetryWaits: a retried job is not due before its time and counts its attempts.
func TestRetryWaits(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobComment})
		job := claimWhenDue(t, s, preview.JobComment)
		if err := s.Retry(t.Context(), job.Fence(), preview.Retry{Attempt: job.Attempt, Covered: job.Generation, Delay: 200 * time.Millisecond, Reason: "outage"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Claim(t.Context(), preview.JobComment, "early", time.Minute); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("claimed before its time: %v", err)
		}
		if again := claimWhenDue(t, s, preview.JobComment); again.Attempt != 2 {
			t.Errorf("attempt %d, want 2", again.Attempt)
		}
	})
}

// TestRetryAskedMeanwhile: what was asked for while the job ran does not wait for the job's next attempt.
func TestRetryAskedMeanwhile(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
		job := claimWhenDue(t, s, preview.JobReconcile)
		if err := s.Request(t.Context(), p.ID, preview.JobRequest{Kind: preview.JobReconcile}); err != nil {
			t.Fatal(err)
		}
		if err := s.Retry(t.Context(), job.Fence(), preview.Retry{Covered: job.Generation, Delay: time.Hour}); err != nil {
			t.Fatal(err)
		}
		again := claimWhenDue(t, s, preview.JobReconcile)
		if err := s.Retry(t.Context(), again.Fence(), preview.Retry{Covered: again.Generation, Delay: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if due, err := s.Due(t.Context()); err != nil || due[preview.JobReconcile] < time.Minute {
			t.Errorf("when nothing was asked for meanwhile it is due in %v, %v; want an hour", due, err)
		}
	})
}

// TestHeldWhileWriting: once a write was let through its fence, nobody claims the job before it is stored, though the lease
// runs out meanwhile.
func TestHeldWhileWriting(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
		const ttl = 300 * time.Millisecond
		job, err := s.Claim(t.Context(), preview.JobReconcile, "first", ttl)
		if err != nil {
			t.Fatal(err)
		}
		f := job.Fence()
		inside, release, written := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := change(t, s, p.Key, &f, func(q *preview.Preview) {
				close(inside)
				<-release
				q.NamespaceUID = "first"
			})
			written <- err
		}()
		within(t, 10*time.Second, "the write is inside", inside)
		claimed := make(chan preview.Job, 1)
		go func() {
			next, err := waitAndClaim(t.Context(), s, preview.JobReconcile)
			if err != nil {
				t.Error(err)
			}
			claimed <- next
		}()
		select {
		case <-claimed:
			t.Error("claimed while the holder was writing")
		case <-time.After(2 * ttl): // the lease is over, and had it been possible to claim the job it would have been
		}
		close(release)
		if err := within(t, 10*time.Second, "the write", written); err != nil {
			t.Errorf("write of the holder: %v", err)
		}
		if next := within(t, 10*time.Second, "the claim", claimed); next.Token != job.Token+1 {
			t.Errorf("token %d after %d", next.Token, job.Token)
		}
		if got, err := s.Preview(t.Context(), p.ID); err != nil || got.NamespaceUID != "first" {
			t.Errorf("namespace %q, %v: the write is lost", got.NamespaceUID, err)
		}
	})
}

// TestWake: every commit that makes a job due pokes, and nothing else does.
func TestWake(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		if strings.HasPrefix(dsn, "postgres") {
			within(t, 10*time.Second, "a poke once it listens", s.Wake())
		}
		p := create(t, s, 1, 7)
		select {
		case <-s.Wake():
			t.Error("poked, and no job was asked for")
		default:
		}
		ask(t, s, p.Key, preview.JobReconcile)
		within(t, time.Second, "a poke after Apply", s.Wake())
		job := claimWhenDue(t, s, preview.JobReconcile)
		if err := s.Retry(t.Context(), job.Fence(), preview.Retry{Attempt: 1}); err != nil {
			t.Fatal(err)
		}
		within(t, time.Second, "a poke after Retry", s.Wake())
		if err := s.Request(t.Context(), p.ID, preview.JobRequest{Kind: preview.JobComment}); err != nil {
			t.Fatal(err)
		}
		within(t, time.Second, "a poke after Request", s.Wake())
	})
}
