package worker_test

import (
	"slices"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// answered waits until the last reaction to the comment is this one.
func (b *bundle) answered(pull *fakegithub.Pull, comment int64, want string) {
	b.Helper()
	b.until("comment "+want, func() bool {
		got := pull.Reactions(comment)
		return len(got) > 0 && got[len(got)-1] == want
	})
}

// tell writes a comment in a person's name and waits for its answer.
func (b *bundle) tell(pull *fakegithub.Pull, by *fakegithub.Account, text, want string) int64 {
	b.Helper()
	id := pull.As(by).Comment(text)
	b.answered(pull, id, want)
	return id
}

// says waits until Catalyst's comment has the text in its first line.
func (b *bundle) says(pull *fakegithub.Pull, text string) {
	b.Helper()
	b.until("the comment begins with "+text, func() bool {
		first, _, _ := strings.Cut(b.comment(pull), "\n")
		return strings.Contains(first, text)
	})
}

// taken returns what became of the deliveries of comments, by their action.
func (b *bundle) taken() []preview.Delivery {
	b.Helper()
	if err := b.github.Settle(b.Context()); err != nil {
		b.Fatal(err)
	}
	all, err := b.store.Deliveries(b.Context(), 1000)
	if err != nil {
		b.Fatal(err)
	}
	return slices.DeleteFunc(all, func(d preview.Delivery) bool { return d.Event != "issue_comment" })
}

// TestApprove is the way a stranger's pull request gets its preview: by the word of somebody who may, on the commit as it is.
func TestApprove(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	first := pull.HeadSHA()
	b.becomes(pull, preview.StatusBlocked)
	id := b.tell(pull, b.writer, "/preview approve "+first[:7]+"\nLooks good.", "rocket")
	if got := pull.Reactions(id); !slices.Equal(got, []string{"eyes", "rocket"}) {
		t.Errorf("reactions %v", got)
	}
	b.becomes(pull, preview.StatusRunning)
	if got := b.ground.last().Version; got != first {
		t.Errorf("%s was deployed, want %s", got, first)
	}
	list, err := b.store.Approvals(t.Context(), b.preview(pull).ID)
	if err != nil || len(list) != 1 || list[0].Approver != "dora" || list[0].ApproverID != b.writer.ID() || list[0].CommentID != id || list[0].SHA != first {
		t.Errorf("approvals %+v, %v", list, err)
	}
	pull.Push(evil(2), "More")
	b.becomes(pull, preview.StatusBlocked)
	b.tell(pull, b.writer, "/preview approve "+first, "confused") // too late
	b.says(pull, "is not the commit")
	b.becomes(pull, preview.StatusBlocked)
	if got := b.ground.last().Version; got != first {
		t.Errorf("%s was deployed", got)
	}
}

// TestWhoMayNot: none of these is a person's word that counts, and nothing of the pull request is touched.
func TestWhoMayNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say   func(b *bundle, pull *fakegithub.Pull, text string) int64 // 0: nobody answers
		first string
	}{
		"the fork's author": {func(_ *bundle, pull *fakegithub.Pull, text string) int64 { return pull.Comment(text) }, "may write"},
		"a reader": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			reader := b.github.CreateUser("reader")
			b.web.AddCollaborator(reader, "read")
			return pull.As(reader).Comment(text)
		}, "may write"},
		"with triage": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			triage := b.github.CreateUser("triage")
			b.web.AddCollaborator(triage, "triage")
			return pull.As(triage).Comment(text)
		}, "may write"},
		"a member of the organization": {func(b *bundle, pull *fakegithub.Pull, text string) int64 { // author_association MEMBER
			member := b.github.CreateUser("member")
			b.web.Owner().AddMember(member, true)
			return pull.As(member).Comment(text)
		}, "may write"},
		"who lost the right meanwhile": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			b.github.HoldDeliveries()
			id := pull.As(b.writer).Comment(text)
			b.web.RemoveCollaborator(b.writer)
			b.github.ResumeDeliveries()
			return id
		}, "may write"},
		"whose login somebody else has": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			b.github.HoldDeliveries()
			id := pull.Comment(text)
			b.author.Rename("mallory-old")
			b.web.AddCollaborator(b.github.CreateUser("mallory"), "admin")
			b.github.ResumeDeliveries()
			return id
		}, "may write"},
		"edited before it was looked at": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			b.github.HoldDeliveries()
			id := pull.As(b.writer).Comment(text)
			pull.As(b.writer).EditComment(id, "Never mind.")
			b.github.ResumeDeliveries()
			return id
		}, "was edited"},
		"edited into a command": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			id := pull.As(b.writer).Comment("Looks good.")
			pull.As(b.writer).EditComment(id, text)
			return 0
		}, ""},
		"an App": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			bot := b.github.CreateBot("helper[bot]")
			b.web.AddCollaborator(bot, "write")
			pull.As(bot).Comment(text)
			return 0
		}, ""},
		"an App in a person's name": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			pull.As(b.writer).CommentThrough(b.app, text)
			return 0
		}, ""},
		"Catalyst itself": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			b.web.AddCollaborator(b.app.Bot(), "admin")
			pull.As(b.app.Bot()).Comment(text)
			return 0
		}, ""},
		"on an issue": {func(b *bundle, _ *fakegithub.Pull, text string) int64 {
			b.web.OpenIssue(b.writer, "Issue", "").As(b.writer).Comment(text)
			return 0
		}, ""},
		"not in the first line": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			pull.As(b.writer).Comment("Fine.\n" + text)
			return 0
		}, ""},
		"quoted": {func(b *bundle, pull *fakegithub.Pull, text string) int64 {
			pull.As(b.writer).Comment("> " + text)
			return 0
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			pull := b.open()
			b.becomes(pull, preview.StatusBlocked)
			if id := c.say(b, pull, "/preview approve "+pull.HeadSHA()); id != 0 {
				b.answered(pull, id, "confused")
				b.says(pull, c.first)
			} else {
				for _, d := range b.taken() {
					if d.Outcome != preview.DeliveryIgnored || d.Reason == "" {
						t.Errorf("%s %s: %q", d.Action, d.Outcome, d.Reason)
					}
				}
			}
			b.becomes(pull, preview.StatusBlocked)
			b.untouched(name)
			if list, err := b.store.Approvals(t.Context(), b.preview(pull).ID); err != nil || len(list) != 0 {
				t.Errorf("approvals %+v, %v", list, err)
			}
		})
	}
}

