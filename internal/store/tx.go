package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// maxAttempts is how often a transaction is run that others or a lost connection undid.
const maxAttempts = 20

// errConflict says that the row moved between read and write; the transaction is then run again.
var errConflict = errors.New("the row was changed by others meanwhile")

// work is what one transaction does, at the database's time now. It must not use the store itself and may be run more than
// once. due says that it made a job due, which is announced with the commit.
type work func(q *db.Queries, now int64) (due bool, err error)

// scope is what no other transaction with the same in its scope may look at meanwhile.
type scope struct {
	preview preview.Key // the zero key: none
	line    bool        // what all previews hold of the limits
}

// tx runs fn in one transaction, alone with what is in its scope. An error means that nothing
// was written, except an error of the commit itself on a connection that broke: then nobody knows.
func (s *Store) tx(ctx context.Context, alone scope, fn work) error {
	for attempt := 1; ; attempt++ {
		again, err := s.once(ctx, alone, fn)
		switch {
		case err == nil || !again || ctx.Err() != nil:
			return err
		case attempt == maxAttempts:
			return fmt.Errorf("given up after %d attempts: %w", attempt, err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(time.Duration(attempt) * 5 * time.Millisecond)):
		}
	}
}

// answerLimit is how long a transaction or a question may take. It is longer than a transaction may idle in PostgreSQL and SQLite waits
// for its lock; after it the connection is taken for dead, as one is whose other end takes everything and answers nothing.
const answerLimit = 15 * time.Second

// once runs fn in one transaction. again says that it certainly wrote nothing and may succeed the next time.
func (s *Store) once(ctx context.Context, alone scope, fn work) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	tx, err := s.sql.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("begin transaction: %w", err) // database/sql has tried other connections already
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	due, err := s.inside(ctx, tx, alone, fn)
	if err != nil {
		return ctx.Err() == nil && (errors.Is(err, errConflict) || undone(err) || disconnected(err)), err
	}
	if err := tx.Commit(); err != nil {
		return undone(err), fmt.Errorf("commit: %w", err)
	}
	if due {
		s.poke()
	}
	return false, nil
}

func (s *Store) inside(ctx context.Context, tx *sql.Tx, alone scope, fn work) (due bool, err error) {
	if err := s.reserve(ctx, tx, alone); err != nil {
		return false, fmt.Errorf("wait for others at %s: %w", alone.preview, err)
	}
	now, err := s.now(ctx, tx)
	if err != nil {
		return false, fmt.Errorf("ask the database for its time: %w", err)
	}
	if due, err = fn(db.New(clean{tx}), now); err != nil || !due {
		return false, err
	}
	if err := s.announce(ctx, tx); err != nil {
		return false, fmt.Errorf("announce a job: %w", err)
	}
	return true, nil
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

// undone reports whether the server says that it rolled back for the sake of others: a serialization failure or a deadlock.
func undone(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// disconnected reports whether err is the end of the connection. A transaction that had not sent its commit is then rolled back.
func disconnected(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.SeverityUnlocalized == "FATAL" // the server ended the session
	}
	var network *net.OpError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}

// clean hands all text on as valid UTF-8 without NUL, the only text that PostgreSQL takes: a broken byte in a chart's
// error must not make the database refuse the event that tells of it. Each statement ends within answerLimit.
type clean struct{ db.DBTX }

// ExecContext is DBTX's.
func (c clean) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	return c.DBTX.ExecContext(ctx, query, cleaned(args)...)
}

// QueryContext is DBTX's.
func (c clean) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.DBTX.QueryContext(limited(ctx), query, cleaned(args)...)
}

// QueryRowContext is DBTX's.
func (c clean) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.DBTX.QueryRowContext(limited(ctx), query, cleaned(args)...)
}

// limited ends with answerLimit and not before: rows are read after the question was asked.
func limited(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func cleaned(args []any) []any {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
		}
	}
	return args
}
