package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
)

// TestRender: what Helm's templates have is there, and what they make comes out byte for byte.
func TestRender(t *testing.T) {
	t.Parallel()
	template := `{{- /* the mark in front is not seen */ -}}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "name" . }}}
data:
  release: {{ printf "%s %s %d %t %t" .Release.Name .Release.Namespace .Release.Revision .Release.IsInstall .Release.IsUpgrade | quote }}
  chart: {{ printf "%s %s %s" .Chart.Name .Chart.Version .Chart.AppVersion }}
  can: {{ printf "%s %t %t" .Capabilities.KubeVersion.Version (.Capabilities.APIVersions.Has "apps/v1") (.Capabilities.APIVersions.Has "example.com/v1") | quote }}
  template: {{ .Template.Name }}
  file: {{ .Files.Get "config/a.txt" | quote }}
  number: {{ int .Values.number }}
  tpl: {{ tpl "{{ .Values.text }}" . | quote }}
  braces: {{ "{{ .Values.number }} }} {{{" | quote }}
`
	got := documents(t, request(files(
		"values.yaml", "number: 1000000\ntext: below\n", "config/a.txt", "a\n", "templates/_helpers.tpl", `{{ define "name" }}web-{{ .Release.Name }}{{ end }}`,
		"templates/a.yaml", template, "templates/NOTES.txt", "{{ .Values.text }}", "templates/blank.yaml", "{{ if false }}x{{ end }}\n", "templates/tests/t.yaml", "\n",
	), map[string]any{"text": "laid over"}))
	want := map[string]string{"templates/a.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: web-app}
data:
  release: "app pr-web-7 3 false true"
  chart: web 1.0.0 7
  can: "v1.34.2 true false"
  template: web/templates/a.yaml
  file: "a\n"
  number: 1000000
  tpl: "laid over"
  braces: "{{ .Values.number }} }} {{{"
`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLayers: the values are laid together here, where reading the author's files does no harm.
func TestLayers(t *testing.T) {
	t.Parallel()
	q := request(files(
		"values.yaml", "ingress: {hosts: [{host: a, paths: [/own]}]}\nwho: chart\n",
		"templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {who: {{ .Values.who }}, ingress: {{ toJson .Values.ingress | squote }}}\n",
	), nil)
	layers := &chart.ValuesInput{
		Base: map[string]any{"who": "base"}, Host: "h.example.com",
		Chart: &chart.Chart{Path: "deploy/chart", Files: q.Files, Values: &chart.File{Name: "values-preview.yaml", Data: []byte("who: repository\n")}},
	}
	q.Layers = layers
	got := documents(t, q)["templates/a.yaml"]
	if !strings.Contains(got, "who: repository,") || !strings.Contains(got, `[{"host":"h.example.com","paths":["/own"]}]`) {
		t.Error(got)
	}
	layers.Chart.Values.Data = []byte("a: [")
	wantFailure(t, "broken", inProcess(q).Failure, preview.CodeValues, "values-preview.yaml")
	layers.Chart.Values = nil
	q.Files[1].Data = []byte("a: [")
	wantFailure(t, "broken defaults", inProcess(q).Failure, preview.CodeChartInvalid, "deploy/chart/values.yaml")
}

// TestRenderFails: a failure names the file and the place as the author has them.
func TestRenderFails(t *testing.T) {
	t.Parallel()
	object := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	for _, c := range []struct {
		name, template string
		parts          []string
	}{
		{"parse", "a: b\nc: {{ if }}\n", []string{"web/templates/a.yaml:2", "missing value for if"}},
		{"parse, first line", "{{ if }}\n", []string{"web/templates/a.yaml:1"}},
		{"nil", "a: b\nc: {{ .Values.deep.er.tag }}\n", []string{"web/templates/a.yaml:2:13", `"er" is read from a value that is not set`}},
		{"nil, first line", "c: {{ .Values.deep.er.tag }}\n", []string{"web/templates/a.yaml:1:13", `"er" is read from a value that is not set`}},
		{"no fields", "c: {{ .Values.text.er }}\n", []string{"web/templates/a.yaml:1:", `"er" is read from a value that has no fields`}},
		{"required", `a: {{ required "give image.tag" .Values.tag }}`, []string{"web/templates/a.yaml:1:6", "give image.tag"}},
		{"fail", `{{ fail "not today" }}`, []string{"web/templates/a.yaml:1:3", "not today"}},
		{"function", "{{ env \"HOME\" }}", []string{"web/templates/a.yaml:1", `function "env" not defined`}},
		{"nested", "{{ include \"deep\" . }}", []string{"web/templates/_helpers.tpl:1", "nil pointer"}},
		{"index", "{{ index (list 1) 3 }}", []string{"web/templates/a.yaml:1:3", "out of range"}},
		{"panic", `{{ repeat -1 "a" }}`, []string{"web/templates/a.yaml:1:3", "negative Repeat count"}},
		{"no such template", `{{ include "none" . }}`, []string{"web/templates/a.yaml:1:3", `no template "none"`}},
		{"recursion", `{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}`, []string{"web/templates/a.yaml:1:", "nested reference name: r"}},
		{"mark by hand", "{{ catalystAt 99 }}", []string{"no such template"}},
		{"yaml", object + "data: {a: b\n", []string{"web/templates/a.yaml", "line 4"}},
		{"yaml of the second", object + "---\napiVersion: v1\nkind: {\n", []string{"web/templates/a.yaml: document 2"}},
		{"no kind", "hello: world\n", []string{"web/templates/a.yaml", "no kind"}},
		{"no object", "- a\n", []string{"web/templates/a.yaml", "not a Kubernetes object"}},
		{"two objects in JSON, one without a kind", `{"apiVersion": "v1", "kind": "ConfigMap"} {"a": "b"}`, []string{"web/templates/a.yaml"}},
		{"items without a kind", "apiVersion: v1\nkind: List\nitems: [{a: b}]\n", []string{"web/templates/a.yaml", "no kind"}},
	} {
		r := inProcess(request(files("values.yaml", "text: a\n", "templates/_helpers.tpl", `{{ define "deep" }}{{ .Values.a.b.c }}{{ end }}`, "templates/a.yaml", c.template), nil))
		wantFailure(t, c.name, r.Failure, preview.CodeRender, c.parts...)
	}
}

// TestNothingOutside: templates have functions that ask for what is outside. They get nothing.
func TestNothingOutside(t *testing.T) {
	t.Parallel()
	template := `apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  secret: {{ lookup "v1" "Secret" "kube-system" "" | toJson | squote }}
  namespace: {{ lookup "v1" "Namespace" "" "default" | toJson | squote }}
  host: {{ getHostByName "localhost" | quote }}
  file: {{ .Files.Get "/etc/passwd" | quote }}
  above: {{ .Files.Get "../../../etc/passwd" | quote }}
  glob: {{ len (.Files.Glob "/etc/*") }}
`
	got := documents(t, request(files("templates/a.yaml", template), nil))["templates/a.yaml"]
	want := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  secret: '{}'\n  namespace: '{}'\n  host: \"\"\n  file: \"\"\n  above: \"\"\n  glob: 0\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWarnings: what a preview leaves out is told.
func TestWarnings(t *testing.T) {
	t.Parallel()
	r := inProcess(request(files("crds/a.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"), nil))
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "1 CustomResourceDefinitions in crds/") || len(r.Documents) != 0 {
		t.Errorf("%+v", r)
	}
}

// TestCaps: a chart that makes too much is told what.
func TestCaps(t *testing.T) {
	t.Parallel()
	object := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-{{ . }}}\n"
	for _, c := range []struct {
		name, template string
		part           string // of the failure; empty: it fits
	}{
		{"objects fit", "{{ range until 200 }}\n---\n" + object + "{{ end }}", ""},
		{"too many objects", "{{ range until 201 }}\n---\n" + object + "{{ end }}", "more than 200 objects"},
		{"too many items", "apiVersion: v1\nkind: Anything\nitems:\n{{ range until 201 }}- {apiVersion: v1, kind: ConfigMap}\n{{ end }}", "more than 200 objects"},
		{"too many in JSON", `{{ range until 201 }}{"apiVersion": "v1", "kind": "ConfigMap"}{{ end }}`, "more than 200 objects"},
		{"size fits", "apiVersion: v1\nkind: ConfigMap\ndata: {a: {{ repeat 1000000 \"a\" }}}\n", ""},
		{"too large", "apiVersion: v1\nkind: ConfigMap\ndata: {a: {{ repeat 1048576 \"a\" }}}\n", "more than 1 MiB, which is the most a release may have; the largest template is templates/a.yaml"},
		{"too many values", "apiVersion: v1\nkind: ConfigMap\ndata: [{{ repeat 60000 \"[],\" }}]\n", "more than 50000 values"},
		{"aliases of a long text", "apiVersion: v1\nkind: ConfigMap\na: &a {{ repeat 100000 \"a\" }}\nb: [{{ repeat 50 \"*a,\" }}]\n", "more than 4 MiB when they are written out"},
	} {
		r := inProcess(request(files("templates/a.yaml", c.template), nil))
		if c.part == "" {
			if r.Failure != nil {
				t.Errorf("%s: %+v", c.name, *r.Failure)
			}
			continue
		}
		wantFailure(t, c.name, r.Failure, preview.CodeRenderLimit, c.part)
	}
}
