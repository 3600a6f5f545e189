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

// task tells Catalyst's deployments from others'.
const task = "deploy:catalyst"

// maxDescription is the longest description of a deployment, in characters.
const maxDescription = 140

// Deployment is a deployment as GitHub lists it in an environment.
type Deployment struct {
	SHA         string
	Environment string
	MayExist    bool // it may be there already; false saves the search for it
}

// DeploymentStatus is what becomes of a deployment.
type DeploymentStatus struct {
	State       string // in GitHub's words
	URL         string // behind "View deployment"
	LogURL      string
	Description string // one line
}

// Deployment lists a deployment of a commit in an environment that goes away with its preview, and returns its id. One that is there
// already is taken. An App without the permission gets preview.ErrForbidden; a commit that GitHub does not have is preview.ErrInvalid.
func (c *Client) Deployment(ctx context.Context, r Repo, d Deployment) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	id, err := c.deployment(ctx, r, d)
	if err != nil {
		return 0, fmt.Errorf("deployment of %.7s of %s in %s: %w", d.SHA, r.FullName, d.Environment, err)
	}
	return id, nil
}

func (c *Client) deployment(ctx context.Context, r Repo, d Deployment) (int64, error) {
	if err := c.forWrite(ctx, r); err != nil {
		return 0, err
	}
	if d.MayExist {
		ids, err := c.deployments(ctx, r, d.Environment, d.SHA)
		if err != nil || len(ids) > 0 {
			return newest(ids), err
		}
	}
	// Each of these has a default that would do harm: merging the base branch in, waiting for other checks, calling it production.
	request := github.DeploymentRequest{
		Ref: d.SHA, Task: new(task), AutoMerge: new(false), RequiredContexts: []string{}, Environment: &d.Environment,
		TransientEnvironment: new(true), ProductionEnvironment: new(false),
	}
	var made *github.Deployment
	err := c.at(ctx, r, func(owner, name string) (err error) {
		made, _, err = c.gh.Repositories.CreateDeployment(with(ctx, "/repos/{owner}/{repo}/deployments", c.within(r, scopeDeployments)), owner, name, request)
		return err
	})
	if err != nil {
		return 0, err
	}
	if made.GetID() == 0 || made.GetSHA() != d.SHA {
		return 0, fmt.Errorf("the answer to a new deployment is about %q, id %d", made.GetSHA(), made.GetID())
	}
	return made.GetID(), nil
}

// deployments are the ids of Catalyst's deployments in the environment, of one commit when sha is not empty.
func (c *Client) deployments(ctx context.Context, r Repo, environment, sha string) ([]int64, error) {
	var ids []int64
	options := &github.DeploymentsListOptions{SHA: sha, Environment: environment, Task: task, ListOptions: github.ListOptions{Page: 1, PerPage: 100}}
	for options.Page != 0 {
		next := 0
		err := c.at(ctx, r, func(owner, name string) error {
			list, resp, err := c.gh.Repositories.ListDeployments(with(ctx, "/repos/{owner}/{repo}/deployments", c.within(r, scopeDeployments)), owner, name, options)
			if err != nil {
				return err
			}
			for _, one := range list {
				if one.GetTask() == task && one.GetEnvironment() == environment { // whatever was filtered
					ids = append(ids, one.GetID())
				}
			}
			next = resp.NextPage
			return nil
		})
		switch {
		case err != nil:
			return nil, fmt.Errorf("list deployments, page %d: %w", options.Page, err)
		case next != 0 && next <= options.Page:
			return nil, fmt.Errorf("list deployments: page %d is followed by page %d", options.Page, next)
		}
		options.Page = next
	}
	return ids, nil
}

func newest(ids []int64) int64 {
	var id int64
	for _, one := range ids {
		id = max(id, one)
	}
	return id
}

