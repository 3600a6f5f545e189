package cluster

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
)

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
		_, err := loadChart(append(makeChart(nil), File{Name: "values.schema.json", Data: []byte(schema)}), nil)
		wantText(t, diagnosis(t, err), preview.CodeValues, "not followed")

		sub := []File{
			{Name: "charts/db/Chart.yaml", Data: []byte("apiVersion: v2\nname: db\nversion: 1.0.0\n")},
			{Name: "charts/db/values.schema.json", Data: []byte(schema)},
		}
		if _, err := loadChart(append(makeChart(nil), sub...), map[string]any{"db": map[string]any{}}); err == nil {
			t.Errorf("%s in a dependency was accepted", name)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests to the server that schemas named", n)
	}
	inside := `{"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"n": {"type": "integer"}}, "properties": {"replicas": {"$ref": "#/definitions/n"}}}`
	if _, err := loadChart(append(makeChart(nil), File{Name: "values.schema.json", Data: []byte(inside)}), nil); err != nil {
		t.Errorf("references inside the schema: %v", err)
	}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	files := []File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, condition: db.enabled}]\n")},
		{Name: "charts/db/Chart.yaml", Data: []byte("apiVersion: v2\nname: db\nversion: 1.0.0\n")},
		{Name: "charts/db/values.schema.json", Data: []byte(`{"required": ["size"]}`)},
	}
	for _, c := range []struct {
		values map[string]any
		code   string
	}{
		{map[string]any{"db": map[string]any{"size": 1}}, ""},
		{map[string]any{"db": map[string]any{"enabled": true}}, preview.CodeValues},
		{map[string]any{"db": map[string]any{"enabled": false}}, ""}, // off: its schema says nothing
	} {
		copied := make([]File, len(files))
		copy(copied, files)
		_, err := loadChart(copied, c.values)
		if c.code == "" && err != nil {
			t.Errorf("%v: %v", c.values, err)
		}
		if c.code != "" {
			wantText(t, diagnosis(t, err), c.code, "size")
		}
	}
}
