// Package store keeps the state: previews, deployments, deliveries and jobs, in SQLite or PostgreSQL with the same SQL.
//
// State and the jobs that follow from it are written in one transaction (Apply); nothing here has an effect outside the
// database. It decides nothing: the decision is handed in as a function. Time is the database's time.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // driver "sqlite"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

//go:generate ../../tools/run sqlc generate

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an open database. Safe for concurrent use.
type Store struct {
	sql      *sql.DB
	q        *db.Queries
	postgres bool
	wake     chan struct{}
	lock     *fileLock // SQLite only
}

// Open opens the database named by dsn: "postgres://…" or "postgresql://…" for PostgreSQL, anything else is the path of a SQLite file,
// which is created when absent. It applies no migration; see Migrate and CheckSchema. A SQLite file that another
// process has open gives preview.ErrConflict.
func Open(ctx context.Context, dsn string) (*Store, error) {
	s := &Store{wake: make(chan struct{}, 1)}
	driver, source := "pgx", dsn
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		s.postgres = true
	} else {
		lock, err := lockFile(dsn + ".lock")
		if err != nil {
			return nil, fmt.Errorf("open database %s: %w", dsn, err)
		}
		s.lock = lock
		driver, source = "sqlite", sqliteSource(dsn)
	}
	var err error
	if s.sql, err = sql.Open(driver, source); err == nil {
		s.sql.SetMaxOpenConns(8)
		err = s.sql.PingContext(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", withoutPassword(dsn), err), s.Close())
	}
	s.q = db.New(s.sql)
	return s, nil
}

// sqliteSource sets what a durable queue needs: a write-ahead log, full synchronisation (a delivery that was answered 200
// survives a power cut), and transactions that take the write lock at once instead of failing half-way with SQLITE_BUSY.
func sqliteSource(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_txlock=immediate"
}

func withoutPassword(dsn string) string {
	if u, err := url.Parse(dsn); err == nil && u.User != nil {
		return u.Redacted()
	}
	return dsn
}

// Close closes the database. Calling it twice is safe.
func (s *Store) Close() error {
	var err error
	if s.sql != nil {
		err = s.sql.Close()
	}
	return errors.Join(err, s.lock.release())
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.now(ctx, s.sql); err != nil {
		return fmt.Errorf("ask the database for its time: %w", err)
	}
	return nil
}

func (s *Store) provider() (*goose.Provider, error) {
	dialect := goose.DialectSQLite3
	if s.postgres {
		dialect = goose.DialectPostgres
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, s.sql, dir)
}

// Migrate applies the migrations that are missing and returns their names in order. Calling it twice is safe: the second
// time it returns none.
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

// Wake is poked after every commit that made a job due. A worker that waits on it should also poll: pokes of other
// processes do not come through it.
func (s *Store) Wake() <-chan struct{} { return s.wake }

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// now is the database's time in Unix milliseconds: leases compare clocks of several processes, so only one may count.
func (s *Store) now(ctx context.Context, q db.DBTX) (int64, error) {
	query := "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)"
	if s.postgres {
		query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
	}
	var ms int64
	err := q.QueryRowContext(ctx, query).Scan(&ms)
	return ms, err
}

// tx runs fn in one transaction. fn must not use the store itself.
func (s *Store) tx(ctx context.Context, fn func(q *db.Queries, now int64) error) error {
	tx, err := s.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	now, err := s.now(ctx, tx)
	if err != nil {
		return fmt.Errorf("ask the database for its time: %w", err)
	}
	if err := fn(s.q.WithTx(tx), now); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func toMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// notFound turns database/sql's word for "no row" into the product's.
func notFound(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, preview.ErrNotFound)
	}
	return fmt.Errorf("%s: %w", what, err)
}