// DeploymentStatus writes what became of a deployment. One that is not there is preview.ErrNotFound.
func (c *Client) DeploymentStatus(ctx context.Context, r Repo, id int64, s DeploymentStatus) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if err := c.forWrite(ctx, r); err != nil {
		return err
	}
	if err := c.deploymentStatus(ctx, r, id, s); err != nil {
		return fmt.Errorf("status %s of deployment %d of %s: %w", s.State, id, r.FullName, err)
	}
	return nil
}

func (c *Client) deploymentStatus(ctx context.Context, r Repo, id int64, s DeploymentStatus) error {
	request := github.DeploymentStatusRequest{
		State: s.State, EnvironmentURL: optional(s.URL), LogURL: optional(s.LogURL), Description: new(shorter(s.Description, maxDescription)), AutoInactive: new(false),
	}
	return c.at(ctx, r, func(owner, name string) error {
		_, _, err := c.gh.Repositories.CreateDeploymentStatus(with(ctx, "/repos/{owner}/{repo}/deployments/{id}/statuses", c.within(r, scopeDeployments)), owner, name, id, request)
		return err
	})
}

// RetireDeployment takes a deployment out of its environment: people see it as destroyed, then it is gone. One that is gone is no error.
func (c *Client) RetireDeployment(ctx context.Context, r Repo, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if err := c.forWrite(ctx, r); err != nil {
		return err
	}
	if err := c.retire(ctx, r, id); err != nil {
		return fmt.Errorf("take deployment %d of %s away: %w", id, r.FullName, err)
	}
	return nil
}

// retire says first that it is inactive: GitHub deletes no other.
func (c *Client) retire(ctx context.Context, r Repo, id int64) error {
	err := c.deploymentStatus(ctx, r, id, DeploymentStatus{State: string(preview.ListedInactive)})
	if deleted(err) {
		return nil
	}
	if err != nil {
		return err
	}
	err = c.at(ctx, r, func(owner, name string) error {
		_, err := c.gh.Repositories.DeleteDeployment(with(ctx, "/repos/{owner}/{repo}/deployments/{id}", c.within(r, scopeDeployments)), owner, name, id)
		return err
	})
	if deleted(err) {
		return nil
	}
	return err
}

// ClearEnvironment takes all of Catalyst's deployments out of an environment, and then the environment itself away, where the App may: that
// wants the permission administration, and an App without it leaves an empty environment in the repository's settings, which is no error.
func (c *Client) ClearEnvironment(ctx context.Context, r Repo, environment string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*callLimit)
	defer cancel()
	if err := c.forWrite(ctx, r); err != nil {
		return err
	}
	ids, err := c.deployments(ctx, r, environment, "")
	for _, id := range ids {
		if err == nil {
			err = c.retire(ctx, r, id)
		}
	}
	if err == nil {
		err = c.deleteEnvironment(ctx, r, environment)
	}
	if err != nil {
		return fmt.Errorf("clear the environment %s of %s: %w", environment, r.FullName, err)
	}
	return nil
}

func (c *Client) deleteEnvironment(ctx context.Context, r Repo, environment string) error {
	if c.isLesser(r) {
		return nil
	}
	err := c.at(ctx, r, func(owner, name string) error {
		_, err := c.gh.Repositories.DeleteEnvironment(with(ctx, "/repos/{owner}/{repo}/environments/{environment}", c.within(r, scopeAdministration)), owner, name, environment)
		return err
	})
	switch {
	case deleted(err), err == nil:
		return nil
	case errors.Is(err, preview.ErrForbidden):
		c.setLesser(r)
		return nil
	}
	return err
}

// lesserHolds is how long an installation without a permission is not asked for it again: its owner may give it any time.
const lesserHolds = time.Hour

func (c *Client) isLesser(r Repo) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Before(c.lesser[r.InstallationID])
}

func (c *Client) setLesser(r Repo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lesser[r.InstallationID] = c.now().Add(lesserHolds)
	c.log.Info("environments stay listed in the settings of repositories: the App has no permission to take them away (administration: write)", "installation", r.InstallationID)
}

// shorter cuts a text to n bytes, on a rune's border.
func shorter(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "…"
	return strings.ToValidUTF8(s[:n-len(mark)], "") + mark
}
