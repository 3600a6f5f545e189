package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const before = `
CREATE TABLE previews (
    id     TEXT   NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    body   BYTEA,
    UNIQUE (number)
);
CREATE INDEX previews_body ON previews (body);
`

// project gives a project whose migrations make the schema have and that wants another.
func project(t *testing.T, have, want string) Project {
	t.Helper()
	p := Project{Schema: want, Dir: filepath.Join(t.TempDir(), "migrations")}
	if have != "" {
		if _, err := (Project{Schema: have, Dir: p.Dir}).New(t.Context(), "init"); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestNew(t *testing.T) {
	t.Parallel()
	postgres := startPostgres(t)
	for name, test := range map[string]struct{ have, want, file, text string }{
		"the first migration": {
			want: before,
			file: "00001_x.sql",
			text: `-- +goose Up
CREATE TABLE previews (
    id     TEXT   NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    body   BYTEA,
    UNIQUE (number)
);
CREATE INDEX previews_body ON previews (body);

-- +goose Down
DROP TABLE previews;
`,
		},
		"a table that refers to another": {
			have: before,
			want: before + `CREATE TABLE jobs (
    preview TEXT NOT NULL REFERENCES previews (id),
    kind    TEXT NOT NULL CHECK (kind <> ''),
    PRIMARY KEY (kind, preview)
);
CREATE TABLE steps (preview TEXT NOT NULL, kind TEXT NOT NULL, FOREIGN KEY (kind, preview) REFERENCES jobs (kind, preview));`,
			file: "00002_x.sql",
			text: `-- +goose Up
CREATE TABLE jobs (
    preview TEXT NOT NULL REFERENCES previews (id),
    kind    TEXT NOT NULL CHECK (kind <> ''),
    PRIMARY KEY (kind, preview)
);
CREATE TABLE steps (preview TEXT NOT NULL, kind TEXT NOT NULL, FOREIGN KEY (kind, preview) REFERENCES jobs (kind, preview));

-- +goose Down
DROP TABLE steps;
DROP TABLE jobs;
`,
		},
		"columns": {
			have: before,
			want: strings.Replace(before, "    body", `    pinned BOOLEAN NOT NULL DEFAULT FALSE,
    state  TEXT NOT NULL DEFAULT 'it''s new',
    hits   BIGINT NOT NULL DEFAULT 0,
    note   TEXT,
    body`, 1),
			file: "00002_x.sql",
			text: `-- +goose Up
ALTER TABLE previews ADD COLUMN pinned BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE previews ADD COLUMN state TEXT NOT NULL DEFAULT 'it''s new';
ALTER TABLE previews ADD COLUMN hits BIGINT NOT NULL DEFAULT 0;
ALTER TABLE previews ADD COLUMN note TEXT;

-- +goose Down
ALTER TABLE previews DROP COLUMN pinned;
ALTER TABLE previews DROP COLUMN state;
ALTER TABLE previews DROP COLUMN hits;
ALTER TABLE previews DROP COLUMN note;
`,
		},
		"a column with its index goes": {
			have: before,
			want: "CREATE TABLE previews (id TEXT NOT NULL PRIMARY KEY, number BIGINT NOT NULL, UNIQUE (number));",
			file: "00002_x.sql",
			text: `-- +goose Up
DROP INDEX previews_body;
ALTER TABLE previews DROP COLUMN body;

-- +goose Down
ALTER TABLE previews ADD COLUMN body BYTEA;
CREATE INDEX previews_body ON previews (body);
`,
		},
		"indexes": {
			have: before,
			want: strings.Replace(before, "previews (body)", "previews (number, body)", 1) +
				"CREATE UNIQUE INDEX previews_once ON previews (body) WHERE body IS NOT NULL;",
			file: "00002_x.sql",
			text: `-- +goose Up
DROP INDEX previews_body;
CREATE INDEX previews_body ON previews (number, body);
CREATE UNIQUE INDEX previews_once ON previews (body) WHERE body IS NOT NULL;

-- +goose Down
DROP INDEX previews_body;
DROP INDEX previews_once;
CREATE INDEX previews_body ON previews (body);
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := project(t, test.have, test.want)
			path, err := p.New(t.Context(), "x")
			if err != nil {
				t.Fatal(err)
			}
			if got, want := path, filepath.Join(p.Dir, test.file); got != want {
				t.Errorf("wrote %s, want %s", got, want)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.text, string(text)); diff != "" {
				t.Errorf("the migration (-want +got):\n%s", diff)
			}
			if err := p.Check(t.Context()); err != nil {
				t.Errorf("check after writing: %v", err)
			}
			if _, err := p.New(t.Context(), "again"); !errors.Is(err, ErrNoChange) {
				t.Errorf("a second time gives %v, want %v", err, ErrNoChange)
			}
			postgres.forthAndBack(t, p.Dir)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ want, message string }{
		"a type only SQLite has": {
			strings.Replace(before, "BYTEA", "BLOB", 1),
			`column previews.body has the type "BLOB"`,
		},
		"another type of the same affinity": {
			strings.Replace(before, "number BIGINT", "number INTEGER", 1),
			`column previews.number has the type "INTEGER"`,
		},
		"a changed type": {
			strings.Replace(before, "number BIGINT", "number TEXT", 1),
			"change column previews.number (type BIGINT to TEXT): SQLite has no statement for that",
		},
		"NOT NULL afterwards": {
			strings.Replace(before, "BYTEA", "BYTEA NOT NULL", 1),
			"change column previews.body (NOT NULL): SQLite has no statement for that",
		},
		"a new UNIQUE in the definition": {
			strings.Replace(before, "UNIQUE (number)", "UNIQUE (number), UNIQUE (number, id)", 1),
			"add UNIQUE (number, id) of table previews: SQLite has no statement for that",
		},
		"another primary key": {
			strings.Replace(strings.Replace(before, "PRIMARY KEY", "", 1), "UNIQUE (number)", "UNIQUE (number), PRIMARY KEY (id, number)", 1),
			"change the primary key of previews: SQLite has no statement for that",
		},
		"a new check": {
			strings.Replace(before, "UNIQUE (number)", "UNIQUE (number), CHECK (number > 0)", 1),
			"change the CHECK constraints of previews: SQLite has no statement for that",
		},
		"NOT NULL without a default": {
			strings.Replace(before, "body ", "state TEXT NOT NULL, body ", 1),
			"column previews.state is NOT NULL and has no DEFAULT",
		},
		"a column gone that cannot come back": {
			"CREATE TABLE previews (id TEXT NOT NULL PRIMARY KEY, body BYTEA); CREATE INDEX previews_body ON previews (body);",
			"UNIQUE (number) of table previews: SQLite has no statement for that",
		},
		"a view": {
			before + "CREATE VIEW open AS SELECT * FROM previews;",
			"view open: only tables and indexes are portable",
		},
		"no SQL": {"CREATE TABEL x", "run the desired schema on an empty database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := project(t, before, test.want)
			_, err := p.New(t.Context(), "x")
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("error %v, want one with %q", err, test.message)
			}
			if files, _ := filepath.Glob(filepath.Join(p.Dir, "*")); len(files) != 1 {
				t.Errorf("files after a refusal: %v, want the first migration alone", files)
			}
			if p.Check(t.Context()) == nil {
				t.Error("check passes though the schema differs")
			}
		})
	}
}

func TestNewRefusesNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Add", "a-b", "../x", "1st"} {
		if _, err := project(t, "", before).New(t.Context(), name); err == nil {
			t.Errorf("name %q is taken", name)
		}
	}
}

// For SQLite INTEGER and BIGINT are one type; PostgreSQL's INTEGER overflows at 2^31.
func TestCheckTellsIntegersApart(t *testing.T) {
	t.Parallel()
	p := Project{Schema: "CREATE TABLE a (n BIGINT);", Dir: t.TempDir()}
	wrong := "-- +goose Up\nCREATE TABLE a (n INTEGER);\n-- +goose Down\nDROP TABLE a;\n"
	if err := os.WriteFile(filepath.Join(p.Dir, "00001_a.sql"), []byte(wrong), 0o644); err != nil {
		t.Fatal(err)
	}
	err := p.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "change column a.n (type INTEGER to BIGINT)") {
		t.Errorf("error %v", err)
	}
}

func TestCheckFindsWrongDown(t *testing.T) {
	t.Parallel()
	p := project(t, before, before)
	wrong := "-- +goose Up\nCREATE TABLE a (id TEXT);\n-- +goose Down\n"
	if err := os.WriteFile(filepath.Join(p.Dir, "00002_a.sql"), []byte(wrong), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Schema += "CREATE TABLE a (id TEXT);"
	err := p.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the Down of migration 00002_a.sql does not give back what was there before it: drop table a") {
		t.Errorf("error %v", err)
	}
}

// The rebuild that an error tells people to write by hand is accepted by the check and runs on both databases.
func TestCheckAcceptsRebuild(t *testing.T) {
	t.Parallel()
	postgres := startPostgres(t)
	p := project(t, before, strings.Replace(before, "BYTEA", "BYTEA NOT NULL DEFAULT ''", 1))
	rebuild := func(column string) string {
		return `CREATE TABLE new_previews (id TEXT NOT NULL PRIMARY KEY, number BIGINT NOT NULL, body ` + column + `, UNIQUE (number));
INSERT INTO new_previews (id, number, body) SELECT id, number, body FROM previews;
DROP TABLE previews;
ALTER TABLE new_previews RENAME TO previews;
CREATE INDEX previews_body ON previews (body);
`
	}
	text := "-- +goose Up\n" + rebuild("BYTEA NOT NULL DEFAULT ''") + "\n-- +goose Down\n" + rebuild("BYTEA")
	if err := os.WriteFile(filepath.Join(p.Dir, "00002_body.sql"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(t.Context()); err != nil {
		t.Error(err)
	}
	postgres.forthAndBack(t, p.Dir)
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	schema := filepath.Join(dir, "schema.sql")
	if err := os.WriteFile(schema, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) (string, error) {
		var out strings.Builder
		err := run(context.Background(), append([]string{"-schema", schema, "-dir", filepath.Join(dir, "migrations")}, args...), &out)
		return out.String(), err
	}
	if _, err := command("check"); err == nil || !strings.Contains(err.Error(), "missing: add table previews") {
		t.Errorf("check before: %v", err)
	}
	if out, err := command("new", "init"); err != nil || !strings.Contains(out, "00001_init.sql: review it") {
		t.Errorf("new: %q, %v", out, err)
	}
	if out, err := command("new", "more"); err != nil || !strings.HasPrefix(out, "no change") {
		t.Errorf("new without a change: %q, %v", out, err)
	}
	if _, err := command("check"); err != nil {
		t.Errorf("check after: %v", err)
	}
	if _, err := command("apply"); !errors.Is(err, errUsage) {
		t.Errorf("an unknown command: %v", err)
	}
}
