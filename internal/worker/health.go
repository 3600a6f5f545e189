package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// secondLook is the longest pause between a look at which a preview seemed to have changed and the one that settles it.
const secondLook = 30 * time.Second

// health looks at every running preview, and says so when one lost what it runs on or has it back (I13). What looks changed is looked
// at once more a while later, in the same job: one restart is not told, nor is one good moment of an application that crashes again and
// again, and no process needs to remember what another has seen. Asked for by itself, a while after it ended.
func (w *Worker) health(ctx context.Context, _ *claim) error {
	known, err := w.Reader.Unfinished(ctx)
	if err != nil {
		return err
	}
	changed, _ := w.changed(ctx, known)
	if len(changed) > 0 {
		timer := time.NewTimer(min(w.HealthEvery, secondLook))
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	_, events := w.changed(ctx, changed)
	for _, e := range events {
		if _, _, err := w.Lifecycle.Handle(ctx, e); err != nil && !errors.Is(err, preview.ErrStale) {
			return fmt.Errorf("tell the health of %s: %w", e.Key, err)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &errAgain{after: w.HealthEvery, why: "looked"}
}

// changed looks at those of the previews that are up, and returns those that look other than they are called, with the event that
// would say so.
func (w *Worker) changed(ctx context.Context, previews []preview.Preview) (changed []preview.Preview, events []preview.Event) {
	for _, p := range previews {
		if p.Due() || p.Status != preview.StatusRunning && p.Status != preview.StatusDegraded {
			continue
		}
		trouble, err := w.Estate.Health(ctx, identity(p))
		if ctx.Err() != nil {
			return nil, nil
		}
		if err != nil {
			w.Log.Warn("look at a running preview", "preview", p.Ref(), "error", err)
			continue
		}
		e := preview.Event{Kind: preview.EventHealed, Key: p.Key, Generation: p.Generation, Diagnosis: trouble}
		if trouble != nil {
			e.Kind = preview.EventDegraded
		}
		if (trouble != nil) == (p.Status == preview.StatusDegraded) {
			continue
		}
		w.Log.Info("health", "preview", p.Ref(), "looks", e.Kind)
		changed, events = append(changed, p), append(events, e)
	}
	return changed, events
}
