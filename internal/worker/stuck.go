package worker

import (
	"context"

	"catalyst.dev/catalyst/internal/preview"
)

// standAside waits with a deployment whose namespace is still there from before the pull request was reopened, and does not go away.
// People are told what holds it; it takes no place meanwhile, and is deployed when the way is free, however long that takes.
func (w *Worker) standAside(ctx context.Context, c *claim, p preview.Preview, stuck *preview.Failure) error {
	again := &errAgain{after: lookAgain, why: stuck.Error()}
	if isStuck(p) {
		return again // it has been told
	}
	w.Log.Error("the old namespace does not go away", "preview", p.Ref(), "namespace", p.Namespace, "cause", stuck.Diagnosis.Cause)
	if _, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventDeleteStuck, Diagnosis: &stuck.Diagnosis}); err != nil {
		return err
	}
	if _, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventAside}); err != nil {
		return err
	}
	return again
}

// oldIsGone waits for the namespace that was stuck the last time. Nothing has to be told of that again, and no place is taken for it.
func (w *Worker) oldIsGone(ctx context.Context, p preview.Preview) error {
	if !isStuck(p) {
		return nil
	}
	return w.Remover.WaitGone(ctx, identity(p), w.GoneLimit)
}

func isStuck(p preview.Preview) bool {
	return p.Diagnosis != nil && p.Diagnosis.Code == preview.CodeStuckDelete
}
