package ghapp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

// resolved is what a name led to when GitHub last said so.
type resolved struct {
	repo Repo
	at   time.Time
}

// resolvedHolds is how long an answer of Resolve is given again without asking.
const resolvedHolds = 10 * time.Minute

// Resolve returns the repository that a full name leads to, with the name that it has now. A name that leads nowhere, or to a
// repository without the App, is preview.ErrNotFound. Answers are up to ten minutes old.
func (c *Client) Resolve(ctx context.Context, fullName string) (Repo, error) {
	r, err := c.resolve(ctx, fullName)
	if err != nil {
		return Repo{}, fmt.Errorf("look up repository %s: %w", fullName, err)
	}
	return r, nil
}

func (c *Client) resolve(ctx context.Context, fullName string) (Repo, error) {
	owner, name, err := split(fullName)
	if err != nil {
		return Repo{}, err
	}
	key := strings.ToLower(fullName)
	c.mu.Lock()
	known, ok := c.resolved[key]
	if seen, newer := c.names[known.repo.ID]; newer {
		known.repo.FullName = seen.fullName
	}
	c.mu.Unlock()
	if ok && c.now().Before(known.at.Add(resolvedHolds)) {
		return known.repo, nil
	}
	r, err := Repo{}, preview.ErrNotFound
	if ok || c.key == nil {
		r, err = c.read(ctx, known.repo.InstallationID, owner, name)
	}
	// What is known may be of an installation that is no more.
	if c.key != nil && (errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrGone) || errors.Is(err, preview.ErrForbidden)) {
		var installation int64
		if installation, err = c.Installation(ctx, fullName); err == nil {
			r, err = c.read(ctx, installation, owner, name)
		}
	}
	if err != nil {
		return Repo{}, err
	}
	c.see(r, r.FullName)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resolved[key] = resolved{repo: r, at: c.now()}
	return r, nil
}

// read asks for a repository by name, with a token that can read what repositories there are and nothing else.
func (c *Client) read(ctx context.Context, installation int64, owner, name string) (Repo, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	r := Repo{InstallationID: installation}
	key := fmt.Sprintf("repository %s/%s by %d", owner, name, installation)
	r, _, err := ask(with(ctx, "/repos/{owner}/{repo}", c.as(r)), c, key, "repos/"+owner+"/"+name, func(found *github.Repository, _ *github.Response) (Repo, error) {
		if found.GetID() <= 0 || found.GetFullName() == "" {
			return Repo{}, fmt.Errorf("the answer is not a repository: id %d, name %q", found.GetID(), found.GetFullName())
		}
		return Repo{InstallationID: installation, ID: found.GetID(), FullName: found.GetFullName()}, nil
	})
	return r, err
}

// forget makes Resolve ask again about a repository.
func (c *Client) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, known := range c.resolved {
		if known.repo.ID == id {
			delete(c.resolved, name)
		}
	}
}
