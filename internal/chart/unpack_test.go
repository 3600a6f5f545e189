package chart

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
)

// box is a folder to unpack into, inside another one that must stay as it is.
type box struct {
	outer string
	root  *os.Root
}

func newBox(t testing.TB) *box {
	t.Helper()
	outer := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outer, "guard"), []byte("untouched"), 0o600))
	must(t, os.Mkdir(filepath.Join(outer, "in"), 0o700))
	root, err := os.OpenRoot(filepath.Join(outer, "in"))
	must(t, err)
	t.Cleanup(func() { must(t, root.Close()) })
	return &box{outer, root}
}

// files lists everything in the outer folder: regular files with their contents, anything else with its kind.
func (b *box) files(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	must(t, filepath.WalkDir(b.outer, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(b.outer, path)
		if !d.Type().IsRegular() {
			found[name] = d.Type().String()
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		found[name] = string(data)
		if info.Mode().Perm()&0o077 != 0 || info.Mode()&os.ModeSetuid != 0 {
			found[name] += " with mode " + info.Mode().String()
		}
		return err
	}))
	return found
}

func everything(string) bool { return true }

func TestUnpack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	links, err := Unpack(t.Context(), archive(t,
		entry{name: "top/", kind: tar.TypeDir},
		entry{name: "top/a/b/file", data: "text"},
		entry{name: "top/unwanted", data: "x"},
		entry{name: "top/a/link", kind: tar.TypeSymlink, link: "/etc/passwd"},
		entry{name: "top/a/hard", kind: tar.TypeLink, link: "top/a/b/file"},
		entry{name: "top/a/fifo", kind: tar.TypeFifo},
		entry{name: "top/a/device", kind: tar.TypeChar},
		entry{name: "top/other-link", kind: tar.TypeSymlink, link: "a"},
	), b.root, DefaultLimits, func(name string) bool { return strings.HasPrefix(name, "a/") })
	must(t, err)
	want := []Link{
		{Name: "a/link", Target: "/etc/passwd", Kind: "symbolic link"}, {Name: "a/hard", Target: "top/a/b/file", Kind: "hard link"},
		{Name: "a/fifo", Kind: "special file"}, {Name: "a/device", Kind: "special file"},
	}
	if diff := cmp.Diff(want, links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"guard": "untouched", "in/a/b/file": "text"}, b.files(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	for name, entries := range map[string][]entry{
		"parent":            {{name: "top/../../guard", data: "x"}},
		"parent at the end": {{name: "top/a/..", data: "x"}},
		"parent as top":     {{name: "../guard", data: "x"}},
		"absolute":          {{name: "/guard", data: "x"}},
		"dot":               {{name: "top/./a", data: "x"}},
		"double slash":      {{name: "top//a", data: "x"}},
		"backslash":         {{name: `top/..\guard`, data: "x"}},
		"other top":         {{name: "top/a", data: "x"}, {name: "other/b", data: "x"}},
		"twice":             {{name: "top/a", data: "x"}, {name: "top/a", data: "y"}},
		"folder and file":   {{name: "top/a/b", data: "x"}, {name: "top/a", data: "y"}},
		"file and folder":   {{name: "top/a", data: "x"}, {name: "top/a/b", data: "y"}},
		"long name":         {{name: "top/" + strings.Repeat("a", 300), data: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			_, err := Unpack(t.Context(), archive(t, entries...), b.root, DefaultLimits, everything)
			if !errors.Is(err, preview.ErrInvalid) {
				t.Errorf("err = %v, want ErrInvalid", err)
			}
			for name := range b.files(t) {
				if name != "guard" && !strings.HasPrefix(name, "in/a") {
					t.Errorf("%s was written", name)
				}
			}
		})
	}
}

