package render

import (
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
)

// TestMisfitHasALine: a value that the schema does not allow is told with the line where the repository has it, and with none where what
// counts was written by somebody else.
func TestMisfitHasALine(t *testing.T) {
	t.Parallel()
	const schema = `{"properties": {"web": {"properties": {"port": {"type": "number"}, "hosts": {"items": {"type": "string"}}, "name": {"type": "string"}},
		"required": ["port"], "additionalProperties": false}, "replicaCount": {"type": "string"}, "who": {"type": "string"}, "db": {}}, "required": ["web"]}`
	const defaults = "# defaults\nweb:\n  port: 80\n  hosts: [a]\n  name: x\n"
	for name, c := range map[string]struct {
		repository, defaults string
		base                 map[string]any
		want                 string // "": no line
	}{
		"in the values file":          {"# ours\n\nweb:\n  port: http\n", defaults, nil, "deploy/preview.yaml:4:"},
		"in the defaults":             {"a: 1\n", "web:\n  port: http\n", nil, "deploy/chart/values.yaml:2:"},
		"in a list":                   {"web:\n  hosts:\n  - a\n  - 7\n", defaults, nil, "deploy/preview.yaml:4:"},
		"behind an alias":             {"x: &x\n  port: http\nweb: *x\n", defaults, nil, "deploy/preview.yaml:2:"},
		"a property too many":         {"web:\n  port: 1\n  prot: 2\n", defaults, nil, "deploy/preview.yaml:3:"},
		"a property that lacks":       {"a: 1\nweb:\n  name: y\n", "b: 1\n", nil, "deploy/preview.yaml:2:"},
		"all of it lacks":             {"\na: 1\n", "b: 1\n", nil, "deploy/preview.yaml:2:"},
		"Catalyst's own value":        {"replicaCount: \"2\"\n", defaults, nil, ""},
		"the operator's":              {"a: 1\n", defaults, map[string]any{"who": 1}, ""},
		"the operator's, but the map": {"web:\n  port: 1\n", defaults, map[string]any{"who": 1}, ""},
		"a dependency's":              {"web:\n  port: 1\nreplicaCount: 1\ndb:\n  size: big\n", defaults, nil, "deploy/preview.yaml:5:"},
	} {
		list := files("values.yaml", c.defaults, "values.schema.json", schema,
			"charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n", "charts/db/values.schema.json", `{"properties": {"size": {"type": "number"}}}`)
		if name == "a dependency's" {
			list = files("values.yaml", c.defaults, list[3].Name, string(list[3].Data), list[4].Name, string(list[4].Data))
		}
		q := request(list, nil)
		q.Layers = &chart.ValuesInput{Base: c.base, Host: "h.example.com", Chart: &chart.Chart{
			Path: "deploy/chart", Files: q.Files, Values: &chart.File{Name: "deploy/preview.yaml", Data: []byte(c.repository)},
		}}
		if name != "Catalyst's own value" {
			q.Values = map[string]any{"replicaCount": "1"} // it would be the first mistake otherwise
		}
		r := inProcess(q)
		wantFailure(t, name, r.Failure, preview.CodeValues, c.want)
		if r.Failure == nil {
			continue
		}
		file, line := q.Layers.Chart.Locate(*r.Failure)
		if c.want == "" && (file != "" || strings.Contains(r.Failure.Cause, ".yaml:")) || c.want != "" && (line == 0 || !strings.HasPrefix(c.want, file+":")) {
			t.Errorf("%s: %s:%d, want %q; %s", name, file, line, c.want, r.Failure.Cause)
		}
	}
}
