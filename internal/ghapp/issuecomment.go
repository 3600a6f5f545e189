package ghapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

// IssueComment is a comment in the conversation of a pull request or an issue.
type IssueComment struct {
	ID       int64
	Number   int // of the pull request or issue
	Body     string
	Author   string // login
	AuthorID int64  // 0 when the account is gone
	ByApp    bool   // written by an App, or through one: nobody can say whose words it is
}

// IssueComment reads a comment. One that is not there, or not in this repository, is preview.ErrNotFound.
func (c *Client) IssueComment(ctx context.Context, r Repo, id int64) (IssueComment, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var found *github.IssueComment
	err := c.at(ctx, r, func(owner, name string) (err error) {
		found, _, err = c.gh.Issues.GetComment(with(ctx, "/repos/{owner}/{repo}/issues/comments/{comment}", c.as(r)), owner, name, id)
		return err
	})
	if err != nil {
		return IssueComment{}, fmt.Errorf("read comment %d of %s: %w", id, r.FullName, err)
	}
	number, err := strconv.Atoi(path.Base(found.GetIssueURL()))
	if err != nil || found.GetID() != id {
		return IssueComment{}, fmt.Errorf("read comment %d of %s: the answer is about %d at %q", id, r.FullName, found.GetID(), found.GetIssueURL())
	}
	return IssueComment{
		ID: id, Number: number, Body: found.GetBody(), Author: author(found.GetUser().GetLogin()), AuthorID: found.GetUser().GetID(),
		ByApp: found.PerformedViaGithubApp != nil || found.GetUser().GetType() == bot || preview.IsBot(found.GetUser().GetLogin()),
	}, nil
}

// React puts a reaction of GitHub's ("eyes", "rocket", "confused" …) on a comment; one that is there already is left. A comment that is not there is preview.ErrNotFound, one
// in a locked conversation preview.ErrForbidden.
func (c *Client) React(ctx context.Context, r Repo, comment int64, reaction string) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := c.forWrite(ctx, r)
	if err == nil {
		err = c.at(ctx, r, func(owner, name string) error {
			_, _, err := c.gh.Reactions.CreateIssueCommentReaction(with(ctx, "/repos/{owner}/{repo}/issues/comments/{comment}/reactions", c.as(r)),
				owner, name, comment, reaction)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("react to comment %d of %s: %w", comment, r.FullName, err)
	}
	return nil
}

// payloadComment is what matters of an issue_comment webhook beside its repository.
type payloadComment struct {
	Issue *struct {
		Number      int              `json:"number"`
		State       string           `json:"state"`
		PullRequest *json.RawMessage `json:"pull_request"`
	} `json:"issue"`
	Comment *struct {
		ID   int64            `json:"id"`
		Body string           `json:"body"`
		User *payloadUser     `json:"user"`
		Via  *json.RawMessage `json:"performed_via_github_app"`
	} `json:"comment"`
}

// parseComment fills the hint for an issue_comment event: only a new comment on a pull request, by a person, in the shape
// of a command is worth a look. Catalyst's own comments are an App's, or no command.
func parseComment(hint Hint, p payload, body []byte) (Hint, error) {
	var c payloadComment
	err := json.Unmarshal(body, &c)
	switch {
	case err != nil:
	case p.Action == "" || p.Repository == nil || p.Repository.ID <= 0 || p.Repository.FullName == "":
		err = errors.New("no action, or no repository")
	case c.Issue == nil || c.Issue.Number <= 0 || c.Issue.State != "open" && c.Issue.State != "closed":
		err = errors.New("no issue or pull request")
	case c.Comment == nil || c.Comment.ID <= 0:
		err = errors.New("no comment")
	}
	if err != nil {
		return hint, fmt.Errorf("parse webhook %q: %w: %w", hint.Event, err, preview.ErrInvalid)
	}
	hint.Number = c.Issue.Number
	user := payloadUser{}
	if c.Comment.User != nil {
		user = *c.Comment.User
	}
	_, isOrder := preview.ParseOrder(c.Comment.Body)
	switch {
	case p.Action != "created":
		hint.Reason = fmt.Sprintf("action %q changes nothing here: only new comments are read", p.Action)
	case c.Issue.PullRequest == nil:
		hint.Reason = "the comment is on an issue, not on a pull request"
	case !isOrder:
		hint.Reason = "the comment is no command: its first line does not begin with /preview"
	case c.Comment.Via != nil || user.Type == bot || preview.IsBot(user.Login):
		hint.Reason = "the comment was written by an App: commands come from people"
	case user.ID <= 0 || user.Login == "":
		hint.Reason = "the comment has no author"
	default:
		hint.Comment = &IssueComment{ID: c.Comment.ID, Number: c.Issue.Number, Body: c.Comment.Body, Author: user.Login, AuthorID: user.ID}
		hint.HasPullRequest = true
		hint.PullRequest = preview.PullRequest{
			Key: preview.Key{RepositoryID: p.Repository.ID, Number: c.Issue.Number}, Repository: p.Repository.FullName,
			Private: p.Repository.Private, Open: c.Issue.State == "open", Comments: -1,
		}
		if p.Installation != nil {
			hint.PullRequest.InstallationID = p.Installation.ID
		}
	}
	return hint, nil
}
