package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
)

// job is the child's one piece of work.
type job struct {
	request  Request
	progress func(what string) // tells the parent what is worked on, so that a crash has a place
	at       string            // what was told last
	warnings []string
}

func (j *job) tell(what string) {
	j.at = what
	j.progress(what)
}

func (j *job) warn(format string, args ...any) {
	if len(j.warnings) < maxWarnings {
		j.warnings = append(j.warnings, fmt.Sprintf(format, args...))
	}
}

// run renders and never fails: what goes wrong is in the reply.
func (j *job) run() (r reply) {
	defer func() {
		if p := recover(); p != nil { // Helm's loaders have panicked on hostile metadata before (CVE-2025-55198)
			r = failed(Failure(fmt.Errorf("%s: the renderer gave up: %v", j.at, p)))
		}
	}()
	values, err := j.values()
	if err != nil {
		return failed(err)
	}
	c, err := j.load(values)
	if err != nil {
		return failed(err)
	}
	texts, err := j.execute(c, values)
	if err != nil {
		return failed(err)
	}
	if err := j.count(texts); err != nil {
		return failed(err)
	}
	r = reply{Name: c.Metadata.Name, Version: c.Metadata.Version, AppVersion: c.Metadata.AppVersion, Warnings: j.warnings}
	if encoded, err := json.Marshal(values); err == nil && len(encoded) <= maxValues {
		r.Values = values
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		r.Documents = append(r.Documents, Document{Name: inChart(c, name), Text: texts[name]})
	}
	return r
}

// inChart takes the chart's name off the name of a template, which the engine has put there.
func inChart(c *helmchart.Chart, name string) string {
	return name[min(len(c.Name())+1, len(name)):]
}

func (j *job) values() (map[string]any, error) {
	j.tell("the values")
	var below map[string]any
	if j.request.Layers != nil {
		var err error
		if below, err = chart.Values(*j.request.Layers); err != nil {
			return nil, err
		}
	}
	return chart.Merge(below, j.request.Values), nil
}

func failed(err error) reply {
	failure, ok := errors.AsType[*preview.Failure](err)
	if !ok {
		failure = Failure(err)
	}
	return reply{Failure: &failure.Diagnosis}
}
