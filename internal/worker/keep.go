package worker

import (
	"context"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/preview"
)

// Keeper keeps what previews leave behind, on this process's disk.
type Keeper interface {
	Has(previewID, deploymentID string, r kept.Reason) bool
	Keep(e kept.Entry, files []kept.File) error
	Prune() error
}

// Collector reads what tells of a preview.
type Collector interface {
	Collect(ctx context.Context, id cluster.Identity) ([]cluster.Paper, error)
}

// keepTime is how long the work waits for what is kept. It is a help: a removal goes on without it.
const keepTime = 4 * time.Second

// keep keeps the last logs and events of the preview, once for each deployment and reason. Nothing depends on it.
func (w *Worker) keep(ctx context.Context, p preview.Preview, why kept.Reason) {
	if w.Keeper == nil || p.NamespaceUID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	newest, err := w.Reader.Deployments(ctx, p.ID, 1)
	if err != nil || len(newest) == 0 || w.Keeper.Has(p.ID, newest[0].ID, why) {
		return
	}
	papers, err := w.Collector.Collect(ctx, identity(p))
	if err != nil {
		w.Log.Warn("the last logs are not kept", "preview", p.Ref(), "error", err)
		return
	}
	files := make([]kept.File, len(papers))
	for i, paper := range papers {
		files[i] = kept.File{Name: paper.Name, Text: paper.Text}
	}
	e := kept.Entry{PreviewID: p.ID, DeploymentID: newest[0].ID, Reason: why, Ref: p.Ref(), SHA: newest[0].SHA}
	if err := w.Keeper.Keep(e, files); err != nil {
		w.Log.Warn("the last logs are not kept", "preview", p.Ref(), "error", err)
	}
}

// prune takes away what was kept for long enough.
func (w *Worker) prune() {
	if w.Keeper == nil {
		return
	}
	if err := w.Keeper.Prune(); err != nil {
		w.Log.Warn("old kept logs stay", "error", err)
	}
}
