package webhook_test

import (
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// comment is the body of a comment on pull request 2 of Codertocat/Hello-World.
func comment(action, text string) []byte {
	return []byte(`{"action": "` + action + `", "repository": {"id": 186853002, "full_name": "Codertocat/Hello-World"},
		"issue": {"number": 2, "state": "open", "pull_request": {"url": "x"}},
		"comment": {"id": 492700400, "body": "` + text + `", "user": {"id": 21031067, "login": "Codertocat", "type": "User"}}}`)
}

// TestCommand: a command is stored with its delivery, once, and asks for the job that looks at it; nothing is decided here.
func TestCommand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	headers := map[string]string{"X-GitHub-Event": "issue_comment"}
	body := comment("created", "/preview approve 0123456789")
	for i, want := range []string{"accepted", "duplicate"} {
		if status, answer := b.signed(body, headers); status != 200 || !strings.Contains(answer, want) {
			t.Errorf("delivery %d: %d, %s, want %s", i, status, answer, want)
		}
	}
	if status, answer := b.signed(append(body, ' '), headers); status != 200 || !strings.Contains(answer, "gave its command before") {
		t.Errorf("the same comment in another body: %d, %s", status, answer)
	}
	p, err := b.store.PreviewOf(t.Context(), preview.Key{RepositoryID: 186853002, Number: 2})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.store.Commands(t.Context(), p.ID)
	if err != nil || len(got) != 1 {
		t.Fatalf("commands %+v, %v, want one", got, err)
	}
	if c := got[0]; c.CommentID != 492700400 || c.AuthorID != 21031067 || c.Author != "Codertocat" || c.Outcome != "" ||
		c.Order != (preview.Order{Verb: preview.VerbApprove, Argument: "0123456789"}) {
		t.Errorf("command %+v", c)
	}
	if job, err := b.store.Claim(t.Context(), preview.JobCommand, "test", time.Minute); err != nil || job.PreviewID != p.ID {
		t.Errorf("job %+v, %v", job, err)
	}
	if list, err := b.store.Approvals(t.Context(), p.ID); err != nil || len(list) != 0 {
		t.Errorf("approvals %+v, %v", list, err)
	}
}

// TestCommentIgnored: a comment that is no command leaves its delivery with a reason, and nothing else.
func TestCommentIgnored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"a comment":   {comment("created", "Looks good."), "no command"},
		"edited":      {comment("edited", "/preview approve 0123456789"), "only new comments"},
		"on an issue": {recorded(t, "issue_comment", "created"), "on an issue"},
		"misshapen":   {[]byte(`{"action": "created"}`), "not that of a issue_comment event"},
		"elsewhere":   {[]byte(strings.Replace(string(comment("created", "/preview deploy")), "Codertocat/Hello", "Evil/Hello", 1)), "not configured"},
		"closed":      {[]byte(strings.Replace(string(comment("created", "/preview deploy")), `"open"`, `"closed"`, 1)), "is closed and has no preview"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if status, answer := b.signed(c.body, map[string]string{"X-GitHub-Event": "issue_comment"}); status != 200 || !strings.Contains(answer, "ignored") {
				t.Errorf("%d, %s", status, answer)
			}
			got := b.deliveries()
			if len(got) != 1 || got[0].Outcome != preview.DeliveryIgnored || !strings.Contains(got[0].Reason, c.want) {
				t.Errorf("deliveries %+v, want a reason with %q", got, c.want)
			}
			if list, err := b.store.Previews(t.Context(), 10); err != nil || len(list) != 0 {
				t.Errorf("%d previews, %v", len(list), err)
			}
		})
	}
}
