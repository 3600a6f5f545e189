package cluster

import (
	"context"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/render"
)

// File is one file of a chart directory.
type File = chart.File

// Renderer turns charts into manifests, where their templates can do no harm.
type Renderer interface {
	Render(ctx context.Context, q render.Request) (*render.Result, error)
}

// next says what the coming revision is to the chart's templates: whether no revision has ever come through, so that the chart is to be
// installed rather than upgraded (its install hooks have never succeeded), and its number.
func next(revisions []*release.Release) (first bool, number int) {
	if len(revisions) == 0 {
		return true, 1
	}
	switch revisions[0].Info.Status {
	case rcommon.StatusUninstalling, rcommon.StatusUninstalled:
		return true, 1
	}
	for i, r := range revisions {
		half := i == 0 && (r.Info.Status.IsPending() || r.Info.Status == rcommon.StatusUnknown) // recover marks it failed
		if r.Info.Status != rcommon.StatusFailed && !half {
			return false, revisions[0].Version + 1
		}
	}
	return true, 1
}

// render has the chart rendered for the coming revision.
func (op *operation) render(first bool, number int, can *common.Capabilities) (*render.Result, error) {
	result, err := op.c.renderer.Render(op.ctx, render.Request{
		Files: op.r.Files, Layers: op.r.Layers, Values: op.r.Values,
		Release: render.Release{Name: preview.Release, Namespace: op.r.Identity.Namespace, Revision: number, Install: first},
		Capabilities: render.Capabilities{
			Version: can.KubeVersion.Version, Major: can.KubeVersion.Major, Minor: can.KubeVersion.Minor, APIVersions: can.APIVersions,
		},
	})
	if err != nil {
		return nil, err
	}
	for _, w := range result.Warnings {
		op.c.log.WarnContext(op.ctx, "chart", "namespace", op.r.Identity.Namespace, "warning", w)
	}
	return result, nil
}

// inert makes a chart of what was rendered, for Helm to order, apply and record: its templates are the documents, and there is nothing in
// them to execute.
func inert(r *render.Result) *helmchart.Chart {
	c := &helmchart.Chart{Metadata: &helmchart.Metadata{
		APIVersion: helmchart.APIVersionV2, Name: r.Name, Version: r.Version, AppVersion: r.AppVersion, Type: "application",
	}}
	for _, d := range r.Documents {
		c.Templates = append(c.Templates, &common.File{Name: d.Name, Data: []byte(literal(d.Text))})
	}
	return c
}

// literal is a template that renders to the text, whatever the text is.
func literal(text string) string { return strings.ReplaceAll(text, "{{", `{{"{{"}}`) }
