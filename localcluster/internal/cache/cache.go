// Package cache builds the programs a cluster runs, once, and keeps them outside the tree under the user's cache directory.
// What is in the cache is named after everything it was made from, so a change builds anew and nothing is ever out of date.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"catalyst.dev/catalyst/localcluster/internal/cluster"
)

// Cache is the cache directory and the sources it is filled from.
type Cache struct {
	Dir    string
	Source string // this module's directory
	Log    *slog.Logger
}

// Open finds the cache directory and the sources; it makes nothing.
func Open(log *slog.Logger) (*Cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find the cache directory (set XDG_CACHE_HOME or HOME): %w", err)
	}
	source, err := findSource()
	if err != nil {
		return nil, err
	}
	return &Cache{Dir: filepath.Join(base, "catalyst", "localcluster"), Source: source, Log: log}, nil
}

const module = "module catalyst.dev/catalyst/localcluster\n"

// findSource looks for this module in the working directory, its localcluster directory, and the same above it.
func findSource() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the sources of the local cluster: %w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		for _, candidate := range []string{dir, filepath.Join(dir, "localcluster")} {
			if b, err := os.ReadFile(filepath.Join(candidate, "go.mod")); err == nil && strings.HasPrefix(string(b), module) {
				return candidate, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the sources of the local cluster: run inside the repository (looked from %s upwards)", wd)
		}
	}
}

// key names the content of the given files and directories of the module and the toolchain that builds them.
func (c *Cache) key(paths ...string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, p := range paths {
		files, err := sourceFiles(filepath.Join(c.Source, p))
		if err != nil {
			return "", fmt.Errorf("read the sources of the local cluster: %w", err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return "", fmt.Errorf("read the sources of the local cluster: %w", err)
			}
			rel, _ := filepath.Rel(c.Source, f) // both are absolute
			fmt.Fprintf(h, "%s %d\n", rel, len(b))
			h.Write(b)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

func sourceFiles(path string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, "_test.go") {
			return err
		}
		files = append(files, p)
		return nil
	})
	slices.Sort(files)
	return files, err
}

// entry gives the directory of a thing called name with the given key, filling it with fill if it is not there. Another
// command that fills the same entry is waited for.
func (c *Cache) entry(name, key string, fill func(tmp string) error) (string, error) {
	dir := filepath.Join(c.Dir, name+"-"+key)
	if now := time.Now(); os.Chtimes(dir, now, now) == nil { // it is there, and in use
		return dir, nil
	}
	unlock, err := cluster.Lock(filepath.Join(c.Dir, "."+name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	tmp, err := os.MkdirTemp(c.Dir, "."+name+"-*")
	if err != nil {
		return "", fmt.Errorf("fill the cache: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fmt.Errorf("fill the cache: %w", err)
	}
	if err := fill(tmp); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", fmt.Errorf("fill the cache: %w", err)
	}
	c.forget(name)
	return dir, nil
}

// unused is how long nobody must have asked for something in the cache before it is removed.
const unused = 30 * 24 * time.Hour

// forget removes old builds of name. One that cannot be removed only takes room.
func (c *Cache) forget(name string) {
	dirs, _ := filepath.Glob(filepath.Join(c.Dir, name+"-*")) // the pattern is valid
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > unused {
			os.RemoveAll(dir)
		}
	}
}
