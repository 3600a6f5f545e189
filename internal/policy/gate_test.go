package policy_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
)

// forked is pull as it comes from another repository.
func forked(sha string, open bool) preview.PullRequest {
	pr := pull(sha, open)
	pr.HeadRepositoryID, pr.HeadRepository, pr.BaseBranch, pr.Author = 99, "octo/web", "main", "mallory"
	return pr
}

// read is what the reconcile job hands in after it has read the pull request.
func (w *world) read(pr preview.PullRequest) {
	w.t.Helper()
	w.apply(preview.Event{Kind: preview.EventObserved, PullRequest: pr, Fence: &preview.Fence{Kind: preview.JobReconcile}})
}

// approve stores an approval of what the pull request is now.
func (w *world) approve(pr preview.PullRequest) {
	w.keep(preview.Approval{
		Key: pr.Key, SHA: pr.HeadSHA, HeadRepositoryID: pr.HeadRepositoryID, BaseBranch: pr.BaseBranch, Approver: "dora", ApproverID: 5, ApprovedAt: now,
	})
}

// seen is a world with a fork's pull request that was read and asked to be deployed.
func seen(t *testing.T, pr preview.PullRequest) *world {
	t.Helper()
	w := &world{t: t}
	w.apply(preview.Event{Kind: preview.EventHint, PullRequest: pr})
	w.read(pr)
	w.work(preview.EventStarted, pr.HeadSHA)
	return w
}

// blocked checks that nothing started, and that nothing is due.
func (w *world) blocked(when string) {
	w.t.Helper()
	if w.p.Status != preview.StatusBlocked || w.p.Due() {
		w.t.Errorf("%s: status %s, due %t; want blocked and settled", when, w.p.Status, w.p.Due())
	}
	for _, d := range w.deps {
		if d.Status == preview.DeploymentRunning {
			w.t.Errorf("%s: a deployment of %s runs", when, preview.ShortSHA(d.SHA))
		}
	}
}

// TestWhoIsTrusted: by the ids of the repositories and the kind of the author, and by what the operator says.
func TestWhoIsTrusted(t *testing.T) {
	t.Parallel()
	with := func(change func(*preview.PullRequest)) preview.PullRequest {
		pr := pull(shaA, true)
		pr.Author = "dora"
		change(&pr)
		return pr
	}
	renovate := with(func(pr *preview.PullRequest) { pr.Author, pr.Bot = "renovate[bot]", true })
	for name, c := range map[string]struct {
		pr      preview.PullRequest
		access  policy.Access
		want    preview.Trust
		started preview.Status
	}{
		"own branch":           {with(func(*preview.PullRequest) {}), policy.Access{}, preview.TrustOwn, preview.StatusDeploying},
		"fork":                 {forked(shaA, true), policy.Access{}, preview.TrustFork, preview.StatusBlocked},
		"fork of that name":    {with(func(pr *preview.PullRequest) { pr.HeadRepositoryID, pr.HeadRepository = 99, pr.Repository }), policy.Access{}, preview.TrustFork, preview.StatusBlocked},
		"fork that is gone":    {with(func(pr *preview.PullRequest) { pr.HeadRepositoryID = 0 }), policy.Access{}, preview.TrustFork, preview.StatusBlocked},
		"nothing is known":     {preview.PullRequest{Key: key, Repository: "acme/web", HeadSHA: shaA, Open: true}, policy.Access{}, preview.TrustFork, preview.StatusBlocked},
		"bot":                  {renovate, policy.Access{}, preview.TrustBot, preview.StatusBlocked},
		"bot by its login":     {with(func(pr *preview.PullRequest) { pr.Author = "Dependabot[bot]" }), policy.Access{}, preview.TrustBot, preview.StatusBlocked},
		"bot by its type":      {with(func(pr *preview.PullRequest) { pr.Bot = true }), policy.Access{TrustedBots: []string{"dora"}}, preview.TrustBot, preview.StatusBlocked},
		"trusted bot":          {renovate, policy.Access{TrustedBots: []string{"Renovate[bot]"}}, preview.TrustOwn, preview.StatusDeploying},
		"another bot":          {renovate, policy.Access{TrustedBots: []string{"dependabot[bot]"}}, preview.TrustBot, preview.StatusBlocked},
		"trusted bot's fork":   {with(func(pr *preview.PullRequest) { pr.Author, pr.Bot, pr.HeadRepositoryID = "renovate[bot]", true, 99 }), policy.Access{TrustedBots: []string{"renovate[bot]"}}, preview.TrustFork, preview.StatusBlocked},
		"forks are deployed":   {forked(shaA, true), policy.Access{Forks: policy.ForksDeploy}, preview.TrustFork, preview.StatusDeploying},
		"bots are not forks":   {renovate, policy.Access{Forks: policy.ForksDeploy}, preview.TrustBot, preview.StatusBlocked},
		"forks are never":      {forked(shaA, true), policy.Access{Forks: policy.ForksNever}, preview.TrustFork, preview.StatusBlocked},
		"never is about forks": {with(func(*preview.PullRequest) {}), policy.Access{Forks: policy.ForksNever}, preview.TrustOwn, preview.StatusDeploying},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.access.Trust(c.pr); got != c.want {
				t.Errorf("trust %s, want %s", got, c.want)
			}
			w := &world{t: t, access: c.access}
			w.apply(preview.Event{Kind: preview.EventHint, PullRequest: c.pr})
			w.read(c.pr)
			w.work(preview.EventStarted, shaA)
			if w.p.Status != c.started {
				t.Errorf("started: %s, want %s", w.p.Status, c.started)
			}
		})
	}
}

