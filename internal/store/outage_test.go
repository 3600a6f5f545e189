package store_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/test/edge"
)

// TestSilentDatabase: a server that takes everything and answers nothing is given up, for questions and transactions alike, and its
// connections are not used again once it is well.
func TestSilentDatabase(t *testing.T) {
	t.Parallel()
	e, dsn := throughEdge(t)
	s := storetest.Open(t, dsn)
	within(t, 10*time.Second, "a poke once it listens", s.Wake())
	p := create(t, s, 1, 7)
	if err := e.Set(edge.HalfOpen); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() {
		_, err := s.Preview(t.Context(), p.ID)
		ended <- err
	}()
	go func() {
		_, err := change(t, s, p.Key, nil, func(q *preview.Preview) { q.Generation++ })
		ended <- err
	}()
	for range 2 {
		if err := within(t, time.Minute, "the end of what was asked", ended); err == nil {
			t.Error("a database that does not answer has answered")
		}
	}
	if err := e.Set(edge.Pass); err != nil {
		t.Fatal(err)
	}
	if _, err := change(t, s, p.Key, nil, func(q *preview.Preview) { q.Generation++ }); err != nil {
		t.Errorf("the database is well again: %v", err)
	}
	within(t, 2*time.Minute, "a poke once it listens again", s.Wake())
}

// throughEdge is a database behind an edge.
func throughEdge(t *testing.T) (*edge.TCP, string) {
	t.Helper()
	u, err := url.Parse(storetest.PostgresDSN(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	socket := filepath.Join(q.Get("host"), ".s.PGSQL.5432")
	e, err := edge.NewTCP(func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", socket) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	q.Del("host")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = e.Address(), q.Encode()
	return e, u.String()
}

// TestReadOnlySessionsEnd: what was connected while the server took no writes, as one does that has lost its rank, is not used once
// there is a server that does.
func TestReadOnlySessionsEnd(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	name := databaseOf(t, dsn)
	query[any](t, dsn, fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = on", name))
	s := storetest.Open(t, dsn)
	for range 3 {
		if err := s.CheckWritable(t.Context()); err == nil {
			t.Fatal("void: the database takes writes")
		}
	}
	query[any](t, dsn+"&default_transaction_read_only=off", fmt.Sprintf("ALTER DATABASE %s RESET default_transaction_read_only", name))
	if err := s.CheckWritable(t.Context()); err != nil {
		t.Errorf("the database takes writes again: %v", err)
	}
}

// anHourAhead opens a store over a PostgreSQL whose clock is an hour ahead until set says by how much.
func anHourAhead(t *testing.T) (s *store.Store, set func(ahead string)) {
	t.Helper()
	dsn := storetest.PostgresDSN(t)
	query[any](t, dsn, `CREATE TABLE clock (ahead interval)`)
	query[any](t, dsn, `INSERT INTO clock VALUES ('1 hour')`)
	query[any](t, dsn, `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + ahead FROM clock $$`)
	return storetest.Open(t, dsn+"&search_path=public,pg_catalog"), func(ahead string) {
		t.Helper()
		query[any](t, dsn, fmt.Sprintf(`UPDATE clock SET ahead = '%s'`, ahead))
	}
}

// TestClockGoesBack: what was put off by a clock that goes back is due at once, and does not wait until that clock's time has come.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	s, set := anHourAhead(t)
	create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile, Delay: time.Minute}, preview.JobRequest{Kind: preview.JobComment})
	if _, err := s.Claim(t.Context(), preview.JobReconcile, "early", time.Minute); !errors.Is(err, preview.ErrNotFound) {
		t.Fatalf("claim before the job's time: %v, want ErrNotFound", err)
	}
	job := claimWhenDue(t, s, preview.JobComment)
	if err := s.Retry(t.Context(), job.Fence(), preview.Retry{Attempt: 1, Delay: time.Minute, Covered: job.Generation}); err != nil {
		t.Fatal(err)
	}
	set("0")
	for _, kind := range []preview.JobKind{preview.JobReconcile, preview.JobComment} {
		job, err := s.Claim(t.Context(), kind, "in time", time.Minute)
		if err != nil {
			t.Fatalf("claim %s after the clock went back: %v", kind, err)
		}
		if err := s.Retry(t.Context(), job.Fence(), preview.Retry{Attempt: 1, Delay: time.Minute, Covered: job.Generation}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Claim(t.Context(), kind, "early", time.Minute); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("%s was put off by the clock as it is now, and is claimed early: %v", kind, err)
		}
	}
}

// TestLeaseOfAClockThatWentBack: a holder that died when the clock went back holds its job no longer than any other; one that lives
// keeps it.
func TestLeaseOfAClockThatWentBack(t *testing.T) {
	t.Parallel()
	s, set := anHourAhead(t)
	create(t, s, 1, 7, preview.JobRequest{Kind: preview.JobReconcile}, preview.JobRequest{Kind: preview.JobComment})
	living, dead := claimWhenDue(t, s, preview.JobReconcile), claimWhenDue(t, s, preview.JobComment)
	for _, ahead := range []string{"0", "50 seconds"} {
		set(ahead)
		for _, kind := range []preview.JobKind{preview.JobReconcile, preview.JobComment} {
			if _, err := s.Claim(t.Context(), kind, "another", time.Minute); !errors.Is(err, preview.ErrNotFound) {
				t.Fatalf("claim %s while its holder may live: %v, want ErrNotFound", kind, err)
			}
		}
		if _, err := s.Renew(t.Context(), living.Fence(), time.Minute); err != nil {
			t.Fatalf("its holder lives: %v", err)
		}
	}
	set("70 seconds")
	if _, err := s.Claim(t.Context(), preview.JobReconcile, "another", time.Minute); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("the living's lease was taken: %v", err)
	}
	if job, err := s.Claim(t.Context(), preview.JobComment, "another", time.Minute); err != nil || job.Token == dead.Token {
		t.Errorf("the dead's lease was not taken after its time: %v", err)
	}
}

// TestNewestByAClockThatWentBack: the newest deployment is the one that was begun last, whatever the clock said.
func TestNewestByAClockThatWentBack(t *testing.T) {
	t.Parallel()
	s, set := anHourAhead(t)
	p := create(t, s, 1, 7)
	begin := func(generation int64, sha string) {
		t.Helper()
		_, _, err := s.Apply(t.Context(), preview.Event{Kind: preview.EventStarted, Key: p.Key}, func(st preview.State) (preview.Decision, error) {
			if last := st.Deployment; last != nil && last.Generation != generation && last.Generation != generation-1 {
				t.Errorf("before generation %d the last deployment was of generation %d", generation, last.Generation)
			}
			return preview.Decision{Preview: st.Preview, Deployments: []preview.Deployment{
				{SHA: sha, Generation: generation, Status: preview.DeploymentRunning, StartedAt: st.Now},
			}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	older, newer := strings.Repeat("a1", 20), strings.Repeat("b2", 20)
	begin(1, older)
	set("0")
	begin(2, newer)
	begin(2, newer) // tried again
	begin(3, older) // and back
	got, err := s.Deployments(t.Context(), p.ID, 10)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, d := range got {
		order = append(order, fmt.Sprintf("%d.%d", d.Generation, d.Attempt))
	}
	if want := "3.2 2.2 2.1 1.1"; strings.Join(order, " ") != want {
		t.Errorf("newest first: %s, want %s", strings.Join(order, " "), want)
	}
}
