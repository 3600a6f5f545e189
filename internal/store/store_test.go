package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

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
	check := func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
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
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		check(t, filepath.Join(t.TempDir(), "catalyst.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		check(t, storetest.EmptyPostgresDSN(t))
	})
}

// TestOpenHidesThePassword: an error of Open names the database and what is wrong, and no password.
func TestOpenHidesThePassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://me:swordfish@/x?host=/nowhere",
		"postgres://me@/x?host=/nowhere&password=swordfish",
		"postgres://me:swordfish%zz@/x?host=/nowhere",
		"postgresql://me:swordfish@/x?host=/nowhere&sslmode=maybe",
	} {
		switch _, err := store.Open(t.Context(), dsn); {
		case err == nil:
			t.Errorf("%s was opened", dsn)
		case strings.Contains(err.Error(), "swordfish") || !strings.Contains(err.Error(), "postgres"):
			t.Errorf("the error of %s: %v", dsn, err)
		}
	}
}
