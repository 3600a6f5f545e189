package main

import (
	"fmt"
	"slices"
	"strings"

	atlas "ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlite"
)

// portable are the column types that SQLite and PostgreSQL both have, with the same meaning for the product.
var portable = []string{"TEXT", "BIGINT", "BOOLEAN", "BYTEA"}

// checkTypes says which columns have a type that one of the databases lacks or means differently.
func checkTypes(s Schema) error {
	for _, t := range s.Tables {
		for _, c := range t.Columns {
			if !slices.Contains(portable, strings.ToUpper(c.Type.Raw)) {
				return fmt.Errorf("column %s.%s has the type %q; SQLite and PostgreSQL share %s", t.Name, c.Name, c.Type.Raw, strings.Join(portable, ", "))
			}
		}
	}
	return nil
}

// Diff gives the changes that make to of from; none when the two are the same for both databases.
func Diff(from, to Schema) ([]atlas.Change, error) {
	changes, err := sqlite.DefaultDiff.SchemaDiff(from.Schema, to.Schema)
	if err != nil {
		return nil, fmt.Errorf("compare the schemas: %w", err)
	}
	// For SQLite two types are the same when they have one affinity (INTEGER and BIGINT); PostgreSQL tells them apart.
	for _, old := range from.Tables {
		now, ok := to.Table(old.Name)
		if !ok {
			continue
		}
		for _, was := range old.Columns {
			is, ok := now.Column(was.Name)
			if !ok || strings.EqualFold(was.Type.Raw, is.Type.Raw) {
				continue
			}
			changes = append(changes, &atlas.ModifyTable{T: now, Changes: []atlas.Change{
				&atlas.ModifyColumn{From: was, To: is, Change: atlas.ChangeType},
			}})
		}
	}
	return changes, nil
}

// describe names the changes for people.
func describe(changes []atlas.Change) string {
	var words []string
	for _, c := range changes {
		if m, ok := c.(*atlas.ModifyTable); ok {
			for _, inner := range m.Changes {
				words = append(words, describeOne(m.T.Name, inner))
			}
			continue
		}
		words = append(words, describeOne("", c))
	}
	return strings.Join(words, "; ")
}

func describeOne(table string, change atlas.Change) string {
	switch c := change.(type) {
	case *atlas.AddTable:
		return "add table " + c.T.Name
	case *atlas.DropTable:
		return "drop table " + c.T.Name
	case *atlas.AddColumn:
		return fmt.Sprintf("add column %s.%s", table, c.C.Name)
	case *atlas.DropColumn:
		return fmt.Sprintf("drop column %s.%s", table, c.C.Name)
	case *atlas.ModifyColumn:
		return fmt.Sprintf("change column %s.%s (%s)", table, c.From.Name, columnChange(c))
	case *atlas.AddIndex:
		return "add " + index(c.I)
	case *atlas.DropIndex:
		return "drop " + index(c.I)
	case *atlas.ModifyIndex:
		return "change " + index(c.From)
	case *atlas.AddPrimaryKey, *atlas.DropPrimaryKey, *atlas.ModifyPrimaryKey:
		return "change the primary key of " + table
	case *atlas.AddForeignKey, *atlas.DropForeignKey, *atlas.ModifyForeignKey:
		return "change the foreign keys of " + table
	case *atlas.AddCheck, *atlas.DropCheck, *atlas.ModifyCheck:
		return "change the CHECK constraints of " + table
	}
	return strings.TrimSpace(fmt.Sprintf("%s %T", table, change))
}

func columnChange(c *atlas.ModifyColumn) string {
	var what []string
	if c.Change.Is(atlas.ChangeType) {
		what = append(what, fmt.Sprintf("type %s to %s", c.From.Type.Raw, c.To.Type.Raw))
	}
	if c.Change.Is(atlas.ChangeNull) {
		what = append(what, "NOT NULL")
	}
	if c.Change.Is(atlas.ChangeDefault) {
		what = append(what, "DEFAULT")
	}
	if len(what) == 0 {
		return "definition"
	}
	return strings.Join(what, ", ")
}

func index(i *atlas.Index) string {
	if strings.HasPrefix(i.Name, "UNIQUE ") {
		return i.Name
	}
	return "index " + i.Name
}