// TestUnpackThroughLink: a file below a link's name lands in the folder, as the link is never made.
func TestUnpackThroughLink(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	_, err := Unpack(t.Context(), archive(t,
		entry{name: "top/out", kind: tar.TypeSymlink, link: ".."},
		entry{name: "top/out/guard", data: "overwritten"},
	), b.root, DefaultLimits, everything)
	must(t, err)
	if diff := cmp.Diff(map[string]string{"guard": "untouched", "in/out/guard": "overwritten"}, b.files(t)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestCaps tries each limit at its edge and one beyond it.
func TestCaps(t *testing.T) {
	t.Parallel()
	noise := strings.Repeat("0123456789abcdef", 64) // 1 KiB
	one := func(name, data string) []entry { return []entry{{name: "top/" + name, data: data}} }
	three := []entry{{name: "top/a", data: noise}, {name: "top/b", data: noise}, {name: "top/c", data: noise}}
	for _, c := range []struct {
		name    string
		limits  func(*Limits)
		entries []entry
		fails   string // part of the error; empty: it fits
	}{
		{"file fits", func(l *Limits) { l.File = 1024 }, one("a", noise), ""},
		{"file too large", func(l *Limits) { l.File = 1023 }, one("a", noise), "the file a: more than 1023 bytes"},
		{"total fits", func(l *Limits) { l.Total = 3072 }, three, ""},
		{"total too large", func(l *Limits) { l.Total = 3071 }, three, "the unpacked archive: more than 3071 bytes"},
		{"entries fit", func(l *Limits) { l.Entries = 3 }, three, ""},
		{"too many entries", func(l *Limits) { l.Entries = 2 }, three, "the archive: more than 2 entries"},
		{"depth fits", func(l *Limits) { l.Depth = 2 }, one("a/b/c", "x"), ""},
		{"too deep", func(l *Limits) { l.Depth = 1 }, one("a/b/c", "x"), "the file a/b/c: more than 1 folders above it"},
		{"compressed too large", func(l *Limits) { l.Compressed = 100 }, three, "the archive: more than 100 bytes"},
	} {
		limits := DefaultLimits
		c.limits(&limits)
		b := newBox(t)
		_, err := Unpack(t.Context(), archive(t, c.entries...), b.root, limits, everything)
		switch {
		case c.fails == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.fails != "" && (!errors.Is(err, preview.ErrTooLarge) || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: %v, want ErrTooLarge with %q", c.name, err, c.fails)
		}
	}
}

// TestUnwantedMayBeLarge: one large file elsewhere in the repository keeps nobody from a preview.
func TestUnwantedMayBeLarge(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits
	limits.File, limits.Depth = 10, 1
	_, err := Unpack(t.Context(), archive(t, entry{name: "top/x/y/z/large", data: strings.Repeat("x", 1000)}),
		newBox(t).root, limits, func(string) bool { return false })
	must(t, err)
}

// TestBomb: a stream that never ends is cut off by what it unpacks to, however small it is compressed.
func TestBomb(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits
	limits.Total, limits.Entries = 1<<20, 10
	whole, err := io.ReadAll(archive(t, entry{name: "top/zeros", data: strings.Repeat("\x00", 8<<20)}))
	must(t, err)
	if int64(len(whole)) > limits.Total/10 {
		t.Fatalf("the bomb is %d bytes: not much of a bomb", len(whole))
	}
	_, err = Unpack(t.Context(), bytes.NewReader(whole), newBox(t).root, limits, everything)
	if !errors.Is(err, preview.ErrTooLarge) {
		t.Errorf("err = %v, want ErrTooLarge", err)
	}
	// Nor does it help to have no entries at all: here the stream is headers only. It ends long before a whole repository's headers would be reached.
	var raw bytes.Buffer
	header := tar.NewWriter(&raw)
	must(t, header.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": strings.Repeat("x", 8<<10)}}))
	must(t, header.Flush())
	_, err = Unpack(t.Context(), zipped(t, bytes.Repeat(raw.Bytes(), 500)), newBox(t).root, DefaultLimits, everything)
	if !errors.Is(err, preview.ErrTooLarge) {
		t.Errorf("headers only: err = %v, want ErrTooLarge", err)
	}
}

func TestUnpackDamaged(t *testing.T) {
	t.Parallel()
	whole, err := io.ReadAll(repository(t, "chart/Chart.yaml", strings.Repeat("name: web\n", 1000)))
	must(t, err)
	for name, data := range map[string][]byte{"empty": nil, "not gzip": []byte("404: Not Found"), "cut": whole[:len(whole)/2]} {
		_, err := Unpack(t.Context(), bytes.NewReader(data), newBox(t).root, DefaultLimits, everything)
		if err == nil || errors.Is(err, preview.ErrInvalid) || errors.Is(err, preview.ErrTooLarge) {
			t.Errorf("%s: err = %v, want an outage", name, err)
		}
	}
}

func TestUnpackCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Unpack(ctx, repository(t, "a", "b"), newBox(t).root, DefaultLimits, everything); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
}

// TestUnpackTime: an archive that keeps the server busy is ended when its time is over. One that comes in slowly is not.
func TestUnpackTime(t *testing.T) {
	t.Parallel()
	var now time.Time
	var work, wait time.Duration
	clock := func() time.Time { now = now.Add(work); return now }
	source := func() io.Reader {
		r := iotest.OneByteReader(repository(t, "chart/Chart.yaml", strings.Repeat("name: web\n", 100)))
		return readerFunc(func(p []byte) (int, error) { now = now.Add(wait); return r.Read(p) })
	}
	wait = time.Hour
	if _, err := unpack(t.Context(), source(), newBox(t).root, DefaultLimits, everything, clock); err != nil {
		t.Errorf("an hour for each byte: %v", err)
	}
	work, wait = time.Second, 0
	_, err := unpack(t.Context(), source(), newBox(t).root, DefaultLimits, everything, clock)
	if !errors.Is(err, preview.ErrTooLarge) || !strings.Contains(err.Error(), "longer than 10s") {
		t.Errorf("a second for each step: %v, want ErrTooLarge and the time", err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// FuzzUnpack changes archives at will: whatever comes, nothing outside the folder changes, and nothing but plain files
// appears in it.
func FuzzUnpack(f *testing.F) {
	for _, e := range []entry{
		{name: "top/a/file", data: "text"}, {name: "top/../guard", data: "x"}, {name: "top/l", kind: tar.TypeSymlink, link: "../guard"},
		{name: "top/h", kind: tar.TypeLink, link: "../guard"}, {name: strings.Repeat("d/", 60) + "deep", data: "x"},
	} {
		var raw bytes.Buffer
		out := tar.NewWriter(&raw)
		must(f, out.WriteHeader(&tar.Header{Typeflag: max(e.kind, tar.TypeReg), Name: e.name, Linkname: e.link, Size: int64(len(e.data))}))
		_, err := out.Write([]byte(e.data))
		must(f, err)
		must(f, out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "top/l/guard", Size: 1}))
		_, err = out.Write([]byte("y"))
		must(f, err)
		must(f, out.Close())
		f.Add(raw.Bytes())
	}
	limits := Limits{Compressed: 1 << 20, Total: 1 << 20, File: 1 << 16, Entries: 100, Depth: 8, Time: time.Minute}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := newBox(t)
		_, _ = Unpack(t.Context(), zipped(t, raw), b.root, limits, everything)
		for name, text := range b.files(t) {
			if name == "guard" && text != "untouched" || name != "guard" && !strings.HasPrefix(name, "in/") {
				t.Errorf("%s is %q", name, text)
			}
			if strings.HasPrefix(text, "L-") || strings.Contains(text, " with mode ") {
				t.Errorf("%s is %q", name, text)
			}
		}
	})
}
