package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// become makes the user another one of the system, who has everything built but the Debian packages.
func (u *user) become(id uint32) {
	u.t.Helper()
	if id == 0 {
		return
	}
	u.id = id
	from, to := filepath.Join(built.cache, "catalyst"), filepath.Join(u.home, "cache", "catalyst")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), "debian-") || strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o755)
	})
	if err != nil {
		u.t.Fatal(err)
	}
	err = filepath.WalkDir(u.home, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(id), int(id))
	})
	if err != nil {
		u.t.Fatal(err)
	}
}

// ended tells whether the process is gone, or would be if its parent took notice.
func ended(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

// await polls a condition for half a minute.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after half a minute", what)
		}
	}
}
