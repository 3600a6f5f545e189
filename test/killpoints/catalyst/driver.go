package main

import (
	"context"
	"database/sql/driver"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// watched opens connections whose commits are told.
type watched struct {
	driver.Connector
	tell teller
}

// Connect implements driver.Connector.
func (w watched) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := w.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	under, ok := c.(under)
	if !ok {
		return nil, fmt.Errorf("driver's connection %T lacks what it is watched by", c)
	}
	return &conn{under: under, tell: w.tell}, nil
}

// under is what the connections of both drivers have.
type under interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
}

// conn is one connection, used by one goroutine at a time. It notes what the transaction has written so far.
type conn struct {
	under
	tell   teller
	inside bool
	lane   string // whose transaction it is: that of a job of this kind, or of a delivery
	wrote  []string
}

// CheckNamedValue implements driver.NamedValueChecker as the driver does, if it does.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.under.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// IsValid implements driver.Validator as the driver does, if it does.
func (c *conn) IsValid() bool {
	validator, ok := c.under.(driver.Validator)
	return !ok || validator.IsValid()
}

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	tx, err := c.under.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	c.inside, c.lane, c.wrote = true, "", nil
	return &transaction{Tx: tx, conn: c}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.under.ExecContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return nil, err
	}
	return result, c.note(query, args, rows > 0)
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.under.QueryContext(ctx, query, args)
	if err != nil || !writes(name(query)) {
		return rows, err
	}
	return &returned{Rows: rows, first: func() error { return c.note(query, args, true) }}, nil
}

var named = regexp.MustCompile(`^-- name: (\w+) `)

// name is the statement's in query.sql; empty for others, as those of a migration.
func name(query string) string {
	m := named.FindStringSubmatch(query)
	if m == nil {
		return ""
	}
	return m[1]
}

// writes reports whether the statement changes something. A lease that is renewed or only checked does not count.
func writes(statement string) bool {
	for _, verb := range []string{"Insert", "Update", "Request", "Claim", "Finish", "Retry"} {
		if strings.HasPrefix(statement, verb) {
			return true
		}
	}
	return false
}

// details are the arguments worth telling: statuses and kinds of jobs.
var details = []string{
	string(preview.StatusPending), string(preview.StatusQueued), string(preview.StatusDeploying), string(preview.StatusRunning),
	string(preview.StatusDegraded), string(preview.StatusFailed), string(preview.StatusDeleting), string(preview.StatusDeleted),
	string(preview.DeploymentSucceeded), string(preview.DeploymentSuperseded),
	string(preview.DeliveryAccepted), string(preview.DeliveryDuplicate), string(preview.DeliveryIgnored),
	string(preview.JobReconcile), string(preview.JobComment), string(preview.JobSweep), string(preview.JobHealth),
}

// note takes a statement into what the transaction is. did is whether it found something to change.
func (c *conn) note(query string, args []driver.NamedValue, did bool) error {
	statement := name(query)
	if statement == "" {
		return nil
	}
	detail := ""
	for _, a := range args {
		if text, ok := a.Value.(string); ok && slices.Contains(details, text) {
			detail = text
			break
		}
	}
	switch {
	case strings.HasSuffix(statement, "Job") && statement != "RequestJob":
		c.lane = detail
	case statement == "InsertDelivery":
		c.lane = "webhook"
	}
	if !writes(statement) || !did {
		return nil
	}
	if !c.inside {
		return fmt.Errorf("%s writes outside of a transaction, which cannot be watched", statement)
	}
	if statement == "RequestJob" || !strings.HasSuffix(statement, "Job") {
		statement = strings.TrimSuffix(statement+" "+detail, " ")
	}
	c.wrote = append(c.wrote, statement)
	return nil
}

// returned are the rows of a statement that writes and returns what it wrote.
type returned struct {
	driver.Rows
	first func() error
}

// Next implements driver.Rows.
func (r *returned) Next(into []driver.Value) error {
	if err := r.Rows.Next(into); err != nil {
		return err
	}
	if note := r.first; note != nil {
		r.first = nil
		return note()
	}
	return nil
}

// transaction is one whose commit is told.
type transaction struct {
	driver.Tx
	conn *conn
}

// Commit implements driver.Tx.
func (t *transaction) Commit() error {
	c := t.conn
	c.inside = false
	if len(c.wrote) == 0 {
		return t.Tx.Commit()
	}
	return c.tell.around(c.lane, strings.Join(c.wrote, ", "), t.Tx.Commit)
}

// Rollback implements driver.Tx.
func (t *transaction) Rollback() error {
	t.conn.inside = false
	return t.Tx.Rollback()
}
