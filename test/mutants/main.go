// Command mutants shows that the simulation bites: it builds it with one seeded mistake after the other, each a patch of the
// product's code that is applied to a copy, and says which invariant caught each. It fails when one survives, no longer
// applies or does not compile.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	histories := flag.Int("histories", 3000, "how many histories a mistake may survive")
	only := flag.String("run", "", "only the mistakes whose names match this `regexp`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *histories, *only); err != nil {
		slog.Error("mutants", "error", err)
		os.Exit(1)
	}
}

// tally is the summary, printed as the last line.
type tally struct {
	Mutants  int `json:"mutants"`
	Caught   int `json:"caught"`
	Survived int `json:"survived"`
}

func run(ctx context.Context, histories int, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("read -run: %w", err)
	}
	patches, err := filepath.Glob("test/mutants/patches/*.patch")
	if err != nil || len(patches) == 0 {
		return errors.Join(errors.New("find test/mutants/patches/*.patch: run this in the repository's root"), err)
	}
	tmp, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return fmt.Errorf("make a place for the copies: %w", err)
	}
	defer func() {
		if err := os.RemoveAll(tmp); err != nil {
			slog.Warn("remove the copies", "error", err)
		}
	}()
	if by, err := try(ctx, filepath.Join(tmp, "none"), "", histories); err != nil || by != "" {
		return errors.Join(fmt.Errorf("without any mistake the simulation finds %q: mend that first", by), err)
	}
	sum, wrong := tally{}, error(nil)
	for _, patch := range patches {
		name := strings.TrimSuffix(filepath.Base(patch), ".patch")
		if !wanted.MatchString(name) {
			continue
		}
		sum.Mutants++
		by, err := try(ctx, filepath.Join(tmp, name), patch, histories)
		switch {
		case err != nil:
			wrong = errors.Join(wrong, fmt.Errorf("%s: %w", name, err))
			fmt.Printf("%-28s BROKEN: see the end\n", name)
		case by == "":
			sum.Survived++
			fmt.Printf("%-28s SURVIVED %d histories\n", name, histories)
		default:
			sum.Caught++
			fmt.Printf("%-28s caught by %s\n", name, by)
		}
	}
	if sum.Caught != sum.Mutants || sum.Mutants == 0 {
		wrong = errors.Join(wrong, fmt.Errorf("%d of %d seeded mistakes are caught", sum.Caught, sum.Mutants))
	}
	line, err := json.Marshal(sum)
	fmt.Printf("%s\n", line)
	return errors.Join(wrong, err)
}

// try plays histories over the product with one patch, or none, and returns the invariant that was violated, or nothing.
func try(ctx context.Context, dir, patch string, histories int) (string, error) {
	overlay, err := mutate(ctx, dir, patch)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "simulate.test")
	if out, err := command(ctx, "", "go", "test", "-tags=simulate", "-overlay", overlay, "-c", "-o", binary, "./test/simulate"); err != nil {
		return "", fmt.Errorf("compile: %w\n%s", err, out)
	}
	out, err := command(ctx, dir, binary, "-test.run=^TestSimulate$", "-test.timeout=20m", "-histories="+strconv.Itoa(histories), "-rapid.shrinktime=1ms")
	if err == nil {
		return "", nil
	}
	caught := violated.FindSubmatch(out)
	if caught == nil {
		return "", fmt.Errorf("it fails, but no invariant is violated: %w\n%s", err, tail(out))
	}
	return string(caught[1]), nil
}

var (
	violated = regexp.MustCompile(`violated: (.+)`)
	changes  = regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)$`)
)

// mutate applies the patch to copies of the files that it changes, and returns the overlay that puts them in the place of
// the originals. Without a patch it puts nothing there.
func mutate(ctx context.Context, dir, patch string) (overlay string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	if patch == "" {
		return overlay, os.WriteFile(overlay, []byte("{}"), 0o600)
	}
	text, err := os.ReadFile(patch)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for _, m := range changes.FindAllSubmatch(text, -1) {
		name := string(m[1])
		original, err := filepath.Abs(name)
		if err != nil {
			return "", err
		}
		source, err := os.ReadFile(original)
		if err != nil {
			return "", fmt.Errorf("read what %s changes: %w", patch, err)
		}
		replace[original] = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(replace[original]), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(replace[original], source, 0o600); err != nil {
			return "", err
		}
	}
	absolute, err := filepath.Abs(patch)
	if err != nil {
		return "", err
	}
	if out, err := command(ctx, dir, "git", "apply", absolute); err != nil {
		return "", fmt.Errorf("the patch %s does not apply any more; make it anew from the code as it is: %w\n%s", patch, err, out)
	}
	encoded, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, encoded, 0o600)
}

// command runs a command in dir and returns all that it says.
func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	// A temporary directory below a repository is none of its business.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	return cmd.CombinedOutput()
}

// tail returns the last lines of a text.
func tail(out []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-20):], []byte("\n"))
}
