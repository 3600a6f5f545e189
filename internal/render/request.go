package render

import (
	"catalyst.dev/catalyst/internal/chart"
)

// Request is a chart to be rendered for one release.
type Request struct {
	Files        []chart.File       `json:"-"` // the chart directory
	Layers       *chart.ValuesInput // what the values are laid together from; nil: nothing but Values. Of its Chart only the path and the repository's values are used
	Values       map[string]any     // laid over everything
	Release      Release
	Capabilities Capabilities
}

// Release is what templates see as .Release.
type Release struct {
	Name, Namespace string
	Revision        int
	Install         bool // else it is an upgrade
}

// Capabilities is what templates see as .Capabilities: what the cluster can do.
type Capabilities struct {
	Version, Major, Minor string // of Kubernetes
	APIVersions           []string
}

// Result is a rendered chart. Its name and versions are fit to be stored and shown; whatever the author wrote that is not has been replaced.
type Result struct {
	Name, Version, AppVersion string
	Documents                 []Document     // hooks among them, in the order of their names; none is blank
	Values                    map[string]any // what was laid over the chart's own, for the record; nil when that is too much
	Warnings                  []string       // for the log
}

// Document is what one template rendered to: a stream of YAML documents.
type Document struct {
	Name string // path in the chart: templates/web.yaml, charts/db/templates/db.yaml
	Text string
}
