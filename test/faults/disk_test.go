//go:build faults

package faults

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/lab"
)

// TestDiskFull: the disk under the SQLite file fills up while there is work. What is answered well is stored all the same, what is not
// comes again, and nothing is corrupt when there is space again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := small(t)
	s := setup(t, lab.Options{SQLite: filepath.Join(dir, "catalyst.db")})
	r := s.start()
	work := s.before()
	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	began := time.Now()
	s.during(work)
	full := func() int { return logged(r, "database or disk is full") }
	s.met("a full disk", began, full)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.healed("sqlite disk full", full())
	s.intact()
}

// small is a directory on a disk of its own of 4 MiB.
func small(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		const why = "a small disk needs root: run the tests as root"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_FORCE); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all the space that is left.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// intact has SQLite look whether the file is in order.
func (s *scene) intact() {
	s.Helper()
	if answer, err := s.Integrity(context.WithoutCancel(s.Context())); err != nil || answer != "ok" {
		s.Errorf("PRAGMA integrity_check: %q, %v", answer, err)
	}
}
