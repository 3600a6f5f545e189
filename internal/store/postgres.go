package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"catalyst.dev/catalyst/internal/preview"
)

// channel is where the processes on one PostgreSQL database tell each other of due jobs.
const channel = "catalyst_jobs"

// session is what every connection asks of PostgreSQL unless the DSN says otherwise.
var session = map[string]string{
	"application_name":                    "catalyst",
	"default_transaction_isolation":       "read committed", // what the queries are written for: a writer that had to wait sees what the other wrote
	"idle_in_transaction_session_timeout": "10000",          // a process that froze half-way must not hold its locks for ever
}

func postgresConfig(dsn string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	for name, value := range session {
		if _, set := c.RuntimeParams[name]; !set {
			c.RuntimeParams[name] = value
		}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = answerLimit
	}
	return c, nil
}

// reusable has a connection to a server that took no writes when it last said so made anew: after a fail-over the old server may live
// on as a standby, and a session keeps what it began with.
func reusable(_ context.Context, conn *pgx.Conn) error {
	for _, setting := range []string{"default_transaction_read_only", "in_hot_standby"} {
		if conn.PgConn().ParameterStatus(setting) == "on" { // PostgreSQL 14 and later tell
			return driver.ErrBadConn
		}
	}
	return nil
}

// reserve waits until no other transaction has any of the scope, and keeps it until tx ends. Without it two workers of one
// preview meet in a deadlock, each holding its own job and asking for the other's; of two equal deliveries neither sees the
// other; and two previews take one slot. SQLite's transactions are alone anyway.
func (s *Store) reserve(ctx context.Context, tx *sql.Tx, alone scope) error {
	if !s.postgres {
		return nil
	}
	const lock = "SELECT pg_advisory_xact_lock($1, $2)"
	if alone.line { // first, always: who waited for it with a preview in hand could wait for ever
		if _, err := tx.ExecContext(ctx, lock, 0, 0); err != nil {
			return err
		}
	}
	if alone.preview == (preview.Key{}) {
		return nil
	}
	// Keys that agree in these bits only wait for each other without need.
	_, err := tx.ExecContext(ctx, lock, int32(alone.preview.RepositoryID), int32(alone.preview.Number))
	return err
}

// announce tells the other processes, once tx is committed, that a job may be due.
func (s *Store) announce(ctx context.Context, tx *sql.Tx) error {
	if !s.postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, s.id)
	return err
}

// Bounds of the pause before a lost listening connection is opened again.
const (
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// listen pokes for what other processes announce, on a connection of its own, until ctx ends.
func (s *Store) listen(ctx context.Context, config *pgx.ConnConfig) {
	pause := minPause
	for ctx.Err() == nil {
		if s.listenOnce(ctx, config) {
			pause = minPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, maxPause)
	}
}

// listenOnce listens until the connection is lost or ctx ends. Errors are not told: workers poll, which goes through the pool, and the pool tells.
func (s *Store) listenOnce(ctx context.Context, config *pgx.ConnConfig) (listened bool) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return false
	}
	s.poke() // for what was announced before and between
	for {
		n, err := s.heard(ctx, conn)
		if err != nil {
			return true
		}
		if n != nil && n.Payload != s.id { // its own commits poke by themselves
			s.poke()
		}
	}
}

// heard waits for an announcement. Nil says that there was none for a while, and that the connection is well.
func (s *Store) heard(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	wait, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	n, err := conn.WaitForNotification(wait)
	if err == nil || ctx.Err() != nil || wait.Err() == nil {
		return n, err
	}
	ask, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	return nil, conn.Ping(ask)
}
