package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
)

var (
	rules = policy.Rules{GitHubHost: "github.com", Repositories: []string{"Acme/Web"}}
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key   = preview.Key{RepositoryID: 1, Number: 7}
	shaA  = strings.Repeat("a", 40)
	shaB  = strings.Repeat("b", 40)
)

func pull(sha string, open bool) preview.PullRequest {
	return preview.PullRequest{Key: key, Repository: "acme/web", Branch: "gift", HeadSHA: sha, HeadRepositoryID: key.RepositoryID, Open: open}
}

// world applies decisions as the store does, in memory, for one preview.
type world struct {
	t    *testing.T
	p    *preview.Preview
	deps []preview.Deployment
	jobs []preview.JobKind // asked for by the last event
	last preview.Decision

	later time.Duration // how much later than now it is

	pages     string // policy.Rules.Pages
	access    policy.Access
	bindings  []preview.Binding
	approvals []preview.Approval
	commands  map[int64]preview.Command
}

func (w *world) state() preview.State {
	s := preview.State{Preview: w.p, Now: now.Add(w.later), Approvals: slices.Clone(w.approvals), Bindings: w.bindings}
	if n := len(w.deps); n > 0 {
		d := w.deps[n-1]
		s.Deployment = &d
	}
	return s
}

func (w *world) try(e preview.Event) error {
	w.t.Helper()
	e.Key = key
	r := rules
	r.Pages, r.Access = w.pages, func(string) policy.Access { return w.access }
	s := w.state()
	if e.Command != nil {
		if c, known := w.commands[e.Command.CommentID]; known {
			s.Command = &c
		}
	}
	d, err := policy.Decide(s, e, r)
	if err != nil {
		return err
	}
	if d.Command != nil {
		if w.commands == nil {
			w.commands = map[int64]preview.Command{}
		}
		w.commands[d.Command.CommentID] = *d.Command
	}
	for _, a := range d.Approvals {
		w.keep(a)
	}
	w.last, w.jobs = d, nil
	if d.Preview != nil {
		p := *d.Preview
		w.p = &p
	}
	for _, dep := range d.Deployments {
		if dep.ID == "" {
			dep.ID = string(rune('0' + len(w.deps)))
			w.deps = append(w.deps, dep)
			continue
		}
		for i := range w.deps {
			if w.deps[i].ID == dep.ID {
				w.deps[i] = dep
			}
		}
	}
	for _, j := range d.Jobs {
		w.jobs = append(w.jobs, j.Kind)
	}
	return nil
}

// keep stores an approval.
func (w *world) keep(a preview.Approval) {
	if i := slices.IndexFunc(w.approvals, func(o preview.Approval) bool { return o.ID == a.ID }); a.ID != "" && i >= 0 {
		w.approvals[i] = a
		return
	}
	a.ID = fmt.Sprintf("approval %d", len(w.approvals))
	w.approvals = append(w.approvals, a)
}

func (w *world) apply(e preview.Event) {
	w.t.Helper()
	if err := w.try(e); err != nil {
		w.t.Fatalf("%s: %v", e.Kind, err)
	}
}

func (w *world) expect(status preview.Status, due bool, jobs ...preview.JobKind) {
	w.t.Helper()
	if w.p.Status != status || w.p.Due() != due {
		w.t.Errorf("status %s, due %t; want %s, %t", w.p.Status, w.p.Due(), status, due)
	}
	if d := cmp.Diff(jobs, w.jobs); d != "" {
		w.t.Errorf("jobs (-want +got):\n%s", d)
	}
}

func (w *world) hint(sha string, open bool) {
	w.t.Helper()
	w.apply(preview.Event{Kind: preview.EventHint, PullRequest: pull(sha, open), Closed: !open})
}

// observe is what the reconcile job reads.
func (w *world) observe(sha string, open bool) {
	w.t.Helper()
	w.apply(preview.Event{Kind: preview.EventObserved, PullRequest: pull(sha, open), Fence: &preview.Fence{Kind: preview.JobReconcile}})
}

func (w *world) work(kind preview.EventKind, sha string) {
	w.t.Helper()
	w.apply(preview.Event{Kind: kind, Generation: w.p.Generation, SHA: sha, URL: "https://x", Diagnosis: &preview.Diagnosis{Code: "X"}})
}