// TestCommentElsewhere: an approval on one pull request allows nothing on another one at the same commit.
func TestCommentElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := b.open()
	b.becomes(one, preview.StatusBlocked)
	b.web.Commit("release", fakegithub.Text(map[string]string{"r": "r"}), "Release")
	other := b.web.OpenPull(fakegithub.PullOptions{Author: b.author, HeadRepo: b.fork, Head: "gift", Base: "release"})
	b.becomes(other, preview.StatusBlocked)
	if one.HeadSHA() != other.HeadSHA() {
		t.Fatal("the two are at different commits")
	}
	b.tell(other, b.writer, "/preview approve "+one.HeadSHA(), "rocket")
	b.becomes(other, preview.StatusRunning)
	b.becomes(one, preview.StatusBlocked)
	if calls := b.ground.heard(); len(calls) != 2 {
		t.Errorf("the cluster heard %v, want one preview", calls)
	}
}

// TestReplay: a comment that is delivered again, under its own or another id, runs once.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "own", Files: evil(1)})
	b.becomes(pull, preview.StatusRunning)
	id := b.tell(pull, b.writer, "/preview destroy", "rocket")
	b.becomes(pull, preview.StatusDeleted)
	b.tell(pull, b.writer, "/preview deploy", "rocket")
	b.becomes(pull, preview.StatusRunning)
	before := b.preview(pull).Generation
	for _, d := range b.github.Deliveries() {
		if d.Event != "issue_comment" {
			continue
		}
		b.github.Redeliver(d.ID)
		again := append(slices.Clone(d.Payload), ' ') // another body, by its hash
		if code, err := b.app.SendRaw(t.Context(), "issue_comment", again); err != nil || code != 200 {
			t.Errorf("answered %d, %v", code, err)
		}
	}
	for _, d := range b.taken() {
		if d.Outcome == preview.DeliveryAccepted && d.Number != int(pull.Number()) {
			t.Errorf("delivery %+v", d)
		}
	}
	b.until("no command is left", func() bool {
		left, err := b.store.Commands(t.Context(), b.preview(pull).ID)
		return err == nil && len(left) == 0
	})
	p := b.becomes(pull, preview.StatusRunning)
	if p.Generation != before || !slices.Equal(pull.Reactions(id), []string{"eyes", "rocket"}) {
		t.Errorf("generation %d after %d, reactions %v", p.Generation, before, pull.Reactions(id))
	}
}

