package worker

import (
	"context"
	"errors"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
)

// health looks at every running preview, and says so when one lost what it runs on or has it back (I13). A preview must
// look bad twice in a row before it is called degraded, so that one restart is not told. Asked for by itself, a while after it ended.
func (w *Worker) health(ctx context.Context, _ *claim) error {
	known, err := w.Reader.Unfinished(ctx)
	if err != nil {
		return err
	}
	sick := map[string]bool{}
	for _, p := range known {
		if p.Due() || p.Status != preview.StatusRunning && p.Status != preview.StatusDegraded {
			continue
		}
		trouble, err := w.Estate.Health(ctx, identity(p))
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			w.Log.Warn("look at a running preview", "preview", p.Ref(), "error", err)
			sick[p.ID] = w.sick[p.ID]
			continue
		}
		sick[p.ID] = trouble != nil
		e := preview.Event{Key: p.Key, Generation: p.Generation, Diagnosis: trouble}
		switch {
		case trouble == nil && p.Status == preview.StatusDegraded:
			e.Kind = preview.EventHealed
		case trouble != nil && w.sick[p.ID] && p.Status == preview.StatusRunning:
			e.Kind = preview.EventDegraded
		default:
			continue
		}
		w.Log.Info("health", "preview", p.Ref(), "now", e.Kind)
		if _, _, err := w.Lifecycle.Handle(ctx, e); err != nil && !errors.Is(err, preview.ErrStale) {
			return fmt.Errorf("tell the health of %s: %w", p.Ref(), err)
		}
	}
	w.sick = sick
	return &errAgain{after: w.HealthEvery, why: "looked"}
}
