// Package signin is how people say who they are: with their account on GitHub or at a provider of OpenID Connect, or in a demonstration with a link. It ends in a session (package access) and
// knows nothing of what people may do then. What GitHub gives it to find out who somebody is, it forgets at once.
package signin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// Options say how people can sign in.
type Options struct {
	Identifier *access.Identifier
	Sessions   access.Sessions
	Log        *slog.Logger
	PublicURL  string  // where people reach Catalyst, without a slash at the end
	GitHub     *GitHub // nil: not with GitHub
	OIDC       *OIDC   // nil: not with a provider of OpenID Connect
	Link       bool    // a link signs in, from loopback
}

type handler struct{ Options }

// Register puts the routes of the sign-in on the mux: those alone that can be used.
func Register(mux *access.Mux, o Options) {
	h := &handler{o}
	if o.GitHub != nil {
		mux.HandleFunc("GET /login/github", h.toGitHub)
		mux.HandleFunc("GET /login/github/callback", h.fromGitHub)
	}
	if o.OIDC != nil {
		mux.HandleFunc("GET /login/oidc", h.toOIDC)
		mux.HandleFunc("GET /login/oidc/callback", h.fromOIDC)
	}
	if o.Link {
		mux.HandleFunc("GET /login/link", h.link)
	}
	mux.HandleFunc("POST /logout", h.logout)
}

// logout ends the session. A person's browser asks for it.
func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	if err := h.Identifier.End(w, r); err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// NewLink returns the path of a link that signs its first visitor in as an operator, for as long as a quarter of an hour.
func NewLink(ctx context.Context, s access.Sessions) (path string, err error) {
	secret := access.NewSecret()
	err = s.PutSession(ctx, preview.Session{
		ID: access.Hash(secret), Kind: preview.SessionLink, Person: preview.Person{Name: "operator", Operator: true},
	}, linkLasts)
	return "/login/link?" + url.Values{"once": {secret}}.Encode(), err
}

// link signs in whoever comes first with a link, from this machine. The name that the browser asked for must be this machine's, too: a page elsewhere
// could have had its own name lead here.
func (h *handler) link(w http.ResponseWriter, r *http.Request) {
	if !loopback(r.RemoteAddr) || !loopback(r.Host) {
		problem.Write(w, problem.Of(problem.Say(preview.ErrForbidden, "The link works on the machine that Catalyst runs on."), h.Log))
		return
	}
	s, err := h.Sessions.TakeSession(r.Context(), preview.SessionLink, access.Hash(r.URL.Query().Get("once")))
	if err != nil {
		if problem.Kind(err) == "not_found" {
			err = problem.Say(preview.ErrSignIn, "The link was used before, or its time is over. Restart Catalyst for a new one.")
		}
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	h.welcome(w, r, s.Person, access.StandingNone, "/")
}

// welcome begins the session and sends the person on.
func (h *handler) welcome(w http.ResponseWriter, r *http.Request, p preview.Person, standing access.Standing, to string) {
	if err := h.Identifier.Begin(r.Context(), w, p, standing); err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	h.Log.Info("signed in", "login", p.Login, "user_id", p.UserID, "name", p.Name)
	http.Redirect(w, r, inside(to), http.StatusSeeOther)
}

// inside is where to go after the sign-in: a page of this Catalyst, or its first one.
func inside(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}

// loopback reports whether an address, with or without a port, is this machine's.
func loopback(address string) bool {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
