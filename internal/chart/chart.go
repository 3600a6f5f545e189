package chart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"catalyst.dev/catalyst/internal/preview"
)

// Spec says where in the repository the chart and the values are.
type Spec struct {
	ChartPath  string // empty: the one chart among the usual places
	ValuesFile string // of the repository's values for previews; empty: none
}

// File is one file of a chart, named relative to the chart.
type File struct {
	Name string
	Data []byte
}

// Chart is a chart as it stands at one commit, in memory.
type Chart struct {
	Path     string         // in the repository
	Files    []File         // sorted by name; Chart.yaml is among them
	Defaults map[string]any // the chart's own values.yaml; nil when it has none
	Values   map[string]any // the repository's values file; nil when none is configured
}

// Open reads a repository's archive (gzipped tar, one top folder) and returns the chart it holds. What the repository did
// wrong is a *preview.Failure: no chart, several, links in it, values that cannot be read, an archive beyond DefaultLimits.
// Any other error is an outage. Nothing is left on disk.
func Open(ctx context.Context, src io.Reader, spec Spec) (*Chart, error) {
	return open(ctx, src, spec, DefaultLimits)
}

func open(ctx context.Context, src io.Reader, spec Spec, limits Limits) (c *Chart, err error) {
	tmp, err := os.MkdirTemp("", "catalyst-chart-")
	if err != nil {
		return nil, fmt.Errorf("open chart: %w", err)
	}
	defer func() {
		if removeErr := os.RemoveAll(tmp); err == nil && removeErr != nil {
			err = fmt.Errorf("open chart: %w", removeErr)
		}
	}()
	dir, err := os.OpenRoot(tmp)
	if err != nil {
		return nil, fmt.Errorf("open chart: %w", err)
	}
	defer func() { _ = dir.Close() }() // opened only to write, and every file is closed by now

	s := search{spec: spec, dir: dir, fsys: dir.FS()}
	s.links, err = Unpack(ctx, src, dir, limits, s.wants)
	if errors.Is(err, preview.ErrTooLarge) || errors.Is(err, preview.ErrInvalid) {
		return nil, failure(preview.CodeChartInvalid, err,
			fmt.Sprintf("The repository's archive cannot be used: %v.", err),
			"Make the repository smaller, or take the named file out of it.")
	}
	if err != nil {
		return nil, fmt.Errorf("open chart: %w", err)
	}
	c = &Chart{}
	if c.Path, err = s.find(); err != nil {
		return nil, err
	}
	if err := s.read(c); err != nil {
		return nil, err
	}
	if err := s.values(c); err != nil {
		return nil, err
	}
	return c, nil
}

// read takes the chart's files into memory.
func (s *search) read(c *Chart) error {
	for _, l := range s.links {
		if inside(l.Name, c.Path) {
			return failure(preview.CodeChartInvalid, nil,
				fmt.Sprintf("The chart at %s holds a %s, %s%s: charts with links are not accepted.", c.Path, l.Kind, l.Name, arrow(l)),
				"Replace it with a copy of what it points to.")
		}
	}
	err := fs.WalkDir(s.fsys, c.Path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(s.fsys, name)
		if err != nil {
			return err
		}
		c.Files = append(c.Files, File{Name: strings.TrimPrefix(name, c.Path+"/"), Data: data})
		return nil
	})
	if err != nil {
		return fmt.Errorf("read chart %s: %w", c.Path, err)
	}
	return nil
}

// values reads the chart's defaults and the repository's values.
func (s *search) values(c *Chart) error {
	for _, f := range c.Files {
		if f.Name != "values.yaml" {
			continue
		}
		var err error
		if c.Defaults, err = parseValues(f.Data); err != nil {
			return failure(preview.CodeChartInvalid, err,
				fmt.Sprintf("The chart's own values, %s/values.yaml, cannot be read: %v.", c.Path, err), "Correct the file.")
		}
	}
	if s.spec.ValuesFile == "" {
		return nil
	}
	name := path.Clean(s.spec.ValuesFile)
	if l := s.linkAbove(name); l != nil {
		return failure(preview.CodeValues, nil,
			fmt.Sprintf("The values file %s cannot be used: %s is a %s%s.", name, l.Name, l.Kind, arrow(*l)), "Replace it with a file.")
	}
	data, err := fs.ReadFile(s.fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return failure(preview.CodeValues, err,
			fmt.Sprintf("The values file %s is not in the repository at this commit.", name),
			"Add it, or correct `values` in the server's configuration of the repository.")
	}
	if err != nil {
		return fmt.Errorf("read values file %s: %w", name, err)
	}
	if c.Values, err = parseValues(data); err != nil {
		return failure(preview.CodeValues, err, fmt.Sprintf("The values file %s cannot be read: %v.", name, err), "Correct the file.")
	}
	return nil
}

// parseValues reads values as Helm reads them: numbers keep their written form.
func parseValues(data []byte) (map[string]any, error) {
	values := map[string]any{}
	err := yaml.Unmarshal(data, &values, func(d *json.Decoder) *json.Decoder {
		d.UseNumber()
		return d
	})
	if values == nil {
		values = map[string]any{}
	}
	return values, err
}

func arrow(l Link) string {
	if l.Target == "" {
		return ""
	}
	return " → " + l.Target
}

func failure(code string, err error, cause, fix string) error {
	blame := preview.BlameChange
	if code == preview.CodeChartMissing || code == preview.CodeValues {
		blame = preview.BlameConfig
	}
	return preview.Fail(err, preview.Diagnosis{Code: code, Cause: cause, Fix: fix, Blame: blame})
}