// TestNeverIsNotApproved: where forks get no previews an approval from before changes nothing, and the comment says why.
func TestNeverIsNotApproved(t *testing.T) {
	t.Parallel()
	w := &world{t: t, access: policy.Access{Forks: policy.ForksNever}}
	w.approve(forked(shaA, true))
	w.apply(preview.Event{Kind: preview.EventHint, PullRequest: forked(shaA, true)})
	w.work(preview.EventStarted, shaA)
	w.blocked("never")
	if w.p.Diagnosis == nil || w.p.Diagnosis.Code != preview.CodeForksOff {
		t.Errorf("diagnosis %+v, want %s", w.p.Diagnosis, preview.CodeForksOff)
	}
}

// TestApprovalHoldsForOneCommit goes through the ways in which others let an unapproved commit slip through.
func TestApprovalHoldsForOneCommit(t *testing.T) {
	t.Parallel()
	changed := func(change func(*preview.PullRequest)) preview.PullRequest {
		pr := forked(shaA, true)
		change(&pr)
		return pr
	}
	for name, then := range map[string]func(w *world){
		"a push": func(w *world) { w.read(forked(shaB, true)) },
		"a push that takes over": func(w *world) {
			w.apply(preview.Event{Kind: preview.EventRedeploy})
			w.work(preview.EventStarted, shaA)
			w.read(forked(shaB, true))
		},
		"a push and a redeploy": func(w *world) { w.read(forked(shaB, true)); w.apply(preview.Event{Kind: preview.EventRedeploy}) },
		"a push, closed, open":  func(w *world) { w.read(forked(shaB, false)); w.read(forked(shaB, true)) },
		"a label": func(w *world) {
			w.read(forked(shaB, true))
			w.apply(preview.Event{Kind: preview.EventHint, PullRequest: forked(shaB, true)})
		},
		"another base":            func(w *world) { w.read(changed(func(pr *preview.PullRequest) { pr.BaseBranch = "release" })) },
		"another head repository": func(w *world) { w.read(changed(func(pr *preview.PullRequest) { pr.HeadRepositoryID = 98 })) },
		"the fork is gone":        func(w *world) { w.read(changed(func(pr *preview.PullRequest) { pr.HeadRepositoryID = 0 })) },
		"another number": func(w *world) {
			w.approvals[0].Number = 8
			w.apply(preview.Event{Kind: preview.EventRedeploy})
		},
		"another repository": func(w *world) {
			w.approvals[0].RepositoryID = 2
			w.apply(preview.Event{Kind: preview.EventRedeploy})
		},
		"withdrawn": func(w *world) {
			w.approvals[0].WithdrawnAt = now
			w.apply(preview.Event{Kind: preview.EventRedeploy})
		},
		"a late approval": func(w *world) { // of the commit before, when the push is known already
			w.approvals = nil
			w.read(forked(shaB, true))
			w.approve(forked(shaA, true))
			w.apply(preview.Event{Kind: preview.EventRedeploy})
		},
		"a part of the commit": func(w *world) {
			w.approvals[0].SHA = shaA[:7]
			w.apply(preview.Event{Kind: preview.EventRedeploy})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := seen(t, forked(shaA, true))
			w.blocked("at first")
			w.approve(forked(shaA, true))
			w.apply(preview.Event{Kind: preview.EventRedeploy})
			w.work(preview.EventStarted, shaA)
			w.work(preview.EventSucceeded, shaA)
			w.expect(preview.StatusRunning, false, preview.JobComment)
			then(w)
			if !w.p.Due() {
				t.Fatal("nothing is due, so nobody looks again")
			}
			w.work(preview.EventStarted, w.p.HeadSHA)
			w.blocked(name)
			if w.p.Open && w.p.LiveSHA != shaA && name != "a push, closed, open" {
				t.Errorf("live is %q, want the approved commit to stay", w.p.LiveSHA)
			}
		})
	}
}

