package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/preview"
)

// teardown removes the preview's namespace, what runs in it first, and reports when it is really gone (S6). The first attempts follow S10's
// schedule; a removal that is stuck is told to people and then tried again for as long as it takes, so that nothing is leaked.
func (w *Worker) teardown(ctx context.Context, c *claim, p preview.Preview) error {
	id, start := identity(p), time.Now()
	w.keep(ctx, p, kept.Deleted)
	err := w.Remover.DeleteNamespace(ctx, id)
	if errors.Is(err, preview.ErrConflict) && id.UID != "" {
		// Made anew by a worker that died before it could say so: the labels decide whether it is ours.
		id.UID = ""
		err = w.Remover.DeleteNamespace(ctx, id)
	}
	if err == nil {
		err = w.Remover.WaitGone(ctx, id, max(w.GoneLimit-time.Since(start), time.Second))
	}
	if ctx.Err() != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	var stuck *preview.Failure
	switch {
	case err == nil, errors.Is(err, preview.ErrConflict):
		if err != nil {
			w.Log.Error("namespace left alone: it does not belong to this preview", "preview", p.Ref(), "namespace", p.Namespace, "error", err)
		}
		if _, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventDeleted}); err != nil {
			return err
		}
		w.Log.Info("preview removed", "preview", p.Ref(), "namespace", p.Namespace)
		return nil
	case errors.As(err, &stuck):
		w.Log.Error("removal is stuck", "preview", p.Ref(), "namespace", p.Namespace, "cause", stuck.Diagnosis.Cause)
		if _, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventDeleteStuck, Diagnosis: &stuck.Diagnosis}); err != nil {
			return err
		}
	}
	return fmt.Errorf("remove namespace %s of %s: %w", p.Namespace, p.Ref(), err)
}
