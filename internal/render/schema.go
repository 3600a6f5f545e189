package render

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// validate checks the values against the schema of the chart and of its enabled dependencies. Helm's own check would follow references to any
// URL and any file, so it is switched off and this one is used: it follows none.
func validate(c *helmchart.Chart, values map[string]any) (err error) {
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
