package ghapp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

// PullRequest reads a pull request. It is preview.ErrNotFound when the repository has no such pull request and
// preview.ErrGone when the repository itself is out of reach. An answer about another repository or without what a preview
// needs (head commit, state) is an error, never a pull request.
func (c *Client) PullRequest(ctx context.Context, r Repo, number int) (preview.PullRequest, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var found preview.PullRequest
	err := c.at(ctx, r, func(owner, name string) error {
		pr, _, err := c.gh.PullRequests.Get(with(ctx, "/repos/{owner}/{repo}/pulls/{number}", c.as(r)), owner, name, number)
		if err != nil {
			return err
		}
		found, err = c.pullRequest(r, number, pr)
		return err
	})
	if err != nil {
		return preview.PullRequest{}, fmt.Errorf("read pull request %s#%d: %w", r.FullName, number, err)
	}
	return found, nil
}

func (c *Client) pullRequest(r Repo, number int, pr *github.PullRequest) (preview.PullRequest, error) {
	base := pr.GetBase().GetRepo()
	if base.GetID() != r.ID {
		return preview.PullRequest{}, fmt.Errorf("asked for repository %d, answered %d: %w", r.ID, base.GetID(), errMoved)
	}
	sha, state := pr.GetHead().GetSHA(), pr.GetState()
	if pr.GetNumber() != number || !preview.ValidSHA(sha) || state != "open" && state != "closed" || base.GetFullName() == "" {
		return preview.PullRequest{}, fmt.Errorf("the answer is not a pull request: number %d, state %q, head %q", pr.GetNumber(), state, sha)
	}
	c.see(r, base.GetFullName())
	comments := -1
	if pr.Comments != nil {
		comments = *pr.Comments
	}
	return preview.PullRequest{
		Key:              preview.Key{RepositoryID: r.ID, Number: number},
		Repository:       base.GetFullName(),
		InstallationID:   r.InstallationID,
		Private:          base.GetPrivate(),
		Title:            pr.GetTitle(),
		Author:           author(pr.GetUser().GetLogin()),
		Bot:              pr.GetUser().GetType() == bot,
		Branch:           pr.GetHead().GetRef(),
		BaseBranch:       pr.GetBase().GetRef(),
		HeadSHA:          sha,
		HeadRepositoryID: pr.GetHead().GetRepo().GetID(),
		HeadRepository:   pr.GetHead().GetRepo().GetFullName(),
		Open:             state == "open",
		Merged:           pr.GetMerged(),
		Draft:            pr.GetDraft(),
		Comments:         comments,
	}, nil
}

// bot is the type of an account that is an App's.
const bot = "Bot"

// author is the login, or GitHub's name for an account that was deleted.
func author(login string) string {
	if login == "" {
		return "ghost"
	}
	return login
}

// tarballLimit bounds the whole of a download, as a server may send slowly for ever.
const tarballLimit = 5 * time.Minute

// Tarball returns the repository's files at a commit: a gzipped tar with one top folder, read as it comes in. The caller
// closes it. A commit that is not there is preview.ErrNotFound.
func (c *Client) Tarball(ctx context.Context, r Repo, sha string) (io.ReadCloser, error) {
	if !preview.ValidSHA(sha) {
		return nil, fmt.Errorf("fetch %s: %q is not a commit's 40 hex characters: %w", r.FullName, sha, preview.ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(ctx, tarballLimit)
	var body io.ReadCloser
	err := c.at(ctx, r, func(owner, name string) error {
		req, err := c.gh.NewRequest(with(ctx, "/repos/{owner}/{repo}/tarball/{ref}", c.as(r)),
			http.MethodGet, "repos/"+owner+"/"+name+"/tarball/"+sha, nil)
		if err != nil {
			return err
		}
		resp, err := c.gh.BareDo(req)
		if err != nil {
			return err
		}
		body = resp.Body
		return nil
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("fetch %s at %s: %w", r.FullName, preview.ShortSHA(sha), err)
	}
	return &download{ReadCloser: body, cancel: cancel}, nil
}

type download struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (d *download) Close() error {
	defer d.cancel()
	return d.ReadCloser.Close()
}