// TestNotTheHead: a commit that is not the pull request's own is never deployed, approved or not.
func TestNotTheHead(t *testing.T) {
	t.Parallel()
	w := seen(t, forked(shaA, true))
	w.approve(forked(shaB, true))
	w.apply(preview.Event{Kind: preview.EventRedeploy})
	w.work(preview.EventStarted, shaB)
	w.blocked("approved, not the head")
}

// TestCancelledStaysCancelled: an approved deployment that was called off before it began is not revived, whatever asks for it again; nor by an
// approval that comes when the commit is not the head any more.
func TestCancelledStaysCancelled(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(w *world){
		"deploy":            func(w *world) { w.order(3, "/preview deploy") },
		"retry":             func(w *world) { w.order(3, "/preview retry") },
		"the button":        func(w *world) { _ = w.try(preview.Event{Kind: preview.EventRedeploy}) },
		"closed and opened": func(w *world) { w.read(forked(shaA, false)); w.read(forked(shaA, true)) },
		"a label":           func(w *world) { w.apply(preview.Event{Kind: preview.EventHint, PullRequest: forked(shaA, true)}) },
		"the cancelled run": func(w *world) { _ = w.try(preview.Event{Kind: preview.EventProceed, Generation: 1, SHA: shaA}) },
		"a late approval": func(w *world) {
			w.read(forked(shaB, true))
			if got := w.order(3, "/preview approve "+shaA); got != preview.CommandRefused {
				w.t.Errorf("approve: %s", got)
			}
		},
		"a push": func(w *world) { w.read(forked(shaB, true)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := seen(t, forked(shaA, true))
			w.order(1, "/preview approve "+shaA)
			w.order(2, "/preview destroy")
			w.work(preview.EventDeleted, "")
			again(w)
			if w.p.Due() && w.p.Wanted() {
				w.work(preview.EventStarted, w.p.HeadSHA)
			}
			for _, d := range w.deps {
				t.Errorf("a deployment of %s began: %s", preview.ShortSHA(d.SHA), d.Status)
			}
		})
	}
}

