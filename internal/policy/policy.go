// Package policy decides what an event changes. It is pure: the state and the event go in, the decision comes out; it
// reads no clock, no database and no cluster. Every rule about what is deployed when is here and nowhere else.
package policy

import (
	"fmt"
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// Rules are what the server's configuration says that matters for decisions.
type Rules struct {
	GitHubHost   string   // "github.com", or the host of an enterprise server; part of the hashed names
	Repositories []string // full names of the configured repositories

	// Access says whom the operator of the repository that is configured under this name trusts. When nil, nobody is trusted but who may push.
	Access func(name string) Access

	// Channels are the jobs that tell of a preview on GitHub beside the comment, as far as they are switched on.
	Channels []preview.JobKind

	Receivers []Receiver // who is told outside of GitHub

	Pages string // address of the web pages, for links in answers; empty: there are none

	Limits      Limits
	ConfirmGone time.Duration // how long GitHub must go on saying that a pull request does not exist; a minute when zero
}

// settle is how long a comment about a passing state waits, so that a quick next state replaces it (design, experience §1.2).
const settle = 8 * time.Second

// Decide returns what the event changes. The same event decided twice on the state it led to changes nothing the second
// time, so deliveries and jobs may come twice. The error is preview.ErrNotFound for an event about a preview that does not exist, and
// preview.ErrStale for the result of work that was overtaken.
func Decide(s preview.State, e preview.Event, r Rules) (preview.Decision, error) {
	d, err := decide(s, e, r)
	if err != nil {
		return d, err
	}
	return notified(s, announced(s, d, r), r), nil
}

func decide(s preview.State, e preview.Event, r Rules) (preview.Decision, error) {
	switch e.Kind {
	case preview.EventHint:
		return hint(s, e, r), nil
	case preview.EventCommand:
		return commanded(s, e, r), nil
	case preview.EventNotified:
		return preview.Decision{Delivered: []string{e.Notified}}, nil
	case preview.EventAlarm:
		return alarmed(s, e, r), nil
	}
	if s.Preview == nil {
		return preview.Decision{}, fmt.Errorf("event %s for %s: %w", e.Kind, e.Key, preview.ErrNotFound)
	}
	p := *s.Preview
	switch e.Kind {
	case preview.EventObserved:
		return observed(s, p, e), nil
	case preview.EventMissing:
		return missing(s, p, e, r), nil
	case preview.EventLeftover:
		return leftover(s, p), nil
	case preview.EventAside:
		return aside(s, p), nil
	case preview.EventRedeploy:
		return redeploy(p), nil
	case preview.EventExecute:
		return execute(s, p, e, r), nil
	case preview.EventTold:
		return told(s, e), nil
	case preview.EventCommenting, preview.EventCommented, preview.EventCommentGone:
		return commented(s, p, e), nil
	case preview.EventChecked, preview.EventListed:
		return written(p, e), nil
	}
	if e.Generation != p.Generation && e.Kind != preview.EventSuperseded {
		return preview.Decision{}, fmt.Errorf("event %s of generation %d for %s, which is at %d: %w",
			e.Kind, e.Generation, p.Ref(), p.Generation, preview.ErrStale)
	}
	switch e.Kind {
	case preview.EventStarted:
		if !p.Wanted() {
			return preview.Decision{}, fmt.Errorf("event %s for %s, which is not wanted: %w", e.Kind, p.Ref(), preview.ErrStale)
		}
		return awaited(started(s, p, e, r)), nil
	case preview.EventProceed:
		return awaited(proceed(s, p, e, r)), nil
	case preview.EventNameTaken:
		return renamed(p, r), nil
	}
	d, err := progressed(s, p, e)
	return awaited(d), err
}

// hint never changes what is stored of a known preview: it only asks for the truth to be read.
func hint(s preview.State, e preview.Event, r Rules) preview.Decision {
	why := r.notMeant(s, e.PullRequest)
	switch {
	case e.Unused != "":
		return ignored("%s", e.Unused)
	case s.Preview == nil && why != "": // one that is known is looked at all the same, so that its close is not missed
		return ignored("%s", why)
	case s.Duplicate && !e.Replayed:
		return preview.Decision{Outcome: preview.DeliveryDuplicate, Reason: "the same delivery was received before"}
	case s.Preview == nil && e.Closed:
		return ignored("pull request #%d was closed and has no preview", e.Key.Number)
	}
	d := preview.Decision{Outcome: preview.DeliveryAccepted, Jobs: []preview.JobRequest{{Kind: preview.JobReconcile}}}
	if s.Preview == nil {
		d.Preview = unknown(s, e)
		d.Names = preview.Names(r.GitHubHost, e.PullRequest.Repository, e.Key)
	}
	return d
}

// unknown is the preview of a pull request that was not known before.
func unknown(s preview.State, e preview.Event) *preview.Preview {
	p := &preview.Preview{PullRequest: e.PullRequest, Status: preview.StatusPending, Generation: 1, ChangedAt: s.Now}
	p.Comments = -1
	return p
}

func ignored(format string, args ...any) preview.Decision {
	return preview.Decision{Outcome: preview.DeliveryIgnored, Reason: fmt.Sprintf(format, args...)}
}

// observed takes the truth over. What is wanted changes with the commit, or when the pull request is closed or reopened. A preview that
// somebody had removed stays so, whatever is pushed, until the pull request is reopened.
func observed(s preview.State, p preview.Preview, e preview.Event) preview.Decision {
	before := p
	p.MissingSince = time.Time{}
	pr := e.PullRequest
	if pr.Open && !p.Open {
		p.RemovedBy = ""
	}
	moved := pr.HeadSHA != p.HeadSHA || regated(p.PullRequest, pr)
	p.PullRequest = pr
	wantedChanged := p.Wanted() != before.Wanted() || p.Wanted() && moved
	if wantedChanged {
		p.Generation++
	}
	if wantedChanged || p.Open != before.Open {
		p.ChangedAt = s.Now
	}
	if p.Open {
		p.ClosedAt = time.Time{}
	} else if p.ClosedAt.IsZero() {
		p.ClosedAt = s.Now
	}
	var d preview.Decision
	switch ending := p.Status == preview.StatusDeleting || p.Status == preview.StatusDeleted; {
	case !p.Wanted() && p.Due() && !ending:
		d.Advance = leave(&p)
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobComment, Delay: settle})
	case p.Wanted() && p.Due() && ending:
		p.Status, p.Diagnosis = preview.StatusPending, nil
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobComment, Delay: settle})
	case p.Open != before.Open && !wantedChanged: // closed when it was removed already: the comment says something else now
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobComment, Delay: settle})
	}
	if wantedChanged && p.Wanted() && p.Status == preview.StatusQueued {
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobComment, Delay: settle}) // it waits with another commit now
	}
	if p.Merged != before.Merged && !p.Open && len(d.Jobs) == 0 {
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobComment, Delay: settle}) // it was reopened and merged, and nobody saw it open
	}
	if p != before {
		d.Preview = &p
	}
	if byReconcile := e.Fence != nil && e.Fence.Kind == preview.JobReconcile; wantedChanged && !byReconcile {
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobReconcile}) // the job itself goes on by what it just read
	}
	return d
}

