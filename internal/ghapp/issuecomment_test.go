package ghapp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// commentBody is a payload of a comment with parts of it replaced.
func commentBody(replace ...string) []byte {
	const body = `{"action": "created", "repository": {"id": 1, "full_name": "acme/web", "private": true}, "installation": {"id": 5},
		"issue": {"number": 7, "state": "open", "pull_request": {"url": "x"}},
		"comment": {"id": 9000000042, "body": "/preview approve abc1234\r\nThanks.", "performed_via_github_app": null, "author_association": "OWNER",
			"user": {"id": 8, "login": "dora", "type": "User"}}}`
	return []byte(strings.NewReplacer(replace...).Replace(body))
}

func TestParseComment(t *testing.T) {
	t.Parallel()
	got, err := ghapp.Parse("issue_comment", commentBody())
	if err != nil {
		t.Fatal(err)
	}
	want := ghapp.Hint{
		Event: "issue_comment", Action: "created", Repository: "acme/web", Number: 7, HasPullRequest: true,
		PullRequest: preview.PullRequest{
			Key: preview.Key{RepositoryID: 1, Number: 7}, Repository: "acme/web", InstallationID: 5, Private: true, Open: true, Comments: -1,
		},
		Comment: &ghapp.IssueComment{ID: 9_000_000_042, Number: 7, Body: "/preview approve abc1234\r\nThanks.", Author: "dora", AuthorID: 8},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got.PullRequest.Trust() != preview.TrustFork {
		t.Error("a pull request of which only a comment is known is trusted")
	}
}

// TestCommentIgnored: what is no new command of a person is not looked at, and says why.
func TestCommentIgnored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replace []string
		want    string
	}{
		"edited":               {[]string{`"created"`, `"edited"`}, `action "edited"`},
		"deleted":              {[]string{`"created"`, `"deleted"`}, `action "deleted"`},
		"on an issue":          {[]string{`, "pull_request": {"url": "x"}`, ``}, "on an issue"},
		"on an issue, null":    {[]string{`{"url": "x"}`, `null`}, "on an issue"},
		"a comment":            {[]string{`/preview approve abc1234`, `Looks good.`}, "no command"},
		"quoted":               {[]string{`/preview approve`, `> /preview approve`}, "no command"},
		"by an App":            {[]string{`"User"`, `"Bot"`}, "by an App"},
		"by an App's login":    {[]string{`"dora"`, `"renovate[bot]"`}, "by an App"},
		"through an App":       {[]string{`app": null`, `app": {"id": 3}`}, "by an App"},
		"nobody's":             {[]string{`{"id": 8, "login": "dora", "type": "User"}`, `null`}, "no author"},
		"without an author id": {[]string{`"id": 8, `, ``}, "no author"},
	} {
		got, err := ghapp.Parse("issue_comment", commentBody(c.replace...))
		if err != nil || got.HasPullRequest || got.Comment != nil || !strings.Contains(got.Reason, c.want) {
			t.Errorf("%s: %+v, %v, want a reason with %q", name, got, err, c.want)
		}
	}
}

// TestCommentMisshapen: a body of another event that comes under this one's name is refused, and so is this one's under another.
func TestCommentMisshapen(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string][]string{
		"no issue":       {`"issue"`, `"discussion"`},
		"no comment":     {`"comment":`, `"review":`},
		"no number":      {`"number": 7`, `"number": 0`},
		"no comment id":  {`9000000042`, `0`},
		"no repository":  {`"repository"`, `"repo"`},
		"no action":      {`"action": "created"`, `"action": ""`},
		"no state":       {`"open"`, `"draft"`},
		"words for ids":  {`9000000042`, `"x"`},
		"a list instead": {`{"number": 7, "state": "open", "pull_request": {"url": "x"}}`, `[7]`},
	} {
		if got, err := ghapp.Parse("issue_comment", commentBody(replace...)); !errors.Is(err, preview.ErrInvalid) || got.Comment != nil {
			t.Errorf("%s: %+v, %v, want ErrInvalid", name, got, err)
		}
	}
	if got, err := ghapp.Parse("pull_request", commentBody()); !errors.Is(err, preview.ErrInvalid) || got.HasPullRequest {
		t.Errorf("as a pull request: %+v, %v", got, err)
	}
	if got, err := ghapp.Parse("issue_comment", body(t, "{}")); !errors.Is(err, preview.ErrInvalid) || got.Comment != nil {
		t.Errorf("a pull request as a comment: %+v, %v", got, err)
	}
}

func TestIssueComment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dora, mallory := b.github.Account("dora"), b.github.CreateUser("mallory")
	issue := b.web.OpenIssue(mallory, "Issue", "")
	for _, c := range []struct {
		on   *fakegithub.Pull
		id   int64
		want ghapp.IssueComment
	}{
		{b.pull, b.pull.As(dora).Comment("/preview help"), ghapp.IssueComment{Number: b.number(), Body: "/preview help", Author: "dora", AuthorID: dora.ID()}},
		{issue, issue.Comment("hello"), ghapp.IssueComment{Number: int(issue.Number()), Body: "hello", Author: "mallory", AuthorID: mallory.ID()}},
		{b.pull, b.pull.As(b.app.Bot()).Comment("/preview help"), ghapp.IssueComment{Number: b.number(), Body: "/preview help", Author: "catalyst[bot]", AuthorID: b.app.Bot().ID(), ByApp: true}},
		{b.pull, b.pull.As(dora).CommentThrough(b.app, "/preview help"), ghapp.IssueComment{Number: b.number(), Body: "/preview help", Author: "dora", AuthorID: dora.ID(), ByApp: true}},
	} {
		c.want.ID = c.id
		got, err := b.client.IssueComment(t.Context(), b.repo, c.id)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		c.on.DeleteComment(c.id)
		if _, err := b.client.IssueComment(t.Context(), b.repo, c.id); !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("deleted: %v, want ErrNotFound", err)
		}
	}
}

// TestReact: a reaction is there once, however often it is given, in a renamed repository too; one that cannot be given is a refusal.
func TestReact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.pull.Comment("/preview help")
	for range 2 {
		if err := b.client.React(t.Context(), b.repo, id, "eyes"); err != nil {
			t.Fatal(err)
		}
	}
	b.web.Rename("site")
	if err := b.client.React(t.Context(), b.repo, id, "rocket"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"eyes", "rocket"}, b.pull.Reactions(id)); d != "" {
		t.Errorf("reactions (-want +got):\n%s", d)
	}
	b.pull.DeleteComment(id)
	if err := b.client.React(t.Context(), b.repo, id, "eyes"); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("to a deleted comment: %v, want ErrNotFound", err)
	}
}
