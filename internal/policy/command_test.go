package policy_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
)

// say hands in a comment with the command, as its delivery does, and returns the outcome of that.
func (w *world) say(comment int64, order string) preview.DeliveryOutcome {
	w.t.Helper()
	parsed, ok := preview.ParseOrder(order)
	if !ok {
		w.t.Fatalf("%q is no order", order)
	}
	pr := preview.PullRequest{Key: key, Repository: "acme/web", Open: true}
	w.apply(preview.Event{Kind: preview.EventCommand, PullRequest: pr, Command: &preview.Command{CommentID: comment, Order: parsed, Author: "dora", AuthorID: 5}})
	return w.last.Outcome
}

// look is the job's look at the command; refusal is what GitHub holds against it.
func (w *world) look(comment int64, refusal string) preview.CommandOutcome {
	w.t.Helper()
	w.apply(preview.Event{Kind: preview.EventExecute, Command: &preview.Command{CommentID: comment}, Refusal: refusal})
	return w.commands[comment].Outcome
}

// order says and looks at once.
func (w *world) order(comment int64, order string) preview.CommandOutcome {
	w.t.Helper()
	w.say(comment, order)
	return w.look(comment, "")
}

func (w *world) noticed(part string) {
	w.t.Helper()
	if w.p.Notice == nil || !strings.Contains(w.p.Notice.Text, part) || !w.p.Notice.Until.Equal(now.Add(w.later).Add(600e9)) {
		w.t.Errorf("notice %+v, want one with %q, for ten minutes", w.p.Notice, part)
	}
}

// TestApproveOrder: one commit, the one that GitHub reports now, is allowed; the rest is refused, and changes nothing.
func TestApproveOrder(t *testing.T) {
	t.Parallel()
	same := shaA[:12] + strings.Repeat("0", 28) // another commit that begins alike
	for name, c := range map[string]struct {
		prepare func(w *world)
		order   string
		between func(w *world) // what happens between the comment and the job
		refusal string
		want    preview.CommandOutcome
		says    string
	}{
		"the whole SHA":        {order: shaA, want: preview.CommandAccepted},
		"in capitals":          {order: strings.ToUpper(shaA), want: preview.CommandAccepted},
		"seven characters":     {order: shaA[:7], want: preview.CommandAccepted},
		"six characters":       {order: shaA[:6], want: preview.CommandRefused, says: "At least 7"},
		"more than a SHA":      {order: shaA + "a", want: preview.CommandRefused, says: "At least 7"},
		"nothing":              {order: "", want: preview.CommandRefused, says: "Say which commit: `/preview approve " + shaA},
		"a branch":             {order: "main", want: preview.CommandRefused, says: "Say which commit"},
		"another commit":       {order: shaB, want: preview.CommandRefused, says: "It is at `" + shaA},
		"the middle of it":     {order: "b" + shaA[:10], want: preview.CommandRefused, says: "It is at"},
		"two commits":          {order: shaA + " " + shaB, want: preview.CommandRefused},
		"no right to write":    {order: shaA, refusal: "No right.", want: preview.CommandRefused, says: "No right."},
		"a push meanwhile":     {order: shaA, between: func(w *world) { w.read(forked(shaB, true)) }, want: preview.CommandRefused, says: "It is at `" + shaB},
		"a late one":           {prepare: func(w *world) { w.read(forked(shaB, true)) }, order: shaA[:7], want: preview.CommandRefused, says: "It is at `" + shaB},
		"forged after it":      {order: shaA[:7], between: func(w *world) { w.read(forked(same, true)) }, want: preview.CommandRefused, says: "changed while this was written"},
		"forged, written out":  {order: same, between: func(w *world) { w.read(forked(same, true)) }, want: preview.CommandRefused, says: "changed"},
		"closed meanwhile":     {order: shaA, between: func(w *world) { w.read(forked(shaA, false)) }, want: preview.CommandRefused, says: "closed"},
		"retargeted meanwhile": {order: shaA, between: func(w *world) { pr := forked(shaA, true); pr.BaseBranch = "release"; w.read(pr) }, want: preview.CommandRefused, says: "changed"},
		"pushed and back":      {order: shaA, between: func(w *world) { w.read(forked(shaB, true)); w.read(forked(shaA, true)) }, want: preview.CommandRefused, says: "changed"},
		"forks are never":      {prepare: func(w *world) { w.access.Forks = policy.ForksNever }, order: shaA, want: preview.CommandRefused, says: "forks: never"},
		"not a fork":           {prepare: func(w *world) { w.read(pull(shaA, true)) }, order: shaA, want: preview.CommandDone, says: "needs no approval"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := seen(t, forked(shaA, true))
			if c.prepare != nil {
				c.prepare(w)
			}
			if got := w.say(1, "/preview approve "+c.order); got != preview.DeliveryAccepted {
				t.Fatalf("delivery %s", got)
			}
			if c.between != nil {
				c.between(w)
			}
			generation := w.p.Generation
			if got := w.look(1, c.refusal); got != c.want {
				t.Errorf("outcome %s, want %s; %+v", got, c.want, w.p.Notice)
			}
			if c.says != "" {
				w.noticed(c.says)
			}
			if c.want != preview.CommandAccepted {
				if len(w.approvals) != 0 || w.p.Generation != generation {
					t.Errorf("refused, and yet %d approvals, generation %d after %d", len(w.approvals), w.p.Generation, generation)
				}
				return
			}
			a := w.approvals[0]
			if a.SHA != w.p.HeadSHA || a.HeadRepositoryID != 99 || a.BaseBranch != w.p.BaseBranch || a.ApproverID != 5 || a.Approver != "dora" || a.CommentID != 1 || a.Key != key || !a.ApprovedAt.Equal(now) {
				t.Errorf("approval %+v", a)
			}
			w.expect(preview.StatusPending, true, preview.JobReconcile, preview.JobComment)
			w.work(preview.EventStarted, w.p.HeadSHA)
			w.work(preview.EventSucceeded, w.p.HeadSHA)
			w.expect(preview.StatusRunning, false, preview.JobComment, preview.JobCommand)
			if got := w.look(1, ""); got != preview.CommandDone {
				t.Errorf("at the end: %s", got)
			}
		})
	}
}