// leave turns a preview to its removal, and reports whether it gives a place back.
func leave(p *preview.Preview) (advance bool) {
	advance = p.Status == preview.StatusQueued || p.Status == preview.StatusDeploying
	p.Status, p.Diagnosis, p.QueuedAt = preview.StatusDeleting, nil, time.Time{}
	p.LiveSHA, p.LiveSince, p.URL = "", time.Time{}, ""
	return advance
}

// missing believes that a pull request is gone only when GitHub goes on saying so: one wrong answer must not delete anything.
func missing(s preview.State, p preview.Preview, e preview.Event, r Rules) preview.Decision {
	confirm := r.ConfirmGone
	if confirm == 0 {
		confirm = time.Minute
	}
	switch {
	case p.MissingSince.IsZero():
		p.MissingSince = s.Now
		return preview.Decision{Preview: &p}
	case s.Now.Sub(p.MissingSince) < confirm:
		return preview.Decision{}
	}
	since := p.MissingSince
	e.PullRequest = p.PullRequest
	e.PullRequest.Open = false
	d := observed(s, p, e)
	if d.Preview != nil {
		d.Preview.MissingSince = since
	}
	return d
}

// leftover starts a removal anew: the preview was called deleted, and its namespace is there.
func leftover(s preview.State, p preview.Preview) preview.Decision {
	if p.Wanted() || p.Due() {
		return preview.Decision{}
	}
	p.Generation++
	p.Status, p.ChangedAt = preview.StatusDeleting, s.Now
	return preview.Decision{Preview: &p, Jobs: []preview.JobRequest{{Kind: preview.JobReconcile}}}
}

