package cache

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newCache(t *testing.T) *Cache {
	t.Helper()
	source := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module x\n", "kube/main.go": "package main\n", "kube/main_test.go": "package main\n"} {
		path := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &Cache{Dir: t.TempDir(), Source: source, Log: slog.New(slog.DiscardHandler)}
}

func TestKeyFollowsSources(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	key := func() string {
		t.Helper()
		k, err := c.key("go.mod", "kube")
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first := key()
	for _, change := range []struct {
		file  string
		other bool
	}{{"kube/main_test.go", false}, {"kube/main.go", true}, {"kube/new.go", true}, {"go.mod", true}} {
		before := key()
		if err := os.WriteFile(filepath.Join(c.Source, change.file), []byte("changed\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if other := key() != before; other != change.other {
			t.Errorf("the key after a change of %s is another: %v, want %v", change.file, other, change.other)
		}
	}
	if key() == first {
		t.Error("the key is the same after all changes")
	}
	if _, err := c.key("missing"); err == nil {
		t.Error("missing sources are no error")
	}
}

func TestEntryIsFilledOnce(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	var fills atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dir, err := c.entry("thing", "1", func(tmp string) error {
				fills.Add(1)
				return os.WriteFile(filepath.Join(tmp, "file"), nil, 0o644)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := fills.Load(); n != 1 {
		t.Errorf("filled %d times", n)
	}
}

func TestFailedFillLeavesNothing(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	broken := errors.New("broken")
	if _, err := c.entry("thing", "1", func(tmp string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	left, err := filepath.Glob(filepath.Join(c.Dir, "*thing-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestForgetsWhatNobodyUses(t *testing.T) {
	t.Parallel()
	c := newCache(t)
	fill := func(string) error { return nil }
	for _, key := range []string{"old", "used"} {
		dir, err := c.entry("thing", key, fill)
		if err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-2 * unused)
		if err := os.Chtimes(dir, long, long); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"used", "new"} {
		if _, err := c.entry("thing", key, fill); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]bool{"old": false, "used": true, "new": true} {
		if _, err := os.Stat(filepath.Join(c.Dir, "thing-"+key)); (err == nil) != want {
			t.Errorf("thing-%s is there: %v, want %v", key, err == nil, want)
		}
	}
}

func TestVersionKey(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]string{
		"NAME=\"Debian\"\nVERSION_ID=\"12\"\n": "12",
		"VERSION_ID=13":                        "13",
		"NAME=sid\n":                           "unversioned",
	} {
		if got := versionKey(release); got != want {
			t.Errorf("versionKey(%q) = %q, want %q", release, got, want)
		}
	}
}
