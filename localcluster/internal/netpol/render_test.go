package netpol

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The pods of every case: two applications in one preview, one in another, and some that have no address of their own.
const pods = `
- {metadata: {name: web, namespace: one, labels: {app: web}}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080, protocol: TCP}]}]}, status: {podIP: 10.100.0.11}}
- {metadata: {name: db, namespace: one, labels: {app: db}}, spec: {containers: [{name: c, ports: [{name: sql, containerPort: 5432, protocol: TCP}]}]}, status: {podIP: 10.100.0.12}}
- {metadata: {name: web, namespace: two, labels: {app: web}}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 9090, protocol: TCP}]}]}, status: {podIP: 10.100.0.21}}
- {metadata: {name: done, namespace: one, labels: {app: web}}, status: {podIP: 10.100.0.31, phase: Succeeded}}
- {metadata: {name: new, namespace: one, labels: {app: web}}}
- {metadata: {name: host, namespace: one, labels: {app: web}}, spec: {hostNetwork: true}, status: {podIP: 10.250.0.2}}
`

func TestRender(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			w := World{Namespaces: map[string]labels.Set{"one": {"team": "a"}, "two": {"team": "b"}}}
			decode(t, []byte(pods), &w.Pods)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			decode(t, text, &w.Policies)
			for _, p := range w.Policies {
				p.Namespace = "one"
			}
			got := w.Render()
			golden := strings.TrimSuffix(file, ".yaml") + ".nft"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("rules (-want +got):\n%s", d)
			}
			slices.Reverse(w.Pods)
			slices.Reverse(w.Policies)
			if d := cmp.Diff(got, w.Render()); d != "" {
				t.Errorf("rules depend on the order of objects:\n%s", d)
			}
		})
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatal(err)
	}
}
