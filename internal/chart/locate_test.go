package chart_test

import (
	"testing"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	c := &chart.Chart{
		Path: "deploy/chart", Values: &chart.File{Name: "deploy/values-preview.yaml"},
		Files: []chart.File{{Name: "Chart.yaml"}, {Name: "values.yaml"}, {Name: "templates/web.yaml"}, {Name: "templates/_helpers.tpl"}, {Name: "charts/db/templates/db.yaml"}},
	}
	for name, test := range map[string]struct {
		d    preview.Diagnosis
		file string
		line int
	}{
		"a template":      {preview.Diagnosis{Cause: `The chart does not render: template: web/templates/web.yaml:12:20: executing "web/templates/web.yaml" at <.Values.a.b>: nil pointer`}, "deploy/chart/templates/web.yaml", 12},
		"one called":      {preview.Diagnosis{Cause: `template: web/templates/web.yaml:3:4: executing … at <include "x" .>: error calling include: template: web/templates/_helpers.tpl:7:9: executing "x" at <fail>`}, "deploy/chart/templates/_helpers.tpl", 7},
		"does not parse":  {preview.Diagnosis{Cause: `parse error at (web/templates/web.yaml:9): unclosed action`}, "deploy/chart/templates/web.yaml", 9},
		"of a dependency": {preview.Diagnosis{Cause: `template: web/charts/db/templates/db.yaml:2:1: boom`}, "deploy/chart/charts/db/templates/db.yaml", 2},
		"in the evidence": {preview.Diagnosis{Cause: "The chart does not render.", Evidence: []string{"web/templates/web.yaml:4:1: no"}}, "deploy/chart/templates/web.yaml", 4},
		"nobody's file":   {preview.Diagnosis{Cause: `template: web/templates/../../secret.yaml:1:1: boom`}, "", 0},
		"an image":        {preview.Diagnosis{Cause: `failed to pull registry.example.com/web:12`}, "", 0},
		"values":          {preview.Diagnosis{Cause: "The values file deploy/values-preview.yaml cannot be read: error converting YAML to JSON: yaml: line 5: did not find expected key."}, "deploy/values-preview.yaml", 5},
		"its own values":  {preview.Diagnosis{Cause: "The chart's own values, deploy/chart/values.yaml, cannot be read: error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context."}, "deploy/chart/values.yaml", 2},
		"what it renders": {preview.Diagnosis{Cause: "The chart does not render: YAML parse error on web/templates/web.yaml: error converting YAML to JSON: yaml: line 8: boom"}, "", 0},
		"a value":         {preview.Diagnosis{Cause: `The values do not fit the chart's values.schema.json: deploy/values-preview.yaml:7: chart web: - at '/port': got string, want number`}, "deploy/values-preview.yaml", 7},
		"a default":       {preview.Diagnosis{Cause: `The values do not fit the chart's values.schema.json: deploy/chart/values.yaml:3: chart web: - at '/port': got string, want number`}, "deploy/chart/values.yaml", 3},
		"another's value": {preview.Diagnosis{Cause: `The values do not fit the chart's values.schema.json: ../deploy/values-preview.yaml:7: x`}, "", 0},
		"nobody's line":   {preview.Diagnosis{Cause: `The values do not fit the chart's values.schema.json: deploy/values-preview.yaml:0: x`}, "", 0},
		"nothing":         {preview.Diagnosis{Cause: "Not ready after 3m0s."}, "", 0},
	} {
		if file, line := c.Locate(test.d); file != test.file || line != test.line {
			t.Errorf("%s: %s:%d, want %s:%d", name, file, line, test.file, test.line)
		}
	}
}
