package chart

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// search finds the chart in an unpacked archive.
type search struct {
	spec  Spec
	dir   *os.Root
	fsys  fs.FS
	links []Link
}

// places are where a chart is looked for when the configuration names none. A * stands for one folder.
var places = []string{"chart", "charts/*", "deploy/chart", "helm"}

// wants says which files of the archive are worth writing: the chart's and the values file. Folders above them are wanted
// too, since a link in their place has to be told about.
func (s *search) wants(name string) bool {
	if s.spec.ValuesFile != "" && within(name, path.Clean(s.spec.ValuesFile)) {
		return true
	}
	if s.spec.ChartPath != "" {
		return within(name, path.Clean(s.spec.ChartPath))
	}
	for _, p := range places {
		if within(name, strings.TrimSuffix(p, "/*")) {
			return true
		}
	}
	return false
}

// within reports whether a name is the place, in it, or a folder above it.
func within(name, place string) bool { return inside(name, place) || inside(place, name) }

// inside reports whether a name is the folder or in it.
func inside(name, folder string) bool {
	return folder == "." || name == folder || strings.HasPrefix(name, folder+"/")
}

// find returns the chart's path.
func (s *search) find() (string, error) {
	if s.spec.ChartPath != "" {
		given := path.Clean(s.spec.ChartPath)
		if s.isChart(given) {
			return given, nil
		}
		cause := fmt.Sprintf("There is no chart at %s in the repository at this commit: %s/Chart.yaml is missing.", given, given)
		if l := s.linkAbove(given); l != nil {
			cause = fmt.Sprintf("There is no chart at %s in the repository at this commit: %s is a %s%s, and links are not followed.", given, l.Name, l.Kind, arrow(*l))
		}
		return "", failure(preview.CodeChartMissing, nil, cause, "Add the chart, or correct `chart` in the server's configuration of the repository.")
	}
	var found []string
	for _, place := range places {
		candidates, err := fs.Glob(s.fsys, place)
		if err != nil {
			return "", fmt.Errorf("look for a chart in %s: %w", place, err)
		}
		for _, c := range candidates {
			if s.isChart(c) {
				found = append(found, c)
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		cause := "The repository holds no Helm chart at this commit: looked for Chart.yaml in " + strings.Join(places, ", ") + "."
		for _, l := range s.links {
			cause += fmt.Sprintf(" %s is a %s%s, and links are not followed.", l.Name, l.Kind, arrow(l))
			break
		}
		return "", failure(preview.CodeChartMissing, nil, cause, "Add a chart in one of these places, or set `chart` in the server's configuration of the repository.")
	}
	return "", failure(preview.CodeChartMissing, nil,
		"The repository holds several Helm charts: "+strings.Join(found, ", ")+".",
		"Say which one to use: set `chart` in the server's configuration of the repository.")
}

func (s *search) isChart(dir string) bool {
	info, err := fs.Stat(s.fsys, path.Join(dir, "Chart.yaml"))
	return err == nil && info.Mode().IsRegular()
}

// linkAbove returns the link that stands in a path's way, or nil.
func (s *search) linkAbove(name string) *Link {
	for _, l := range s.links {
		if inside(name, l.Name) {
			return &l
		}
	}
	return nil
}
