package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "catalyst.dev/catalyst/"

// arrows are the only imports inside the module that production code may have. A package that is not here fails the test: a
// new package or arrow is a change to this table and to docs/architecture.md. "x (types)" allows the types of x, for the
// signatures of the importer's own interfaces, and no call into x: what is called is handed in by app.
//
// Test files, packages named …test, and everything under test/ and bench/ may import what they like; nothing here imports them.
var arrows = map[string][]string{
	"cmd/catalyst": {"internal/cli"},

	"internal/preview":  {},
	"internal/redact":   {},
	"internal/policy":   {"internal/preview"},
	"internal/diagnose": {"internal/preview"},
	"internal/report":   {"internal/preview", "internal/diagnose"},
	"internal/seal":     {"internal/preview"},
	"internal/doctor":   {},
	"internal/notify":   {"internal/preview"},
	"internal/kept":     {"internal/preview", "internal/redact (types)"},
	"internal/config":   {"internal/preview", "internal/seal"},
	"internal/chart":    {"internal/preview"},
	"internal/sandbox":  {},
	"internal/render":   {"internal/preview", "internal/chart", "internal/sandbox"},
	"internal/cluster": {
		"internal/preview", "internal/chart (types)", "internal/diagnose", "internal/doctor", "internal/redact", "internal/render",
	},
	"internal/ghapp":     {"internal/preview", "internal/doctor"},
	"internal/store":     {"internal/preview", "internal/seal", "internal/store/db"},
	"internal/store/db":  {},
	"internal/lifecycle": {"internal/preview", "internal/policy", "internal/store", "internal/redact (types)"},
	"internal/webhook":   {"internal/preview", "internal/lifecycle", "internal/ghapp"},
	"client":             {},
	"internal/problem":   {"internal/preview"},
	"internal/order":     {"internal/preview", "internal/problem"},
	"internal/logs":      {"internal/preview", "internal/cluster (types)", "internal/redact (types)"},
	"internal/access":    {"internal/preview", "internal/problem", "internal/ghapp (types)"},
	"internal/signin":    {"internal/preview", "internal/problem", "internal/access"},
	"internal/live":      {},
	"internal/usage":     {"internal/preview", "internal/cluster (types)"},
	"internal/api": {
		"internal/preview", "internal/problem", "internal/access", "internal/order", "internal/logs", "internal/store (types)", "internal/cluster (types)",
		"internal/diagnose (types)", "internal/doctor", "internal/kept (types)", "internal/usage (types)", "client",
	},
	"internal/ui": {
		"internal/preview", "internal/problem", "internal/access", "internal/order", "internal/logs", "internal/live (types)", "internal/store (types)",
		"internal/cluster (types)", "internal/diagnose (types)", "internal/doctor", "internal/kept (types)", "internal/usage (types)",
	},
	"internal/worker": {
		"internal/preview", "internal/chart", "internal/diagnose", "internal/report", "internal/cluster (types)", "internal/ghapp (types)",
		"internal/redact (types)", "internal/kept (types)",
	},
	"internal/app": {
		"internal/preview", "internal/policy", "internal/diagnose", "internal/report", "internal/config", "internal/chart", "internal/doctor",
		"internal/render", "internal/cluster", "internal/ghapp", "internal/redact", "internal/seal", "internal/store", "internal/lifecycle",
		"internal/webhook", "internal/worker", "internal/access", "internal/signin", "internal/api", "internal/logs", "internal/kept",
		"internal/notify", "internal/ui", "internal/live", "internal/usage",
	},
	"internal/cli": {
		"internal/preview", "internal/config", "internal/app", "internal/doctor", "internal/redact", "internal/seal", "internal/store",
		"client",
	},

	"examples/hello": {}, // what the demonstration deploys; a program like anybody's
}

// fences are the import paths, by their beginning, that only the named packages have.
var fences = map[string][]string{
	"helm.sh/":                                   {"internal/cluster", "internal/render"},
	"k8s.io/":                                    {"internal/cluster", "internal/render"},
	"golang.org/x/sys/":                          {"internal/sandbox"},
	"sigs.k8s.io/cli-utils":                      {"internal/cluster"},
	"sigs.k8s.io/controller-runtime":             {"internal/cluster"},
	"github.com/fluxcd/":                         {"internal/cluster"},
	"github.com/google/go-github/":               {"internal/ghapp"},
	"github.com/golang-jwt/":                     {"internal/ghapp"},
	"github.com/coreos/go-oidc/":                 {"internal/signin"},
	"golang.org/x/oauth2":                        {"internal/signin"},
	"database/sql":                               {"internal/store", "internal/store/db"},
	"modernc.org/":                               {"internal/store"},
	"github.com/jackc/":                          {"internal/store"},
	"github.com/pressly/goose/":                  {"internal/store"},
	"github.com/knadh/koanf/":                    {"internal/config"},
	"github.com/spf13/cobra":                     {"internal/cli"},
	"github.com/danielgtaylor/huma/":             {"internal/api"},
	"github.com/google/go-cmp/":                  {},
	"github.com/rogpeppe/go-internal/":           {},
	"go.uber.org/goleak":                         {},
	"pgregory.net/rapid":                         {},
	"testing":                                    {},
	"sigs.k8s.io/controller-runtime/pkg/envtest": {},
}

