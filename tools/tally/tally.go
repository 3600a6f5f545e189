package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of `go test -json`, as `go doc test2json` and `go help buildjson` describe it.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build event
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// test names a test; Name is empty for what a package says outside any.
type test struct{ Package, Name string }

func (t test) String() string { return t.Package + "." + t.Name }

// tally counts what tests say and shows what people need of it.
type tally struct {
	out            io.Writer
	passed, failed int
	skipped        []string
	said           map[test]*strings.Builder // what each unfinished test said
	count          map[string]int            // finished tests of each package
	failures       map[string]int            // failed tests of each package
}

func newTally(out io.Writer) *tally {
	return &tally{out: out, said: map[test]*strings.Builder{}, count: map[string]int{}, failures: map[string]int{}}
}

func (t *tally) take(e event) {
	at := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "output":
		if t.said[at] == nil {
			t.said[at] = &strings.Builder{}
		}
		t.said[at].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
		} else {
			t.endTest(e.Action, at)
		}
		delete(t.said, at)
	}
}

func (t *tally) endTest(action string, at test) {
	t.count[at.Package]++
	switch action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped = append(t.skipped, at.String()+": "+reason(t.text(at)))
	case "fail":
		t.failed++
		t.failures[at.Package]++
		fmt.Fprint(t.out, t.text(at))
	}
}

func (t *tally) endPackage(e event) {
	short := strings.TrimPrefix(e.Package, "catalyst.dev/catalyst/")
	switch {
	case e.Action == "fail":
		if t.failures[e.Package] == 0 {
			t.failed++ // it did not build, or died outside a test: say all that is known
			for at := range t.said {
				if at.Package == e.Package && at.Name != "" {
					fmt.Fprint(t.out, t.text(at))
				}
			}
			fmt.Fprint(t.out, t.text(test{Package: e.Package}))
		}
		fmt.Fprintf(t.out, "FAIL  %-44s %7.2f s  %d of %d failed\n", short, e.Elapsed, t.failures[e.Package], t.count[e.Package])
	case t.count[e.Package] > 0:
		fmt.Fprintf(t.out, "ok    %-44s %7.2f s  %d tests\n", short, e.Elapsed, t.count[e.Package])
	}
	delete(t.count, e.Package)
	delete(t.failures, e.Package)
}

func (t *tally) text(at test) string {
	if t.said[at] == nil {
		return ""
	}
	return t.said[at].String()
}

// reason finds what a skipped test said, in the last line that is not the runner's own.
func reason(text string) string {
	last := "no reason given"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			last = line
		}
	}
	return last
}

// close writes the last lines and says whether all is well.
func (t *tally) close(strict bool) error {
	slices.Sort(t.skipped)
	for _, s := range t.skipped {
		fmt.Fprintln(t.out, "skipped:", s)
	}
	fmt.Fprintf(t.out, "%d passed, %d failed\n", t.passed, t.failed)
	switch {
	case t.failed > 0:
		return errFailed
	case t.passed == 0:
		return fmt.Errorf("%w: none ran", errFailed)
	case strict && len(t.skipped) > 0:
		return fmt.Errorf("%w: %d were skipped, and here everything they need has to be installed", errFailed, len(t.skipped))
	}
	return nil
}
