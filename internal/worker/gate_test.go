package worker_test

import (
	"slices"
	"testing"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// TestForkWaits: a stranger's pull request is told about and not touched, whatever else happens to it.
func TestForkWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	for what, do := range map[string]func(){
		"a label by a maintainer": func() { pull.As(b.writer).Label("safe to preview") },
		"a maintainer's review":   func() { pull.As(b.writer).Review("approved", "/preview approve "+pull.HeadSHA()) },
		"a new title":             func() { pull.SetTitle("Trusted") },
		"another base":            func() { b.web.Commit("release", nil, "Release"); pull.As(b.writer).SetBase("release") },
		"a draft, and ready":      func() { pull.SetDraft(true); pull.SetDraft(false) },
		"closed and opened":       func() { pull.Close(false); pull.Reopen() },
		"a push":                  func() { pull.Push(evil(2), "More") },
		"a forced push":           func() { pull.ForcePush(b.fork.Commit("other", evil(3), "Else")) },
		"asked for again": func() {
			if _, _, err := b.door.Handle(t.Context(), preview.Event{Kind: preview.EventRedeploy, Key: b.preview(pull).Key}); err != nil {
				t.Error(err)
			}
		},
	} {
		do()
		if err := b.github.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.becomes(pull, preview.StatusBlocked)
		b.untouched(what)
	}
}

// TestForkApproved: the approved commit brings its image; the chart is the base branch's. A push waits, the approved commit stays.
func TestForkApproved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	first := pull.HeadSHA()
	b.becomes(pull, preview.StatusBlocked)
	b.approve(pull, b.writer)
	b.becomes(pull, preview.StatusRunning)
	got := b.ground.last()
	if got.Version != first || got.Layers.ImageTag != first {
		t.Errorf("deployed %s with the image %s, want %s", got.Version, got.Layers.ImageTag, first)
	}
	for _, f := range got.Files {
		if f.Name == "values.yaml" && string(f.Data) != "from: base\n" {
			t.Errorf("the chart's values are the stranger's: %s", f.Data)
		}
	}
	pull.Push(evil(2), "More")
	p := b.becomes(pull, preview.StatusBlocked)
	if p.LiveSHA != first || p.URL == "" || b.ground.left() != 1 || b.ground.last().Version != first {
		t.Errorf("after a push %q is live at %q, %d namespaces; want the approved commit", p.LiveSHA, p.URL, b.ground.left())
	}
	pull.Close(false)
	b.becomes(pull, preview.StatusDeleted)
	if n := b.ground.left(); n != 0 {
		t.Errorf("%d namespaces are left", n)
	}
}

// TestForkIsGone (T14): a pull request whose repository cannot be told any more waits too.
func TestForkIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.HoldDeliveries()
	pull := b.open()
	b.fork.Delete() // GitHub closes what came from it; here somebody sees it open for a moment
	pr := preview.PullRequest{Key: preview.Key{RepositoryID: b.web.ID(), Number: int(pull.Number())}, Repository: "acme/web", HeadSHA: pull.HeadSHA(), Open: true}
	if _, _, err := b.door.Handle(t.Context(), preview.Event{Kind: preview.EventHint, Key: pr.Key, PullRequest: pr}); err != nil {
		t.Fatal(err)
	}
	b.until("it is over", func() bool { p := b.preview(pull); return p.Status == preview.StatusDeleted && !p.Due() })
	b.untouched("the fork is gone")
}

// TestBotWaits: an App's branch waits like a fork until the operator trusts it; then its own chart is deployed.
func TestBotWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bot := b.github.CreateBot("renovate[bot]")
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: bot, Head: "renovate/all", Files: evil(1)})
	b.becomes(pull, preview.StatusBlocked)
	b.untouched("a bot")
	b.mu.Lock()
	b.access = policy.Access{TrustedBots: []string{"renovate[bot]"}}
	b.mu.Unlock()
	pull.Push(evil(2), "More")
	b.becomes(pull, preview.StatusRunning)
	for _, f := range b.ground.last().Files {
		if f.Name == "values.yaml" && string(f.Data) != "from: fork 2\n" {
			t.Errorf("the chart is not the branch's own: %s", f.Data)
		}
	}
}

// TestApproverLostAccess: the word of somebody who may not write to the repository any more counts for nothing, even when it was given before.
func TestApproverLostAccess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	b.web.RemoveCollaborator(b.writer)
	b.approve(pull, b.writer)
	b.until("the approval is withdrawn", func() bool {
		list, err := b.store.Approvals(t.Context(), b.preview(pull).ID)
		return err == nil && len(list) == 1 && !list[0].WithdrawnAt.IsZero()
	})
	b.becomes(pull, preview.StatusBlocked)
	b.untouched("the approver may not write")
	b.web.AddCollaborator(b.writer, "write")
	b.becomes(pull, preview.StatusBlocked) // what is withdrawn stays withdrawn
	b.approve(pull, b.writer)
	b.becomes(pull, preview.StatusRunning)
}

