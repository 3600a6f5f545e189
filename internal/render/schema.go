package render

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// misfit is a value that a schema does not allow.
type misfit struct {
	at   []string // the way to it in the values
	text string
}

func (m *misfit) Error() string { return m.text }

// validate checks the values against the schema of the chart and of its enabled dependencies. Helm's own check would follow references to any
// URL and any file, so it is switched off and this one is used: it follows none. The error of a value that is not allowed is a *misfit.
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
			return &misfit{at: firstWrong(err), text: fmt.Sprintf("chart %s: %s", c.Name(), detail)}
		}
	}
	for _, d := range c.Dependencies() {
		sub, ok := values[d.Name()].(map[string]any)
		if !ok {
			continue
		}
		if err := validate(d, sub); err != nil {
			if m, ok := errors.AsType[*misfit](err); ok {
				m.at = append([]string{d.Name()}, m.at...)
			}
			return err
		}
	}
	return nil
}

// firstWrong is the way to the first value that is not allowed, and to the property that is too much where that is the mistake.
func firstWrong(err error) []string {
	v, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil
	}
	for len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	at := slices.Clone(v.InstanceLocation)
	if more, ok := v.ErrorKind.(*kind.AdditionalProperties); ok && len(more.Properties) > 0 {
		at = append(at, more.Properties[0])
	}
	return at
}

type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside of the chart, and references outside are not followed", url)
}