// TestCommandRunsOnce: the same comment, delivered again under whatever body or name, and the job that looks at it twice, change nothing.
func TestCommandRunsOnce(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.order(1, "/preview deploy")
	w.work(preview.EventStarted, shaA)
	w.work(preview.EventSucceeded, shaA)
	if got := w.look(1, ""); got != preview.CommandDone {
		t.Fatalf("outcome %s", got)
	}
	before := *w.p
	if got := w.say(1, "/preview destroy"); got != preview.DeliveryDuplicate || len(w.jobs) != 0 {
		t.Errorf("the same comment again: %s, jobs %v", got, w.jobs)
	}
	w.look(1, "")
	w.look(1, "No.")
	if *w.p != before || w.commands[1].Order.Verb != preview.VerbDeploy || w.commands[1].Outcome != preview.CommandDone {
		t.Errorf("the preview or the command changed: %+v", w.commands[1])
	}
	s := w.state()
	s.Duplicate = true
	d, err := policy.Decide(s, preview.Event{Kind: preview.EventCommand, Key: key, PullRequest: pull(shaA, true), Command: &preview.Command{CommentID: 2}}, rules)
	if err != nil || d.Outcome != preview.DeliveryDuplicate || d.Command != nil || len(d.Jobs) != 0 {
		t.Errorf("the same body again: %+v, %v", d, err)
	}
}