// TestApproverLosesAccessMidway: between fetching and applying it is asked again, and what was made for nothing is removed.
func TestApproverLosesAccessMidway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ground.onMake = func() { b.web.RemoveCollaborator(b.writer) }
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	b.approve(pull, b.writer)
	b.until("the namespace is gone again", func() bool { return len(b.ground.heard()) == 2 && b.ground.left() == 0 })
	b.becomes(pull, preview.StatusBlocked)
	if got := b.ground.last().Version; got != "" {
		t.Errorf("%s was deployed", got)
	}
	if p := b.preview(pull); p.NamespaceUID != "" {
		t.Errorf("the preview still has the namespace %s", p.NamespaceUID)
	}
}

// TestAnotherPersonsLogin: a login that somebody else has got since is not the person who approved.
func TestAnotherPersonsLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	b.writer.Rename("dora-old")
	b.web.AddCollaborator(b.github.CreateUser("dora"), "write")
	p := b.preview(pull)
	_, _, err := b.store.Apply(t.Context(), preview.Event{Kind: preview.EventRedeploy, Key: p.Key}, func(s preview.State) (preview.Decision, error) {
		now := *s.Preview
		now.Generation++
		return preview.Decision{Preview: &now, Jobs: []preview.JobRequest{{Kind: preview.JobReconcile}}, Approvals: []preview.Approval{{
			Key: p.Key, SHA: p.HeadSHA, HeadRepositoryID: p.HeadRepositoryID, BaseBranch: p.BaseBranch, Approver: "dora", ApproverID: b.writer.ID(), ApprovedAt: s.Now,
		}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.until("it was looked at", func() bool {
		list, err := b.store.Approvals(t.Context(), p.ID)
		return err == nil && len(list) == 1 && !list[0].WithdrawnAt.IsZero()
	})
	b.becomes(pull, preview.StatusBlocked)
	b.untouched("another person's login")
}

// TestGitHubAwayWhileChecking: who cannot be asked about has not said yes.
func TestGitHubAwayWhileChecking(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	b.github.Inject(fakegithub.ServerError(502).On("GET", "/permission").Repeat(2))
	b.approve(pull, b.writer)
	b.until("it was asked", func() bool {
		return b.github.Counters()["GET /repos/{owner}/{repo}/collaborators/{username}/permission"] > 0
	})
	b.untouched("GitHub does not answer")
	b.becomes(pull, preview.StatusRunning) // once it does
}

// TestImposter (S4): the commit of a fork can be read through the repository; only a person who may push can make it the
// head of a branch there, and nothing but the head is deployed.
func TestImposter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stranger := b.fork.CommitAs(b.author, "gift", evil(1), "Evil")
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "own", Files: fakegithub.Text(map[string]string{"a": "b"})})
	b.becomes(pull, preview.StatusRunning)
	for _, sha := range []string{stranger, stranger[:7]} {
		pr := preview.PullRequest{Key: b.preview(pull).Key, Repository: "acme/web", HeadSHA: sha, HeadRepositoryID: b.web.ID(), Open: true}
		if _, _, err := b.door.Handle(t.Context(), preview.Event{Kind: preview.EventHint, Key: pr.Key, PullRequest: pr}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.door.Handle(t.Context(), preview.Event{Kind: preview.EventRedeploy, Key: pr.Key, SHA: sha}); err != nil {
			t.Fatal(err)
		}
		b.becomes(pull, preview.StatusRunning)
	}
	for _, call := range b.ground.heard() {
		if call == "deploy "+stranger {
			t.Error("the stranger's commit was deployed")
		}
	}
}

// TestRunAgain (A1): "Re-run" of the check that tells that a commit waits, by whomever, is no approval.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	var check int64
	b.until("a check run tells that it waits", func() bool {
		i := slices.IndexFunc(b.web.Checks(), func(c fakegithub.CheckView) bool { return c.SHA == pull.HeadSHA() })
		if i >= 0 {
			check = b.web.Checks()[i].ID
		}
		return i >= 0
	})
	for _, person := range []*fakegithub.Account{b.author, b.writer} {
		b.web.RequestCheck(check, person)
		b.web.RequestAction(check, "approve", person)
		if err := b.github.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.becomes(pull, preview.StatusBlocked)
		b.untouched("the check is run again")
	}
}
