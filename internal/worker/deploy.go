package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/preview"
)

// errRenamed says that the preview has another name now, because the one it had is somebody else's.
var errRenamed = errors.New("renamed")

// errQueued says that the limits leave no place for the deployment now.
var errQueued = errors.New("queued")

// deploy brings the preview to its head commit and reports the end, good or bad. An error it returns is an outage, or the
// loss of the right to go on; then nothing was reported.
func (w *Worker) deploy(ctx context.Context, c *claim, p preview.Preview) error {
	start, had := time.Now(), p.NamespaceUID
	c.steps = nil
	steps := newTimeline()
	url, err := w.rollOut(ctx, c, &p, start, steps)
	for errors.Is(err, errRenamed) { // it ends: there are a few names, and each is tried once
		steps = newTimeline()
		url, err = w.rollOut(ctx, c, &p, start, steps)
	}
	switch {
	case errors.Is(err, errQueued):
		return nil
	case errors.Is(err, errBlocked):
		if p.NamespaceUID == had {
			return nil
		}
		return w.clearAway(ctx, c, p)
	case ctx.Err() != nil:
		c.steps = steps.closed(context.Canceled)
		return errors.Join(err, context.Cause(ctx))
	}
	e := preview.Event{Kind: preview.EventSucceeded, SHA: p.HeadSHA, URL: url}
	var failure *preview.Failure
	if errors.As(err, &failure) && failure.Again {
		return err
	}
	if errors.As(err, &failure) && failure.Diagnosis.Code == preview.CodeStuckDelete {
		return w.standAside(ctx, c, p, failure)
	}
	if errors.As(err, &failure) {
		if nothingApplied(failure) {
			if err := w.clearAway(ctx, c, p); err != nil {
				return err
			}
		}
		e = preview.Event{Kind: preview.EventFailed, Diagnosis: &failure.Diagnosis}
	} else if err != nil {
		// Tried again or given up later; what was done so far stands in the timeline.
		_, _, told := w.handle(ctx, c, p, preview.Event{Kind: preview.EventSteps, Steps: steps.closed(err)})
		return errors.Join(err, told)
	}
	e.Steps = steps.closed(err)
	if _, _, err := w.handle(ctx, c, p, e); err != nil {
		return err
	}
	if failure != nil && !nothingApplied(failure) {
		w.keep(ctx, p, kept.Failed)
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
func (w *Worker) rollOut(ctx context.Context, c *claim, p *preview.Preview, start time.Time, steps *timeline) (string, error) {
	if err := w.oldIsGone(ctx, *p); err != nil {
		return "", err
	}
	plan, planErr := w.plan(ctx, *p)
	if planErr != nil && !told(planErr) {
		return "", planErr
	}
	now, d, err := w.handle(ctx, c, *p, preview.Event{Kind: preview.EventStarted, SHA: p.HeadSHA, Host: plan.Host})
	if err != nil {
		return "", err
	}
	*p = now
	switch {
	case p.Status == preview.StatusQueued:
		return "", errQueued
	case p.Status == preview.StatusBlocked:
		return "", errBlocked
	case planErr != nil:
		return "", planErr
	}
	if err := w.cleared(ctx, c, *p, plan.Trust); err != nil {
		return "", err
	}
	stop, err := w.follow(ctx, c, *p, d, steps)
	if err != nil {
		return "", err
	}
	defer stop()

	// The namespace needs the chart no more than the chart needs the namespace.
	var opened *chart.Chart
	var uid string
	var both errgroup.Group // neither stops the other: a request that is cut off in the middle may have made the namespace all the same
	both.Go(func() (err error) {
		end := steps.begin(preview.StepFetch)
		opened, err = w.fetch(ctx, *p, plan)
		end(err)
		return err
	})
	both.Go(func() (err error) {
		end := steps.begin(preview.StepNamespace)
		defer func() { end(err) }()
		if uid, err = w.namespace(ctx, c, *p, plan.Guards); err != nil {
			return err
		}
		mine := identity(*p)
		mine.UID = uid
		return w.Deployer.SyncSecrets(ctx, mine, plan.Secrets)
	})
	err = both.Wait()
	if errors.Is(err, errRenamed) {
		now, readErr := w.Reader.Preview(ctx, p.ID)
		switch {
		case readErr != nil:
			return "", readErr
		case now.Generation != p.Generation: // closed or pushed to since it was renamed: what is wanted now is not what this one began
			return "", fmt.Errorf("%s was renamed at generation %d and is at %d: %w", p.Ref(), p.Generation, now.Generation, preview.ErrStale)
		}
		*p = now
		return "", err
	}
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

	if err := w.cleared(ctx, c, *p, plan.Trust); err != nil {
		return "", err
	}
	plan.Values.Chart = opened
	deployed, err := w.Deployer.Deploy(ctx, cluster.DeployRequest{
		Identity: identity(*p), Attempt: c.Token, Files: opened.Files, Layers: &plan.Values, Version: p.HeadSHA, Timeout: w.left(start),
		Guards: &plan.Guards, Step: steps.begin,
	})
	if err != nil {
		return "", located(err, opened)
	}
	end := steps.begin(preview.StepReady)
	err = w.Deployer.WaitReady(ctx, identity(*p), deployed.Objects, w.left(start), w.progress(*p, steps))
	end(err)
	if err != nil {
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

// plan asks the settings. When they do not know the repository it may have been renamed while another process swept: then the
// configured names are looked up first. An error that is no *preview.Failure is an outage.
func (w *Worker) plan(ctx context.Context, p preview.Preview) (Plan, error) {
	plan, err := w.Settings.Plan(ctx, p)
	if !errors.Is(err, preview.ErrNotFound) {
		return plan, err
	}
	unknown := w.learn(ctx)
	if plan, err = w.Settings.Plan(ctx, p); unknown != nil && errors.Is(err, preview.ErrNotFound) {
		return Plan{}, unknown // it may be one of those that GitHub did not tell about
	}
	return plan, err
}

// located adds the line of the repository to a failure that names it.
func located(err error, c *chart.Chart) error {
	var failure *preview.Failure
	if errors.As(err, &failure) && failure.Diagnosis.File == "" {
		failure.Diagnosis.File, failure.Diagnosis.Line = c.Locate(failure.Diagnosis)
	}
	return err
}

// told reports whether the error is one that people are told of.
func told(err error) bool {
	var failure *preview.Failure
	return errors.As(err, &failure)
}

// left is what remains of the time a deployment may take: at least a second, so that a late step still says what it found.
func (w *Worker) left(start time.Time) time.Duration {
	return max(w.ReadyLimit-time.Since(start), time.Second)
}

func (w *Worker) fetch(ctx context.Context, p preview.Preview, plan Plan) (*chart.Chart, error) {
	sha, err := w.source(ctx, p, plan.Trust)
	if err != nil {
		return nil, err
	}
	body, err := w.GitHub.Tarball(ctx, repo(p), sha)
	if err != nil {
		return nil, fmt.Errorf("fetch %s at %s: %w", p.Repository, sha, err)
	}
	defer func() { _ = body.Close() }()
	return chart.Open(ctx, body, plan.Chart)
}

// namespace makes sure of the preview's namespace. One that is on its way out (the pull request was reopened) is waited
// for: nothing is ever written into it.
func (w *Worker) namespace(ctx context.Context, c *claim, p preview.Preview, g cluster.Guards) (string, error) {
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
		if err := w.rename(ctx, c, p, err); err != nil {
			return "", err
		}
		return "", preview.Fail(err, preview.Diagnosis{
			Code: preview.CodeNamespace, Blame: preview.BlameCluster,
			Cause: fmt.Sprintf("the namespace %s exists and does not belong to this preview", p.Namespace),
			Fix:   "Ask the cluster's operator to remove or rename that namespace; Catalyst never touches a namespace it did not make.",
		})
	}
	return uid, err
}

// rename has the preview take its next name, as a namespace of the one it has is somebody else's and stays as it is. It is errRenamed when there
// was one, and nil when there is no other.
func (w *Worker) rename(ctx context.Context, c *claim, p preview.Preview, why error) error {
	now, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventNameTaken})
	switch {
	case err != nil:
		return err
	case now.Namespace == p.Namespace:
		return nil
	}
	w.Log.Warn("the namespace of the preview's name is somebody else's: it is left alone, and another name is used", "preview", p.Ref(), "taken", p.Namespace, "namespace", now.Namespace, "error", why)
	return errRenamed
}

// nothingApplied reports whether the deployment failed before anything was brought into the namespace.
func nothingApplied(f *preview.Failure) bool {
	switch f.Diagnosis.Code {
	case preview.CodeChartMissing, preview.CodeChartInvalid, preview.CodeRender, preview.CodeRenderLimit, preview.CodeSandbox,
		preview.CodeValues, preview.CodeConfig, preview.CodeSecretMissing:
		return true
	}
	return false
}

// clearAway removes what a first deployment made before it stopped with nothing applied, so that it leaves no empty namespace
// behind. A preview with something live is left alone.
func (w *Worker) clearAway(ctx context.Context, c *claim, p preview.Preview) error {
	if p.LiveSHA != "" {
		return nil
	}
	// Said first: whatever happens then, the preview does not go on holding a place for a namespace that is gone.
	if _, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventNamespace}); err != nil {
		return err
	}
	err := w.Remover.DeleteNamespace(ctx, identity(p))
	if errors.Is(err, preview.ErrConflict) {
		return nil // somebody else's: there is nothing of ours to remove
	}
	return err
}

func (w *Worker) progress(p preview.Preview, steps *timeline) func(cluster.Progress) {
	return func(g cluster.Progress) {
		steps.note(preview.StepReady, g.Waiting)
		w.Log.Debug("waiting", "preview", p.Ref(), "ready", g.Ready, "total", g.Total, "for", g.Waiting)
	}
}
