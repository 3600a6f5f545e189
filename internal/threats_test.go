package internal_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unproven are the rows of the threat model that no test shows yet. A row that has its tests does not belong here, and no row may be added.
var unproven = []string{"K1, K2", "K3 to K10, K12"}

var (
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// TestThreatModel: each defence that docs/threat-model.md claims is shown by tests that are there.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	tree := os.DirFS("..")
	there := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(tree, "docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range threatProblems(string(text), there, unproven) {
		t.Error(problem)
	}
}

// TestThreatModelBites: a row without a test, one that names a test that is not there, and one that was proven since, are seen.
func TestThreatModelBites(t *testing.T) {
	t.Parallel()
	head := "| | Attack | Defence | Tests |\n|---|---|---|---|\n"
	for text, want := range map[string]int{
		head + "| X1 | a | b | `TestThere`, `FuzzThere` |\n": 0,
		head + "| X1 | a | b | `TestThere`, `TestGone` |\n":  1,
		head + "| X1 | a | b | none yet |\n":                 1,
		head + "| X1 | a | b | `TestThere`; c: none yet |\n": 1,
		head + "| X1 | a | b | |\n":                          1,
		head + "| K9 | a | b | none yet |\n":                 0,
		head + "| K9 | a | b | `TestThere` |\n":              1, // no longer unproven
		"no table":                                           1,
	} {
		var open []string
		if strings.Contains(text, "K9") {
			open = []string{"K9"}
		}
		if got := threatProblems(text, map[string]bool{"TestThere": true, "FuzzThere": true}, open); len(got) != want {
			t.Errorf("%q: %q, want %d", text, got, want)
		}
	}
}

// threatProblems looks at each row of each table whose last column holds tests.
func threatProblems(text string, there map[string]bool, unproven []string) []string {
	var problems []string
	rows, inside := 0, false
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		last := strings.TrimSpace(cells[len(cells)-1])
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case last == "Tests":
			inside = true
		case !inside || strings.HasPrefix(line, "|--"):
		default:
			rows++
			problems = append(problems, rowProblems(strings.TrimSpace(cells[0]), last, there, slices.Contains(unproven, strings.TrimSpace(cells[0])))...)
		}
	}
	if rows == 0 {
		problems = append(problems, "there is no row with tests")
	}
	return problems
}

func rowProblems(row, tests string, there map[string]bool, open bool) []string {
	var problems []string
	claimed := strings.Contains(tests, "none yet")
	names := testName.FindAllStringSubmatch(tests, -1)
	switch {
	case open && !claimed:
		problems = append(problems, "row "+row+" has its tests now: take it out of unproven")
	case !open && (claimed || len(names) == 0):
		problems = append(problems, "row "+row+" is a claim that no test shows: "+tests)
	}
	for _, m := range names {
		if !there[m[1]] {
			problems = append(problems, "row "+row+" names "+m[1]+", which is not there")
		}
	}
	return problems
}