// TestDestroyStays: removed stays removed, whatever is pushed or asked by whom, until a person deploys it or the pull request is reopened.
func TestDestroyStays(t *testing.T) {
	t.Parallel()
	destroyed := func(t *testing.T) *world {
		w := opened(t)
		if got := w.order(1, "/preview destroy"); got != preview.CommandAccepted {
			t.Fatalf("outcome %s", got)
		}
		w.expect(preview.StatusDeleting, true, preview.JobReconcile, preview.JobComment)
		w.read(pull(shaA, true))
		w.expect(preview.StatusDeleting, true)
		w.work(preview.EventDeleted, "")
		w.expect(preview.StatusDeleted, false, preview.JobComment, preview.JobCommand)
		if got := w.look(1, ""); got != preview.CommandDone {
			t.Errorf("at the end: %s", got)
		}
		w.read(pull(shaB, true))
		w.apply(preview.Event{Kind: preview.EventRedeploy})
		w.hint(shaB, true)
		w.expect(preview.StatusDeleted, false, preview.JobReconcile)
		return w
	}
	t.Run("until it is deployed", func(t *testing.T) {
		t.Parallel()
		w := destroyed(t)
		w.order(2, "/preview deploy")
		w.expect(preview.StatusPending, true, preview.JobReconcile, preview.JobComment)
		w.work(preview.EventStarted, shaB)
		w.work(preview.EventSucceeded, shaB)
		w.expect(preview.StatusRunning, false, preview.JobComment, preview.JobCommand)
	})
	t.Run("until it is reopened", func(t *testing.T) {
		t.Parallel()
		w := destroyed(t)
		w.read(pull(shaB, false))
		w.expect(preview.StatusDeleted, false, preview.JobComment) // there is nothing to remove, and the comment says closed
		w.read(pull(shaB, true))
		w.expect(preview.StatusPending, true, preview.JobComment)
	})
	t.Run("a namespace that is there goes", func(t *testing.T) {
		t.Parallel()
		w := destroyed(t)
		w.apply(preview.Event{Kind: preview.EventLeftover})
		w.expect(preview.StatusDeleting, true, preview.JobReconcile)
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		w := destroyed(t)
		if got := w.order(2, "/preview destroy"); got != preview.CommandDone || w.p.Due() {
			t.Errorf("outcome %s, due %t", got, w.p.Due())
		}
	})
}

// TestDestroyWithdraws: after a fork's preview was removed, neither deploying nor reopening brings it back without a new approval.
func TestDestroyWithdraws(t *testing.T) {
	t.Parallel()
	w := seen(t, forked(shaA, true))
	w.order(1, "/preview approve "+shaA)
	w.work(preview.EventStarted, shaA)
	w.work(preview.EventSucceeded, shaA)
	w.order(2, "/preview destroy")
	w.work(preview.EventDeleted, "")
	if got := w.order(3, "/preview deploy"); got != preview.CommandRefused {
		t.Errorf("deploy: %s", got)
	}
	w.noticed("not approved")
	w.read(forked(shaA, false))
	w.read(forked(shaA, true))
	w.work(preview.EventStarted, shaA)
	w.blocked("reopened")
	if got := w.order(4, "/preview approve "+shaA); got != preview.CommandAccepted {
		t.Errorf("approve: %s", got)
	}
	w.work(preview.EventStarted, shaA)
	w.expect(preview.StatusDeploying, true, preview.JobComment)
}

// TestApproveBringsBack: allowing a commit whose preview somebody had removed means wanting to see it.
func TestApproveBringsBack(t *testing.T) {
	t.Parallel()
	w := seen(t, forked(shaA, true))
	w.order(1, "/preview destroy")
	w.work(preview.EventDeleted, "")
	w.order(2, "/preview approve "+shaA)
	w.work(preview.EventStarted, shaA)
	w.expect(preview.StatusDeploying, true, preview.JobComment)
}

