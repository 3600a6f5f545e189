package render

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
)

// files are a chart's: its Chart.yaml, and then names and contents that alternate.
func files(more ...string) []chart.File {
	list := []chart.File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: \"7\"\n")}}
	for i := 0; i < len(more); i += 2 {
		list = append(list, chart.File{Name: more[i], Data: []byte(more[i+1])})
	}
	return list
}

// request is one that the engine would get from the cluster package.
func request(files []chart.File, values map[string]any) Request {
	return Request{
		Files: files, Values: values, Release: Release{Name: "app", Namespace: "pr-web-7", Revision: 3},
		Capabilities: Capabilities{Version: "v1.34.2", Major: "1", Minor: "34", APIVersions: []string{"v1", "apps/v1"}},
	}
}

// inProcess renders without a child, which takes no time.
func inProcess(q Request) reply {
	j := job{request: q, progress: func(string) {}}
	return j.run()
}

// documents are the texts of a rendering that must succeed, by their names.
func documents(t *testing.T, q Request) map[string]string {
	t.Helper()
	r := inProcess(q)
	if r.Failure != nil {
		t.Fatalf("%+v", *r.Failure)
	}
	texts := map[string]string{}
	for _, d := range r.Documents {
		texts[d.Name] = d.Text
	}
	return texts
}

// wantFailure checks the code, and that all parts are in what people read.
func wantFailure(t *testing.T, name string, d *preview.Diagnosis, code string, parts ...string) {
	t.Helper()
	if d == nil {
		t.Errorf("%s: no failure, want %s", name, code)
		return
	}
	text := d.Cause + "\n" + strings.Join(d.Evidence, "\n") + "\n" + d.Fix
	if d.Code != code || d.Fix == "" || d.Blame == "" {
		t.Errorf("%s: %+v, want %s", name, *d, code)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %+v, want %q in it", name, *d, part)
		}
	}
}

// diagnosis is the failure in an error.
func diagnosis(t *testing.T, err error) *preview.Diagnosis {
	t.Helper()
	failure, ok := errors.AsType[*preview.Failure](err)
	if !ok {
		t.Fatalf("%v is not a failure", err)
	}
	return &failure.Diagnosis
}

// TestSchemaFollowsNoReference: Helm's own validation would ask any server, and read any file, that a schema names.
func TestSchemaFollowsNoReference(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("true"))
	}))
	defer server.Close()
	local := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(local, []byte("true"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, schema := range map[string]string{
		"reference": `{"$ref": "` + server.URL + `/latest/meta-data"}`,
		"nested":    `{"properties": {"a": {"items": {"$ref": "` + server.URL + `"}}}}`,
		"meta":      `{"$schema": "` + server.URL + `"}`,
		"base":      `{"$id": "` + server.URL + `/a/", "properties": {"a": {"$ref": "b"}}}`,
		"file":      `{"$ref": "file://` + local + `"}`,
	} {
		r := inProcess(request(files("values.schema.json", schema), nil))
		wantFailure(t, name, r.Failure, preview.CodeValues, "not followed")
		r = inProcess(request(files(
			"charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n", "charts/db/values.schema.json", schema,
		), map[string]any{"db": map[string]any{}}))
		wantFailure(t, name+" in a dependency", r.Failure, preview.CodeValues, "not followed")
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests to the server that schemas named", n)
	}
	inside := `{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"n": {"type": "integer"}}, "properties": {"replicas": {"$ref": "#/definitions/n"}}}`
	documents(t, request(files("values.schema.json", inside), map[string]any{"replicas": 1}))
	r := inProcess(request(files("values.schema.json", inside), map[string]any{"replicas": "one"}))
	wantFailure(t, "reference inside", r.Failure, preview.CodeValues, "/replicas", "got string, want integer")
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	parent := "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, condition: db.enabled, repository: \"https://charts.example.com\"}]\n"
	sub := []string{
		"charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n", "charts/db/values.schema.json", `{"required": ["size"]}`,
		"charts/db/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\ndata: {size: {{ .Values.size | quote }}}\n",
	}
	for _, c := range []struct {
		name   string
		db     map[string]any
		vendor bool
		code   string
		text   string
	}{
		{"there", map[string]any{"size": 1}, true, "", `size: "1"`},
		{"schema of a dependency", map[string]any{"enabled": true}, true, preview.CodeValues, "size"},
		{"off: its schema says nothing", map[string]any{"enabled": false}, true, "", ""},
		{"not there", map[string]any{"size": 1}, false, preview.CodeChartInvalid, "helm dependency build"},
	} {
		list := files()
		if c.vendor {
			list = files(sub...)
		}
		list[0].Data = []byte(parent)
		q := request(list, map[string]any{"db": c.db})
		if c.code != "" {
			wantFailure(t, c.name, inProcess(q).Failure, c.code, c.text)
			continue
		}
		if got := documents(t, q)["charts/db/templates/a.yaml"]; !strings.Contains(got, c.text) || c.text == "" && got != "" {
			t.Errorf("%s: %q, want %q", c.name, got, c.text)
		}
	}
}

// TestIgnored: what .helmignore names is not there, as when Helm reads a directory.
func TestIgnored(t *testing.T) {
	t.Parallel()
	object := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	got := documents(t, request(files(
		".helmignore", "# comment\nci/\n*.bak.yaml\n", "templates/a.yaml", object, "templates/b.bak.yaml", object,
		"templates/ci/c.yaml", object, "templates/.hidden.yaml", object,
	), nil))
	if diff := cmp.Diff(map[string]string{"templates/a.yaml": object}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, text := range map[string]string{"all": "*\n", "not a pattern": "[\n", "unsupported": "**/x\n"} {
		r := inProcess(request(files(".helmignore", text), nil))
		wantFailure(t, name, r.Failure, preview.CodeChartInvalid, ".helmignore")
	}
}

// TestMetadata: a chart's own words about itself fail by name, or come back harmless.
func TestMetadata(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"name":        "apiVersion: v2\nname: ../../x\nversion: 1.0.0\n",
		"dots":        "apiVersion: v2\nname: ..\nversion: 1.0.0\n",
		"version":     "apiVersion: v2\nname: web\nversion: \"\\e[31m1\"\n",
		"no version":  "apiVersion: v2\nname: web\n",
		"no name":     "apiVersion: v2\nversion: 1.0.0\n",
		"maintainer":  "apiVersion: v2\nname: web\nversion: 1.0.0\nmaintainers: [null]\n",
		"dependency":  "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [null]\n",
		"library":     "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: library\n",
		"no YAML":     "\x00",
		"other type":  "apiVersion: v2\nname: web\nversion: 1.0.0\ntype: daemon\n",
		"not a map":   "- a\n",
		"api version": "apiVersion: v9\nname: web\nversion: 1.0.0\n",
	} {
		list := files()
		list[0].Data = []byte(text)
		r := inProcess(request(list, nil))
		if name == "api version" && r.Failure == nil {
			continue // Helm takes it as it is
		}
		wantFailure(t, name, r.Failure, preview.CodeChartInvalid)
	}
	list := files()
	list[0].Data = []byte("apiVersion: v2\nname: web\nversion: 1.0.0\nkubeVersion: \"< 1.20\"\n")
	wantFailure(t, "kubeVersion", inProcess(request(list, nil)).Failure, preview.CodeRender, "kubeVersion: < 1.20", "v1.34.2")
}
