package chart

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// Limits bound what an archive may hold. File and Depth count only for what is written; the others for all of the archive.
type Limits struct {
	Compressed int64 // bytes of the archive
	Total      int64 // bytes of all files
	File       int64 // bytes of one file
	Entries    int
	Depth      int           // folders above a file
	Time       time.Duration // for unpacking, without the waits for the archive to come in
}

// DefaultLimits are far above what a repository with a chart needs.
var DefaultLimits = Limits{Compressed: 50 << 20, Total: 200 << 20, File: 5 << 20, Entries: 20_000, Depth: 32, Time: 10 * time.Second}

// Link is an entry of an archive that is neither a file nor a folder, and so was not written.
type Link struct {
	Name   string
	Target string
	Kind   string // "symbolic link", "hard link", "special file"
}

// Unpack writes those files of a gzipped tar archive to dir for which want says yes, and returns the links and special
// files among them, which are never written. The names lose the archive's top folder, which all entries must share. An
// archive beyond the limits is preview.ErrTooLarge, one with names that point elsewhere is preview.ErrInvalid; any other
// error is one of reading r or of writing. After an error, dir holds a part of the archive.
func Unpack(ctx context.Context, r io.Reader, dir *os.Root, limits Limits, want func(name string) bool) ([]Link, error) {
	return unpack(ctx, r, dir, limits, want, time.Now)
}

func unpack(ctx context.Context, r io.Reader, dir *os.Root, limits Limits, want func(name string) bool, now func() time.Time) ([]Link, error) {
	u := unpacker{dir: dir, limits: limits, want: want}
	watch := newStopwatch(limits.Time, now)
	compressed := &capped{ctx: ctx, watch: watch, r: watch.outside(r), left: limits.Compressed, over: tooLarge("the archive", limits.Compressed, "bytes")}
	zip, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, fmt.Errorf("unpack archive: %w", err)
	}
	// What tar adds around the files (headers, padding) is counted too: it is the stream that must end.
	most := limits.Total + around(limits.Entries)
	total := &capped{ctx: ctx, watch: watch, r: zip, left: most, over: tooLarge("the unpacked archive", limits.Total, "bytes")}
	entries := tar.NewReader(total)
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return u.links, nil
		}
		if err != nil {
			return nil, fmt.Errorf("unpack archive: %w", err)
		}
		if err := u.entry(h, entries); err != nil {
			return nil, fmt.Errorf("unpack archive: %w", err)
		}
		if allowed := around(u.count); most-total.left-u.size > allowed {
			return nil, fmt.Errorf("unpack archive: %w", tooLarge(fmt.Sprintf("the archive's headers for %d entries", u.count), allowed, "bytes"))
		}
	}
}

// around is how many bytes tar may add to so many entries, told as they come: headers that describe nothing must end early, for the reader holds each
// of them several times.
func around(entries int) int64 { return 2<<20 + int64(entries)*2048 }

type unpacker struct {
	dir    *os.Root
	limits Limits
	want   func(string) bool
	top    string
	count  int
	size   int64
	links  []Link
}

func (u *unpacker) entry(h *tar.Header, data io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader { // GitHub puts the commit's SHA there
		return nil
	}
	if u.count++; u.count > u.limits.Entries {
		return tooLarge("the archive", int64(u.limits.Entries), "entries")
	}
	if u.size += h.Size; u.size > u.limits.Total {
		return tooLarge("the unpacked archive", u.limits.Total, "bytes")
	}
	name, err := u.strip(h.Name)
	if err != nil || name == "" || !u.want(name) {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return nil // folders come with their files
	case tar.TypeReg:
		return u.file(name, h.Size, data)
	case tar.TypeSymlink:
		u.links = append(u.links, Link{Name: name, Target: h.Linkname, Kind: "symbolic link"})
	case tar.TypeLink:
		u.links = append(u.links, Link{Name: name, Target: h.Linkname, Kind: "hard link"})
	default:
		u.links = append(u.links, Link{Name: name, Kind: "special file"})
	}
	return nil
}

// strip checks a name and takes the top folder off.
func (u *unpacker) strip(name string) (string, error) {
	clean := strings.TrimSuffix(name, "/")
	if clean == "" || path.Clean(clean) != clean || path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsAny(clean, "\\\x00") {
		return "", fmt.Errorf("entry %q: the name is not a clean relative path: %w", name, preview.ErrInvalid)
	}
	top, rest, _ := strings.Cut(clean, "/")
	if u.top == "" {
		u.top = top
	}
	if top != u.top {
		return "", fmt.Errorf("entry %q: outside the top folder %q: %w", name, u.top, preview.ErrInvalid)
	}
	return rest, nil
}

func (u *unpacker) file(name string, size int64, data io.Reader) error {
	if size > u.limits.File {
		return tooLarge("the file "+name, u.limits.File, "bytes")
	}
	if strings.Count(name, "/") > u.limits.Depth {
		return tooLarge("the file "+name, int64(u.limits.Depth), "folders above it")
	}
	if err := u.dir.MkdirAll(path.Dir(name), 0o700); err != nil {
		return unwritable(name, err)
	}
	// O_EXCL: an entry that comes twice must not replace what was looked at the first time.
	f, err := u.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unwritable(name, err)
	}
	if _, err := io.Copy(f, data); err != nil {
		_ = f.Close()
		return fmt.Errorf("entry %q: %w", name, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("entry %q: %w", name, err)
	}
	return nil
}

// unwritable tells a name that no disk could hold from a disk that has a problem.
func unwritable(name string, err error) error {
	switch {
	case errors.Is(err, os.ErrExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("entry %q: comes twice: %w", name, preview.ErrInvalid)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return fmt.Errorf("entry %q: the name is too long: %w", name, preview.ErrInvalid)
	}
	return fmt.Errorf("entry %q: %w", name, err)
}

func tooLarge(what string, limit int64, unit string) error {
	return fmt.Errorf("%s: more than %d %s: %w", what, limit, unit, preview.ErrTooLarge)
}

// capped reads at most left bytes, then fails with over. It ends with the context, and when the time is over.
type capped struct {
	ctx   context.Context
	watch *stopwatch
	r     io.Reader
	left  int64
	over  error
}

func (c *capped) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	if err := c.watch.check(); err != nil {
		return 0, err
	}
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, c.over
	}
	return n, err
}
