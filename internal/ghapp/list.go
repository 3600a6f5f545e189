package ghapp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

// maxReadings is how often a list of several pages is read to see it whole.
const maxReadings = 4

// OpenPullRequests returns every open pull request of the repository, oldest first: all of them, or an error. Comments is -1,
// as the list does not tell. An unchanged list costs nothing of GitHub's limit. A repository that is out of reach is
// preview.ErrGone.
func (c *Client) OpenPullRequests(ctx context.Context, r Repo) ([]preview.PullRequest, error) {
	found, err := c.openPullRequests(ctx, r)
	if err != nil {
		if errors.Is(err, preview.ErrGone) || errors.Is(err, preview.ErrForbidden) {
			c.forget(r.ID) // it may have another installation by now
		}
		return nil, fmt.Errorf("list open pull requests of %s: %w", r.FullName, err)
	}
	return found, nil
}

// openPullRequests reads until no page can have lost a pull request to the one before: when one is closed while the pages
// are read, the first of each later page moves to a page that was read already.
func (c *Client) openPullRequests(ctx context.Context, r Repo) ([]preview.PullRequest, error) {
	if r.ID <= 0 {
		return nil, fmt.Errorf("repository %s has no id: %w", r.FullName, preview.ErrInvalid)
	}
	same := func(a, b preview.PullRequest) bool { return a.Number == b.Number }
	var before []preview.PullRequest
	for range maxReadings {
		found, settled, err := c.readOpen(ctx, r)
		if err != nil {
			return nil, err
		}
		if settled || slices.EqualFunc(before, found, same) {
			return found, nil
		}
		before = found
	}
	return nil, fmt.Errorf("it changed each of the %d times that it was read", maxReadings)
}

// listPage is one page of the list, and the number of the next one.
type listPage struct {
	pulls []preview.PullRequest
	next  int
}

// readOpen reads all pages once; settled: they fit together for sure.
func (c *Client) readOpen(ctx context.Context, r Repo) (found []preview.PullRequest, settled bool, err error) {
	settled = true
	for page := 1; page != 0; {
		p, changed, err := c.readPage(ctx, r, page)
		if err != nil {
			return nil, false, fmt.Errorf("page %d: %w", page, err)
		}
		found = append(found, p.pulls...)
		if p.next != 0 && p.next <= page {
			return nil, false, fmt.Errorf("page %d is followed by page %d", page, p.next)
		}
		settled = settled && (!changed || page == 1 && p.next == 0)
		page = p.next
	}
	return found, settled, nil
}

// readPage asks by the repository's id: an old name may lead to another repository, and an empty list does not tell whose it is.
// GitHub's own links to the pages have this form. The oldest come first, so that a new one changes the last page only.
func (c *Client) readPage(ctx context.Context, r Repo, page int) (listPage, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	key := fmt.Sprintf("open pull requests of %d by %d, page %d", r.ID, r.InstallationID, page)
	path := fmt.Sprintf("repositories/%d/pulls?state=open&sort=created&direction=asc&per_page=100&page=%d", r.ID, page)
	p, changed, err := ask(with(ctx, "/repositories/{id}/pulls", c.as(r)), c, key, path, func(list []*github.PullRequest, resp *github.Response) (listPage, error) {
		return c.listPage(r, list, resp)
	})
	var a *answer
	if errors.As(err, &a) && a.status == 404 {
		return p, false, a.as(preview.ErrGone)
	}
	return p, changed, err
}

func (c *Client) listPage(r Repo, list []*github.PullRequest, resp *github.Response) (listPage, error) {
	if list == nil {
		return listPage{}, errors.New("the answer is not a list")
	}
	p := listPage{next: resp.NextPage}
	for _, pr := range list {
		one, err := c.pullRequest(r, pr.GetNumber(), pr)
		if err == nil && (one.Number <= 0 || !one.Open) {
			err = fmt.Errorf("pull request %d is in the list, open: %v", one.Number, one.Open)
		}
		if err != nil {
			return listPage{}, err
		}
		one.Comments = -1
		p.pulls = append(p.pulls, one)
	}
	return p, nil
}
