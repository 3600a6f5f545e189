package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"

	"catalyst.dev/catalyst/internal/preview"
)

// TestStatementsReused: a question that is asked again gives what is there then: with other arguments, while another answer to it is still
// being read, after an answer of which only a part was read, and after the table has changed under it.
func TestStatementsReused(t *testing.T) {
	t.Parallel()
	connector, err := sqlite.NewConnector(sqliteSource(filepath.Join(t.TempDir(), "catalyst.db")))
	if err != nil {
		t.Fatal(err)
	}
	compiled := &counting{Connector: connector}
	db := sql.OpenDB(reusing{compiled})
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := tx.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE things (n BIGINT NOT NULL)")
	for i := range 3 {
		exec("INSERT INTO things (n) VALUES ($1)", i)
	}
	const question = "SELECT n FROM things WHERE n >= $1 ORDER BY n"
	ask := func(from int) answer {
		t.Helper()
		rows, err := tx.QueryContext(t.Context(), question, from) //nolint:rowserrcheck // end checks it
		if err != nil {
			t.Fatal(err)
		}
		return answer{rows}
	}
	next := func(rows answer, want int) {
		t.Helper()
		var n int
		if !rows.Next() {
			t.Fatalf("no row, want %d: %v", want, rows.Err())
		}
		if err := rows.Scan(&n); err != nil || n != want {
			t.Fatalf("got %d, %v, want %d", n, err, want)
		}
	}
	end := func(rows answer) {
		t.Helper()
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	outer := ask(0)
	next(outer, 0)
	inner := ask(2)
	next(inner, 2)
	next(outer, 1)
	end(inner)
	next(outer, 2)
	end(outer)
	part := ask(1)
	next(part, 1)
	end(part)
	exec("ALTER TABLE things ADD COLUMN word TEXT NOT NULL DEFAULT ''")
	exec("INSERT INTO things (n) VALUES ($1)", 7)
	last := ask(2)
	next(last, 2)
	next(last, 7)
	if last.Next() {
		t.Error("a row too many")
	}
	end(last)
	if compiled.times != 4 { // made, filled, asked and changed: what was said more than once was compiled once
		t.Errorf("%d statements were compiled, want 4: %q", compiled.times, compiled.said)
	}
}

// answer is what a question was answered with. Its end says what was wrong with it.
type answer struct{ *sql.Rows }

// counting counts the statements that its connections compile.
type counting struct {
	driver.Connector
	times int
	said  []string
}

func (c *counting) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &counted{conn.(sqliteConn), c}, nil
}

type counted struct {
	sqliteConn
	by *counting
}

func (c *counted) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.by.times++
	c.by.said = append(c.by.said, query)
	return c.sqliteConn.PrepareContext(ctx, query)
}

// BenchmarkClaimNothing is what a look for work costs that finds none.
func BenchmarkClaimNothing(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "catalyst.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Claim(b.Context(), preview.JobReconcile, "b", 30e9); err == nil {
			b.Fatal("there was a job")
		}
	}
}
