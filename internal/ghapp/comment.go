package ghapp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

// Marker is in every comment of Catalyst's, and finds the comment again when its id is lost.
const Marker = "<!-- catalyst-preview-deployment -->"

// maxBody is the longest comment, in bytes: GitHub's limit of 65,536 with room to spare.
const maxBody = 60_000

// CommentRequest says what the one comment on a pull request shall be.
type CommentRequest struct {
	ID       int64  // as stored; 0: not known
	MayExist bool   // a comment may be there although its id is not known; false saves the search for it
	Body     string // with the Marker in it
}

// Comment brings the one comment on a pull request up to date and returns its id: it edits the comment with the given id; when
// that is gone or unknown, the oldest comment with the marker that Catalyst itself wrote; and creates one only when there is
// none. It never writes a second one as long as the caller sets MayExist after a try whose end it does not know.
//
// A body above 60,000 bytes is preview.ErrTooLarge, one without the marker preview.ErrInvalid; a locked conversation is
// preview.ErrForbidden.
func (c *Client) Comment(ctx context.Context, r Repo, number int, req CommentRequest) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callLimit) // a long conversation has many pages
	defer cancel()
	id, err := c.comment(ctx, r, number, req)
	if err != nil {
		return id, fmt.Errorf("comment on %s#%d: %w", r.FullName, number, err)
	}
	return id, nil
}

func (c *Client) comment(ctx context.Context, r Repo, number int, req CommentRequest) (int64, error) {
	switch {
	case len(req.Body) > maxBody:
		return 0, fmt.Errorf("%d bytes, at most %d fit: %w", len(req.Body), maxBody, preview.ErrTooLarge)
	case !strings.Contains(req.Body, Marker) || !utf8.ValidString(req.Body):
		return 0, fmt.Errorf("the text lacks the marker %s or is not UTF-8: %w", Marker, preview.ErrInvalid)
	}
	if err := c.forWrite(ctx, r); err != nil {
		return 0, err
	}
	if req.ID != 0 {
		id, err := c.edit(ctx, r, req.ID, req.Body)
		if !deleted(err) {
			return id, err
		}
	}
	if req.ID != 0 || req.MayExist {
		found, err := c.find(ctx, r, number)
		if err != nil {
			return 0, err
		}
		if found != 0 && found == req.ID {
			return 0, fmt.Errorf("comment %d is listed but cannot be edited", found)
		}
		if found != 0 {
			id, err := c.edit(ctx, r, found, req.Body)
			if !deleted(err) {
				return id, err
			}
		}
	}
	return c.create(ctx, r, number, req.Body)
}

// deleted reports whether GitHub says that a comment is not there.
func deleted(err error) bool {
	var a *answer
	return errors.As(err, &a) && (a.status == 404 || a.status == 410)
}

func (c *Client) edit(ctx context.Context, r Repo, id int64, body string) (int64, error) {
	var written *github.IssueComment
	err := c.at(ctx, r, func(owner, name string) (err error) {
		written, _, err = c.gh.Issues.UpdateComment(with(ctx, "/repos/{owner}/{repo}/issues/comments/{comment}", c.as(r)),
			owner, name, id, github.IssueCommentRequest{Body: body})
		return err
	})
	if err != nil {
		return 0, locked(err)
	}
	if written.GetID() != id {
		return 0, fmt.Errorf("edited comment %d, the answer is about %d", id, written.GetID())
	}
	return id, sameBody(written, body)
}

func (c *Client) create(ctx context.Context, r Repo, number int, body string) (int64, error) {
	var written *github.IssueComment
	err := c.at(ctx, r, func(owner, name string) (err error) {
		written, _, err = c.gh.Issues.CreateComment(with(ctx, "/repos/{owner}/{repo}/issues/{number}/comments", c.as(r)),
			owner, name, number, github.IssueCommentRequest{Body: body})
		return err
	})
	if err != nil {
		return 0, locked(err)
	}
	if written.GetID() == 0 {
		return 0, errors.New("the answer to a new comment has no id")
	}
	return written.GetID(), sameBody(written, body)
}

// sameBody makes sure that an answer of success is about what was written.
func sameBody(written *github.IssueComment, body string) error {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	if plain(written.GetBody()) != plain(body) {
		return fmt.Errorf("comment %d: GitHub says it was written, but answers another text", written.GetID())
	}
	return nil
}

// locked says in words what GitHub's refusal of a comment means.
func locked(err error) error {
	var a *answer
	if errors.As(err, &a) && a.status == 403 && strings.Contains(a.message, "locked") {
		return fmt.Errorf("the conversation is locked: unlock it to see the preview's state here: %w", err)
	}
	return err
}

// find returns the oldest comment that has the marker and is Catalyst's own, or 0. Anyone can paste the marker.
func (c *Client) find(ctx context.Context, r Repo, number int) (int64, error) {
	self, err := c.myself(ctx, r)
	if err != nil {
		return 0, err
	}
	// GitHub lists the comments of one issue by ascending id, so the first match is the oldest.
	for page := 1; page != 0; {
		var comments []*github.IssueComment
		next := 0
		err := c.at(ctx, r, func(owner, name string) error {
			list, resp, err := c.gh.Issues.ListComments(with(ctx, "/repos/{owner}/{repo}/issues/{number}/comments", c.as(r)), owner, name, number,
				&github.IssueListCommentsOptions{ListOptions: github.ListOptions{Page: page, PerPage: 100}})
			if err != nil {
				return err
			}
			comments, next = list, resp.NextPage
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("look for the comment, page %d: %w", page, err)
		}
		for _, comment := range comments {
			if strings.Contains(comment.GetBody(), Marker) && c.isMine(comment, self) {
				return comment.GetID(), nil
			}
		}
		if next != 0 && next <= page {
			return 0, fmt.Errorf("look for the comment: page %d is followed by page %d", page, next)
		}
		page = next
	}
	return 0, nil
}

// isMine compares ids, as the App's login changes when it is renamed.
func (c *Client) isMine(comment *github.IssueComment, self int64) bool {
	if c.key != nil {
		return comment.GetPerformedViaGithubApp().GetID() == c.appID
	}
	return self != 0 && comment.GetUser().GetID() == self
}

// myself returns the user id of the token; 0 for an App, which is told by its own id.
func (c *Client) myself(ctx context.Context, r Repo) (int64, error) {
	c.mu.Lock()
	self := c.self
	c.mu.Unlock()
	if c.key != nil || self != 0 {
		return self, nil
	}
	user, _, err := c.gh.Users.Get(with(ctx, "/user", c.as(r)), "")
	if err = kind(err); err != nil {
		return 0, fmt.Errorf("ask whose token this is: %w", err)
	}
	if user.GetID() == 0 {
		return 0, errors.New("ask whose token this is: the answer has no id")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.self = user.GetID()
	return c.self, nil
}