// opened is a world whose preview runs at shaA.
func opened(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.hint(shaA, true)
	w.observe(shaA, true)
	w.work(preview.EventStarted, shaA)
	w.work(preview.EventSucceeded, shaA)
	return w
}

func TestOpenPushClose(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	w.hint(shaA, true)
	w.expect(preview.StatusPending, true, preview.JobReconcile)
	if w.last.Names[0] != "pr-web-7" {
		t.Errorf("names %v", w.last.Names)
	}
	w.observe(shaA, true)
	w.expect(preview.StatusPending, true)
	w.work(preview.EventStarted, shaA)
	w.expect(preview.StatusDeploying, true, preview.JobComment)
	w.work(preview.EventSucceeded, shaA)
	w.expect(preview.StatusRunning, false, preview.JobComment)

	w.hint(shaB, true)
	w.expect(preview.StatusRunning, false, preview.JobReconcile)
	w.observe(shaB, true)
	w.expect(preview.StatusRunning, true)
	w.work(preview.EventStarted, shaB)
	if w.p.LiveSHA != shaA || w.p.URL == "" {
		t.Errorf("while %s deploys, %q answers at %q; want the old commit to stay live", shaB, w.p.LiveSHA, w.p.URL)
	}
	w.work(preview.EventSucceeded, shaB)

	w.hint(shaB, false)
	w.observe(shaB, false)
	w.expect(preview.StatusDeleting, true, preview.JobComment)
	w.work(preview.EventDeleted, "")
	w.expect(preview.StatusDeleted, false, preview.JobComment)
	if w.p.LiveSHA != "" || w.p.URL != "" || w.p.NamespaceUID != "" || w.p.ClosedAt.IsZero() {
		t.Errorf("after the end: %+v", w.p)
	}
}

// TestTwiceChangesNothing: every event applied a second time on the state it led to leaves that state alone.
func TestTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	before := *w.p
	w.observe(shaA, true)
	w.hint(shaA, true)
	if d := cmp.Diff(before, *w.p); d != "" || len(w.deps) != 1 {
		t.Errorf("%d deployments, preview (-before +after):\n%s", len(w.deps), d)
	}
}

func TestDuplicateDelivery(t *testing.T) {
	t.Parallel()
	w := opened(t)
	s := w.state()
	s.Duplicate = true
	d, err := policy.Decide(s, preview.Event{Kind: preview.EventHint, Key: key, PullRequest: pull(shaB, true)}, rules)
	if err != nil || d.Outcome != preview.DeliveryDuplicate || d.Preview != nil || len(d.Jobs) != 0 {
		t.Errorf("%+v, %v; want a duplicate that changes nothing", d, err)
	}
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	foreign := pull(shaA, true)
	foreign.Repository = "evil/web"
	for name, c := range map[string]struct {
		e    preview.Event
		want string
	}{
		"not configured":     {preview.Event{PullRequest: foreign}, "evil/web is not configured: add it under `repositories`"},
		"closed, no preview": {preview.Event{PullRequest: pull(shaA, false), Closed: true}, "#7 was closed and has no preview"},
		"unused event":       {preview.Event{Unused: `event "star" is not used`}, `event "star" is not used`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.e.Kind, c.e.Key = preview.EventHint, key
			d, err := policy.Decide(preview.State{Now: now}, c.e, rules)
			if err != nil || d.Outcome != preview.DeliveryIgnored || !strings.Contains(d.Reason, c.want) || d.Preview != nil || len(d.Jobs) > 0 {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

// TestTruthBeatsHint: only what GitHub reports when asked is deployed, whatever order the deliveries come in.
func TestTruthBeatsHint(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	w.hint(shaA, true) // an old delivery that comes late
	w.observe(shaB, true)
	if w.p.HeadSHA != shaB || !w.p.Due() {
		t.Errorf("head %s, due %t", w.p.HeadSHA, w.p.Due())
	}
	closed := &world{t: t}
	closed.hint(shaA, true) // "synchronize" after "closed"
	closed.observe(shaA, false)
	closed.expect(preview.StatusDeleting, true, preview.JobComment)
}

// TestOvertaken: the result of a deployment that something newer overtook is refused, so it can neither call an old commit
// live nor bring a closed preview back.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	for name, newer := range map[string]preview.PullRequest{"push": pull(shaB, true), "close": pull(shaA, false)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t}
			w.hint(shaA, true)
			w.observe(shaA, true)
			w.work(preview.EventStarted, shaA)
			generation := w.p.Generation
			w.apply(preview.Event{Kind: preview.EventObserved, PullRequest: newer})
			for _, kind := range []preview.EventKind{preview.EventSucceeded, preview.EventFailed, preview.EventNamespace, preview.EventStarted} {
				if err := w.try(preview.Event{Kind: kind, Generation: generation, SHA: shaA}); !errors.Is(err, preview.ErrStale) {
					t.Errorf("%s of the overtaken generation: %v, want ErrStale", kind, err)
				}
			}
			// Nor does what knows of the close begin: a worker may have read the preview again in the middle of its work.
			if err := w.try(preview.Event{Kind: preview.EventStarted, Generation: w.p.Generation, SHA: newer.HeadSHA}); !newer.Open && !errors.Is(err, preview.ErrStale) {
				t.Errorf("started when it is not wanted: %v, want ErrStale", err)
			}
			w.apply(preview.Event{Kind: preview.EventSuperseded, Generation: generation})
			if w.deps[0].Status != preview.DeploymentSuperseded || !w.p.Due() {
				t.Errorf("deployment %s, due %t", w.deps[0].Status, w.p.Due())
			}
		})
	}
}

