package internal_test

import (
	"go/version"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// floors are the oldest versions that may be used, by module: older ones have a known hole in something that Catalyst uses. A module that nothing
// needs is as good.
var floors = map[string]string{
	"helm.sh/helm/v4":                        "4.2.4",  // charts that reach out of themselves, fixed on the way there
	"helm.sh/helm/v3":                        "3.21.0", // the same
	"github.com/go-git/go-git/v5":            "5.19.2", // CVE-2026-71556, CVE-2026-71557
	"github.com/jackc/pgx/v5":                "5.9.2",  // CVE-2026-33815, CVE-2026-33816, CVE-2026-41889
	"github.com/modelcontextprotocol/go-sdk": "1.4.1",  // CVE-2026-33252
	"github.com/argoproj/argo-cd/v2":         "none",   // its webhooks parse what nobody signed
	"github.com/gorilla/csrf":                "none",   // CVE-2025-24358, CVE-2025-47909
}

// goFloor is the oldest Go that may build Catalyst: archive/tar before it reads without bound (CVE-2026-32288).
const goFloor = "go1.26.2"

// TestFloors reads what every module of the checkout requires.
func TestFloors(t *testing.T) {
	t.Parallel()
	if version.Compare(runtime.Version(), goFloor) < 0 {
		t.Errorf("this was built by %s, at least %s is needed", runtime.Version(), goFloor)
	}
	tree := os.DirFS("..")
	modules := 0
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || path.Base(name) != "go.mod":
			return nil
		}
		modules++
		text, err := fs.ReadFile(tree, name)
		for _, problem := range belowFloor(string(text)) {
			t.Errorf("%s: %s", name, problem)
		}
		if name == "go.mod" && version.Compare("go"+directive(string(text)), goFloor) < 0 {
			t.Errorf("%s: it can be built with Go %s, at least %s is needed", name, directive(string(text)), goFloor)
		}
		return err
	})
	if err != nil || modules < 2 {
		t.Errorf("%d modules, %v", modules, err)
	}
}

// TestFloorsBite: what is too old, and what takes another module's place, is seen.
func TestFloorsBite(t *testing.T) {
	t.Parallel()
	for mod, want := range map[string]int{
		"module x\n\ngo 1.26.2\n\nrequire helm.sh/helm/v4 v4.2.4\n":                                        0,
		"require (\n\thelm.sh/helm/v4 v4.2.3\n\tgithub.com/jackc/pgx/v5 v5.9.1 // indirect\n)\n":           2,
		"require helm.sh/helm/v4 v4.10.0\n":                                                                0,
		"require helm.sh/helm/v4 v4.2.4-rc.1\n":                                                            1,
		"require helm.sh/helm/v4 v4.3.1\n\nreplace helm.sh/helm/v4 => github.com/mallory/helm/v4 v4.3.1\n": 1,
		"require github.com/gorilla/csrf v1.7.3\n":                                                         1,
	} {
		if got := belowFloor(mod); len(got) != want {
			t.Errorf("%q: %q, want %d", mod, got, want)
		}
	}
}

// belowFloor names the requirements of a go.mod file that are too old, and what replaces a module by another one.
func belowFloor(mod string) []string {
	var problems []string
	for line := range strings.Lines(mod) {
		fields := strings.Fields(line)
		if len(fields) > 0 && (fields[0] == "require" || fields[0] == "replace") {
			fields = fields[1:]
		}
		if len(fields) < 2 {
			continue
		}
		floor, known := floors[fields[0]]
		if known && slices.Contains(fields, "=>") {
			problems = append(problems, "another module takes the place of "+fields[0])
			continue
		}
		got := "go" + strings.TrimPrefix(fields[1], "v")
		if known && (floor == "none" || strings.Contains(got, "-") || !version.IsValid(got) || version.Compare(got, "go"+floor) < 0) {
			problems = append(problems, fields[0]+" "+fields[1]+" is too old, or not to be used: "+floor)
		}
	}
	return problems
}

// directive is the version of Go that a go.mod file asks for.
func directive(mod string) string {
	for line := range strings.Lines(mod) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			return v
		}
	}
	return "0"
}
