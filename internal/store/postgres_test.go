package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// query runs one statement beside the store, on a connection of its own, and returns the first column of its rows.
func query[T any](t *testing.T, dsn, sql string, args ...any) []T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// eventually waits until the query returns true.
func eventually(t *testing.T, dsn, what, sql string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !query[bool](t, dsn, sql)[0]; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// someoneWaits is true while a session waits for another's lock.
const someoneWaits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"

// TestThreeProcessesShareTheJobs: three stores that race for the jobs of many previews run each exactly once.
func TestThreeProcessesShareTheJobs(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	first := storetest.Open(t, dsn)
	const jobs = 40
	for i := range jobs {
		create(t, first, 1, i+1, preview.JobRequest{Kind: preview.JobReconcile})
	}
	var mu sync.Mutex
	ran := map[string]int{}
	var wg sync.WaitGroup
	for _, s := range []*store.Store{first, storetest.Open(t, dsn), storetest.Open(t, dsn)} {
		for range 4 {
			wg.Go(func() {
				for {
					job, err := waitAndClaim(t.Context(), s, preview.JobReconcile)
					if errors.Is(err, preview.ErrNotFound) {
						return // nothing is left to do
					}
					if err == nil {
						err = s.Finish(t.Context(), job.Fence(), job.Generation)
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					ran[job.PreviewID]++
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	for id, n := range ran {
		if n != 1 {
			t.Errorf("the job of %s ran %d times", id, n)
		}
	}
	if len(ran) != jobs {
		t.Errorf("%d jobs ran, want %d", len(ran), jobs)
	}
}

// TestThreeProcessesMigrate: all may try at once; together they apply every migration once.
func TestThreeProcessesMigrate(t *testing.T) {
	t.Parallel()
	dsn := storetest.EmptyPostgresDSN(t)
	var mu sync.Mutex
	var applied []string
	var wg sync.WaitGroup
	for range 3 {
		s := storetest.Open(t, dsn)
		wg.Go(func() {
			names, err := s.Migrate(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			applied = append(applied, names...)
		})
	}
	wg.Wait()
	slices.Sort(applied)
	if len(applied) == 0 || len(slices.Compact(slices.Clone(applied))) != len(applied) {
		t.Errorf("applied %v, want every migration once", applied)
	}
	if err := storetest.Open(t, dsn).CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestConnectionLostHalfWay: a transaction whose connection is lost after some of its writes is run again and stored once.
// When the connection is lost every time, nothing is stored.
func TestConnectionLostHalfWay(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	s := storetest.Open(t, dsn)
	// The job is written last; its session ends there as long as the sequence says so.
	query[any](t, dsn, `CREATE SEQUENCE tries`)
	query[any](t, dsn, `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN IF nextval('tries') < 1000 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END $$`)
	query[any](t, dsn, `CREATE TRIGGER die AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION die()`)
	if _, err := deliver(t.Context(), s, 1, "body", nil); err == nil {
		t.Error("Apply of which every attempt was killed has no error")
	}
	empty(t, s)

	query[int64](t, dsn, `SELECT setval('tries', 999, false)`)
	if _, err := deliver(t.Context(), s, 1, "body", nil); err != nil {
		t.Errorf("Apply that was killed once: %v", err)
	}
	if got, err := s.Deliveries(t.Context(), 10); err != nil || len(got) != 1 {
		t.Errorf("%d deliveries, %v, want 1", len(got), err)
	}
}

// TestCommitWithUnknownEnd: when the connection is lost in the commit itself nobody knows whether it is stored, so the
// transaction is not run again.
func TestCommitWithUnknownEnd(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	s := storetest.Open(t, dsn)
	// The session ends itself while it commits.
	query[any](t, dsn, `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`)
	query[any](t, dsn, `CREATE CONSTRAINT TRIGGER die AFTER INSERT ON deliveries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()`)
	e := delivery(1, "body")
	attempts := 0
	_, _, err := s.Apply(t.Context(), e, func(st preview.State) (preview.Decision, error) {
		attempts++
		return decide(e, st), nil
	})
	if err == nil || attempts != 1 {
		t.Errorf("Apply whose commit lost the connection: %v after %d attempts, want an error after 1", err, attempts)
	}
}

// TestUndoneByTheServer: what the server rolled back for the sake of others is run again, also when it says so at the commit.
func TestUndoneByTheServer(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]string{"statement": "IMMEDIATE", "commit": "DEFERRED"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := storetest.PostgresDSN(t)
			s := storetest.Open(t, dsn)
			query[any](t, dsn, `CREATE SEQUENCE tries`) // which no rollback sets back
			query[any](t, dsn, `CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'undone' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$`)
			query[any](t, dsn, `CREATE CONSTRAINT TRIGGER undo AFTER INSERT ON deliveries DEFERRABLE INITIALLY `+when+` FOR EACH ROW EXECUTE FUNCTION undo()`)
			if _, err := deliver(t.Context(), s, 1, "body", nil); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Deliveries(t.Context(), 10); err != nil || len(got) != 1 {
				t.Errorf("%d deliveries, %v, want 1", len(got), err)
			}
		})
	}
}

// TestTwoWorkersOfOnePreview: the reconcile and the comment worker of one preview write at the same time, each holding its
// own job and asking for the other's, and no deadlock comes of it.
func TestTwoWorkersOfOnePreview(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	s := storetest.Open(t, dsn)
	kinds := []preview.JobKind{preview.JobReconcile, preview.JobComment}
	p := create(t, s, 1, 7, preview.JobRequest{Kind: kinds[0]}, preview.JobRequest{Kind: kinds[1]})
	var wg sync.WaitGroup
	for i, mine := range kinds {
		f := claimWhenDue(t, s, mine).Fence()
		wg.Go(func() {
			for range 50 {
				_, _, err := s.Apply(t.Context(), preview.Event{Key: p.Key, Fence: &f}, func(st preview.State) (preview.Decision, error) {
					q := *st.Preview
					q.Generation++
					return preview.Decision{Preview: &q, Jobs: []preview.JobRequest{{Kind: kinds[1-i]}}}, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := s.Preview(t.Context(), p.ID); err != nil || got.Generation != 101 {
		t.Errorf("generation %d, %v, want 101", got.Generation, err)
	}
	if n := query[int64](t, dsn, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n[0] != 0 {
		t.Errorf("%d deadlocks", n[0])
	}
}

// TestFrozenProcessLetsGo: a process that stops in the middle of a transaction does not keep the others out for ever.
func TestFrozenProcessLetsGo(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	if got := query[string](t, dsn, "SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"); got[0] != "0" {
		t.Fatalf("the server itself ends idle transactions after %s ms", got[0])
	}
	s := storetest.Open(t, dsn)
	p := create(t, s, 1, 7)
	frozen := storetest.Open(t, dsn+"&idle_in_transaction_session_timeout=200")
	ctx, thaw := context.WithCancel(t.Context())
	inside, ended := make(chan struct{}, maxAttempts), make(chan error, 1)
	go func() {
		_, _, err := frozen.Apply(ctx, preview.Event{Key: p.Key}, func(preview.State) (preview.Decision, error) {
			inside <- struct{}{}
			<-ctx.Done()
			return preview.Decision{Jobs: []preview.JobRequest{{Kind: preview.JobReconcile}}}, nil
		})
		ended <- err
	}()
	within(t, 10*time.Second, "the transaction is inside", inside)
	changed := make(chan error, 1)
	go func() {
		_, err := change(t, s, p.Key, nil, func(q *preview.Preview) { q.Generation++ })
		changed <- err
	}()
	if err := within(t, 10*time.Second, "the other's write", changed); err != nil {
		t.Error(err)
	}
	thaw()
	if err := within(t, 10*time.Second, "the frozen one", ended); err == nil {
		t.Error("the frozen transaction was committed")
	}
}

// maxAttempts is more often than the store runs a transaction.
const maxAttempts = 100

// TestSession: the connections ask for what the queries need, whatever the server's own settings are.
func TestSession(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	query[any](t, dsn, fmt.Sprintf("ALTER DATABASE %s SET default_transaction_isolation = 'serializable'", databaseOf(t, dsn)))
	query[any](t, dsn, `CREATE TABLE seen (isolation text, idle text)`)
	query[any](t, dsn, `CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO seen VALUES (current_setting('transaction_isolation'), current_setting('idle_in_transaction_session_timeout')); RETURN NULL; END $$`)
	query[any](t, dsn, `CREATE TRIGGER see AFTER INSERT ON previews FOR EACH ROW EXECUTE FUNCTION see()`)
	create(t, storetest.Open(t, dsn), 1, 7)
	if got := query[string](t, dsn, "SELECT isolation || ', ' || idle FROM seen"); len(got) != 1 || got[0] != "read committed, 10s" {
		t.Errorf("the session's settings are %q", got)
	}
}

func databaseOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path[1:]
}

// TestClaimLooksTwice: a claimer that waited for another's write of the job does not take it before the time that this
// write has set.
func TestClaimLooksTwice(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	s := storetest.Open(t, dsn)
	create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "UPDATE jobs SET not_before = 9000000000000"); err != nil {
		t.Fatal(err)
	}
	claimed := make(chan error, 1)
	go func() {
		_, err := s.Claim(t.Context(), preview.JobReconcile, "early", time.Minute)
		claimed <- err
	}()
	eventually(t, dsn, "the claimer waits", someoneWaits)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := within(t, 10*time.Second, "the claim", claimed); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("claim before the job's time: %v, want ErrNotFound", err)
	}
}

// TestLeaseIsTheDatabasesTime: leases and everything else are timed by the database's clock, not by the process's own.
func TestLeaseIsTheDatabasesTime(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	query[any](t, dsn, `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 day' $$`)
	s := storetest.Open(t, dsn+"&search_path=public,pg_catalog")
	p := create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile})
	job, err := s.Claim(t.Context(), preview.JobReconcile, "w", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if ahead := time.Until(job.LeaseUntil); ahead < 24*time.Hour || ahead > 26*time.Hour {
		t.Errorf("the lease ends in %s by this process's clock, want 25 h", ahead)
	}
	if ahead := time.Until(p.CreatedAt); ahead < 23*time.Hour {
		t.Errorf("the preview was created %s ahead of this process's clock, want 24 h", ahead)
	}
}
