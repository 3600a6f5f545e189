package main

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"

	atlas "ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlite"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // driver "sqlite"
)

// Schema is what a database holds: Atlas's reading of it, and the statements as they were written.
type Schema struct {
	*atlas.Schema

	// Statements are the CREATE statements by the name of what they create, without the last semicolon; Names is their order.
	Statements map[string]string
	Names      []string
}

// database is an empty SQLite database in memory, one connection and no file.
type database struct {
	*sql.DB
}

func openDatabase(ctx context.Context) (database, error) {
	db, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(1)")
	if err != nil {
		return database{}, fmt.Errorf("open an empty database: %w", err)
	}
	db.SetMaxOpenConns(1) // a second connection would be a second, empty database
	db.SetMaxIdleConns(1)
	if err := db.PingContext(ctx); err != nil {
		return database{}, fmt.Errorf("open an empty database: %w", err)
	}
	return database{db}, nil
}

// schemaOf gives what the statements make of an empty database.
func schemaOf(ctx context.Context, statements string) (Schema, error) {
	db, err := openDatabase(ctx)
	if err != nil {
		return Schema{}, err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statements); err != nil {
		return Schema{}, fmt.Errorf("run the desired schema on an empty database: %w", err)
	}
	return db.inspect(ctx)
}

// replay runs the migrations on an empty database and gives the schema after each, the empty one first. It then undoes
// them one by one and says which does not give back what was there before it.
func replay(ctx context.Context, migrations fs.FS) ([]Schema, error) {
	db, err := openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	empty, err := db.inspect(ctx)
	if err != nil {
		return nil, err
	}
	after := []Schema{empty}
	if found, err := fs.Glob(migrations, "*.sql"); err != nil || len(found) == 0 {
		return after, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.DB, migrations)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	sources := provider.ListSources()
	for _, source := range sources {
		if _, err := provider.ApplyVersion(ctx, source.Version, true); err != nil {
			return nil, fmt.Errorf("run migration %s on an empty database: %w", source.Path, err)
		}
		s, err := db.inspect(ctx)
		if err != nil {
			return nil, err
		}
		after = append(after, s)
	}
	for i := len(sources) - 1; i >= 0; i-- {
		if _, err := provider.ApplyVersion(ctx, sources[i].Version, false); err != nil {
			return nil, fmt.Errorf("undo migration %s: %w", sources[i].Path, err)
		}
		s, err := db.inspect(ctx)
		if err != nil {
			return nil, err
		}
		changes, err := Diff(s, after[i])
		if err != nil {
			return nil, err
		}
		if len(changes) > 0 {
			return nil, fmt.Errorf("the Down of migration %s does not give back what was there before it: %s", sources[i].Path, describe(changes))
		}
	}
	return after, nil
}

// inspect reads the schema, leaving out the table in which goose counts.
func (db database) inspect(ctx context.Context) (Schema, error) {
	driver, err := sqlite.Open(db.DB)
	if err != nil {
		return Schema{}, fmt.Errorf("inspect the database: %w", err)
	}
	// Atlas skips goose's table only by this list; "main" is the only schema SQLite has.
	read, err := driver.InspectSchema(ctx, "main", &atlas.InspectOptions{Exclude: []string{goose.DefaultTablename}})
	if err != nil {
		return Schema{}, fmt.Errorf("inspect the database: %w", err)
	}
	for _, t := range read.Tables {
		for _, i := range t.Indexes {
			// SQLite numbers the index of a UNIQUE in the definition; named by its columns, the same one is found again.
			if strings.HasPrefix(i.Name, "sqlite_autoindex_") {
				i.Name = uniqueName(t, i)
			}
		}
	}
	s := Schema{Schema: read, Statements: map[string]string{}}
	rows, err := db.QueryContext(ctx,
		`SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> ? AND name NOT LIKE 'sqlite_%' ORDER BY rowid`, goose.DefaultTablename)
	if err != nil {
		return Schema{}, fmt.Errorf("read the statements of the schema: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind, name, statement string
		if err := rows.Scan(&kind, &name, &statement); err != nil {
			return Schema{}, fmt.Errorf("read the statements of the schema: %w", err)
		}
		if kind != "table" && kind != "index" {
			return Schema{}, fmt.Errorf("%s %s: only tables and indexes are portable and compared; keep the logic in Go", kind, name)
		}
		s.Statements[name] = strings.TrimSpace(statement)
		s.Names = append(s.Names, name)
	}
	if err := rows.Err(); err != nil {
		return Schema{}, fmt.Errorf("read the statements of the schema: %w", err)
	}
	return s, nil
}

// uniqueName is no name that SQL allows without quotes, so it never meets an index that has a statement.
func uniqueName(t *atlas.Table, i *atlas.Index) string {
	var columns []string
	for _, part := range i.Parts {
		if part.C != nil {
			columns = append(columns, part.C.Name)
		}
	}
	return fmt.Sprintf("UNIQUE (%s) of table %s", strings.Join(columns, ", "), t.Name)
}
