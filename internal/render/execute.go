package render

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

// execute runs the templates and returns what they make, by their names as the engine has them. Blank ones, partials and notes are left out.
// There is no cluster to look anything up in, and names are not resolved.
func (j *job) execute(c *helmchart.Chart, values map[string]any) (map[string]string, error) {
	capabilities := &common.Capabilities{
		KubeVersion: common.KubeVersion{Version: j.request.Capabilities.Version, Major: j.request.Capabilities.Major, Minor: j.request.Capabilities.Minor},
		APIVersions: j.request.Capabilities.APIVersions,
		HelmVersion: common.DefaultCapabilities.HelmVersion,
	}
	if wanted := c.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return nil, Failure(fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", wanted, capabilities.KubeVersion.Version))
	}
	r := j.request.Release
	options := common.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: r.Revision, IsInstall: r.Install, IsUpgrade: !r.Install}
	const skipSchema = true // load has checked it
	all, err := util.ToRenderValuesWithSchemaValidation(c, values, options, capabilities, skipSchema)
	if err != nil {
		return nil, Failure(err)
	}
	marks := mark(c)
	j.tell("the templates")
	rendered, err := engine.Engine{CustomTemplateFuncs: template.FuncMap{markFunc: func(i int) (string, error) {
		if i < 0 || i >= len(marks) {
			return "", errors.New("no such template")
		}
		j.tell(marks[i])
		return "", nil
	}}}.RenderWithContext(context.Background(), c, all)
	if err != nil {
		return nil, j.templateFailure(err, marks)
	}
	return j.keep(c, rendered)
}

func (j *job) templateFailure(err error, marks []string) error {
	text := unmark(err.Error(), marks)
	if panicked, ok := strings.CutPrefix(text, "rendering template failed: "); ok {
		text = j.at + ": the template engine gave up: " + panicked
	}
	return Failure(errors.New(text))
}

// keep drops what is no manifest and counts the bytes of the rest.
func (j *job) keep(c *helmchart.Chart, rendered map[string]string) (map[string]string, error) {
	kept := map[string]string{}
	size := 0
	for name, text := range rendered {
		if isPartial(name) || strings.HasSuffix(name, "NOTES.txt") || strings.TrimSpace(text) == "" {
			continue
		}
		kept[name] = text
		if size += len(text); size > maxManifest {
			largest := name
			for other, text := range rendered {
				if len(text) > len(rendered[largest]) {
					largest = other
				}
			}
			return nil, exceeded(fmt.Sprintf(
				"The chart renders to more than %d MiB, which is the most a release may have; the largest template is %s with %d KiB.",
				maxManifest>>20, inChart(c, largest), len(rendered[largest])>>10))
		}
	}
	return kept, nil
}

// markFunc is the template function that says which template runs.
const markFunc = "catalystAt"

// mark puts a call in front of each template that tells when it starts to run: the engine itself does not say, and a template that never ends
// leaves no error. It prints nothing.
func mark(c *helmchart.Chart) []string {
	var names []string
	var visit func(*helmchart.Chart)
	visit = func(c *helmchart.Chart) {
		for _, t := range c.Templates {
			if !isPartial(t.Name) {
				t.Data = append([]byte(markCall(len(names))), t.Data...)
				names = append(names, path.Join(c.ChartFullPath(), t.Name))
			}
		}
		for _, d := range c.Dependencies() {
			visit(d)
		}
	}
	visit(c)
	return names
}

func markCall(i int) string { return fmt.Sprintf("{{%s %d}}", markFunc, i) }

// unmark makes the columns in a message those of the author's file again: the mark stands in its first line.
func unmark(message string, marks []string) string {
	for i, name := range marks {
		if !strings.Contains(message, name+":1:") {
			continue
		}
		place := regexp.MustCompile(regexp.QuoteMeta(name) + `:1:(\d+)`)
		message = place.ReplaceAllStringFunc(message, func(found string) string {
			column, err := strconv.Atoi(place.FindStringSubmatch(found)[1])
			if err != nil {
				return found
			}
			return fmt.Sprintf("%s:1:%d", name, max(0, column-len(markCall(i))))
		})
	}
	return message
}
