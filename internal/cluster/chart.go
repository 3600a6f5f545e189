package cluster

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v4/pkg/action"
	hchart "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"catalyst.dev/catalyst/internal/preview"
)

// File is one file of a chart directory.
type File struct {
	Name string // with forward slashes, relative to the directory: "Chart.yaml", "templates/web.yaml"
	Data []byte
}

// loadChart reads the chart and checks the values against its schemas. Every error is a *preview.Failure.
func loadChart(files []File, values map[string]any) (c *chart.Chart, err error) {
	defer func() {
		// Helm's loaders have panicked on hostile metadata before (CVE-2025-55198).
		if r := recover(); r != nil {
			c, err = nil, chartFailure(fmt.Errorf("the loader gave up: %v", r))
		}
	}()
	buffered := make([]*archive.BufferedFile, len(files))
	for i, f := range files {
		buffered[i] = &archive.BufferedFile{Name: f.Name, Data: f.Data}
	}
	c, err = loader.LoadFiles(buffered)
	if err != nil {
		return nil, chartFailure(err)
	}
	if c.Metadata.Type == "library" {
		return nil, chartFailure(fmt.Errorf("chart %s is a library: it has nothing to deploy", c.Name()))
	}
	var wanted []hchart.Dependency
	for _, d := range c.Metadata.Dependencies {
		wanted = append(wanted, d)
	}
	if err := action.CheckDependencies(c, wanted); err != nil {
		f := chartFailure(err)
		f.Diagnosis.Fix = "Run `helm dependency build` and commit the charts/ directory: Catalyst downloads no dependencies."
		return nil, f
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, chartFailure(err)
	}
	merged, err := util.CoalesceValues(c, values)
	if err != nil {
		return nil, chartFailure(err)
	}
	if err := validate(c, merged); err != nil {
		return nil, preview.Fail(err, preview.Diagnosis{
			Code:  preview.CodeValues,
			Cause: "The values do not fit the chart's values.schema.json: " + oneLine(err.Error()),
			Fix:   "Correct the values, or the schema.",
			Blame: preview.BlameConfig,
		})
	}
	return c, nil
}

func chartFailure(err error) *preview.Failure {
	return preview.Fail(err, preview.Diagnosis{
		Code:  preview.CodeChartInvalid,
		Cause: "The chart cannot be loaded: " + oneLine(err.Error()),
		Fix:   "Check it with `helm lint` and push again.",
		Blame: preview.BlameChange,
	})
}

// validate checks the values against the schema of the chart and of its enabled dependencies. Helm's own check follows
// references to any URL from inside the cluster (and file: from its disk), so it is switched off and this one is used: it
// follows none.
func validate(c *chart.Chart, values map[string]any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("schema of chart %s: %v", c.Name(), r)
		}
	}()
	if len(c.Schema) > 0 {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
		if err != nil {
			return fmt.Errorf("schema of chart %s: %w", c.Name(), err)
		}
		compiler := jsonschema.NewCompiler()
		compiler.UseLoader(noLoader{})
		const name = "catalyst:values.schema.json"
		if err := compiler.AddResource(name, document); err != nil {
			return fmt.Errorf("schema of chart %s: %w", c.Name(), err)
		}
		schema, err := compiler.Compile(name)
		if err != nil {
			return fmt.Errorf("schema of chart %s: %w", c.Name(), err)
		}
		if err := schema.Validate(values); err != nil {
			_, detail, _ := strings.Cut(err.Error(), "\n") // the first line only names the schema
			return fmt.Errorf("chart %s: %s", c.Name(), detail)
		}
	}
	for _, d := range c.Dependencies() {
		sub, ok := values[d.Name()].(map[string]any)
		if !ok {
			continue
		}
		if err := validate(d, sub); err != nil {
			return err
		}
	}
	return nil
}

type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside of the chart, and references outside are not followed", url)
}