// aside takes a preview out of the line, or gives back the place of a deployment that nobody runs any more: it cannot go now, and
// must not keep the others waiting.
func aside(s preview.State, p preview.Preview) preview.Decision {
	if p.Status != preview.StatusQueued && p.Status != preview.StatusDeploying {
		return preview.Decision{}
	}
	p.Status, p.QueuedAt, p.ChangedAt = preview.StatusPending, time.Time{}, s.Now
	return preview.Decision{Preview: &p, Jobs: []preview.JobRequest{{Kind: preview.JobComment, Delay: settle}}, Advance: true}
}

// started begins a deployment, or puts the preview in line when the limits leave no place for it. Every deployment passes here, so
// here is the gate: whatever led to it, a commit that needs an approval and has none is not deployed.
func started(s preview.State, p preview.Preview, e preview.Event, r Rules) preview.Decision {
	if v := r.judge(s, p.PullRequest, e.SHA, s.Approvals); v != admitted {
		return block(s, p, v)
	}
	self := preview.Place{PreviewID: p.ID, Key: p.Key, Repository: p.Repository, QueuedAt: p.QueuedAt}
	if _, waits := Wait(s.Line, r.Limits, self, s.Now); waits {
		if p.Status == preview.StatusQueued {
			return preview.Decision{}
		}
		p.Status, p.QueuedAt, p.ChangedAt = preview.StatusQueued, s.Now, s.Now
		return preview.Decision{Preview: &p, Jobs: []preview.JobRequest{{Kind: preview.JobComment}}, Advance: true} // the others' positions changed
	}
	d := preview.Decision{Deployments: start(s, p, e), Jobs: []preview.JobRequest{{Kind: preview.JobComment, Delay: hurry(s, p)}}}
	if p.Status == preview.StatusDeploying && p.Host == e.Host && len(d.Deployments) == 0 {
		return preview.Decision{} // taken up again: nothing is new for people
	}
	p.Status, p.Host, p.Diagnosis, p.QueuedAt, p.ChangedAt = preview.StatusDeploying, e.Host, nil, time.Time{}, s.Now
	p.CommentWrites = 0
	d.Preview = &p
	return d
}

// hurry is how long the comment about a deployment that begins may wait: where one commit follows another within moments, nobody can read what
// is said of each.
func hurry(s preview.State, p preview.Preview) time.Duration {
	if old := s.Deployment; p.CommentID != 0 && old != nil && s.Now.Sub(old.StartedAt) < 2*settle {
		return settle
	}
	return 0
}

// renamed gives a preview the next of its names, because a namespace of the name it has is somebody else's; nothing when it has had all of them.
func renamed(p preview.Preview, r Rules) preview.Decision {
	names := preview.Names(r.GitHubHost, p.Repository, p.Key)
	if i := slices.Index(names, p.Namespace); i >= 0 {
		names = names[i+1:]
	}
	if len(names) == 0 {
		return preview.Decision{}
	}
	p.NamespaceUID = ""
	return preview.Decision{Preview: &p, Names: names}
}

func redeploy(p preview.Preview) preview.Decision {
	if !p.Wanted() {
		return preview.Decision{}
	}
	p.Generation++
	return preview.Decision{Preview: &p, Jobs: []preview.JobRequest{{Kind: preview.JobReconcile}}}
}

