package store_test

import (
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// killListeners ends the connections that listen.
const killListeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"

// TestProcessesWakeEachOther: what one store makes due pokes another one on the same database, again after its listening
// connection was lost, and also for what was announced while it was away.
func TestProcessesWakeEachOther(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	one, other := storetest.Open(t, dsn), storetest.Open(t, dsn)
	within(t, 10*time.Second, "a poke once the other listens", other.Wake())
	p := create(t, one, 1, 7)
	ask(t, one, p.Key, preview.JobReconcile)
	within(t, time.Second, "a poke after another's Apply", other.Wake())
	job := claimWhenDue(t, one, preview.JobReconcile)
	if err := one.Retry(t.Context(), job.Fence(), preview.Retry{Attempt: 1}); err != nil {
		t.Fatal(err)
	}
	within(t, time.Second, "a poke after another's Retry", other.Wake())

	if killed := query[bool](t, dsn, killListeners); len(killed) != 2 {
		t.Fatalf("%d connections listened, want one of each store", len(killed))
	}
	within(t, 10*time.Second, "a poke once it listens again", other.Wake())
	ask(t, one, p.Key, preview.JobReconcile)
	within(t, time.Second, "a poke after another's Apply, listening again", other.Wake())
}

// TestOwnCommitsPokeOnce: a store does not hear its own announcement a second time.
func TestOwnCommitsPokeOnce(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	one, other := storetest.Open(t, dsn), storetest.Open(t, dsn)
	within(t, 10*time.Second, "a poke once it listens", one.Wake())
	within(t, 10*time.Second, "a poke once the other listens", other.Wake())
	p := create(t, one, 1, 7)
	ask(t, one, p.Key, preview.JobReconcile)
	within(t, time.Second, "the poke of the commit", one.Wake())
	within(t, time.Second, "the announcement to the other", other.Wake())
	select {
	case <-one.Wake():
		t.Error("poked twice for one commit")
	case <-time.After(100 * time.Millisecond): // the announcement went to both at once
	}
}

// TestCloseStopsListening: nothing of a closed store stays connected.
func TestCloseStopsListening(t *testing.T) {
	t.Parallel()
	dsn := storetest.PostgresDSN(t)
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "a poke once it listens", s.Wake())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, dsn, "all connections are closed",
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'catalyst')")
}
