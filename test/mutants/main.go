// Command mutants shows that the tests bite: it seeds one mistake after the other, each a patch of the product's code that is
// applied to a copy, and says what caught it. It fails when one survives, no longer applies or does not compile.
//
// A patch begins with one sentence that says what the mistake is. The simulation has to catch it, unless a line
// "by: PACKAGE TEST" names another test.
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
)

func main() {
	o := options{}
	flag.IntVar(&o.histories, "histories", 3000, "how many histories a mistake may survive")
	flag.StringVar(&o.only, "run", "", "only the mistakes whose names match this `regexp`")
	flag.StringVar(&o.without, "skip", "", "not the mistakes that packages which match this `regexp` have to catch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		slog.Error("mutants", "error", err)
		os.Exit(1)
	}
}

type options struct {
	histories     int
	only, without string
}

// tally is the summary, printed as the last line.
type tally struct {
	Mutants    int `json:"mutants"`
	Caught     int `json:"caught"`
	Survived   int `json:"survived"`
	Broken     int `json:"broken"`     // the patch does not apply, or what it makes does not compile
	Violations int `json:"violations"` // the mistakes that were not caught
}

func run(ctx context.Context, o options) error {
	mistakes, err := read(o)
	if err != nil {
		return err
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
	l := lab{dir: tmp, histories: o.histories}
	if err := l.sound(ctx, mistakes); err != nil {
		return err
	}
	sum, wrong := tally{Mutants: len(mistakes)}, error(nil)
	for _, m := range mistakes {
		by, err := l.try(ctx, m)
		switch {
		case err != nil:
			sum.Broken++
			wrong = errors.Join(wrong, fmt.Errorf("%s: %w", m.name, err))
			fmt.Printf("%-28s BROKEN: see the end\n", m.name)
		case by == "":
			sum.Survived++
			fmt.Printf("%-28s SURVIVED %s\n", m.name, m.by)
		default:
			sum.Caught++
			fmt.Printf("%-28s caught by %s\n", m.name, by)
		}
	}
	sum.Violations = sum.Survived + sum.Broken
	if sum.Violations > 0 {
		wrong = errors.Join(wrong, fmt.Errorf("%d of %d seeded mistakes are caught", sum.Caught, sum.Mutants))
	}
	line, err := json.Marshal(sum)
	fmt.Printf("%s\n", line)
	return errors.Join(wrong, err)
}

// lab seeds the mistakes and looks what happens.
type lab struct {
	dir       string
	histories int
}

// sound makes sure that every test that has to catch a mistake passes without any. One that is skipped would catch nothing.
func (l lab) sound(ctx context.Context, mistakes []mistake) error {
	done := map[suite]bool{}
	for _, m := range mistakes {
		if done[m.by] {
			continue
		}
		done[m.by] = true
		by, err := l.try(ctx, mistake{name: "none-" + strconv.Itoa(len(done)), by: m.by})
		if err != nil || by != "" {
			return errors.Join(fmt.Errorf("without any mistake %s does not pass (%s): mend that first", m.by, by), err)
		}
	}
	return nil
}

// try runs what has to catch the mistake and returns what caught it: the invariant that was violated, or the test's name. It
// returns nothing when the mistake survives.
func (l lab) try(ctx context.Context, m mistake) (string, error) {
	dir := filepath.Join(l.dir, m.name)
	overlay, err := seed(ctx, dir, m)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "mutant.test")
	if out, err := command(ctx, "", "go", "test", "-overlay", overlay, "-c", "-o", binary, m.by.pkg); err != nil {
		return "", fmt.Errorf("compile: %w\n%s", err, out)
	}
	args := []string{"-test.run=^" + m.by.test + "$", "-test.v", "-test.timeout=20m"}
	if m.by == simulation {
		args = append(args, "-histories="+strconv.Itoa(l.histories), "-first", "-rapid.shrinktime=1ms")
	}
	out, err := command(ctx, m.by.pkg, binary, args...)
	if err == nil && !bytes.Contains(out, []byte("--- PASS: "+m.by.test)) {
		return "", fmt.Errorf("%s did not run: what does it need here?\n%s", m.by, tail(out))
	}
	if err == nil {
		return "", nil
	}
	if caught := violated.FindSubmatch(out); caught != nil {
		return string(caught[1]), nil
	}
	if m.by == simulation || !bytes.Contains(out, []byte("--- FAIL: "+m.by.test)) {
		return "", fmt.Errorf("it fails, but nothing is found wrong: %w\n%s", err, tail(out))
	}
	return m.by.test, nil
}

var violated = regexp.MustCompile(`violated: (.+)`)

// command runs a command in a directory and returns all that it says.
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
