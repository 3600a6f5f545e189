package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"catalyst.dev/catalyst/internal/preview"
)

//go:embed migrations/*.sql
var migrations embed.FS

// lockSeconds is how long a process waits for another one's migrations, at one look per second.
const lockSeconds = 300

func (s *Store) provider() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if !s.postgres {
		return goose.NewProvider(goose.DialectSQLite3, s.sql, dir)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockSeconds), lock.WithUnlockTimeout(1, lockSeconds))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, s.sql, dir, goose.WithSessionLocker(locker))
}

// Migrate applies the migrations that are missing and returns the names of those it applied, in order. Calling it again is
// safe, and so is calling it in several processes at once: one works, the others wait up to five minutes for it and find
// nothing left to do.
func (s *Store) Migrate(ctx context.Context) ([]string, error) {
	p, err := s.provider()
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	results, err := p.Up(ctx)
	var names []string
	for _, r := range results {
		names = append(names, r.Source.Path)
	}
	if err != nil {
		return names, fmt.Errorf("apply migrations: %w", err)
	}
	return names, nil
}

// CheckSchema returns preview.ErrNotReady, with what to do, unless exactly this program's migrations are applied.
func (s *Store) CheckSchema(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the database's migration version: %w", err)
	}
	switch {
	case have < want:
		return fmt.Errorf("the database is at migration %d and this program needs %d: run `catalyst migrate`, or start with --migrate: %w", have, want, preview.ErrNotReady)
	case have > want:
		return fmt.Errorf("the database is at migration %d and this program knows only %d: run a newer catalyst: %w", have, want, preview.ErrNotReady)
	}
	return nil
}