// pure packages import the standard library only, and nothing of it that reads or writes outside the program.
var (
	pure    = []string{"internal/preview", "internal/policy", "internal/diagnose", "internal/report", "internal/redact"}
	effects = []string{"database/sql", "io/fs", "log", "log/slog", "net", "net/http", "os", "os/exec", "os/signal", "syscall"}
)

// TestArrows holds the sources to the tables above. It reads the files and never asks the go command, whose answer `go test`
// would remember when a source changes.
func TestArrows(t *testing.T) {
	t.Parallel()
	got, err := violations(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range got {
		t.Error(v)
	}
}

// TestArrowsBite shows that each rule finds what breaks it, and lets pass what does not.
func TestArrowsBite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string // the imports, or the whole text, of a file
		want  []string
	}{
		"allowed": {
			files: map[string]string{
				"internal/policy/a.go":             `"catalyst.dev/catalyst/internal/preview"; "time"`,
				"internal/policy/a_test.go":        `"catalyst.dev/catalyst/internal/store"; "k8s.io/api/core/v1"; "os"; "testing"`,
				"internal/cluster/a.go":            `"helm.sh/helm/v4/pkg/action"; "sigs.k8s.io/yaml"`,
				"internal/store/storetest/a.go":    `"catalyst.dev/catalyst/internal/store"; "testing"`,
				"test/e2e/a.go":                    `"catalyst.dev/catalyst/internal/app"; "k8s.io/api/core/v1"`,
				"bench/main.go":                    `"catalyst.dev/catalyst/internal/cli"`,
				"internal/unknown/testdata/a.go":   `"catalyst.dev/catalyst/internal/cli"`,
				"localcluster/go.mod":              "module catalyst.dev/catalyst/localcluster",
				"localcluster/internal/pki/pki.go": `"k8s.io/client-go/kubernetes"`,
				"internal/worker/deploy.go":        "package worker\nimport \"catalyst.dev/catalyst/internal/cluster\"\nvar x = cluster.Identity{}",
				".hidden/main.go":                  `"catalyst.dev/catalyst/internal/cli"`,
			},
		},
		"forbidden arrows": {
			files: map[string]string{
				"internal/preview/a.go":   `"catalyst.dev/catalyst/internal/policy"`,
				"internal/worker/a.go":    `"catalyst.dev/catalyst/internal/store"`,
				"cmd/catalyst/main.go":    `"catalyst.dev/catalyst/internal/app"`,
				"internal/webhook/a.go":   `"catalyst.dev/catalyst/internal/config"`,
				"internal/lifecycle/a.go": `"catalyst.dev/catalyst/internal/store/db"`,
			},
			want: []string{
				"cmd/catalyst/main.go: cmd/catalyst must not import internal/app",
				"internal/lifecycle/a.go: internal/lifecycle must not import internal/store/db",
				"internal/preview/a.go: internal/preview must not import internal/policy",
				"internal/webhook/a.go: internal/webhook must not import internal/config",
				"internal/worker/a.go: internal/worker must not import internal/store",
			},
		},
		"test packages and other modules in production code": {
			files: map[string]string{
				"internal/app/a.go": `"catalyst.dev/catalyst/internal/store/storetest"; "catalyst.dev/catalyst/test/fakegithub"; "catalyst.dev/catalyst/localcluster/x"; "testing"`,
			},
			want: []string{
				"internal/app/a.go: internal/app must not import internal/store/storetest",
				"internal/app/a.go: internal/app must not import localcluster/x",
				"internal/app/a.go: internal/app must not import test/fakegithub",
				"internal/app/a.go: only tests import testing",
			},
		},
		"unknown packages": {
			files: map[string]string{"internal/util/a.go": `"fmt"`, "main.go": `"fmt"`, "internal/latest/a.go": `"fmt"`},
			want: []string{
				"internal/latest/a.go: package internal/latest is not in the table of arrows; add it there and to docs/architecture.md",
				"internal/util/a.go: package internal/util is not in the table of arrows; add it there and to docs/architecture.md",
				"main.go: package . is not in the table of arrows; add it there and to docs/architecture.md",
			},
		},
		"a call where only types are allowed": {
			files: map[string]string{
				"internal/worker/a.go": "package worker\nimport \"catalyst.dev/catalyst/internal/cluster\"\nvar x, _ = cluster.New(cluster.Options{})",
				"internal/worker/b.go": "package worker\nimport gh \"catalyst.dev/catalyst/internal/ghapp\"\nfunc f() { go gh.Parse(\"\", nil) }",
			},
			want: []string{
				"internal/worker/a.go: internal/worker takes only types from internal/cluster, but calls cluster.New",
				"internal/worker/b.go: internal/worker takes only types from internal/ghapp, but calls gh.Parse",
			},
		},
		"vendor leaks": {
			files: map[string]string{
				"internal/chart/a.go":     `"helm.sh/helm/v4/pkg/chart"`,
				"internal/lifecycle/a.go": `"database/sql"`,
				"internal/cluster/a.go":   `"github.com/google/go-github/v92/github"`,
				"internal/store/db/a.go":  `"database/sql"; "modernc.org/sqlite"`,
			},
			want: []string{
				"internal/chart/a.go: only internal/cluster, internal/render import helm.sh/helm/v4/pkg/chart",
				"internal/cluster/a.go: only internal/ghapp imports github.com/google/go-github/v92/github",
				"internal/lifecycle/a.go: only internal/store, internal/store/db import database/sql",
				"internal/store/db/a.go: only internal/store imports modernc.org/sqlite",
			},
		},
		"impure": {
			files: map[string]string{"internal/report/a.go": `"github.com/yuin/goldmark"; "net/http"; "net/url"; _ "os"`},
			want: []string{
				"internal/report/a.go: internal/report is pure and must not import github.com/yuin/goldmark",
				"internal/report/a.go: internal/report is pure and must not import net/http",
				"internal/report/a.go: internal/report is pure and must not import os",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{"go.mod": {Data: []byte("module catalyst.dev/catalyst")}}
			for file, text := range test.files {
				if strings.HasSuffix(file, ".go") && !strings.HasPrefix(text, "package") {
					text = "package x\nimport (" + text + ")"
				}
				tree[file] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := violations(tree)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// violations gives, sorted, each import of the tree's production code that the tables do not allow.
func violations(tree fs.FS) ([]string, error) {
	var found []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || isModule(tree, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || isTest(path.Dir(name)) {
			return nil
		}
		inFile, err := check(tree, name)
		found = append(found, inFile...)
		return err
	})
	slices.Sort(found)
	return slices.Compact(found), err
}

// isModule tells a directory with a module of its own, which is another program.
func isModule(tree fs.FS, dir string) bool {
	_, err := fs.Stat(tree, dir+"/go.mod")
	return err == nil
}

// isTest tells the packages that exist for tests. Only a package inside another is one by its name: internal/latest is not.
func isTest(dir string) bool {
	top, _, _ := strings.Cut(dir, "/")
	_, inside := arrows[path.Dir(dir)]
	return top == "test" || top == "bench" || inside && strings.HasSuffix(dir, "test")
}

func check(tree fs.FS, name string) ([]string, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	dir := path.Dir(name)
	allowed, known := arrows[dir]
	if !known {
		return []string{fmt.Sprintf("%s: package %s is not in the table of arrows; add it there and to docs/architecture.md", name, dir)}, nil
	}
	var found []string
	report := func(format string, args ...any) {
		found = append(found, name+": "+fmt.Sprintf(format, args...))
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if inside, ok := strings.CutPrefix(imported, module); ok {
			switch {
			case slices.Contains(allowed, inside):
			case slices.Contains(allowed, inside+" (types)"):
				for _, call := range calls(file, spec, inside) {
					report("%s takes only types from %s, but calls %s", dir, inside, call)
				}
			default:
				report("%s must not import %s", dir, inside)
			}
			continue
		}
		if standard := !strings.Contains(strings.Split(imported, "/")[0], "."); slices.Contains(pure, dir) && (!standard || slices.Contains(effects, imported)) {
			report("%s is pure and must not import %s", dir, imported)
			continue
		}
		for prefix, owners := range fences {
			switch {
			case !strings.HasPrefix(imported, prefix) || slices.Contains(owners, dir):
			case len(owners) == 0:
				report("only tests import %s", imported)
			case len(owners) == 1:
				report("only %s imports %s", owners[0], imported)
			default:
				report("only %s import %s", strings.Join(owners, ", "), imported)
			}
		}
	}
	return found, nil
}

// calls gives the functions of an imported package that a file calls; a conversion to one of its types looks the same.
func calls(file *ast.File, spec *ast.ImportSpec, imported string) []string {
	local := path.Base(imported)
	if spec.Name != nil {
		local = spec.Name.Name
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == local {
					found = append(found, local+"."+s.Sel.Name)
				}
			}
		}
		return true
	})
	return found
}