func TestForcePushBackAndReopenDeployAgain(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.observe(shaB, true)
	w.work(preview.EventStarted, shaB)
	w.work(preview.EventSucceeded, shaB)
	w.observe(shaA, true) // force-push back to a known commit
	w.expect(preview.StatusRunning, true)
	w.work(preview.EventStarted, shaA)
	w.work(preview.EventSucceeded, shaA)

	w.observe(shaA, false)
	w.work(preview.EventDeleted, "")
	w.observe(shaA, true) // reopen
	w.expect(preview.StatusPending, true, preview.JobComment)
	w.work(preview.EventStarted, shaA)
	w.work(preview.EventSucceeded, shaA)
	w.expect(preview.StatusRunning, false, preview.JobComment)
	if len(w.deps) != 4 {
		t.Errorf("%d deployments, want 4", len(w.deps))
	}
}

// TestReopenWhileDeleting: the end of the old removal must not be taken for the end of the new preview.
func TestReopenWhileDeleting(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.observe(shaA, false)
	generation := w.p.Generation
	w.observe(shaA, true)
	if err := w.try(preview.Event{Kind: preview.EventDeleted, Generation: generation}); !errors.Is(err, preview.ErrStale) {
		t.Errorf("end of the overtaken removal: %v, want ErrStale", err)
	}
	w.expect(preview.StatusPending, true, preview.JobComment)
}

// TestTakenUpAgain: after a crash the same deployment goes on; one for another commit is ended first.
func TestTakenUpAgain(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	w.hint(shaA, true)
	w.observe(shaA, true)
	w.work(preview.EventStarted, shaA)
	w.work(preview.EventStarted, shaA)
	if len(w.deps) != 1 {
		t.Fatalf("%d deployments, want the one to go on", len(w.deps))
	}
	w.observe(shaB, true)
	w.work(preview.EventStarted, shaB)
	if len(w.deps) != 2 || w.deps[0].Status != preview.DeploymentSuperseded || w.deps[0].FinishedAt.IsZero() {
		t.Errorf("deployments %+v", w.deps)
	}
}

func TestFailureKeepsWhatIsLive(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.observe(shaB, true)
	w.work(preview.EventStarted, shaB)
	w.work(preview.EventFailed, shaB)
	w.expect(preview.StatusFailed, false, preview.JobComment)
	if w.p.LiveSHA != shaA || w.p.URL == "" || w.p.Diagnosis == nil || w.deps[1].Diagnosis == nil {
		t.Errorf("%+v", w.p)
	}
	w.apply(preview.Event{Kind: preview.EventRedeploy})
	w.expect(preview.StatusFailed, true, preview.JobReconcile)
}

// TestObservedByAnother: whoever else reads the truth and finds it changed asks for the job that acts on it.
func TestObservedByAnother(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.apply(preview.Event{Kind: preview.EventObserved, PullRequest: pull(shaB, true)})
	w.expect(preview.StatusRunning, true, preview.JobReconcile)
}

