// Package ghapp speaks with GitHub: it reads pull requests and archives, keeps the one comment, verifies and parses webhooks,
// and finds what webhooks did not tell. It is the only importer of go-github, and none of its types leaves the package.
//
// It keeps within GitHub's limits and does not press a GitHub that is down: a call that would do so fails at once, with an
// error that has a method RetryAt. What GitHub could not answer it leaves to the caller to try again.
//
// It decides nothing: it must not know what a preview is for, and an answer that it cannot trust is an error, never a
// closed pull request. Repositories are told apart by their id; a name is only how to reach one, and may be old.
package ghapp

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-github/v92/github"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"catalyst.dev/catalyst/internal/preview"
)

// Options say how to reach GitHub. Either AppID and PrivateKey or Token must be set.
type Options struct {
	APIURL     string // base URL of the REST API; "https://api.github.com/" when empty
	AppID      int64
	PrivateKey []byte       // PEM
	Token      string       // personal access token, instead of an App
	HTTP       *http.Client // its Transport is used; nil: one with sane time limits
	Log        *slog.Logger // nil: no log
	UserAgent  string       // "catalyst" when empty
	Now        func() time.Time
	// Observe is told about every request: the route is a template like /repos/{owner}/{repo}/pulls/{number}, status is 0
	// when no answer came. nil: nobody is told.
	Observe func(method, route string, status int, took time.Duration)
	// ObserveGate is told when a gate changes its state, as State names both. nil: nobody is told.
	ObserveGate func(name, state string)
	// WritesPerMinute is how many comments and the like are written in the long run, WriteBurst how many at once, for each
	// installation. 60 and 10 when zero: GitHub allows 80 a minute.
	WritesPerMinute float64
	WriteBurst      int
}

// Repo is a repository on GitHub. ID is its identity; FullName is where it is looked for first; InstallationID is 0 when
// Catalyst works with a token, or when it is not known (then it is asked for).
type Repo struct {
	InstallationID int64
	ID             int64
	FullName       string
}

// Client speaks with one GitHub as one App or one token. It may be used from several goroutines.
type Client struct {
	gh          *github.Client
	base        *url.URL
	appID       int64
	key         *rsa.PrivateKey
	token       string
	log         *slog.Logger
	now         func() time.Time
	observe     func(method, route string, status int, took time.Duration)
	observeGate func(name, state string)
	writeRate   rate.Limit
	writeBurst  int

	minting    singleflight.Group
	breaker    breaker
	memory     memory
	deliveries deliveries
	mu         sync.Mutex // guards what follows
	tokens     map[tokenKey]installationToken
	homes      map[int64]int64 // the installation of a repository, for those who do not know it
	gates      map[string]*gate
	names      map[int64]seenName  // by repository id
	resolved   map[string]resolved // by lower-case full name
	self       int64               // the user id of the token; 0 until asked for
	lesser     map[int64]time.Time // installations that may not administer repositories, and until when that is believed
}

// callLimit bounds one call to the API, all its redirects and retries included.
const callLimit = 30 * time.Second

// New returns a client. It does not speak with GitHub yet; a key that is not an RSA key in PEM form is preview.ErrInvalid.
func New(o Options) (*Client, error) {
	c := &Client{
		appID: o.AppID, token: o.Token, log: o.Log, now: o.Now, observe: o.Observe, observeGate: o.ObserveGate,
		writeRate: rate.Limit(cmp.Or(o.WritesPerMinute, 60) / 60), writeBurst: cmp.Or(o.WriteBurst, 10),
		tokens: map[tokenKey]installationToken{}, homes: map[int64]int64{}, gates: map[string]*gate{},
		names: map[int64]seenName{}, resolved: map[string]resolved{}, lesser: map[int64]time.Time{},
		memory: memory{answers: map[string]remembered{}}, deliveries: deliveries{lost: map[string]*lostDelivery{}},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.observe == nil {
		c.observe = func(string, string, int, time.Duration) {}
	}
	if c.observeGate == nil {
		c.observeGate = func(string, string) {}
	}
	switch isApp := o.AppID != 0 && len(o.PrivateKey) > 0; {
	case isApp && o.Token != "":
		return nil, fmt.Errorf("connect to GitHub: an App and a token are given, take one: %w", preview.ErrInvalid)
	case !isApp && o.Token == "":
		return nil, fmt.Errorf("connect to GitHub: neither an App (id and private key) nor a token is given: %w", preview.ErrInvalid)
	case isApp:
		key, err := jwt.ParseRSAPrivateKeyFromPEM(o.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("connect to GitHub: the App's private key: %w: %w", err, preview.ErrInvalid)
		}
		c.key = key
	}
	base := o.APIURL
	if base == "" {
		base = "https://api.github.com/"
	}
	if !strings.HasSuffix(base, "/") {
		base += "/"
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("connect to GitHub: the API's URL %q: %w", o.APIURL, preview.ErrInvalid)
	}
	c.base = u
	userAgent := o.UserAgent
	if userAgent == "" {
		userAgent = "catalyst"
	}
	under := http.RoundTripper(defaultTransport())
	if o.HTTP != nil && o.HTTP.Transport != nil {
		under = o.HTTP.Transport
	}
	c.gh, err = github.NewClient(
		github.WithHTTPClient(&http.Client{Transport: &transport{client: c, under: under}, CheckRedirect: checkRedirect}),
		github.WithURLs(&base, &base),
		github.WithUserAgent(userAgent),
		// go-github would hold back the requests of every installation when one has used up its limit.
		github.WithDisableRateLimitCheck(),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to GitHub: %w: %w", err, preview.ErrInvalid)
	}
	return c, nil
}

// Installation returns the id of the App's installation on a repository; 0 when Catalyst works with a token. A repository
// without one is preview.ErrNotFound.
func (c *Client) Installation(ctx context.Context, fullName string) (int64, error) {
	if c.key == nil {
		return 0, nil
	}
	owner, name, err := split(fullName)
	if err != nil {
		return 0, fmt.Errorf("find installation: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	found, _, err := c.gh.Apps.GetRepositoryInstallation(with(ctx, "/repos/{owner}/{repo}/installation", c.asApp()), owner, name)
	err = kind(err)
	switch {
	case errors.Is(err, preview.ErrNotFound):
		return 0, fmt.Errorf("find installation: the App is not installed on %s, or cannot see it: %w", fullName, err)
	case err != nil:
		return 0, fmt.Errorf("find installation on %s: %w", fullName, err)
	case found.GetID() == 0:
		return 0, fmt.Errorf("find installation on %s: the answer has no id", fullName)
	}
	return found.GetID(), nil
}

func split(fullName string) (owner, name string, err error) {
	owner, name, ok := strings.Cut(fullName, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("repository %q: expected OWNER/NAME: %w", fullName, preview.ErrInvalid)
	}
	return url.PathEscape(owner), url.PathEscape(name), nil
}