// TestDeployWaitsForWhatRuns: asking for what is on its way does not start it over.
func TestDeployWaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.read(pull(shaB, true))
	w.work(preview.EventStarted, shaB)
	generation := w.p.Generation
	if got := w.order(1, "/preview retry"); got != preview.CommandAccepted || w.p.Generation != generation {
		t.Errorf("outcome %s, generation %d after %d", got, w.p.Generation, generation)
	}
	w.work(preview.EventFailed, shaB)
	if got := w.look(1, ""); got != preview.CommandFailed {
		t.Errorf("after it failed: %s", got)
	}
	if got := w.order(2, "/preview redeploy"); got != preview.CommandAccepted || w.p.Generation != generation+1 {
		t.Errorf("after it failed, again: %s, generation %d", got, w.p.Generation)
	}
}

// TestOtherOrders: each is answered, and none of them changes what is wanted.
func TestOtherOrders(t *testing.T) {
	t.Parallel()
	for order, c := range map[string]struct {
		want preview.CommandOutcome
		says string
	}{
		"/preview":               {preview.CommandDone, "`/preview approve SHA`"},
		"/preview help":          {preview.CommandDone, "Commands"},
		"/preview diagnose":      {preview.CommandDone, "everything that the live commit runs on is ready"},
		"/preview logs web":      {preview.CommandRefused, "kubectl"},
		"/preview logs web now":  {preview.CommandRefused, "Name one container"},
		"/preview sleep":         {preview.CommandRefused, "does not exist yet"},
		"/preview wake":          {preview.CommandRefused, "does not exist yet"},
		"/preview pin 3d":        {preview.CommandRefused, "does not exist yet"},
		"/preview extend 3d":     {preview.CommandRefused, "does not exist yet"},
		"/preview frobnicate":    {preview.CommandRefused, "no such command"},
		"/preview deploy abc":    {preview.CommandRefused, "takes nothing more"},
		"/preview destroy all":   {preview.CommandRefused, "takes nothing more"},
		"/preview `rm -rf`":      {preview.CommandRefused, "takes nothing more"},
		"/preview destroy now !": {preview.CommandRefused, "takes nothing more"},
	} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			w := opened(t)
			if got := w.order(1, order); got != c.want || w.p.Due() || w.p.Status != preview.StatusRunning {
				t.Errorf("outcome %s, status %s, due %t", got, w.p.Status, w.p.Due())
			}
			w.noticed(c.says)
			if w.jobs[len(w.jobs)-1] != preview.JobComment {
				t.Errorf("jobs %v, nobody writes the answer", w.jobs)
			}
		})
	}
}

// TestLogs: the answer leads to the web pages, to one container or to all, and shows no line of a log.
func TestLogs(t *testing.T) {
	t.Parallel()
	for order, link := range map[string]string{
		"/preview logs":     "[here](https://catalyst.example.com/p/acme/web/7/logs)",
		"/preview logs api": "`api` are [here](https://catalyst.example.com/p/acme/web/7/logs?container=api)",
		"/preview logs a/b": "",
		"/preview logs A)":  "",
		"/preview logs ../": "",
	} {
		w := opened(t)
		w.pages = "https://catalyst.example.com"
		want := preview.CommandDone
		if link == "" {
			want, link = preview.CommandRefused, "Name one container"
		}
		if got := w.order(1, order); got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
		w.noticed(link)
		if w.p.Notice != nil && w.p.Notice.Detail != "" {
			t.Errorf("%s: shows %q", order, w.p.Notice.Detail)
		}
	}
}

// TestDiagnose: what the job saw is told, and changes no state by itself.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.say(1, "/preview diagnose")
	w.apply(preview.Event{Kind: preview.EventExecute, Command: &preview.Command{CommentID: 1}, Diagnosis: &preview.Diagnosis{Cause: "0 of 1 pods"}})
	w.noticed("What is wrong")
	if w.p.Notice.Detail != "0 of 1 pods" || w.p.Status != preview.StatusRunning {
		t.Errorf("%+v, status %s", w.p.Notice, w.p.Status)
	}
}