// TestMissing: one 404 deletes nothing; only GitHub saying so again, some time later, does.
func TestMissing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	gone := preview.Event{Kind: preview.EventMissing, Fence: &preview.Fence{Kind: preview.JobReconcile}}
	w.apply(gone)
	w.expect(preview.StatusRunning, false)
	w.later = 59 * time.Second
	w.apply(gone)
	w.expect(preview.StatusRunning, false)
	w.observe(shaA, true) // it was there all the time
	w.later = 2 * time.Minute
	w.apply(gone)
	w.expect(preview.StatusRunning, false)
	w.later = 4 * time.Minute
	w.apply(gone)
	w.expect(preview.StatusDeleting, true, preview.JobComment)
	if w.p.Repository != "acme/web" || w.p.HeadSHA != shaA {
		t.Errorf("what is known of the pull request was lost: %+v", w.p.PullRequest)
	}
}

// TestNamespaceLost: a namespace that somebody removed is forgotten, unless a deployment has begun since and may have made it anew.
func TestNamespaceLost(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.apply(preview.Event{Kind: preview.EventNamespace, Generation: w.p.Generation, NamespaceUID: "uid"})
	lost := preview.Event{Kind: preview.EventNamespace, Generation: w.p.Generation}
	w.p.Status = preview.StatusDeploying
	w.apply(lost)
	if w.p.NamespaceUID != "uid" {
		t.Error("forgotten while a deployment is under way")
	}
	w.p.Status = preview.StatusPending
	w.apply(lost)
	if w.p.NamespaceUID != "" || !w.last.Advance {
		t.Errorf("namespace %q, place given back %t", w.p.NamespaceUID, w.last.Advance)
	}
}

// TestStuck: that a removal is stuck is told once, and again when something else holds it.
func TestStuck(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.observe(shaA, false)
	stuck := func(cause string) {
		w.apply(preview.Event{Kind: preview.EventDeleteStuck, Generation: w.p.Generation, Diagnosis: &preview.Diagnosis{Code: preview.CodeStuckDelete, Cause: cause}})
	}
	stuck("a finalizer")
	w.expect(preview.StatusDeleting, true, preview.JobComment)
	stuck("a finalizer")
	w.expect(preview.StatusDeleting, true)
	stuck("another one")
	w.expect(preview.StatusDeleting, true, preview.JobComment)
}

func TestLeftover(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.apply(preview.Event{Kind: preview.EventLeftover})
	w.expect(preview.StatusRunning, false) // wanted, so nothing is left over
	w.observe(shaA, false)
	w.work(preview.EventDeleted, "")
	w.apply(preview.Event{Kind: preview.EventLeftover})
	w.expect(preview.StatusDeleting, true, preview.JobReconcile)
	w.work(preview.EventDeleted, "")
	w.expect(preview.StatusDeleted, false, preview.JobComment)
}

// TestConfigured: a name stands for the repository it was first seen to lead to. That one keeps its previews when it is renamed, and nobody
// else gets any who has the name later (W6).
func TestConfigured(t *testing.T) {
	t.Parallel()
	bound := func(name string, id int64) preview.Binding { return preview.Binding{Name: name, RepositoryID: id} }
	other := key.RepositoryID + 1
	for name, c := range map[string]struct {
		repository string
		bindings   []preview.Binding
		ignored    string // part of the reason
	}{
		"not seen yet":                  {"ACME/web", nil, ""},
		"seen":                          {"acme/web", []preview.Binding{bound("acme/web", key.RepositoryID)}, ""},
		"renamed":                       {"acme/site", []preview.Binding{bound("acme/web", key.RepositoryID)}, ""},
		"unknown":                       {"acme/site", nil, "acme/site is not configured"},
		"seen, not configured any more": {"acme/old", []preview.Binding{bound("acme/old", key.RepositoryID)}, "acme/old is not configured"},
		"taken over":                    {"acme/web", []preview.Binding{bound("acme/web", other)}, "that of repository 2 and is that of repository 1 now. When it is meant, because it was made anew, confirm it with `id: 1`"},
		"taken over, in capitals":       {"ACME/WEB", []preview.Binding{bound("acme/web", other)}, "is not the one that was configured"},
		"renamed to another's name":     {"acme/web", []preview.Binding{bound("acme/web", other), bound("acme/api", key.RepositoryID)}, ""},
		"another has its old name now":  {"acme/site", []preview.Binding{bound("acme/web", key.RepositoryID), bound("acme/site", other)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rules
			r.Repositories = []string{"Acme/Web", "acme/api"}
			pr := pull(shaA, true)
			pr.Repository = c.repository
			hint := preview.Event{Kind: preview.EventHint, Key: key, PullRequest: pr}
			command := preview.Event{Kind: preview.EventCommand, Key: key, PullRequest: pr, Command: &preview.Command{CommentID: 1}}
			for _, e := range []preview.Event{hint, command} {
				d, err := policy.Decide(preview.State{Now: now, Bindings: c.bindings}, e, r)
				if err != nil || (d.Outcome == preview.DeliveryIgnored) != (c.ignored != "") || !strings.Contains(d.Reason, c.ignored) {
					t.Errorf("%s: %s, %q, %v; want it ignored with %q", e.Kind, d.Outcome, d.Reason, err, c.ignored)
				}
			}
		})
	}
}

