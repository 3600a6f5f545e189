package worker

import (
	"context"
	"errors"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
)

// holdsSecrets reports whether a preview has a namespace in which the copies are to be kept in step with their sources.
func holdsSecrets(p preview.Preview) bool { return p.Open && p.NamespaceUID != "" && !p.Due() }

// keepSecrets brings the copies of a preview that is as it should be in step. What is missing was told when it was deployed, or will be
// when it is deployed next; until then what runs is left to run.
func (w *Worker) keepSecrets(ctx context.Context, p preview.Preview) error {
	plan, err := w.Settings.Plan(ctx, p)
	if !holdsSecrets(p) || err != nil {
		return nil //nolint:nilerr // a plan that cannot be made is told by the next deployment
	}
	err = w.Deployer.SyncSecrets(ctx, identity(p), plan.Secrets)
	var failure *preview.Failure
	switch {
	case errors.As(err, &failure):
		w.Log.Warn("a Secret of a preview is missing", "preview", p.Ref(), "cause", failure.Diagnosis.Cause, "fix", failure.Diagnosis.Fix)
	case errors.Is(err, preview.ErrNotFound), errors.Is(err, preview.ErrConflict), errors.Is(err, preview.ErrNotReady):
		// The namespace is gone, or going: who finds that out says so elsewhere.
	case err != nil:
		return fmt.Errorf("keep the Secrets of %s in step: %w", p.Ref(), err)
	}
	return nil
}

// sweepSecrets asks for each preview to be looked at whose copies are no longer those of their sources.
func (w *Worker) sweepSecrets(ctx context.Context, known []preview.Preview) error {
	var errs []error
	for _, p := range known {
		plan, err := w.Settings.Plan(ctx, p)
		if !holdsSecrets(p) || err != nil {
			continue
		}
		differ, err := w.Estate.SecretsDiffer(ctx, identity(p), plan.Secrets)
		var failure *preview.Failure
		switch {
		case errors.As(err, &failure):
			w.Log.Warn("a Secret of a preview is missing", "preview", p.Ref(), "cause", failure.Diagnosis.Cause, "fix", failure.Diagnosis.Fix)
		case ctx.Err() != nil:
			return err
		case err != nil:
			errs = append(errs, err)
		}
		if !differ {
			continue
		}
		w.Log.Info("sweep found Secrets of a preview that are not as their sources", "preview", p.Ref())
		if err := w.Queue.Request(ctx, p.ID, preview.JobRequest{Kind: preview.JobReconcile}); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}
