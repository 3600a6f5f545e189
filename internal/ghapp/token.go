package ghapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

// tokenKey is what an installation token is good for: one repository, so that a mistake in one can never touch another. One
// for repository 0 can do no more than tell which repositories the installation has.
type tokenKey struct {
	installation, repository int64
	scope                    scope
}

// scope is what a token may do: each purpose has tokens of its own, so that a permission which an installation was not given is missed only
// where it is needed, and each token can do as little as possible.
type scope string

const (
	scopeMain           scope = ""               // read contents, write pull requests
	scopeChecks         scope = "checks"         // write check runs
	scopeDeployments    scope = "deployments"    // write deployments
	scopeAdministration scope = "administration" // delete an environment
)

// permissions are those of a token for a repository.
func (s scope) permissions() *github.InstallationPermissions {
	p := &github.InstallationPermissions{Metadata: new("read")}
	switch s {
	case scopeChecks:
		p.Checks = new("write")
	case scopeDeployments:
		p.Deployments = new("write")
	case scopeAdministration:
		p.Administration = new("write")
	default:
		p.Contents, p.PullRequests = new("read"), new("write")
	}
	return p
}

type installationToken struct {
	value   string
	expires time.Time
}

// renewBefore is how long before its end a token is not used any more, so that none ends in the middle of a call.
const renewBefore = 5 * time.Minute

// as returns the credential for calls about a repository.
func (c *Client) as(r Repo) credential { return c.within(r, scopeMain) }

// within returns the credential for calls about a repository that need the permissions of a scope.
func (c *Client) within(r Repo, s scope) credential {
	if c.key == nil {
		return credential{
			aside: s != scopeMain,
			token: func(context.Context) (string, error) { return c.token, nil },
			gate:  func() *gate { return c.gateOf(r) },
		}
	}
	k := tokenKey{r.InstallationID, r.ID, s}
	return credential{
		aside: s != scopeMain,
		gate:  func() *gate { return c.gateOf(r) },
		token: func(ctx context.Context) (string, error) { return c.installationToken(ctx, k, r) },
		renew: func(refused string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.tokens[k].value == refused {
				delete(c.tokens, k)
			}
		},
	}
}

// asApp is the credential of the App itself. GitHub wants iat in the past, as clocks differ, and exp within ten minutes.
func (c *Client) asApp() credential {
	return credential{gate: func() *gate { return c.gate("app") }, token: func(context.Context) (string, error) {
		now := c.now()
		claims := jwt.RegisteredClaims{
			Issuer:    strconv.FormatInt(c.appID, 10),
			IssuedAt:  jwt.NewNumericDate(now.Add(-time.Minute)),
			ExpiresAt: jwt.NewNumericDate(now.Add(9 * time.Minute)),
		}
		signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(c.key)
		if err != nil {
			return "", fmt.Errorf("sign as App %d: %w", c.appID, err)
		}
		return signed, nil
	}}
}

// installationToken returns a token for the repository, from the cache or new. Callers that wait for the same one share it.
func (c *Client) installationToken(ctx context.Context, k tokenKey, r Repo) (string, error) {
	c.mu.Lock()
	cached, ok := c.tokens[k]
	c.mu.Unlock()
	if ok && c.now().Before(cached.expires.Add(-renewBefore)) {
		return cached.value, nil
	}
	// The first caller may go away while others wait for its token.
	done := c.minting.DoChan(fmt.Sprint(k), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
		defer cancel()
		return c.mint(ctx, k, r)
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-done:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	}
}

const mintRoute = "/app/installations/{installation}/access_tokens"

// mint asks for a token that can do no more than Catalyst needs, for one repository only. Pull request write is enough to
// comment on a pull request.
func (c *Client) mint(ctx context.Context, k tokenKey, r Repo) (string, error) {
	if r.InstallationID == 0 {
		id, err := c.Installation(ctx, r.FullName)
		if err != nil {
			return "", err
		}
		r.InstallationID = id
	}
	options := github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Metadata: new("read")}}
	if r.ID != 0 {
		options.RepositoryIDs, options.Permissions = []int64{r.ID}, k.scope.permissions()
	}
	token, _, err := c.gh.Apps.CreateInstallationToken(with(ctx, mintRoute, c.asApp()), r.InstallationID, &options)
	if err = kind(err); err != nil {
		return "", c.noToken(r, k.scope, err)
	}
	if token.GetToken() == "" {
		return "", fmt.Errorf("get a token from installation %d: the answer has none", r.InstallationID)
	}
	fresh := installationToken{value: token.GetToken(), expires: token.GetExpiresAt().Time}
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, t := range c.tokens {
		if c.now().After(t.expires) {
			delete(c.tokens, other)
		}
	}
	c.tokens[k] = fresh
	if r.ID != 0 {
		c.homes[r.ID] = r.InstallationID
	}
	return fresh.value, nil
}

// tokenError is why there is no token. It hides the answer underneath, which is not about the call that wanted the token.
type tokenError struct {
	text string
	kind error
}

func (e *tokenError) Error() string { return e.text }
func (e *tokenError) Unwrap() error { return e.kind }

// noToken says in words what GitHub's refusal of a token means, and gives it the kind that it has for the repository.
func (c *Client) noToken(r Repo, s scope, err error) error {
	about := fmt.Sprintf("get a token for repository %d from installation %d", r.ID, r.InstallationID)
	if r.ID == 0 {
		about = fmt.Sprintf("get a token from installation %d", r.InstallationID)
	}
	var a *answer
	if !errors.As(err, &a) {
		return fmt.Errorf("%s: %w", about, err)
	}
	switch a.status {
	case http.StatusUnauthorized:
		about += ": check github.app_id, github.private_key and this machine's clock"
	case http.StatusNotFound:
		about += ": the App is no longer installed"
		a.kind = preview.ErrGone
	case http.StatusUnprocessableEntity:
		about += ": the installation does not cover the repository, or its owner has not accepted the App's permissions"
		if s != scopeMain {
			about += " (" + string(s) + ": write)"
		}
		a.kind = preview.ErrForbidden
	}
	return &tokenError{text: about + ": " + a.Error(), kind: a.kind}
}
