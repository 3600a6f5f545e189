package kept_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
)

// bundle is a store with a clock of its own.
type bundle struct {
	*kept.Store
	t   *testing.T
	dir string
	now time.Time
}

func setup(t *testing.T, bytes int64) *bundle {
	t.Helper()
	b := &bundle{t: t, dir: filepath.Join(t.TempDir(), "kept"), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	b.Store, err = kept.Open(kept.Options{Dir: b.dir, For: time.Hour, Bytes: bytes, Hide: redact.New("hunter2-hunter2"), Now: func() time.Time { return b.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bundle) keep(deployment string, r kept.Reason, files ...kept.File) kept.Entry {
	b.t.Helper()
	e := kept.Entry{PreviewID: "p1", DeploymentID: deployment, Reason: r, Ref: "acme/web#7", SHA: "a1b2c3d"}
	if err := b.Keep(e, files); err != nil {
		b.t.Fatal(err)
	}
	return e
}

func (b *bundle) list() []kept.Entry {
	b.t.Helper()
	entries, err := b.List("p1")
	if err != nil {
		b.t.Fatal(err)
	}
	return entries
}

func (b *bundle) read(e kept.Entry, name string) string {
	b.t.Helper()
	f, err := b.Read(e, name)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func TestKeepAndRead(t *testing.T) {
	t.Parallel()
	b := setup(t, 1<<20)
	b.keep("d1", kept.Failed, kept.File{Name: "web-1.web.log", Text: "starting\npassword is hunter2-hunter2\n"}, kept.File{Name: "events.txt", Text: "BackOff\n"})
	if text := b.read(b.list()[0], "web-1.web.log"); strings.Contains(text, "hunter2") || !strings.Contains(text, "starting") {
		t.Errorf("kept: %q", text)
	}
	b.now = b.now.Add(time.Minute)
	b.keep("d1", kept.Deleted, kept.File{Name: "events.txt", Text: "Killing\n"})
	b.keep("d1", kept.Failed, kept.File{Name: "events.txt", Text: "another\n"}) // what was kept of the failure stays
	entries := b.list()
	if len(entries) != 2 || entries[0].Reason != kept.Deleted || entries[1].Files[0].Name != "events.txt" || entries[1].Ref != "acme/web#7" {
		t.Fatalf("%+v", entries)
	}
	if text := b.read(entries[1], "events.txt"); text != "BackOff\n" {
		t.Errorf("kept: %q", text)
	}
	if !b.Has("p1", "d1", kept.Failed) || b.Has("p1", "d2", kept.Failed) {
		t.Error("Has does not tell")
	}
	if _, err := b.Read(entries[1], "nothing.log"); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("a file that is not there: %v", err)
	}
	if more, err := b.List("p2"); err != nil || len(more) != 0 {
		t.Errorf("a preview of which nothing is kept: %v, %v", more, err)
	}
}

// TestNamesAreNoPaths shows that no name leads out of the directory, or to another preview's files.
func TestNamesAreNoPaths(t *testing.T) {
	t.Parallel()
	b := setup(t, 1<<20)
	if err := os.WriteFile(filepath.Join(filepath.Dir(b.dir), "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.keep("d1", kept.Failed, kept.File{Name: "../../secret", Text: "x"}, kept.File{Name: "_entry.json", Text: "x"}, kept.File{Name: "ok.log", Text: "x"})
	e := b.list()[0]
	if len(e.Files) != 1 {
		t.Errorf("%+v", e.Files)
	}
	for _, name := range []string{"../../../secret", "..", "", "a/b", "/etc/passwd"} {
		if _, err := b.Read(e, name); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("read %q: %v", name, err)
		}
		if err := b.Keep(kept.Entry{PreviewID: name, DeploymentID: "d"}, []kept.File{{Name: "a", Text: "b"}}); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("keep for %q: %v", name, err)
		}
	}
}

// TestCaps shows that a preview has no more than it may have: long files lose their beginning, short ones nothing, old entries go.
func TestCaps(t *testing.T) {
	t.Parallel()
	b := setup(t, 2000)
	long := strings.Repeat("a line\n", 1000) + "the end\n"
	b.keep("d1", kept.Failed, kept.File{Name: "long.log", Text: long}, kept.File{Name: "short.log", Text: "short\n"})
	e := b.list()[0]
	if text := b.read(e, "long.log"); !strings.HasSuffix(text, "the end\n") || !strings.HasPrefix(text, "a line\n") || len(text) > 1000 || e.Files[0].Dropped == 0 {
		t.Errorf("%d bytes: %.20q … %+v", len(text), text, e.Files)
	}
	if text := b.read(e, "short.log"); text != "short\n" {
		t.Errorf("the short one: %q", text)
	}
	for _, id := range []string{"d2", "d3"} {
		b.now = b.now.Add(time.Minute)
		b.keep(id, kept.Failed, kept.File{Name: "long.log", Text: long})
	}
	entries := b.list()
	if len(entries) != 2 || entries[1].DeploymentID != "d2" {
		t.Errorf("%+v", entries)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	b := setup(t, 1<<20)
	b.keep("d1", kept.Failed, kept.File{Name: "a.log", Text: "a"})
	b.now = b.now.Add(50 * time.Minute)
	b.keep("d2", kept.Failed, kept.File{Name: "a.log", Text: "a"})
	b.now = b.now.Add(20 * time.Minute)
	broken := filepath.Join(b.dir, "p1", ".new-d3.failed-1")
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(broken, b.now.Add(-2*time.Hour), b.now.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := b.Prune(); err != nil {
		t.Fatal(err)
	}
	if entries := b.list(); len(entries) != 1 || entries[0].DeploymentID != "d2" {
		t.Errorf("%+v", entries)
	}
	if _, err := os.Stat(broken); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was broken off: %v", err)
	}
	b.now = b.now.Add(time.Hour)
	if err := b.Prune(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(b.dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestTogether shows that several may keep the same at the same time: it is there once, and whole.
func TestTogether(t *testing.T) {
	t.Parallel()
	b := setup(t, 1<<20)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := b.Keep(kept.Entry{PreviewID: "p1", DeploymentID: "d1", Reason: kept.Failed}, []kept.File{{Name: "a.log", Text: "a\n"}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	entries := b.list()
	if len(entries) != 1 || b.read(entries[0], "a.log") != "a\n" {
		t.Errorf("%+v", entries)
	}
	if left, err := os.ReadDir(filepath.Join(b.dir, "p1")); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
