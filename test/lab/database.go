package lab

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"catalyst.dev/catalyst/internal/store"
)

// Database opens the database beside whoever has it open, to read in it.
func (l *Lab) Database(ctx context.Context) (*store.Store, error) {
	if l.Postgres != nil {
		return store.Open(ctx, l.Postgres.DSN())
	}
	// Catalyst keeps others off by a lock beside the file; to look into it from here is safe, and takes another name for it.
	beside := filepath.Join(l.dir, "look")
	if err := os.MkdirAll(beside, 0o700); err != nil {
		return nil, err
	}
	link := filepath.Join(beside, "catalyst.db")
	if err := os.Symlink(l.SQLite, link); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return store.Open(ctx, link)
}

// Integrity has SQLite look whether its file is in order: "ok" when it is.
func (l *Lab) Integrity(ctx context.Context) (answer string, err error) {
	db, err := sql.Open("sqlite", "file:"+l.SQLite+"?mode=ro")
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	return answer, db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&answer)
}
