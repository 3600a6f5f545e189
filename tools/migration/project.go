package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing/fstest"
)

// ErrNoChange says that there is nothing to migrate.
var ErrNoChange = errors.New("the migrations give the desired schema")

// Project is a desired schema and the migrations that should lead to it.
type Project struct {
	Schema string // the statements of the desired schema
	Dir    string // the directory of the migrations, which may be empty
}

// Check gives nil when the migrations lead to the desired schema and each can be undone.
func (p Project) Check(ctx context.Context) error {
	want, err := p.desired(ctx)
	if err != nil {
		return err
	}
	after, err := replay(ctx, os.DirFS(p.Dir))
	if err != nil {
		return err
	}
	changes, err := Diff(after[len(after)-1], want)
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		return fmt.Errorf("the migrations in %s do not give the desired schema, missing: %s; write them with `make migration NAME=what_changes`", p.Dir, describe(changes))
	}
	return nil
}

// New writes the next migration and gives its path; ErrNoChange, and no file, when there is nothing to migrate.
func (p Project) New(ctx context.Context, name string) (string, error) {
	if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(name) {
		return "", fmt.Errorf("migration name %q: use small letters, digits and _, as in add_pinned", name)
	}
	want, err := p.desired(ctx)
	if err != nil {
		return "", err
	}
	existing, err := read(p.Dir)
	if err != nil {
		return "", err
	}
	after, err := replay(ctx, existing)
	if err != nil {
		return "", err
	}
	have := after[len(after)-1]
	up, err := script(have, want)
	if err != nil {
		return "", err
	}
	if len(up) == 0 {
		return "", ErrNoChange
	}
	down, err := script(want, have)
	if err != nil {
		return "", fmt.Errorf("write the way back: %w", err)
	}
	file := fmt.Sprintf("%05d_%s.sql", next(existing), name)
	text := "-- +goose Up\n" + statements(up) + "\n-- +goose Down\n" + statements(down)

	existing[file] = &fstest.MapFile{Data: []byte(text)}
	if err := prove(ctx, existing, want); err != nil {
		return "", fmt.Errorf("migration %s was not written, it does not do what it should; write it by hand: %w\n%s", file, err, text)
	}
	path := filepath.Join(p.Dir, file)
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return "", fmt.Errorf("write the migration: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", fmt.Errorf("write the migration: %w", err)
	}
	return path, nil
}

func (p Project) desired(ctx context.Context) (Schema, error) {
	want, err := schemaOf(ctx, p.Schema)
	if err != nil {
		return Schema{}, err
	}
	return want, checkTypes(want)
}

// prove runs all migrations forth and back.
func prove(ctx context.Context, migrations fs.FS, want Schema) error {
	after, err := replay(ctx, migrations)
	if err != nil {
		return err
	}
	changes, err := Diff(after[len(after)-1], want)
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		return fmt.Errorf("still missing: %s", describe(changes))
	}
	return nil
}

// read gives the migrations of a directory, which need not exist yet.
func read(dir string) (fstest.MapFS, error) {
	files := fstest.MapFS{}
	paths, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the migrations: %w", err)
		}
		files[filepath.Base(path)] = &fstest.MapFile{Data: data}
	}
	return files, nil
}

func next(existing fstest.MapFS) int {
	last := 0
	for name := range existing {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(number); err == nil {
			last = max(last, n)
		}
	}
	return last + 1
}

func statements(all []string) string {
	return strings.Join(all, ";\n") + ";\n"
}
