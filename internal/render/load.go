package render

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/ignore"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
)

// load reads the chart, brings its dependencies in order for the values, and checks the values against its schemas.
func (j *job) load(values map[string]any) (*helmchart.Chart, error) {
	j.tell("the chart's files")
	files, err := unignored(j.request.Files)
	if err != nil {
		return nil, chartFailure(err)
	}
	buffered := make([]*archive.BufferedFile, len(files))
	for i, f := range files {
		buffered[i] = &archive.BufferedFile{Name: f.Name, Data: f.Data}
	}
	c, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, chartFailure(err)
	}
	if c.Metadata.Type == "library" {
		return nil, chartFailure(fmt.Errorf("chart %s is a library: it has nothing to deploy", c.Name()))
	}
	if err := j.dependencies(c, values); err != nil {
		return nil, err
	}
	if n := len(c.CRDObjects()); n > 0 {
		j.warn("the chart has %d CustomResourceDefinitions in crds/: a preview installs none", n)
	}
	if c.Metadata.Deprecated {
		j.warn("the chart is marked as deprecated")
	}
	j.tell("the values' schema")
	merged, err := util.CoalesceValues(c, values)
	if err != nil {
		return nil, chartFailure(err)
	}
	if err := validate(c, merged); err != nil {
		place := ""
		if m, ok := errors.AsType[*misfit](err); ok {
			if where := j.origin(m.at, merged); where != "" {
				place = where + ": " // where chart.Locate finds it
			}
		}
		return nil, preview.Fail(err, preview.Diagnosis{
			Code:  preview.CodeValues,
			Cause: "The values do not fit the chart's values.schema.json: " + place + oneLine(err.Error()),
			Fix:   "Correct the values, or the schema.",
			Blame: preview.BlameConfig,
		})
	}
	return c, nil
}

// dependencies drops those that are switched off. All that Chart.yaml names have to be there: nothing is downloaded.
func (j *job) dependencies(c *helmchart.Chart, values map[string]any) error {
	j.tell("the chart's dependencies")
	var missing []string
	for _, wanted := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(c.Dependencies(), func(d *helmchart.Chart) bool { return d.Name() == wanted.Name }) {
			missing = append(missing, wanted.Name)
		}
	}
	if len(missing) > 0 {
		f := chartFailure(fmt.Errorf("found in Chart.yaml, but missing in charts/ directory: %s", strings.Join(missing, ", ")))
		f.Diagnosis.Fix = "Run `helm dependency build` and commit the charts/ directory: Catalyst downloads no dependencies."
		return f
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return chartFailure(err)
	}
	return nil
}

// unignored leaves out what the chart's .helmignore names, as Helm does when it reads a directory.
func unignored(files []chart.File) ([]chart.File, error) {
	rules := ignore.Empty()
	for _, f := range files {
		if f.Name == ignore.HelmIgnore {
			var err error
			if rules, err = ignore.Parse(bytes.NewReader(f.Data)); err != nil {
				return nil, fmt.Errorf("read .helmignore: %w", err)
			}
		}
	}
	rules.AddDefaults()
	var kept []chart.File
	for _, f := range files {
		if !ignored(rules, f.Name) {
			kept = append(kept, f)
		}
	}
	if len(kept) == 0 {
		return nil, errors.New(".helmignore leaves nothing of the chart")
	}
	return kept, nil
}

// ignored reports whether the rules leave out a file or a folder above it.
func ignored(rules *ignore.Rules, name string) bool {
	for i, r := range name {
		if r == '/' && rules.Ignore(name[:i], entry{name[:i], true}) {
			return true
		}
	}
	return rules.Ignore(name, entry{name, false})
}

// entry is what the rules want to know of a file or folder.
type entry struct {
	name string
	dir  bool
}

func (e entry) Name() string     { return path.Base(e.name) }
func (entry) Size() int64        { return 0 }
func (entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool      { return e.dir }
func (entry) Sys() any           { return nil }

func (e entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir
	}
	return 0
}

// isPartial tells a template that only helps others: its file's name starts with _.
func isPartial(name string) bool { return strings.HasPrefix(path.Base(name), "_") }
