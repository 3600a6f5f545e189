package space

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// hierarchy is one mounted tree of control groups.
type hierarchy struct {
	dir     string
	unified bool // version 2
}

func hierarchies() ([]hierarchy, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find the control groups: %w", err)
	}
	var out []hierarchy
	for line := range strings.Lines(string(b)) {
		before, after, ok := strings.Cut(line, " - ")
		where, kind := strings.Fields(before), strings.Fields(after)
		if ok && len(where) > 4 && len(kind) > 0 && (kind[0] == "cgroup" || kind[0] == "cgroup2") {
			out = append(out, hierarchy{where[4], kind[0] == "cgroup2"})
		}
	}
	return out, nil
}

// CreateCgroup makes the control group name in every hierarchy, with the same processors and controllers as its parent.
func CreateCgroup(name string) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, t := range trees {
		dir := filepath.Join(t.dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the control group %s: %w", dir, err)
		}
		if !t.unified {
			inherit(t.dir, dir, "cpuset.cpus", "cpuset.mems")
			continue
		}
		b, err := os.ReadFile(filepath.Join(t.dir, "cgroup.controllers"))
		if err != nil {
			return fmt.Errorf("read the controllers of %s: %w", t.dir, err)
		}
		for _, controller := range strings.Fields(string(b)) {
			// One at a time and without checking: some cannot be handed down here, and the kubelet says which it misses.
			for _, d := range []string{t.dir, dir} {
				_ = os.WriteFile(filepath.Join(d, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
			}
		}
	}
	return nil
}

// inherit copies settings that a new version 1 group has not got and without which it takes no process.
func inherit(from, to string, files ...string) {
	for _, f := range files {
		if b, err := os.ReadFile(filepath.Join(from, f)); err == nil {
			_ = os.WriteFile(filepath.Join(to, f), b, 0o644)
		}
	}
}

// RemoveCgroup removes the control group name and those below it from every hierarchy, waiting for processes that are just ending.
func RemoveCgroup(name string) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, t := range trees {
		root := filepath.Join(t.dir, name)
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			err := removeTree(root)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("remove the control group %s: %w", root, err)
			}
		}
	}
	return nil
}

func removeTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(dirs) {
		if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
