// Package store keeps the state: previews, deployments, deliveries and jobs, in SQLite or PostgreSQL with the same SQL.
//
// State and the jobs that follow from it are written in one transaction (Apply); nothing here has an effect outside the
// database. It decides nothing: the decision is handed in as a function. Time is the database's time. Several processes may
// share a PostgreSQL database; a SQLite file belongs to one. docs/database.md says which to take.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/seal"
	"catalyst.dev/catalyst/internal/store/db"
)

//go:generate ../../tools/run sqlc generate

// Store is an open database. Safe for concurrent use.
type Store struct {
	sql      *sql.DB
	q        *db.Queries
	postgres bool
	id       string // tells this store's announcements from those of others
	wake     chan struct{}
	lock     *fileLock // SQLite only
	stop     func()    // ends the listening connection and waits for it
	keys     *seal.Keys
	through  func(driver.Connector) driver.Connector
}

// connections is how many a store has open at most.
const connections = 8

// Option changes how Open opens a database.
type Option func(*Store)

// Through has every connection made by what wrap makes of the driver's own connector, so that a test can watch and hold up what is
// written. The connection that listens for other processes is not among them: nothing is written over it.
func Through(wrap func(driver.Connector) driver.Connector) Option {
	return func(s *Store) { s.through = wrap }
}

// WithKeys has what is secret encrypted with the first of the keys. What was stored otherwise stays readable; see Reseal.
func WithKeys(k *seal.Keys) Option { return func(s *Store) { s.keys = k } }

// Open opens the database named by dsn: "postgres://…" or "postgresql://…" for PostgreSQL, anything else is the path of a SQLite file,
// which is created when absent. It applies no migration; see Migrate and CheckSchema. A SQLite file that another
// process has open gives preview.ErrConflict.
func Open(ctx context.Context, dsn string, options ...Option) (*Store, error) {
	s := &Store{id: newID(), wake: make(chan struct{}, 1), stop: func() {}, postgres: isPostgres(dsn)}
	s.through = func(c driver.Connector) driver.Connector { return c }
	for _, o := range options {
		o(s)
	}
	open := s.openSQLite
	if s.postgres {
		open = s.openPostgres
	}
	err := open(dsn)
	if err == nil {
		s.sql.SetMaxOpenConns(connections)
		s.sql.SetMaxIdleConns(connections) // making one again costs more than keeping it
		err = s.sql.PingContext(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", withoutPassword(dsn), err), s.Close())
	}
	s.q = db.New(clean{s.sql})
	return s, nil
}

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

func (s *Store) openSQLite(path string) (err error) {
	if s.lock, err = lockFile(path + ".lock"); err != nil {
		return err
	}
	connector, err := sqlite.NewConnector(sqliteSource(path))
	if err != nil {
		return err
	}
	s.sql = sql.OpenDB(s.through(reusing{connector}))
	return nil
}

func (s *Store) openPostgres(dsn string) error {
	config, err := postgresConfig(dsn)
	if err != nil {
		return err
	}
	s.sql = sql.OpenDB(s.through(stdlib.GetConnector(*config, stdlib.OptionResetSession(reusable))))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.listen(ctx, config.Copy())
	}()
	s.stop = func() { cancel(); <-done }
	return nil
}

// sqliteSource sets what a durable queue needs: a write-ahead log, full synchronisation (a delivery that was answered 200
// survives a power cut), and transactions that take the write lock at once instead of failing half-way with SQLITE_BUSY.
func sqliteSource(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_txlock=immediate"
}

// withoutPassword is the dsn as errors may show it.
func withoutPassword(dsn string) string {
	if !isPostgres(dsn) {
		return dsn
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "postgres://(not a URL)"
	}
	if q := u.Query(); q.Has("password") {
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// Close ends the listening, closes the database and gives the SQLite file up. Calling it twice is safe.
func (s *Store) Close() error {
	s.stop()
	var err error
	if s.sql != nil {
		err = s.sql.Close()
	}
	return errors.Join(err, s.lock.release())
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.now(ctx, clean{s.sql}); err != nil {
		return fmt.Errorf("ask the database for its time: %w", err)
	}
	return nil
}

// Wake is poked after every commit that made a job due, by this process or, on PostgreSQL, by any other, and whenever the
// connection that listens for the others was made anew. Pokes that nobody took are one. A worker that waits on it polls
// every two seconds as well: leases run out without a commit, and the listening connection may be away.
func (s *Store) Wake() <-chan struct{} { return s.wake }

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
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
