package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
)

// confirm is how long after a 404 the pull request is looked for again.
const confirm = 61 * time.Second

// errSuperseded is the cause by which running work is stopped when something newer is wanted.
var errSuperseded = errors.New("something newer is wanted")

// reconcile brings one preview to what GitHub says now. Asked for by every delivery about the pull request, by people who
// want the commit deployed again, and by itself when the truth differed from the hint. It is the only writer of
// the preview's namespace: the lease of this job is the right to write there.
func (w *Worker) reconcile(ctx context.Context, c *claim) error {
	p, err := w.Reader.Preview(ctx, c.PreviewID)
	if err != nil {
		return err
	}
	if waits, err := w.stillWaits(ctx, c, p); err != nil {
		return err
	} else if waits {
		return &errAgain{after: lookAgain, why: "waits in line"}
	}
	if p, err = w.observe(ctx, c, p); err != nil {
		var again *errAgain
		if errors.As(err, &again) { // nothing is under way here: what it holds, it holds for nothing
			if _, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventAside}); err != nil {
				return err
			}
		}
		return w.giveUp(ctx, c, p, err)
	}
	if p.Wanted() && !p.MissingSince.IsZero() {
		return &errAgain{after: confirm, why: "GitHub says that the pull request does not exist; believed when it still says so then"}
	}
	for p.Due() {
		before := p.Generation
		if err := w.act(ctx, c, p); err != nil {
			return w.giveUp(ctx, c, p, err)
		}
		if p, err = w.Reader.Preview(ctx, c.PreviewID); err != nil {
			return err
		}
		if p.Status == preview.StatusQueued {
			w.noteWaiting(p, c.covers())
			return &errAgain{after: lookAgain, why: "waits in line"}
		}
		if p.Due() && p.Generation == before {
			return fmt.Errorf("generation %d of %s came to no end", before, p.Ref())
		}
	}
	return w.keepSecrets(ctx, p)
}

// observe reads the pull request from GitHub and hands the truth in. It covers all that the job was asked for so far. When the truth is another one and cannot be stored, the error
// is errSuperseded as well.
func (w *Worker) observe(ctx context.Context, c *claim, p preview.Preview) (preview.Preview, error) {
	c.cover()
	return w.read(ctx, c, p)
}

// read is observe for a job that answers more than where the pull request is.
func (w *Worker) read(ctx context.Context, c *claim, p preview.Preview) (preview.Preview, error) {
	e := preview.Event{Kind: preview.EventObserved}
	pr, err := w.GitHub.PullRequest(ctx, repo(p), p.Number)
	switch {
	case nowhere(err):
		w.Log.Warn("pull request not found", "preview", p.Ref(), "since", p.MissingSince, "error", err)
		e.Kind = preview.EventMissing
	case errors.Is(err, preview.ErrForbidden):
		// The App is suspended or may not read the repository now. What runs is left as it is until it may again; a removal that was
		// begun on what GitHub said comes to its end, and holds its place no longer.
		w.Log.Error("GitHub refuses to tell about the pull request", "preview", p.Ref(), "error", err)
		if !p.Open && p.Due() {
			return p, nil
		}
		return p, &errAgain{after: slowest, why: err.Error()}
	case err != nil:
		return p, fmt.Errorf("read pull request %s: %w", p.Ref(), err)
	}
	e.PullRequest = pr
	now, _, err := w.handle(ctx, c, p, e)
	if err != nil && e.Kind == preview.EventObserved && (pr.Open != p.Open || pr.HeadSHA != p.HeadSHA) {
		err = errors.Join(errSuperseded, err)
	}
	if err != nil {
		return p, err
	}
	return now, nil
}

