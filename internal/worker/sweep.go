package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/ghapp"
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
	var errs []error
	open := map[preview.Key]preview.PullRequest{}
	swept := map[int64]bool{} // repositories whose list came whole
	lost := map[string]bool{} // names of repositories that GitHub says do not exist
	for _, name := range w.Repos {
		pulls, repo, err := w.openPulls(ctx, name)
		lost[strings.ToLower(name)] = errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrGone)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		swept[repo.ID] = true
		for _, pr := range pulls {
			open[pr.Key] = pr
		}
	}
	known, err := w.Reader.Unfinished(ctx)
	if err != nil {
		return err
	}
	errs = append(errs, w.sweepOpen(ctx, open, known), w.sweepGone(ctx, open, swept, lost, known),
		w.sweepNamespaces(ctx, known), w.sweepGuards(ctx, known))
	if n, err := w.Overview.RedeliverFailed(ctx, time.Now().Add(-redeliverFor)); err != nil {
		errs = append(errs, fmt.Errorf("ask for failed deliveries again: %w", err))
	} else if n > 0 {
		w.Log.Info("asked GitHub for failed deliveries again", "deliveries", n)
	}
	if err := errors.Join(errs...); err != nil {
		if ctx.Err() != nil || errors.Is(err, preview.ErrStale) {
			return err
		}
		w.Log.Warn("sweep", "error", err)
	}
	return &errAgain{after: w.SweepEvery, why: "swept"}
}

func (w *Worker) openPulls(ctx context.Context, name string) ([]preview.PullRequest, ghapp.Repo, error) {
	repo, err := w.Overview.Resolve(ctx, name)
	if err != nil {
		return nil, repo, fmt.Errorf("look %s up: %w", name, err)
	}
	w.Settings.Learn(name, repo.ID)
	pulls, err := w.Overview.OpenPullRequests(ctx, repo)
	if err != nil {
		return nil, repo, fmt.Errorf("list open pull requests of %s: %w", name, err)
	}
	return pulls, repo, nil
}

// sweepOpen hints at each open pull request that is not known, or known otherwise: a delivery was lost.
func (w *Worker) sweepOpen(ctx context.Context, open map[preview.Key]preview.PullRequest, known []preview.Preview) error {
	same := map[preview.Key]bool{}
	for _, p := range known {
		pr, ok := open[p.Key]
		same[p.Key] = ok && p.Open && p.HeadSHA == pr.HeadSHA
	}
	for key, pr := range open {
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
func (w *Worker) sweepGone(ctx context.Context, open map[preview.Key]preview.PullRequest, swept map[int64]bool, lost map[string]bool, known []preview.Preview) error {
	var gone []preview.Preview
	live := 0
	for _, p := range known {
		if !p.Open {
			continue
		}
		live++
		if _, ok := open[p.Key]; !ok && (swept[p.RepositoryID] || lost[strings.ToLower(p.Repository)]) {
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
	for _, p := range known {
		if p.NamespaceUID == "" || p.Due() || there[p.Key] {
			continue
		}
		w.Log.Warn("sweep found that somebody removed a namespace", "preview", p.Ref(), "namespace", p.Namespace)
		_, _, err := w.Lifecycle.Handle(ctx, preview.Event{Kind: preview.EventNamespace, Key: p.Key, Generation: p.Generation})
		if err != nil && !errors.Is(err, preview.ErrStale) {
			return err
		}
	}
	for _, ns := range namespaces {
		if answered[ns.Key] {
			continue
		}
		if err := w.leftover(ctx, ns); err != nil {
			return err
		}
	}
	return nil
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