// TestProceed: a deployment under way stops when its approval does not hold any more, and gives its place back.
func TestProceed(t *testing.T) {
	t.Parallel()
	w := seen(t, forked(shaA, true))
	w.approve(forked(shaA, true))
	w.apply(preview.Event{Kind: preview.EventRedeploy})
	w.work(preview.EventStarted, shaA)
	w.work(preview.EventProceed, shaA)
	w.expect(preview.StatusDeploying, true)
	w.apply(preview.Event{Kind: preview.EventProceed, Generation: w.p.Generation, SHA: shaA, Withdrawn: w.approvals[0].ID})
	w.blocked("withdrawn")
	if !w.last.Advance || w.approvals[0].WithdrawnAt.IsZero() || w.deps[0].Status != preview.DeploymentSuperseded {
		t.Errorf("advance %t, approval %+v, deployment %s", w.last.Advance, w.approvals[0], w.deps[0].Status)
	}
	w.apply(preview.Event{Kind: preview.EventRedeploy})
	w.work(preview.EventStarted, shaA)
	w.blocked("asked for again")
}

// TestOwnBranchNeedsNothing: retargeting a pull request of the repository's own deploys nothing anew.
func TestOwnBranchNeedsNothing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	pr := pull(shaA, true)
	pr.BaseBranch = "release"
	w.read(pr)
	w.expect(preview.StatusRunning, false)
}

// TestNothingUnapprovedStarts: whatever happens in whatever order, no deployment of a fork runs without an approval of exactly that.
func TestNothingUnapprovedStarts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{t: t}
		pr := forked(shaA, true)
		w.apply(preview.Event{Kind: preview.EventHint, PullRequest: pr})
		given := map[string]bool{}
		scope := func(pr preview.PullRequest, sha string) string {
			return fmt.Sprint(sha, pr.HeadRepositoryID, pr.BaseBranch)
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			step := rapid.SampledFrom([]string{"push", "base", "close", "gone", "approve", "withdraw", "redeploy", "hint", "read", "start", "proceed", "succeed", "fail", "delete"}).Draw(rt, "step")
			before := len(w.deps)
			switch step {
			case "push":
				pr.HeadSHA = rapid.SampledFrom([]string{shaA, shaB}).Draw(rt, "sha")
			case "base":
				pr.BaseBranch = rapid.SampledFrom([]string{"main", "release"}).Draw(rt, "base")
			case "close":
				pr.Open = !pr.Open
			case "gone":
				pr.HeadRepositoryID = rapid.SampledFrom([]int64{0, 98, 99}).Draw(rt, "head")
			case "approve":
				w.approve(pr)
				given[scope(pr, pr.HeadSHA)] = true
			case "withdraw":
				for i := range w.approvals {
					w.approvals[i].WithdrawnAt = now
				}
				given = map[string]bool{}
			case "redeploy":
				w.apply(preview.Event{Kind: preview.EventRedeploy})
			case "hint":
				w.apply(preview.Event{Kind: preview.EventHint, PullRequest: pr})
			case "read":
				w.read(pr)
			default:
				kind := map[string]preview.EventKind{"start": preview.EventStarted, "proceed": preview.EventProceed, "succeed": preview.EventSucceeded, "fail": preview.EventFailed, "delete": preview.EventDeleted}[step]
				running := w.p.Status == preview.StatusDeploying
				if step == "start" && (!w.p.Open || !w.p.Due()) || step == "delete" && w.p.Status != preview.StatusDeleting || (step == "succeed" || step == "fail" || step == "proceed") && !running {
					continue // the worker would not say so
				}
				w.work(kind, w.p.HeadSHA)
			}
			for _, d := range w.deps[before:] {
				if !given[scope(w.p.PullRequest, d.SHA)] {
					rt.Fatalf("%s started %s from %d to %s without an approval", step, preview.ShortSHA(d.SHA), w.p.HeadRepositoryID, w.p.BaseBranch)
				}
			}
			if step == "proceed" && w.p.Status == preview.StatusDeploying && !given[scope(w.p.PullRequest, w.p.HeadSHA)] {
				rt.Fatalf("it went on with %s without an approval", preview.ShortSHA(w.p.HeadSHA))
			}
		}
	})
}
