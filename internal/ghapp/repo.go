package ghapp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// seenName is the full name that a repository had when GitHub last said so.
type seenName struct {
	fullName string
	at       time.Time
}

// nameHolds is how long a name is trusted for a write with a token that reaches other repositories too.
const nameHolds = 5 * time.Minute

// errMoved says that a name led to another repository than the one that was meant.
var errMoved = errors.New("the name leads to another repository")

// at runs a call under the repository's name. When that leads nowhere, or elsewhere, the repository is asked for its name
// by id, and the call is made once more if the name is another. A repository that cannot be found by id either is
// preview.ErrGone.
func (c *Client) at(ctx context.Context, r Repo, do func(owner, name string) error) error {
	if r.ID <= 0 {
		return fmt.Errorf("repository %s has no id: %w", r.FullName, preview.ErrInvalid)
	}
	fullName := r.FullName
	if seen, ok := c.seen(r); ok {
		fullName = seen.fullName
	}
	err := c.named(fullName, do)
	if !astray(err) {
		return err
	}
	current, lookErr := c.look(ctx, r)
	if lookErr != nil {
		return lookErr
	}
	if current == fullName {
		return err
	}
	c.log.Info("repository has moved", "repository", r.ID, "from", fullName, "to", current)
	return c.named(current, do)
}

func (c *Client) named(fullName string, do func(owner, name string) error) error {
	owner, name, err := split(fullName)
	if err != nil {
		return err
	}
	return kind(do(owner, name))
}

// astray reports whether an error may come from a name that is no longer the repository's.
func astray(err error) bool {
	var a *answer
	if errors.As(err, &a) {
		return a.status == 403 || a.status == 404 || a.status/100 == 3
	}
	return errors.Is(err, errMoved)
}

// look asks for the repository's name by its id.
func (c *Client) look(ctx context.Context, r Repo) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	found, _, err := c.gh.Repositories.GetByID(with(ctx, "/repositories/{id}", c.as(r)), r.ID)
	var a *answer
	err = kind(err)
	switch {
	case errors.As(err, &a) && a.status == 404:
		return "", fmt.Errorf("find repository %d (%s): %w", r.ID, r.FullName, a.as(preview.ErrGone))
	case err != nil:
		return "", fmt.Errorf("find repository %d (%s): %w", r.ID, r.FullName, err)
	case found.GetID() != r.ID || found.GetFullName() == "":
		return "", fmt.Errorf("find repository %d (%s): the answer is about repository %d", r.ID, r.FullName, found.GetID())
	}
	c.see(r, found.GetFullName())
	return found.GetFullName(), nil
}

func (c *Client) seen(r Repo) (seenName, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, ok := c.names[r.ID]
	return seen, ok
}

func (c *Client) see(r Repo, fullName string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[r.ID] = seenName{fullName: fullName, at: c.now()}
}

// forWrite makes sure that the name leads to the repository before something is written under it. The token of an App
// reaches this repository only, so it needs no look.
func (c *Client) forWrite(ctx context.Context, r Repo) error {
	if seen, ok := c.seen(r); c.key != nil || ok && c.now().Before(seen.at.Add(nameHolds)) {
		return nil
	}
	_, err := c.look(ctx, r)
	return err
}