// progressed takes over what the worker reports of its own work on the preview.
func progressed(s preview.State, p preview.Preview, e preview.Event) (preview.Decision, error) {
	now := preview.JobRequest{Kind: preview.JobComment}
	if e.Kind != preview.EventNamespace {
		p.ChangedAt = s.Now
	}
	switch e.Kind {
	case preview.EventSteps:
		return stepped(s, p, e), nil
	case preview.EventNamespace:
		if e.Fence == nil && p.Status == preview.StatusDeploying {
			return preview.Decision{}, nil // seen from outside, before this deployment began
		}
		p.NamespaceUID = e.NamespaceUID
		return preview.Decision{Preview: &p, Advance: e.NamespaceUID == ""}, nil
	case preview.EventSucceeded:
		p.Status, p.Settled, p.URL, p.Diagnosis = preview.StatusRunning, p.Generation, e.URL, nil
		p.LiveSHA, p.LiveSince = e.SHA, s.Now
		return preview.Decision{Preview: &p, Deployments: finish(s, e, preview.DeploymentSucceeded), Jobs: []preview.JobRequest{now}, Advance: true}, nil
	case preview.EventFailed:
		p.Status, p.Settled, p.Diagnosis, p.QueuedAt = preview.StatusFailed, p.Generation, e.Diagnosis, time.Time{}
		return preview.Decision{Preview: &p, Deployments: finish(s, e, preview.DeploymentFailed), Jobs: []preview.JobRequest{now}, Advance: true}, nil
	case preview.EventDegraded:
		if p.Status != preview.StatusRunning {
			return preview.Decision{}, nil
		}
		p.Status, p.Diagnosis = preview.StatusDegraded, e.Diagnosis
		return preview.Decision{Preview: &p, Jobs: []preview.JobRequest{now}}, nil
	case preview.EventHealed:
		if p.Status != preview.StatusDegraded {
			return preview.Decision{}, nil
		}
		p.Status, p.Diagnosis = preview.StatusRunning, nil
		return preview.Decision{Preview: &p, Jobs: []preview.JobRequest{now}}, nil
	case preview.EventSuperseded:
		return preview.Decision{Deployments: finish(s, e, preview.DeploymentSuperseded)}, nil
	case preview.EventDeleteStuck:
		if old := p.Diagnosis; old != nil && old.Code == e.Diagnosis.Code && old.Cause == e.Diagnosis.Cause {
			return preview.Decision{}, nil // told before
		}
		p.Diagnosis = e.Diagnosis
		return preview.Decision{Preview: &p, Jobs: []preview.JobRequest{now}}, nil
	case preview.EventDeleted:
		p.Status, p.Settled, p.Diagnosis = preview.StatusDeleted, p.Generation, nil
		p.NamespaceUID, p.LiveSHA, p.LiveSince, p.URL = "", "", time.Time{}, ""
		return preview.Decision{Preview: &p, Jobs: []preview.JobRequest{now}, Advance: true}, nil
	default:
		return preview.Decision{}, fmt.Errorf("event kind %q: %w", e.Kind, preview.ErrInvalid)
	}
}

// stepped takes over how far a deployment is. The comment follows a while later, and not for each step: see preview.Preview.MayEdit.
func stepped(s preview.State, p preview.Preview, e preview.Event) preview.Decision {
	if s.Deployment == nil || s.Deployment.Status != preview.DeploymentRunning || s.Deployment.Generation != e.Generation {
		return preview.Decision{}
	}
	dep := *s.Deployment
	dep.Steps = e.Steps
	d := preview.Decision{Deployments: []preview.Deployment{dep}}
	if p.MayEdit() {
		d.Jobs = []preview.JobRequest{{Kind: preview.JobComment, Delay: settle}}
	}
	return d
}

// commented takes over what became of the comment. It asks for no job: the comment job itself runs again when its
// generation moved meanwhile.
func commented(s preview.State, p preview.Preview, e preview.Event) preview.Decision {
	before := p
	switch e.Kind {
	case preview.EventCommenting:
		p.CommentAttempted, p.CommentHash = true, "" // it may be there even when nobody learns of it
	case preview.EventCommented:
		if p.CommentHash != e.CommentHash {
			p.CommentWrites++
			p.Channels.Comment = p.Channels.Comment.Written(s.Now)
		}
		p.CommentAttempted, p.CommentID, p.CommentHash = true, e.CommentID, e.CommentHash
	case preview.EventCommentGone:
		p.CommentHash = e.CommentHash
	}
	if p == before {
		return preview.Decision{}
	}
	return preview.Decision{Preview: &p}
}
