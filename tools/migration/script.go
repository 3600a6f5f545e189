package main

import (
	"fmt"
	"slices"
	"strings"

	atlas "ariga.io/atlas/sql/schema"
)

// script writes the statements that make to of from, each of which SQLite and PostgreSQL both run. Tables and indexes are
// created with the words of the schema they come from.
func script(from, to Schema) ([]string, error) {
	changes, err := Diff(from, to)
	if err != nil {
		return nil, err
	}
	w := writer{from: from, to: to, created: map[string]bool{}}
	var dropped []string
	for _, change := range changes {
		switch c := change.(type) {
		case *atlas.AddTable:
			w.created[c.T.Name] = true
			for _, i := range c.T.Indexes {
				w.created[i.Name] = true // an index of the table's own definition has no statement and is passed over below
			}
		case *atlas.DropTable:
			dropped = append(dropped, c.T.Name)
		case *atlas.ModifyTable:
			for _, inner := range c.Changes {
				if err := w.modify(c.T.Name, inner); err != nil {
					return nil, err
				}
			}
		default:
			return nil, byHand(describeOne("", change))
		}
	}
	var tables, indexes, drops []string
	for _, name := range to.Names {
		if !w.created[name] {
			continue
		}
		if _, isTable := to.Table(name); isTable {
			tables = append(tables, to.Statements[name])
		} else {
			indexes = append(indexes, to.Statements[name])
		}
	}
	for _, name := range slices.Backward(from.Names) { // what refers to a table was created after it
		if slices.Contains(dropped, name) {
			drops = append(drops, "DROP TABLE "+name)
		}
	}
	return slices.Concat(w.dropIndexes, w.columns, tables, drops, indexes), nil
}

type writer struct {
	from, to             Schema
	created              map[string]bool // tables and indexes to create
	dropIndexes, columns []string
}

func (w *writer) modify(table string, change atlas.Change) error {
	switch c := change.(type) {
	case *atlas.AddColumn:
		definition, err := column(table, c.C)
		if err != nil {
			return err
		}
		w.columns = append(w.columns, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", table, definition))
		return nil
	case *atlas.DropColumn:
		if c.C.Type == nil || len(c.C.ForeignKeys) > 0 {
			break
		}
		w.columns = append(w.columns, fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", table, c.C.Name))
		return nil
	case *atlas.AddIndex:
		if w.to.Statements[c.I.Name] == "" {
			break
		}
		w.created[c.I.Name] = true
		return nil
	case *atlas.DropIndex:
		if w.from.Statements[c.I.Name] == "" {
			break
		}
		w.dropIndexes = append(w.dropIndexes, "DROP INDEX "+c.I.Name)
		return nil
	case *atlas.ModifyIndex:
		if w.to.Statements[c.To.Name] == "" {
			break
		}
		w.dropIndexes = append(w.dropIndexes, "DROP INDEX "+c.From.Name)
		w.created[c.To.Name] = true
		return nil
	}
	return byHand(describeOne(table, change))
}

// column writes the definition of a column that is added to a table with rows.
func column(table string, c *atlas.Column) (string, error) {
	if len(c.ForeignKeys) > 0 {
		return "", byHand(fmt.Sprintf("add column %s.%s with a foreign key", table, c.Name))
	}
	words := []string{c.Name, c.Type.Raw}
	if !c.Type.Null {
		if c.Default == nil {
			return "", fmt.Errorf("column %s.%s is NOT NULL and has no DEFAULT: the rows that exist would have no value; "+
				"give it a DEFAULT in the schema, or write the migration by hand", table, c.Name)
		}
		words = append(words, "NOT NULL")
	}
	switch d := c.Default.(type) {
	case *atlas.Literal:
		words = append(words, "DEFAULT", d.V)
	case *atlas.RawExpr:
		words = append(words, "DEFAULT", d.X)
	}
	return strings.Join(words, " "), nil
}

// byHand refuses a change that needs a rebuild on SQLite, and says how one is written.
func byHand(what string) error {
	return fmt.Errorf(`%s: SQLite has no statement for that, so it is written by hand.
Write the next file in the migrations with "-- +goose Up" and "-- +goose Down", each of them:
    CREATE TABLE new_name (… as in the schema …);
    INSERT INTO new_name (columns) SELECT columns FROM name;
    DROP TABLE name;
    ALTER TABLE new_name RENAME TO name;
    CREATE INDEX … (every index of the table again);
It runs on both databases. A UNIQUE may also be a CREATE UNIQUE INDEX, which needs no rebuild. The check compares the result with the schema`, what)
}
