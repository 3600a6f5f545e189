package ghapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

// Permission is what a person may do in a repository at the time of asking.
type Permission struct {
	UserID int64  // whose login it is now; 0 when nobody has it
	Role   string // as GitHub calls it, for people: "write", "maintain", the name of a custom role …
	Read   bool   // may see it
	Write  bool   // may push to it
}

// Permission asks GitHub what a person may do in the repository. Who is not there, or has no access, may nothing: that is no
// error. An answer that has not changed costs nothing of GitHub's limit. What a webhook or a pull request says about a person (author_association) is not asked: it does not tell.
func (c *Client) Permission(ctx context.Context, r Repo, login string) (Permission, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var found *github.RepositoryPermissionLevel
	err := c.at(ctx, r, func(owner, name string) (err error) {
		path := "repos/" + owner + "/" + name + "/collaborators/" + url.PathEscape(login) + "/permission"
		key := fmt.Sprintf("what %q may do in %d by %d", login, r.ID, r.InstallationID)
		found, _, err = ask(with(ctx, "/repos/{owner}/{repo}/collaborators/{user}/permission", c.as(r)), c, key, path,
			func(level *github.RepositoryPermissionLevel, _ *github.Response) (*github.RepositoryPermissionLevel, error) {
				return level, nil
			})
		return err
	})
	switch {
	case errors.Is(err, preview.ErrNotFound):
		return Permission{Role: "none"}, nil
	case err != nil:
		return Permission{}, fmt.Errorf("ask what %s may do in %s: %w", login, r.FullName, err)
	case found.GetUser().GetID() == 0 || found.GetPermission() == "":
		return Permission{}, fmt.Errorf("ask what %s may do in %s: the answer names no user or no permission", login, r.FullName)
	}
	role := found.GetRoleName()
	if role == "" { // an older server
		role = found.GetPermission()
	}
	// A custom role has a name of its own, and the permission that it is built on.
	write := []string{"write", "maintain", "admin"}
	return Permission{
		UserID: found.GetUser().GetID(), Role: role, Read: found.GetPermission() != "none",
		Write: slices.Contains(write, role) || slices.Contains(write, found.GetPermission()),
	}, nil
}

// Branch returns the commit that a branch of the repository is at. A branch that is not there is preview.ErrNotFound.
func (c *Client) Branch(ctx context.Context, r Repo, branch string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var found *github.Branch
	err := c.at(ctx, r, func(owner, name string) error {
		req, err := c.gh.NewRequest(with(ctx, "/repos/{owner}/{repo}/branches/{branch}", c.as(r)),
			http.MethodGet, "repos/"+owner+"/"+name+"/branches/"+url.PathEscape(branch), nil)
		if err != nil {
			return err
		}
		_, err = c.gh.Do(req, &found)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read branch %s of %s: %w", branch, r.FullName, err)
	}
	sha := found.GetCommit().GetSHA()
	if found.GetName() != branch || !preview.ValidSHA(sha) {
		return "", fmt.Errorf("read branch %s of %s: the answer is about %q at %q", branch, r.FullName, found.GetName(), sha)
	}
	return sha, nil
}
