// Package storetest opens databases for tests: SQLite files, and databases of a PostgreSQL server that it starts itself.
package storetest

import (
	"path/filepath"
	"testing"

	"catalyst.dev/catalyst/internal/store"
)

// Each runs the test on each kind of database, as parallel subtests "sqlite" and "postgres". dsn names a migrated database
// that nobody else uses: Open opens it, a PostgreSQL database as often as it likes.
func Each(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqliteDSN(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, PostgresDSN(t))
	})
}

// Open opens the database and closes it when the test ends.
func Open(t testing.TB, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// SQLite returns a migrated store in a file of its own, closed when the test ends.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, sqliteDSN(t))
}

func sqliteDSN(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "catalyst.db")
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Migrate(t.Context())
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
