package worker_test

import (
	"testing"

	"catalyst.dev/catalyst/internal/order"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// give hands an order in beside comments, and waits for its end.
func (b *bundle) give(pull *fakegithub.Pull, by *fakegithub.Account, operator bool, o preview.Order) preview.Command {
	b.Helper()
	person := preview.Person{Name: "operator"}
	if by != nil {
		person = preview.Person{Login: by.Login(), UserID: by.ID()}
	}
	c, err := order.Give(b.Context(), b.door, b.preview(pull), person, operator, o)
	if err != nil {
		b.Fatal(err)
	}
	b.until("the order "+o.String()+" is at its end", func() bool {
		now, err := b.store.Command(b.Context(), c.CommentID)
		if err != nil {
			b.Fatal(err)
		}
		c = now
		return c.Outcome.Final() && c.Told == c.Outcome
	})
	return c
}

// TestOrdersBesideComments: who may is asked of GitHub when an order is carried out, whatever the surface thought; an operator's word holds without it. Nothing is
// written to the pull request about who ordered what.
func TestOrdersBesideComments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.open()
	b.becomes(pull, preview.StatusBlocked)
	approve := preview.Order{Verb: preview.VerbApprove, Argument: pull.HeadSHA()}
	if c := b.give(pull, b.author, false, approve); c.Outcome != preview.CommandRefused || c.Reason == "" {
		t.Errorf("a stranger approves: %+v", c)
	}
	b.untouched("after a stranger's approval")
	if p := b.preview(pull); p.Notice != nil {
		t.Errorf("the comment tells of it: %+v", p.Notice)
	}
	impostor := preview.Person{Login: b.writer.Login(), UserID: b.author.ID()}
	c, err := order.Give(t.Context(), b.door, b.preview(pull), impostor, false, approve)
	if err != nil {
		t.Fatal(err)
	}
	b.until("the impostor is refused", func() bool {
		now, err := b.store.Command(t.Context(), c.CommentID)
		return err == nil && now.Outcome == preview.CommandRefused
	})
	b.untouched("after an impostor's approval")
	if c := b.give(pull, b.writer, false, approve); c.Outcome != preview.CommandDone {
		t.Errorf("a writer approves: %+v", c)
	}
	b.becomes(pull, preview.StatusRunning)
	if c := b.give(pull, nil, true, preview.Order{Verb: preview.VerbDestroy}); c.Outcome != preview.CommandDone {
		t.Errorf("an operator removes it: %+v", c)
	}
	if p := b.preview(pull); p.RemovedBy != "operator" || p.Status != preview.StatusDeleted {
		t.Errorf("removed by %q, %s", p.RemovedBy, p.Status)
	}
	if c := b.give(pull, nil, true, approve); c.Outcome != preview.CommandDone {
		t.Errorf("an operator approves: %+v", c)
	}
	b.becomes(pull, preview.StatusRunning)
	if n := b.github.Counters()["POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions"]; n != 0 {
		t.Errorf("%d reactions to no comment", n)
	}
}
