package worker

import (
	"context"
	"errors"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
)

// sweepGuards puts the guards of all previews back as they should be: somebody may have changed them, or the configuration. It writes
// nothing where they are. A preview that has work due is left to its own job.
func (w *Worker) sweepGuards(ctx context.Context, known []preview.Preview) error {
	var errs []error
	for _, p := range known {
		if p.NamespaceUID == "" || p.Due() || !p.Open {
			continue
		}
		plan, err := w.Settings.Plan(ctx, p)
		if err == nil {
			err = w.Estate.KeepGuards(ctx, identity(p), plan.Guards)
		}
		switch {
		case err == nil, errors.Is(err, preview.ErrNotFound), errors.Is(err, preview.ErrConflict), errors.Is(err, preview.ErrNotReady):
			// Gone, going, or another's: the rest of the sweep sees to that.
		case ctx.Err() != nil:
			return err
		default:
			errs = append(errs, fmt.Errorf("keep the guards of %s: %w", p.Ref(), err))
		}
	}
	return errors.Join(errs...)
}
