// Package storetest opens databases for tests.
package storetest

import (
	"path/filepath"
	"testing"

	"catalyst.dev/catalyst/internal/store"
)

// SQLite returns a migrated store in a file of its own, closed when the test ends.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "catalyst.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
