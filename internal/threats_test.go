package internal_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

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
	for _, problem := range threatProblems(string(text), there) {
		t.Error(problem)
	}
}

// TestThreatModelBites: a row without a test, and one that names a test that is not there, are seen.
func TestThreatModelBites(t *testing.T) {
	t.Parallel()
	head := "| | Attack | Defence | Tests |\n|---|---|---|---|\n"
	for text, want := range map[string]int{
		head + "| X1 | a | b | `TestThere`, `FuzzThere` |\n": 0,
		head + "| X1 | a | b | `TestThere`, `TestGone` |\n":  1,
		head + "| X1 | a | b | none yet |\n":                 1,
		head + "| X1 | a | b | `TestThere`; c: none yet |\n": 1,
		head + "| X1 | a | b | |\n":                          1,
		"no table":                                           1,
	} {
		if got := threatProblems(text, map[string]bool{"TestThere": true, "FuzzThere": true}); len(got) != want {
			t.Errorf("%q: %q, want %d", text, got, want)
		}
	}
}

// threatProblems looks at each row of each table whose last column holds tests.
func threatProblems(text string, there map[string]bool) []string {
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
			problems = append(problems, rowProblems(strings.TrimSpace(cells[0]), last, there)...)
		}
	}
	if rows == 0 {
		problems = append(problems, "there is no row with tests")
	}
	return problems
}

func rowProblems(row, tests string, there map[string]bool) []string {
	var problems []string
	names := testName.FindAllStringSubmatch(tests, -1)
	if strings.Contains(tests, "none yet") || len(names) == 0 {
		problems = append(problems, "row "+row+" is a claim that no test shows: "+tests)
	}
	for _, m := range names {
		if !there[m[1]] {
			problems = append(problems, "row "+row+" names "+m[1]+", which is not there")
		}
	}
	return problems
}
