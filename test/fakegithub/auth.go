package fakegithub

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// token is a personal access token (account set) or an installation token (install set).
type token struct {
	text        string
	account     *Account
	install     *Installation
	repos       map[int64]bool // nil for all of the installation
	permissions map[string]string
	expires     time.Time // zero for never
}

// caller is who a request is from.
type caller struct {
	kind    string   // "app", "installation", "user" or "none"
	app     *App     // of an App or an installation
	account *Account // who writes: a person or the App's bot
	token   *token
}

func (c *caller) limitKey() string {
	switch c.kind {
	case "installation":
		return "installation ID " + strconv.FormatInt(c.token.install.id, 10)
	case "app":
		return "app ID " + strconv.FormatInt(c.app.id, 10)
	case "user":
		return "user ID " + strconv.FormatInt(c.account.id, 10)
	}
	return "127.0.0.1"
}

// authenticate says who asks; the answer is the refusal otherwise.
func (s *Server) authenticate(r *http.Request) (*caller, *answer) {
	header := r.Header.Get("Authorization")
	scheme, credential, _ := strings.Cut(header, " ")
	switch strings.ToLower(scheme) {
	case "":
		return &caller{kind: "none"}, nil
	case "basic":
		_, credential, _ = r.BasicAuth()
	case "bearer", "token":
	default:
		return nil, fail(http.StatusUnauthorized, "Bad credentials")
	}
	if strings.Count(credential, ".") == 2 && !strings.HasPrefix(credential, "ghs_") {
		return s.authenticateApp(credential)
	}
	t := s.tokens[credential]
	if t == nil || !t.expires.IsZero() && !s.options.Now().Before(t.expires) {
		return nil, fail(http.StatusUnauthorized, "Bad credentials")
	}
	if t.install == nil {
		return &caller{kind: "user", account: t.account, token: t}, nil
	}
	if t.install.deleted {
		return nil, fail(http.StatusUnauthorized, "Bad credentials")
	}
	if t.install.suspendedBy != nil {
		return nil, fail(http.StatusForbidden, "This installation has been suspended")
	}
	return &caller{kind: "installation", app: t.install.app, account: t.install.app.bot, token: t}, nil
}

// authenticateApp checks a JWT by GitHub's rules: RS256, issued in the past, and ending within ten minutes.
func (s *Server) authenticateApp(text string) (*caller, *answer) {
	now := s.options.Now()
	var app *App
	var refusal *answer
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation())
	_, err := parser.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) {
		issuer := fmt.Sprint(claims["iss"])
		if number, ok := claims["iss"].(float64); ok {
			issuer = strconv.FormatInt(int64(number), 10)
		}
		for _, a := range s.apps {
			if issuer == strconv.FormatInt(a.id, 10) || issuer == a.clientID() {
				app = a
				return &a.key.PublicKey, nil
			}
		}
		refusal = fail(http.StatusNotFound, "Integration not found")
		return nil, errors.New("no such App")
	})
	if refusal != nil {
		return nil, refusal
	}
	if err != nil {
		return nil, fail(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	issued, err := claims.GetIssuedAt()
	if err != nil || issued == nil || issued.After(now) {
		return nil, fail(http.StatusUnauthorized,
			"'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	}
	expires, err := claims.GetExpirationTime()
	switch {
	case err != nil || expires == nil || !expires.After(now):
		return nil, fail(http.StatusUnauthorized,
			"'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case expires.After(now.Add(10 * time.Minute)):
		return nil, fail(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	}
	return &caller{kind: "app", app: app, account: app.bot}, nil
}

// newInstallationToken makes a token in the long form that GitHub rolled out in 2026: ghs_<app id>_<JWT>.
func (s *Server) newInstallationToken(i *Installation, repos map[int64]bool, permissions map[string]string) *token {
	raw := make([]byte, 360)
	rand.Read(raw)
	encode := base64.RawURLEncoding.EncodeToString
	text := fmt.Sprintf("ghs_%d_%s.%s.%s", i.app.id, encode([]byte(`{"alg":"RS256","typ":"JWT"}`)), encode(raw[:200]), encode(raw[200:]))
	t := &token{text: text, install: i, repos: repos, permissions: permissions, expires: s.options.Now().Add(time.Hour).Truncate(time.Second)}
	s.tokens[text] = t
	return t
}

// ExpireTokens ends every installation token now, as the end of their hour does.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.install != nil {
			t.expires = s.options.Now()
		}
	}
}

// permit checks that the caller may use the endpoint, on the repository when there is one.
func (e endpoint) permit(who *caller, r *Repo, read bool) *answer {
	switch {
	case e.auth == "app" && who.kind != "app":
		return fail(http.StatusUnauthorized, "A JSON web token could not be decoded")
	case e.auth == "installation" && who.kind != "installation":
		return fail(http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
	case e.auth == "user" && who.kind != "user":
		return fail(http.StatusForbidden, "Resource not accessible by integration")
	case e.auth == "any" || e.auth == "app" || e.auth == "installation" || e.auth == "user":
		return nil
	case who.kind == "app":
		// An App's own token is for the App, not for repositories.
		if e.auth == "either" {
			return nil
		}
		return fail(http.StatusUnauthorized, "Bad credentials")
	case r == nil:
		return nil
	}
	switch who.kind {
	case "none":
		if r.private {
			return notFound()
		}
		if !read {
			return fail(http.StatusUnauthorized, "Requires authentication")
		}
	case "user":
		if r.role(who.account) == "none" {
			return notFound()
		}
		if !r.atLeast(who.account, e.role(read)) {
			return fail(http.StatusForbidden, "Must have "+e.role(read)+" rights to Repository.")
		}
	case "installation":
		return e.permitInstallation(who.token, r, read)
	}
	return nil
}

func (e endpoint) permitInstallation(t *token, r *Repo, read bool) *answer {
	covered := t.install.covers(r) && (t.repos == nil || t.repos[r.id])
	if !covered && r.private {
		return notFound()
	}
	if read && !r.private && !slices.Contains(e.permissions, "administration") {
		return nil // what everybody may read needs no permission
	}
	want := "write"
	if read {
		want = "read"
	}
	for _, name := range e.permissions {
		have := t.permissions[name]
		if covered && (have == want || have == "write" || have == "admin") || name == "metadata" && covered && read {
			return nil
		}
	}
	refusal := fail(http.StatusForbidden, "Resource not accessible by integration")
	refusal.header = http.Header{"X-Accepted-Github-Permissions": {strings.Join(e.permissions, "="+want+"; ") + "=" + want}}
	return refusal
}

func (e endpoint) role(read bool) string {
	if read {
		return "read"
	}
	if e.writeRole != "" {
		return e.writeRole
	}
	return "write"
}