// TestTakenOverLater: a preview that was known before its name was bound to another repository is not deployed, whoever asks.
func TestTakenOverLater(t *testing.T) {
	t.Parallel()
	w := seen(t, pull(shaA, true))
	orders := map[int64]string{1: "/preview deploy", 2: "/preview approve " + shaA}
	for comment, order := range orders {
		w.say(comment, order)
	}
	w.bindings = []preview.Binding{{Name: "acme/web", RepositoryID: key.RepositoryID + 1}}
	w.work(preview.EventStarted, shaA)
	w.blocked("taken over")
	if w.p.Diagnosis == nil || w.p.Diagnosis.Code != preview.CodeConfig {
		t.Errorf("diagnosis %+v, want %s", w.p.Diagnosis, preview.CodeConfig)
	}
	for comment, order := range orders {
		if got := w.look(comment, ""); got != preview.CommandRefused {
			t.Errorf("%s: %s, want it refused", order, got)
		}
	}
}

// TestConfiguredNoLonger: what is known is looked at whatever the configuration says now, so that its close is not missed.
func TestConfiguredNoLonger(t *testing.T) {
	t.Parallel()
	w := opened(t)
	pr := pull(shaA, false)
	pr.Repository = "acme/site"
	w.apply(preview.Event{Kind: preview.EventHint, PullRequest: pr, Closed: true})
	w.expect(preview.StatusRunning, false, preview.JobReconcile)
}

// TestMergedLater: a pull request that was closed, then reopened and merged while nobody looked, is not called closed any longer.
func TestMergedLater(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.observe(shaA, false)
	w.work(preview.EventDeleted, "")
	merged := pull(shaA, false)
	merged.Merged = true
	look := preview.Event{Kind: preview.EventObserved, PullRequest: merged, Fence: &preview.Fence{Kind: preview.JobReconcile}}
	w.apply(look)
	w.expect(preview.StatusDeleted, false, preview.JobComment)
	w.apply(look)
	w.expect(preview.StatusDeleted, false)
}

func TestQueued(t *testing.T) {
	t.Parallel()
	limited := rules
	limited.Limits = policy.Limits{Deployments: 1}
	busy := []preview.Place{{PreviewID: "other", Key: preview.Key{RepositoryID: 2, Number: 1}, Status: preview.StatusDeploying}}
	p := preview.Preview{ID: "me", PullRequest: pull(shaA, true), Status: preview.StatusPending, Generation: 1}
	start := preview.Event{Kind: preview.EventStarted, Key: key, Generation: 1, SHA: shaA}

	d, err := policy.Decide(preview.State{Preview: &p, Line: busy, Now: now}, start, limited)
	if err != nil || d.Preview == nil || d.Preview.Status != preview.StatusQueued || !d.Preview.QueuedAt.Equal(now) || len(d.Deployments) != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	p = *d.Preview
	if d, err = policy.Decide(preview.State{Preview: &p, Line: busy, Now: now.Add(time.Second)}, start, limited); err != nil || d.Preview != nil || len(d.Jobs) != 0 {
		t.Errorf("asked again while it waits: %+v, %v", d, err)
	}
	if d, err = policy.Decide(preview.State{Preview: &p, Now: now}, start, limited); err != nil || d.Preview.Status != preview.StatusDeploying || !d.Preview.QueuedAt.IsZero() || len(d.Deployments) != 1 {
		t.Errorf("with a free slot: %+v, %v", d, err)
	}
	d, err = policy.Decide(preview.State{Preview: &p, Now: now.Add(41 * time.Second)}, start, limited)
	waited := []preview.Step{{Name: preview.StepQueue, Start: -41 * time.Second, Took: 41 * time.Second, Attempts: 1, Outcome: preview.StepDone}}
	if err != nil || len(d.Deployments) != 1 || !cmp.Equal(d.Deployments[0].Steps, waited) {
		t.Errorf("the wait is not in the timeline: %+v, %v", d.Deployments, err)
	}
	closed := preview.Event{Kind: preview.EventObserved, Key: key, PullRequest: pull(shaA, false)}
	if d, err = policy.Decide(preview.State{Preview: &p, Line: busy, Now: now}, closed, limited); err != nil || d.Preview.Status != preview.StatusDeleting || !d.Preview.QueuedAt.IsZero() || !d.Advance {
		t.Errorf("closed while it waits: %+v, %v", d, err)
	}
}

