package fakegithub

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// grant is a code that a person's browser carries back to an App.
type grant struct {
	app       *App
	account   *Account
	redirect  string
	challenge string
	expires   time.Time
}

// codeLasts is how long GitHub's codes work.
const codeLasts = 10 * time.Minute

// ClientID returns what the App calls itself when people sign in with it.
func (a *App) ClientID() string { return a.clientID() }

// ClientSecret returns what proves that the App is who exchanges a code.
func (a *App) ClientSecret() string { return "secret-of-" + a.slug + "-for-tests-only" }

// serveAuthorize asks who signs in. A browser of a test answers with the form, in the name of an account.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	app := s.appByClient(q.Get("client_id"))
	var logins []string
	for _, a := range s.accounts {
		if a.kind == "User" {
			logins = append(logins, a.login)
		}
	}
	s.mu.Unlock()
	slices.Sort(logins)
	if app == nil || q.Get("redirect_uri") == "" {
		http.Error(w, "no such App, or no redirect_uri", http.StatusNotFound)
		return
	}
	writePage(w, "authorize.html", "Sign in to "+app.slug, map[string]any{"App": app.slug, "Logins": logins, "Query": template.URL(r.URL.RawQuery)})
}

// authorize sends the browser back with a code for the account that was chosen.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	app, account := s.appByClient(q.Get("client_id")), s.accounts[strings.ToLower(r.PostFormValue("login"))]
	back, err := url.Parse(q.Get("redirect_uri"))
	if app == nil || account == nil || err != nil || account.kind != "User" {
		http.Error(w, "no such App, account or redirect_uri", http.StatusNotFound)
		return
	}
	values := back.Query()
	values.Set("state", q.Get("state"))
	if r.PostFormValue("deny") != "" {
		values.Set("error", "access_denied")
	} else {
		code := randomHex(10)
		s.grants[code] = grant{app: app, account: account, redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), expires: s.options.Now().Add(codeLasts)}
		values.Set("code", code)
	}
	back.RawQuery = values.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// serveExchange gives a token for a code, once; as GitHub does, it answers 200 to errors, too.
func (s *Server) serveExchange(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, known := s.grants[r.PostFormValue("code")]
	delete(s.grants, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	problem := ""
	switch {
	case !known || !s.options.Now().Before(g.expires):
		problem = "bad_verification_code"
	case r.PostFormValue("client_id") != g.app.clientID() || r.PostFormValue("client_secret") != g.app.ClientSecret():
		problem = "incorrect_client_credentials"
	case r.PostFormValue("redirect_uri") != g.redirect:
		problem = "redirect_uri_mismatch"
	case g.challenge != "" && base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge:
		problem = "bad_verification_code"
	}
	if problem != "" {
		writeJSON(w, http.StatusOK, object{"error": problem})
		return
	}
	text := "ghu_" + randomHex(18)
	s.tokens[text] = &token{text: text, account: g.account, expires: s.options.Now().Add(8 * time.Hour)}
	writeJSON(w, http.StatusOK, object{"access_token": text, "token_type": "bearer", "scope": ""})
}

func (s *Server) appByClient(id string) *App {
	i := slices.IndexFunc(s.apps, func(a *App) bool { return a.clientID() == id })
	if i < 0 {
		return nil
	}
	return s.apps[i]
}
