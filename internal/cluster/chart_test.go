package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/engine"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"

	"catalyst.dev/catalyst/internal/render"
)

// TestInert: Helm's own engine makes of the documents what they are, and executes nothing in them.
func TestInert(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"templates/a.yaml":           "a: {{ fail \"executed\" }}\n",
		"templates/b.yaml":           "{{{{ {{- x -}} }}}} {{/* */}} {{`{{`}} { {{",
		"templates/NOTES.yaml":       `{{ define "x" }}{{ end }}{{ template "x" }}` + "\n",
		"charts/db/templates/c.yaml": "plain: {a: {b: c}}\n",
	}
	rendered := &render.Result{Name: "web", Version: "1.0.0"}
	want := map[string]string{}
	for name, text := range texts {
		rendered.Documents = append(rendered.Documents, render.Document{Name: name, Text: text})
		want["web/"+name] = text
	}
	got, err := engine.Render(inert(rendered), common.Values{"Values": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		statuses []rcommon.Status // newest first
		first    bool
		number   int
	}{
		{"none", nil, true, 1},
		{"deployed", []rcommon.Status{rcommon.StatusDeployed}, false, 2},
		{"failed, never deployed", []rcommon.Status{rcommon.StatusFailed, rcommon.StatusFailed}, true, 1},
		{"failed once deployed", []rcommon.Status{rcommon.StatusFailed, rcommon.StatusDeployed}, false, 3},
		{"half installed", []rcommon.Status{rcommon.StatusPendingInstall}, true, 1},
		{"half upgraded", []rcommon.Status{rcommon.StatusPendingUpgrade, rcommon.StatusDeployed}, false, 3},
		{"half upgraded, replaced before", []rcommon.Status{rcommon.StatusPendingUpgrade, rcommon.StatusFailed, rcommon.StatusSuperseded}, false, 4},
		{"half removed", []rcommon.Status{rcommon.StatusUninstalling}, true, 1},
	} {
		var revisions []*release.Release
		for i, s := range c.statuses {
			revisions = append(revisions, &release.Release{Version: len(c.statuses) - i, Info: &release.Info{Status: s}})
		}
		if first, number := next(revisions); first != c.first || number != c.number {
			t.Errorf("%s: %t, %d, want %t, %d", c.name, first, number, c.first, c.number)
		}
	}
}