// TestCommandOnTheUnknown: a comment on a pull request whose own deliveries were lost makes it known; one on a closed or
// foreign pull request is ignored.
func TestCommandOnTheUnknown(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	if got := w.say(1, "/preview deploy"); got != preview.DeliveryAccepted {
		t.Errorf("delivery %s", got)
	}
	w.expect(preview.StatusPending, true, preview.JobCommand, preview.JobReconcile)
	w.work(preview.EventStarted, "") // whatever runs before the pull request was read
	w.blocked("nothing is known of it")
	e := preview.Event{Kind: preview.EventCommand, Key: key, PullRequest: pull("", false), Command: &preview.Command{CommentID: 1}, Closed: true}
	if d, err := policy.Decide(preview.State{Now: now}, e, rules); err != nil || d.Outcome != preview.DeliveryIgnored || d.Command != nil {
		t.Errorf("closed: %+v, %v", d, err)
	}
	e.PullRequest.Repository, e.Closed = "evil/web", false
	if d, err := policy.Decide(preview.State{Now: now}, e, rules); err != nil || d.Outcome != preview.DeliveryIgnored || d.Command != nil {
		t.Errorf("not configured: %+v, %v", d, err)
	}
}

// TestTold: a reaction is noted once.
func TestTold(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.order(1, "/preview help")
	tell := preview.Event{Kind: preview.EventTold, Command: &preview.Command{CommentID: 1, Told: preview.CommandDone}}
	w.apply(tell)
	if got := w.commands[1]; got.Told != preview.CommandDone || got.Outcome != preview.CommandDone {
		t.Errorf("%+v", got)
	}
	w.apply(tell)
	if w.last.Command != nil || w.last.Preview != nil {
		t.Errorf("told twice: %+v", w.last)
	}
}

// TestCommandsKeepTheGate: whatever commands come in whatever order between pushes and retargets, a fork's deployment begins only for what
// somebody who may has approved, as it was when they wrote.
func TestCommandsKeepTheGate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{t: t}
		pr := forked(shaA, true)
		w.apply(preview.Event{Kind: preview.EventHint, PullRequest: pr})
		meant := map[int64]preview.PullRequest{} // the pull request as it was when the comment was written
		comment := int64(0)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			before := len(w.deps)
			switch rapid.SampledFrom([]string{"push", "base", "close", "order", "order", "look", "look", "start", "start", "end"}).Draw(rt, "step") {
			case "push":
				pr.HeadSHA = rapid.SampledFrom([]string{shaA, shaB}).Draw(rt, "sha")
				w.read(pr)
			case "base":
				pr.BaseBranch = rapid.SampledFrom([]string{"main", "release"}).Draw(rt, "base")
				w.read(pr)
			case "close":
				pr.Open = !pr.Open
				w.read(pr)
			case "order":
				comment++
				order := rapid.SampledFrom([]string{"deploy", "destroy", "retry", "help", "approve " + shaA[:7], "approve " + shaA, "approve " + shaB}).Draw(rt, "order")
				w.say(comment, "/preview "+order)
				meant[comment] = pr
			case "look":
				if comment > 0 {
					c := rapid.Int64Range(1, comment).Draw(rt, "comment")
					w.look(c, rapid.SampledFrom([]string{"", "", "No right."}).Draw(rt, "refusal"))
				}
			case "start":
				if w.p.Wanted() && w.p.Due() {
					w.work(preview.EventStarted, w.p.HeadSHA)
				}
			case "end":
				switch w.p.Status {
				case preview.StatusDeploying:
					w.work(preview.EventSucceeded, w.p.HeadSHA)
				case preview.StatusDeleting:
					w.work(preview.EventDeleted, "")
				}
			}
			for _, d := range w.deps[before:] {
				ok := false
				for _, a := range w.approvals {
					then := meant[a.CommentID]
					ok = ok || a.WithdrawnAt.IsZero() && then.HeadSHA == d.SHA && then.BaseBranch == w.p.BaseBranch && w.commands[a.CommentID].Order.Verb == preview.VerbApprove
				}
				if !ok {
					rt.Fatalf("%s to %s was deployed; approvals %+v", preview.ShortSHA(d.SHA), w.p.BaseBranch, w.approvals)
				}
			}
		}
	})
}
