package worker

import (
	"context"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

// environment brings the preview's environment on GitHub up to date with what is stored. Asked for by every change it tells of. It holds at
// most two deployments: that of the newest commit, and the one before while that still answers. When the preview goes, nothing stays.
func (w *Worker) environment(ctx context.Context, c *claim) error {
	c.cover()
	v, err := w.view(ctx, c.PreviewID)
	if err != nil {
		return err
	}
	p := v.Preview
	if w.turnedAway(c.Kind, p.RepositoryID) {
		return nil
	}
	e := listing{w: w, c: c, p: p, now: p.Channels.Environment}
	want := report.Environment(v)
	switch {
	case want.Gone || !w.Listings:
		err = e.clear(ctx)
	case want.SHA != "":
		err = e.bring(ctx, want)
	}
	return w.aside(c, p, err)
}

// listing is the work on one environment. Each step is stored before the next, so that the work goes on where it was stopped.
type listing struct {
	w   *Worker
	c   *claim
	p   preview.Preview
	now preview.Environment
}

// clear takes everything away. What is listed is looked up: the reply to something may have been lost.
func (l *listing) clear(ctx context.Context) error {
	if l.now.Name == "" {
		return nil
	}
	if err := l.w.Channels.ClearEnvironment(ctx, repo(l.p), l.now.Name); err != nil {
		return err
	}
	l.now = preview.Environment{}
	return l.keep(ctx)
}

// bring makes the environment show the wanted deployment, and beside it none but the one that still answers.
func (l *listing) bring(ctx context.Context, want report.EnvironmentText) error {
	if l.now.Next.SHA != want.SHA {
		if err := l.moveOn(ctx, want.Name, want.SHA); err != nil {
			return err
		}
	}
	next := &l.now.Next
	if next.ID == 0 {
		if err := l.list(ctx); err != nil {
			return err
		}
	}
	if next.State != want.State || next.URL != want.URL {
		status := ghapp.DeploymentStatus{State: string(want.State), URL: want.URL, Description: want.Description}
		if err := l.w.Channels.DeploymentStatus(ctx, repo(l.p), next.ID, status); err != nil {
			return l.lost(ctx, err)
		}
		next.State, next.URL = want.State, want.URL
		if err := l.keep(ctx); err != nil {
			return err
		}
	}
	if l.now.Live.SHA != "" && (next.State == preview.ListedSuccess || l.now.Live.SHA != l.p.LiveSHA) {
		return l.retire(ctx, &l.now.Live)
	}
	return nil
}

// moveOn makes room for the deployment of another commit. The one before stays listed while it answers.
func (l *listing) moveOn(ctx context.Context, name, sha string) error {
	if l.now.Next.State == preview.ListedSuccess && l.now.Next.SHA == l.p.LiveSHA {
		if err := l.retire(ctx, &l.now.Live); err != nil {
			return err
		}
		l.now.Live = l.now.Next
	} else if err := l.retire(ctx, &l.now.Next); err != nil {
		return err
	}
	l.now.Name, l.now.Next = name, preview.Listed{SHA: sha}
	return nil
}

// list lists the next deployment. That one may exist is stored before.
func (l *listing) list(ctx context.Context) error {
	next := &l.now.Next
	mayExist := next.Attempted
	if !next.Attempted {
		next.Attempted = true
		if err := l.keep(ctx); err != nil {
			return err
		}
	}
	id, err := l.w.Channels.Deployment(ctx, repo(l.p), ghapp.Deployment{SHA: next.SHA, Environment: l.now.Name, MayExist: mayExist})
	if err != nil {
		return err
	}
	next.ID = id
	return l.keep(ctx)
}

// retire takes one deployment away. One that may exist without its id being known is found by its commit.
func (l *listing) retire(ctx context.Context, one *preview.Listed) error {
	if *one == (preview.Listed{}) {
		return nil
	}
	if one.ID == 0 && one.Attempted {
		id, err := l.w.Channels.Deployment(ctx, repo(l.p), ghapp.Deployment{SHA: one.SHA, Environment: l.now.Name, MayExist: true})
		if err != nil && !refuses(err) {
			return err
		}
		one.ID = id
	}
	if one.ID != 0 {
		if err := l.w.Channels.RetireDeployment(ctx, repo(l.p), one.ID); err != nil {
			return err
		}
	}
	*one = preview.Listed{}
	return l.keep(ctx)
}

// lost forgets a deployment that somebody else has taken away, so that the next try lists it anew.
func (l *listing) lost(ctx context.Context, err error) error {
	if refuses(err) {
		l.now.Next = preview.Listed{SHA: l.now.Next.SHA}
		if kept := l.keep(ctx); kept != nil {
			return kept
		}
	}
	return err
}

func (l *listing) keep(ctx context.Context) error {
	return l.w.kept(ctx, l.c, l.p, preview.Event{Kind: preview.EventListed, Environment: &l.now})
}
