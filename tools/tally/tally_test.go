package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// modules writes modules of one test file each and gives their directories.
func modules(t *testing.T, files ...string) []string {
	t.Helper()
	var dirs []string
	for _, body := range files {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"go.mod":    "module example.test/m\n\ngo 1.26\n",
			"m_test.go": "package m\n\nimport \"testing\"\n\n" + body,
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

func TestRun(t *testing.T) {
	t.Parallel()
	const (
		passes = `func TestA(t *testing.T) { t.Run("one", func(t *testing.T) {}); t.Log("quiet") }`
		fails  = `func TestB(t *testing.T) { t.Run("two", func(t *testing.T) { t.Error("the reason") }) }`
		skips  = `func TestC(t *testing.T) { t.Skip("no cluster") }; func TestD(t *testing.T) {}`
	)
	for name, test := range map[string]struct {
		modules []string
		strict  bool
		last    string
		shown   []string
		hidden  string
		failed  bool
	}{
		"passes":           {modules: []string{passes, passes}, strict: true, last: "4 passed, 0 failed", shown: []string{"ok    example.test/m"}, hidden: "quiet"},
		"fails":            {modules: []string{fails, passes}, last: "2 passed, 2 failed", shown: []string{"the reason", "FAIL  example.test/m", "2 of 2 failed"}, failed: true},
		"skips":            {modules: []string{skips}, last: "1 passed, 0 failed", shown: []string{"skipped: example.test/m.TestC: ", "no cluster"}},
		"skips, strict":    {modules: []string{skips}, strict: true, last: "1 passed, 0 failed", shown: []string{"no cluster"}, failed: true},
		"does not compile": {modules: []string{passes, "func TestA(t *testing.T) { absent() }"}, last: "2 passed, 1 failed", shown: []string{"undefined: absent"}, failed: true},
		"panics":           {modules: []string{`func TestA(t *testing.T) { panic("away") }`}, last: "0 passed, 1 failed", shown: []string{"panic: away"}, failed: true},
		"dies":             {modules: []string{`var _ testing.T; func init() { panic("early") }`}, last: "0 passed, 1 failed", shown: []string{"panic: early"}, failed: true},
		"no tests":         {modules: []string{`var _ testing.T`}, last: "0 passed, 0 failed", failed: true},
		"does not load":    {modules: []string{"import _ \"example.test/absent\""}, last: "0 passed, 1 failed", failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := modules(t, test.modules...)
			if test.strict {
				args = append([]string{"-strict"}, args...)
			}
			var out strings.Builder
			err := run(t.Context(), append(args, "--", "-count=1"), &out)
			if (err != nil) != test.failed || err != nil && !errors.Is(err, errFailed) {
				t.Errorf("error %v, want one: %v", err, test.failed)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if last := lines[len(lines)-1]; last != test.last {
				t.Errorf("last line %q, want %q in:\n%s", last, test.last, out.String())
			}
			for _, s := range test.shown {
				if !strings.Contains(out.String(), s) {
					t.Errorf("no %q in:\n%s", s, out.String())
				}
			}
			if test.hidden != "" && strings.Contains(out.String(), test.hidden) {
				t.Errorf("%q shown in:\n%s", test.hidden, out.String())
			}
		})
	}
}

// What is wrong before any test begins is a failure too.
func TestRunWithoutModule(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), []string{t.TempDir()}, &out); !errors.Is(err, errFailed) {
		t.Errorf("error %v, want %v", err, errFailed)
	}
	if !strings.HasSuffix(out.String(), "\n0 passed, 1 failed\n") {
		t.Errorf("output:\n%s", out.String())
	}
}
