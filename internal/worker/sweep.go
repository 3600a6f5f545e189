package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// minGone is how many previews may always be found gone in one sweep, however few there are in all.
const minGone = 5

// redeliverFor is how far back failed deliveries are asked for again: GitHub keeps them for three days.
const redeliverFor = 3 * 24 * time.Hour

// sweep compares what GitHub says is open with all previews and all namespaces, and asks for whatever does not fit to be
// looked at. Asked for by itself: at the start, and a while after it ended. It changes nothing but guards, and deletes nothing: the jobs it asks for read
// each pull request by itself before they act, so a list that is empty, cut or wrong can at worst cost some reading (S20, T2).
func (w *Worker) sweep(ctx context.Context, _ *claim) error {
	known, err := w.Reader.Unfinished(ctx)
	if err != nil {
		return err
	}
	l, err := w.list(ctx, known)
	errs := []error{err, w.sweepOpen(ctx, l, known), w.sweepGone(ctx, l, known), w.sweepNamespaces(ctx, known),
		w.sweepGuards(ctx, known), w.sweepSecrets(ctx, known)}
	if n, err := w.Overview.RedeliverFailed(ctx, time.Now().Add(-redeliverFor)); err != nil {
		errs = append(errs, fmt.Errorf("ask for failed deliveries again: %w", err))
	} else if n > 0 {
		w.Log.Info("asked GitHub for failed deliveries again", "deliveries", n)
	}
	w.prune()
	if err := errors.Join(errs...); err != nil {
		if ctx.Err() != nil || errors.Is(err, preview.ErrStale) {
			return err
		}
		w.Log.Warn("sweep", "error", err)
	}
	return &errAgain{after: w.SweepEvery, why: "swept"}
}

// sweepOpen hints at each open pull request that is not known, or known otherwise: a delivery was lost.
func (w *Worker) sweepOpen(ctx context.Context, l listed, known []preview.Preview) error {
	same := map[preview.Key]bool{}
	for _, p := range known {
		pr, ok := l.open[p.Key]
		same[p.Key] = ok && p.Open && p.HeadSHA == pr.HeadSHA
	}
	for key, pr := range l.open {
		if same[key] {
			continue
		}
		w.Log.Info("sweep found an open pull request that is not as known", "pull_request", fmt.Sprintf("%s#%d", pr.Repository, pr.Number), "sha", preview.ShortSHA(pr.HeadSHA))
		if _, _, err := w.Lifecycle.Handle(ctx, preview.Event{Kind: preview.EventHint, Key: key, PullRequest: pr}); err != nil {
			return err
		}
	}
	return nil
}

// sweepGone asks for each preview to be looked at whose pull request is not in the list. Too many at once say more about
// the list than about the pull requests: then nothing is asked for, and the alarm is raised.
func (w *Worker) sweepGone(ctx context.Context, l listed, known []preview.Preview) error {
	var gone []preview.Preview
	live := 0
	for _, p := range known {
		if p.Open {
			live++
		}
		if l.gone(p) {
			gone = append(gone, p)
		}
	}
	if n := len(gone); n > minGone && float64(n) > w.SweepShare*float64(live) {
		w.Log.Error("sweep stopped itself: more previews than allowed seem to have lost their pull request", "gone", n, "previews", live, "allowed_share", w.SweepShare)
		w.Observe(preview.JobSweep, "alarm", 0)
		return nil
	}
	for _, p := range gone {
		w.Log.Info("sweep found a preview whose pull request is not open", "preview", p.Ref())
		if err := w.Queue.Request(ctx, p.ID, preview.JobRequest{Kind: preview.JobReconcile}); err != nil {
			return err
		}
	}
	return nil
}

// sweepNamespaces looks for namespaces of ours that no preview answers for, and has them looked at; and for previews whose namespace was
// removed by somebody else, which must not go on holding a place for it.
func (w *Worker) sweepNamespaces(ctx context.Context, known []preview.Preview) error {
	namespaces, err := w.Estate.Namespaces(ctx)
	if err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	answered := map[preview.Key]bool{}
	for _, p := range known {
		answered[p.Key] = true
	}
	there := map[preview.Key]bool{}
	for _, ns := range namespaces {
		there[ns.Key] = true
	}
	var errs []error // one that cannot be looked at keeps no other from being looked at
	for _, p := range known {
		if p.NamespaceUID != "" && p.Status != preview.StatusDeploying && !there[p.Key] {
			errs = append(errs, w.removed(ctx, p))
		}
	}
	for _, ns := range namespaces {
		if !answered[ns.Key] {
			errs = append(errs, w.leftover(ctx, ns))
		}
	}
	return errors.Join(errs...)
}

// removed forgets the namespace of a preview when it is gone, in the list and when it is read by itself: a list may be old.
func (w *Worker) removed(ctx context.Context, p preview.Preview) error {
	trouble, err := w.Estate.Health(ctx, identity(p))
	if err != nil {
		return fmt.Errorf("look for namespace %s of %s: %w", p.Namespace, p.Ref(), err)
	}
	if trouble == nil || trouble.Code != preview.CodeNamespace {
		return nil
	}
	w.Log.Warn("sweep found that somebody removed a namespace", "preview", p.Ref(), "namespace", p.Namespace)
	_, _, err = w.Lifecycle.Handle(ctx, preview.Event{Kind: preview.EventNamespace, Key: p.Key, Generation: p.Generation})
	if errors.Is(err, preview.ErrStale) {
		return nil
	}
	return err
}

// leftover has one namespace removed that no unfinished preview answers for. One of a preview that this database never knew is made known first.
func (w *Worker) leftover(ctx context.Context, ns cluster.Identity) error {
	w.Log.Warn("sweep found a namespace that nobody answers for", "namespace", ns.Namespace, "repository", ns.Repository, "number", ns.Key.Number)
	_, _, err := w.Lifecycle.Handle(ctx, preview.Event{Kind: preview.EventLeftover, Key: ns.Key})
	if !errors.Is(err, preview.ErrNotFound) {
		return err
	}
	repo, err := w.Overview.Resolve(ctx, ns.Repository)
	if err != nil {
		return fmt.Errorf("look up %s, which namespace %s belongs to: %w", ns.Repository, ns.Namespace, err)
	}
	pr := preview.PullRequest{Key: ns.Key, Repository: ns.Repository, InstallationID: repo.InstallationID, Open: true}
	_, _, err = w.Lifecycle.Handle(ctx, preview.Event{Kind: preview.EventHint, Key: ns.Key, PullRequest: pr})
	return err
}
