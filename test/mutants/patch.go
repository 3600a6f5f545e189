package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// suite is a test that has to catch a mistake.
type suite struct{ pkg, test string }

func (s suite) String() string { return s.pkg + " " + s.test }

var simulation = suite{"./test/simulate", "TestSimulate"}

// mistake is one patch.
type mistake struct {
	name string
	text []byte // the patch; empty: no mistake at all
	by   suite
}

var (
	catches = regexp.MustCompile(`(?m)^by: (\S+) (\S+)$`)
	changes = regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)$`)
)

// read returns the mistakes that are wanted, by name.
func read(o options) ([]mistake, error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, fmt.Errorf("read -run: %w", err)
	}
	without, err := regexp.Compile(o.without)
	if err != nil {
		return nil, fmt.Errorf("read -skip: %w", err)
	}
	patches, err := filepath.Glob("test/mutants/patches/*.patch")
	if err != nil || len(patches) == 0 {
		return nil, errors.Join(errors.New("find test/mutants/patches/*.patch: run this in the repository's root"), err)
	}
	var all []mistake
	for _, patch := range patches {
		m := mistake{name: strings.TrimSuffix(filepath.Base(patch), ".patch"), by: simulation}
		if m.text, err = os.ReadFile(patch); err != nil {
			return nil, fmt.Errorf("read a mistake: %w", err)
		}
		if by := catches.FindSubmatch(m.text); by != nil {
			m.by = suite{string(by[1]), string(by[2])}
		}
		if only.MatchString(m.name) && (o.without == "" || !without.MatchString(m.by.pkg)) {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no mistake has such a name")
	}
	return all, nil
}

// seed applies the patch to copies of the files that it changes, and returns the overlay that puts them in the place of the
// originals.
func seed(ctx context.Context, dir string, m mistake) (overlay string, err error) {
	replace := map[string]string{}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, found := range changes.FindAllSubmatch(m.text, -1) {
		if err := copyOf(string(found[1]), dir, replace); err != nil {
			return "", err
		}
	}
	if len(replace) > 0 {
		patch := filepath.Join(dir, "mistake.patch")
		if err := os.WriteFile(patch, m.text, 0o600); err != nil {
			return "", err
		}
		if out, err := command(ctx, dir, "git", "apply", patch); err != nil {
			return "", fmt.Errorf("the patch does not apply any more; make it anew from the code as it is: %w\n%s", err, out)
		}
	}
	encoded, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, encoded, 0o600)
}

// copyOf copies one source file below dir and notes that the copy takes its place.
func copyOf(name, dir string, replace map[string]string) error {
	original, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	source, err := os.ReadFile(original)
	if err != nil {
		return fmt.Errorf("read what the patch changes: %w", err)
	}
	replace[original] = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(replace[original]), 0o700); err != nil {
		return err
	}
	return os.WriteFile(replace[original], source, 0o600)
}
