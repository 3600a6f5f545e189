package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

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

// Chart is a chart as it stands at one commit, in memory and not looked into: what its files say is read where it is rendered.
type Chart struct {
	Path   string // in the repository
	Files  []File // sorted by name; Chart.yaml is among them
	Values *File  // the repository's values file, named relative to the repository; nil when none is configured
}

// The most a chart may hold. Rendered, it has to fit into one Secret of the cluster, so what it is made from is not much larger.
const (
	maxChartBytes = 10 << 20
	maxChartFiles = 5000
)

// Open reads a repository's archive (gzipped tar, one top folder) and returns the chart it holds. What the repository did
// wrong is a *preview.Failure: no chart, several, links in it, a values file that is missing, an archive beyond DefaultLimits,
// a chart too large. Any other error is an outage. Nothing is left on disk.
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
	var size int64
	err := fs.WalkDir(s.fsys, c.Path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if size += info.Size(); size > maxChartBytes || len(c.Files) == maxChartFiles {
			return failure(preview.CodeChartInvalid, nil,
				fmt.Sprintf("The chart at %s is too large: a chart may have %d files and %d MiB.", c.Path, maxChartFiles, maxChartBytes>>20),
				"Give the chart a folder of its own, and leave out of it what the templates do not need.")
		}
		data, err := fs.ReadFile(s.fsys, name)
		if err != nil {
			return err
		}
		c.Files = append(c.Files, File{Name: strings.TrimPrefix(name, c.Path+"/"), Data: data})
		return nil
	})
	if _, ok := errors.AsType[*preview.Failure](err); err != nil && !ok {
		return fmt.Errorf("read chart %s: %w", c.Path, err)
	}
	return err
}

// values takes the repository's values file into memory.
func (s *search) values(c *Chart) error {
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
	c.Values = &File{Name: name, Data: data}
	return nil
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
