package store

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// maxStatements is how many statements a connection keeps compiled: more than the queries there are.
const maxStatements = 256

// reusing makes connections to SQLite that compile each statement once. Compiling is what most of them cost: SQLite's driver does it
// anew each time, where PostgreSQL's keeps what it has prepared.
type reusing struct{ driver.Connector }

// Connect implements driver.Connector.
func (r reusing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := r.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	under, ok := c.(sqliteConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("SQLite's connection %T lacks what compiled statements need", c)
	}
	return &reuser{sqliteConn: under, known: map[string]*compiled{}}, nil
}

// sqliteConn is what SQLite's connections have.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// reuser is a connection that keeps its statements compiled. As every driver.Conn it is used by one goroutine at a time.
type reuser struct {
	sqliteConn
	known map[string]*compiled
}

type compiled struct {
	driver.Stmt
	execer  driver.StmtExecContext
	queryer driver.StmtQueryContext
	busy    bool // rows of it are being read
}

// ExecContext implements driver.ExecerContext.
func (r *reuser) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if s := r.statement(ctx, query); s != nil {
		return s.execer.ExecContext(ctx, args)
	}
	return r.sqliteConn.ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (r *reuser) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s := r.statement(ctx, query)
	if s == nil {
		return r.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.queryer.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &lent{Rows: rows, of: s}, nil
}

// statement returns the query compiled, or nil when it is in use, is one too many or does not compile, which SQLite then says itself.
func (r *reuser) statement(ctx context.Context, query string) *compiled {
	s := r.known[query]
	if s == nil && len(r.known) < maxStatements {
		stmt, err := r.PrepareContext(ctx, query)
		if err != nil {
			return nil
		}
		execer, executes := stmt.(driver.StmtExecContext)
		queryer, queries := stmt.(driver.StmtQueryContext)
		if !executes || !queries {
			_ = stmt.Close()
			return nil
		}
		s = &compiled{Stmt: stmt, execer: execer, queryer: queryer}
		r.known[query] = s
	}
	if s == nil || s.busy {
		return nil
	}
	return s
}

// Close implements driver.Conn.
func (r *reuser) Close() error {
	for query, s := range r.known {
		_ = s.Close() // the connection's own end says what is wrong with it
		delete(r.known, query)
	}
	return r.sqliteConn.Close()
}

// lent are rows of a statement that is kept.
type lent struct {
	driver.Rows
	of *compiled
}

// Close implements driver.Rows.
func (l *lent) Close() error {
	l.of.busy = false
	return l.Rows.Close()
}