// TestGitHubAway: a command that was taken is carried out when GitHub is back, and answered once.
func TestGitHubAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	b.github.Inject(fakegithub.ServerError(502).On("GET", "/issues/comments/"))
	b.github.Inject(fakegithub.ServerError(502).On("GET", "/permission"))
	b.github.Inject(fakegithub.LostAnswer().On("POST", "/reactions"))
	id := b.tell(pull, b.writer, "/preview approve "+pull.HeadSHA(), "rocket")
	b.becomes(pull, preview.StatusRunning)
	if got := pull.Reactions(id); !slices.Equal(got, []string{"eyes", "rocket"}) {
		t.Errorf("reactions %v", got)
	}
}

// TestDestroy: removed although the pull request is open; a push changes nothing, deploying brings it back at the newest commit.
func TestDestroy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "own", Files: evil(1)})
	b.becomes(pull, preview.StatusRunning)
	b.tell(pull, b.writer, "/preview destroy", "rocket")
	b.becomes(pull, preview.StatusDeleted)
	if n := b.ground.left(); n != 0 {
		t.Errorf("%d namespaces are left", n)
	}
	b.says(pull, "Preview removed (by `dora`)")
	sha := pull.Push(evil(2), "More")
	b.becomes(pull, preview.StatusDeleted)
	if b.ground.last().Version == sha || b.ground.left() != 0 {
		t.Error("a push brought it back")
	}
	b.tell(pull, b.writer, "/preview deploy", "rocket")
	b.becomes(pull, preview.StatusRunning)
	if got := b.ground.last().Version; got != sha {
		t.Errorf("%s was deployed, want %s", got, sha)
	}
	pull.Close(false)
	b.becomes(pull, preview.StatusDeleted)
	b.tell(pull, b.writer, "/preview deploy", "confused")
	b.says(pull, "is closed")
}

// TestAnswers: what can be said without changing anything, to whom.
func TestAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	b.tell(pull, b.author, "/preview help", "rocket") // free
	b.says(pull, "`/preview help` by `mallory`: Commands")
	b.tell(pull, b.author, "/preview diagnose", "confused")
	b.says(pull, "may write")
	b.tell(pull, b.writer, "/preview diagnose", "rocket")
	b.says(pull, "Nothing is running yet")
	b.tell(pull, b.writer, "/preview logs web", "confused")
	b.says(pull, "kubectl --namespace pr-web-1 logs")
	b.tell(pull, b.writer, "/preview sleep", "confused")
	b.says(pull, "does not exist yet")
	b.tell(pull, b.writer, "/preview deploy", "confused")
	b.says(pull, "is not approved")
	b.untouched("answers")
}

// TestDeletedComment: who takes a command back before it was looked at is not obeyed, and nobody waits for the reaction.
func TestDeletedComment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	b.github.HoldDeliveries()
	pull.As(b.writer).DeleteComment(pull.As(b.writer).Comment("/preview approve " + pull.HeadSHA()))
	b.github.ResumeDeliveries()
	b.says(pull, "not there any more")
	b.until("no command is left", func() bool {
		left, err := b.store.Commands(t.Context(), b.preview(pull).ID)
		return err == nil && len(left) == 0
	})
	b.untouched("a deleted comment")
}