// TestAside: one that cannot go leaves the line to the others, and the comment of one that waits follows a push.
func TestAside(t *testing.T) {
	t.Parallel()
	p := preview.Preview{ID: "me", PullRequest: pull(shaA, true), Status: preview.StatusQueued, QueuedAt: now, Generation: 1}
	pushed := preview.Event{Kind: preview.EventObserved, Key: key, PullRequest: pull(shaB, true), Fence: &preview.Fence{Kind: preview.JobReconcile}}
	d, err := policy.Decide(preview.State{Preview: &p, Now: now}, pushed, rules)
	if err != nil || d.Preview.Status != preview.StatusQueued || len(d.Jobs) != 1 || d.Jobs[0].Kind != preview.JobComment {
		t.Errorf("pushed to while it waits: %+v, %v", d, err)
	}
	d, err = policy.Decide(preview.State{Preview: &p, Now: now}, preview.Event{Kind: preview.EventAside, Key: key}, rules)
	if err != nil || d.Preview.Status != preview.StatusPending || !d.Preview.QueuedAt.IsZero() || !d.Advance || !d.Preview.Due() {
		t.Errorf("aside: %+v, %v", d, err)
	}
	p.Status = preview.StatusRunning
	if d, err = policy.Decide(preview.State{Preview: &p, Now: now}, preview.Event{Kind: preview.EventAside, Key: key}, rules); err != nil || d.Preview != nil {
		t.Errorf("aside although it does not wait: %+v, %v", d, err)
	}
}

func TestDegradedAndHealed(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.work(preview.EventDegraded, "")
	w.expect(preview.StatusDegraded, false, preview.JobComment)
	w.work(preview.EventDegraded, "")
	w.expect(preview.StatusDegraded, false)
	w.work(preview.EventHealed, "")
	w.expect(preview.StatusRunning, false, preview.JobComment)
	if w.p.Diagnosis != nil || w.p.LiveSHA != shaA {
		t.Errorf("%+v", w.p)
	}
}

func TestUnknownPreview(t *testing.T) {
	t.Parallel()
	_, err := policy.Decide(preview.State{Now: now}, preview.Event{Kind: preview.EventObserved, Key: key}, rules)
	if !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

func TestComment(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.apply(preview.Event{Kind: preview.EventCommenting})
	if !w.p.CommentAttempted {
		t.Error("an attempt at the comment was not noted")
	}
	w.apply(preview.Event{Kind: preview.EventCommented, CommentID: 5, CommentHash: "h"})
	w.expect(preview.StatusRunning, false)
	if w.p.CommentID != 5 || w.p.CommentHash != "h" {
		t.Errorf("%+v", w.p)
	}
	changed := w.p.ChangedAt
	w.apply(preview.Event{Kind: preview.EventCommented, CommentID: 5, CommentHash: "h"})
	if w.last.Preview != nil || w.p.ChangedAt != changed {
		t.Error("the same comment twice changed something")
	}
	w.apply(preview.Event{Kind: preview.EventCommenting})
	if w.p.CommentHash != "" {
		t.Error("what the comment says is believed to be known while it is being written")
	}
}
