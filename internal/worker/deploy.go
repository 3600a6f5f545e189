package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
)

// errQueued says that the limits leave no place for the deployment now.
var errQueued = errors.New("queued")

// deploy brings the preview to its head commit and reports the end, good or bad. An error it returns is an outage, or the
// loss of the right to go on; then nothing was reported.
func (w *Worker) deploy(ctx context.Context, c *claim, p preview.Preview) error {
	start := time.Now()
	url, err := w.rollOut(ctx, c, &p, start)
	if errors.Is(err, errQueued) {
		return nil
	}
	if ctx.Err() != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	e := preview.Event{Kind: preview.EventSucceeded, SHA: p.HeadSHA, URL: url}
	var failure *preview.Failure
	if errors.As(err, &failure) {
		if err := w.clearAway(ctx, c, p, failure); err != nil {
			return err
		}
		e = preview.Event{Kind: preview.EventFailed, Diagnosis: &failure.Diagnosis}
	} else if err != nil {
		return err
	}
	if _, _, err := w.handle(ctx, c, p, e); err != nil {
		return err
	}
	log := w.Log.With("preview", p.Ref(), "sha", preview.ShortSHA(p.HeadSHA), "took", time.Since(start).Round(time.Millisecond))
	if failure != nil {
		log.Warn("deployment failed", "code", failure.Diagnosis.Code, "cause", failure.Diagnosis.Cause, "error", failure.Err)
	} else {
		log.Info("deployment ready", "url", url)
	}
	return nil
}

// rollOut does the work of a deployment and returns the URL under which the preview answers.
func (w *Worker) rollOut(ctx context.Context, c *claim, p *preview.Preview, start time.Time) (string, error) {
	plan, planErr := w.Settings.Plan(*p)
	now, _, err := w.handle(ctx, c, *p, preview.Event{Kind: preview.EventStarted, SHA: p.HeadSHA, Host: plan.Host})
	if err != nil {
		return "", err
	}
	*p = now
	if p.Status == preview.StatusQueued {
		return "", errQueued
	}
	if planErr != nil {
		return "", planErr
	}

	// The namespace needs the chart no more than the chart needs the namespace; a new one gets its service account meanwhile.
	var opened *chart.Chart
	var uid string
	var both errgroup.Group // neither stops the other: a request that is cut off in the middle may have made the namespace all the same
	both.Go(func() (err error) { opened, err = w.fetch(ctx, *p, plan); return err })
	both.Go(func() (err error) { uid, err = w.namespace(ctx, *p, plan.Guards); return err })
	err = both.Wait()
	if uid != "" && uid != p.NamespaceUID {
		now, _, handleErr := w.handle(ctx, c, *p, preview.Event{Kind: preview.EventNamespace, NamespaceUID: uid})
		if handleErr != nil {
			return "", handleErr
		}
		*p = now
	}
	if err != nil {
		return "", err
	}

	plan.Values.Chart = opened
	request := cluster.DeployRequest{Identity: identity(*p), Attempt: c.Token, Values: chart.Values(plan.Values), Version: p.HeadSHA, Timeout: w.left(start)}
	for _, f := range opened.Files {
		request.Files = append(request.Files, cluster.File{Name: f.Name, Data: f.Data})
	}
	deployed, err := w.Deployer.Deploy(ctx, request)
	if err != nil {
		return "", err
	}
	if err := w.Deployer.WaitReady(ctx, identity(*p), deployed.Objects, w.left(start), w.progress(*p)); err != nil {
		return "", err
	}
	url, err := w.Deployer.URL(ctx, identity(*p), deployed.Objects, plan.Host)
	switch {
	case errors.Is(err, preview.ErrNotFound):
		return "", nil // a chart without an Ingress is ready all the same; the comment says that it has no address
	case err != nil:
		return "", err
	}
	return plan.URL(url), nil
}

// left is what remains of the time a deployment may take: at least a second, so that a late step still says what it found.
func (w *Worker) left(start time.Time) time.Duration {
	return max(w.ReadyLimit-time.Since(start), time.Second)
}

func (w *Worker) fetch(ctx context.Context, p preview.Preview, plan Plan) (*chart.Chart, error) {
	body, err := w.GitHub.Tarball(ctx, repo(p), p.HeadSHA)
	if err != nil {
		return nil, fmt.Errorf("fetch %s at %s: %w", p.Repository, p.HeadSHA, err)
	}
	defer func() { _ = body.Close() }()
	return chart.Open(ctx, body, plan.Chart)
}

// namespace makes sure of the preview's namespace and its guards. One that is on its way out (the pull request was reopened) is waited
// for: nothing is ever written into it.
func (w *Worker) namespace(ctx context.Context, p preview.Preview, g cluster.Guards) (string, error) {
	uid, err := w.Deployer.EnsureNamespace(ctx, identity(p), g)
	if errors.Is(err, preview.ErrNotReady) {
		if err := w.Remover.WaitGone(ctx, identity(p), w.GoneLimit); err != nil {
			return "", err
		}
		fresh := identity(p)
		fresh.UID = ""
		uid, err = w.Deployer.EnsureNamespace(ctx, fresh, g)
	}
	if errors.Is(err, preview.ErrConflict) {
		return "", preview.Fail(err, preview.Diagnosis{
			Code: preview.CodeNamespace, Blame: preview.BlameCluster,
			Cause: fmt.Sprintf("the namespace %s exists and does not belong to this preview", p.Namespace),
			Fix:   "Ask the cluster's operator to remove or rename that namespace; Catalyst never touches a namespace it did not make.",
		})
	}
	return uid, err
}

// clearAway removes what a first deployment made when it failed before anything was applied, so that a broken chart leaves
// no empty namespace behind. A preview with something live, or whose objects are there to be looked at, is left alone.
func (w *Worker) clearAway(ctx context.Context, c *claim, p preview.Preview, f *preview.Failure) error {
	switch f.Diagnosis.Code {
	case preview.CodeChartMissing, preview.CodeChartInvalid, preview.CodeRender, preview.CodeValues, preview.CodeConfig:
	default:
		return nil
	}
	if p.LiveSHA != "" {
		return nil
	}
	// Said first: whatever happens then, the preview does not go on holding a place for a namespace that is gone.
	if _, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventNamespace}); err != nil {
		return err
	}
	return w.Remover.DeleteNamespace(ctx, identity(p))
}

func (w *Worker) progress(p preview.Preview) func(cluster.Progress) {
	return func(g cluster.Progress) {
		w.Log.Debug("waiting", "preview", p.Ref(), "ready", g.Ready, "total", g.Total, "for", g.Waiting)
	}
}