// act deploys or tears down, and stops in the middle when the truth moves on.
func (w *Worker) act(parent context.Context, c *claim, p preview.Preview) error {
	ctx, cancel := context.WithCancelCause(parent)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		w.watchTruth(ctx, c, p, cancel)
	}()
	var err error
	if p.Wanted() {
		err = w.deploy(ctx, c, p)
	} else {
		err = w.teardown(ctx, c, p)
	}
	superseded := errors.Is(context.Cause(ctx), errSuperseded)
	cancel(nil)
	<-watching
	overtaken := errors.Is(err, preview.ErrStale) && parent.Err() == nil
	if err == nil || !superseded && !overtaken {
		return err
	}
	if !superseded {
		// A lease whose renewal came late, and only just, makes the work stop as well. Nothing newer is wanted then: the deployment is
		// taken up again.
		if now, readErr := w.Reader.Preview(parent, c.PreviewID); readErr != nil || now.Generation == p.Generation {
			return errors.Join(err, readErr)
		}
	}
	_, _, err = w.handle(parent, c, p, preview.Event{Kind: preview.EventSuperseded, Steps: c.steps})
	return err
}

// watchTruth re-reads the pull request whenever the job is asked for again, and cancels the work under way once something
// else is wanted. A read that fails stops nothing: the job runs once more after this one.
func (w *Worker) watchTruth(ctx context.Context, c *claim, p preview.Preview, cancel context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.asked:
		}
		now, err := w.observe(ctx, c, p)
		if err != nil {
			if ctx.Err() == nil {
				w.Log.Warn("look whether something newer is wanted", "preview", p.Ref(), "error", err)
			}
			c.uncover()
			if errors.Is(err, errSuperseded) {
				cancel(errSuperseded)
				return
			}
			continue
		}
		if now.Generation != p.Generation {
			w.Log.Info("superseded", "preview", p.Ref(), "sha", preview.ShortSHA(p.HeadSHA), "by", preview.ShortSHA(now.HeadSHA), "open", now.Open)
			cause := errSuperseded
			if now.Open {
				cause = fmt.Errorf("%w: %w", errSuperseded, preview.ErrReplaced)
			}
			cancel(cause)
			return
		}
	}
}

// giveUp turns an outage that outlasted its retries into a failure that people can see. A removal is never given up.
func (w *Worker) giveUp(ctx context.Context, c *claim, p preview.Preview, err error) error {
	var again *errAgain
	var limited later
	switch {
	case ctx.Err() != nil, errors.Is(err, preview.ErrStale), errors.As(err, &again), errors.As(err, &limited):
		return err
	case c.Attempt <= maxRetries, !p.Wanted(), !p.Due():
		return err
	}
	w.Log.Error("given up", "preview", p.Ref(), "sha", preview.ShortSHA(p.HeadSHA), "attempts", c.Attempt, "error", err)
	d := preview.Diagnosis{
		Code: preview.CodeOutage, Blame: preview.BlameTransient,
		Cause: fmt.Sprintf("Catalyst could not finish after %d attempts, because something it needs did not answer", c.Attempt),
		Fix:   "Push again to retry; the server's log has the details for its operator.",
	}
	var failure *preview.Failure
	if errors.As(err, &failure) {
		d = failure.Diagnosis
	}
	_, _, handleErr := w.handle(ctx, c, p, preview.Event{Kind: preview.EventFailed, Diagnosis: &d})
	return handleErr
}

// handle hands in an event about this claim's work on the preview.
func (w *Worker) handle(ctx context.Context, c *claim, p preview.Preview, e preview.Event) (preview.Preview, preview.Decision, error) {
	f := c.Fence()
	e.Key, e.Fence, e.Generation = p.Key, &f, p.Generation
	return w.Lifecycle.Handle(ctx, e)
}

func repo(p preview.Preview) ghapp.Repo {
	return ghapp.Repo{InstallationID: p.InstallationID, ID: p.RepositoryID, FullName: p.Repository}
}

func identity(p preview.Preview) cluster.Identity {
	return cluster.Identity{Namespace: p.Namespace, UID: p.NamespaceUID, Key: p.Key, Repository: p.Repository}
}
