package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

const (
	// linkLasts is how long a link works, loginLasts how long somebody may take to sign in on GitHub.
	linkLasts, loginLasts = 15 * time.Minute, 10 * time.Minute
	// exchangeLimit bounds what GitHub is waited for, answerLimit what is read of it.
	exchangeLimit, answerLimit = 15 * time.Second, 64 << 10
)

// GitHub is a GitHub on which people have their accounts.
type GitHub struct {
	WebURL       string // of its pages, without a slash at the end
	APIURL       string // of its REST API, with a slash at the end
	ClientID     string
	ClientSecret string
	HTTP         *http.Client
}

// pending is a sign-in that is under way, as it is stored.
type pending struct {
	State    string `json:"state"`    // what GitHub has to bring back
	Verifier string `json:"verifier"` // what proves that the code is ours (PKCE)
	To       string `json:"to"`       // where the person wanted to go
}

// toGitHub sends a person to GitHub. The browser keeps a cookie, by which the one who comes back is known to be the one who left.
func (h *handler) toGitHub(w http.ResponseWriter, r *http.Request) {
	cookie, p := access.NewSecret(), pending{State: access.NewSecret(), Verifier: access.NewSecret(), To: inside(r.URL.Query().Get("to"))}
	data, _ := json.Marshal(p) // strings always encode
	err := h.Sessions.PutSession(r.Context(), preview.Session{ID: access.Hash(cookie), Kind: preview.SessionLogin, Data: string(data)}, loginLasts)
	if err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	http.SetCookie(w, h.Identifier.Cookie(h.loginCookie(), cookie, loginLasts))
	challenge := sha256.Sum256([]byte(p.Verifier))
	http.Redirect(w, r, h.GitHub.WebURL+"/login/oauth/authorize?"+url.Values{
		"client_id": {h.GitHub.ClientID}, "redirect_uri": {h.callback()}, "state": {p.State},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode(), http.StatusSeeOther)
}

func (h *handler) callback() string { return h.PublicURL + "/login/github/callback" }

func (h *handler) loginCookie() string { return h.Identifier.CookieName() + "-login" }

// fromGitHub takes a person back.
func (h *handler) fromGitHub(w http.ResponseWriter, r *http.Request) {
	p, err := h.returned(r)
	http.SetCookie(w, h.Identifier.Cookie(h.loginCookie(), "", -1))
	if err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), exchangeLimit)
	defer cancel()
	who, err := h.GitHub.who(ctx, r.URL.Query().Get("code"), p.Verifier, h.callback())
	if err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	h.welcome(w, r, who, p.To)
}

// returned is the sign-in that the request ends: the cookie is of the browser that began it, and the state is the one that it was sent away with.
func (h *handler) returned(r *http.Request) (pending, error) {
	again := problem.Say(preview.ErrSignIn, "This sign-in was not begun here, or took too long. Begin it again.")
	cookie, err := r.Cookie(h.loginCookie())
	if err != nil {
		return pending{}, again
	}
	s, err := h.Sessions.TakeSession(r.Context(), preview.SessionLogin, access.Hash(cookie.Value))
	if errors.Is(err, preview.ErrNotFound) {
		return pending{}, again
	}
	if err != nil {
		return pending{}, err
	}
	var p pending
	if err := json.Unmarshal([]byte(s.Data), &p); err != nil {
		return pending{}, fmt.Errorf("read a sign-in that is under way: %w", err)
	}
	q := r.URL.Query()
	switch {
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(p.State)) != 1:
		return pending{}, again
	case q.Get("error") != "":
		return pending{}, problem.Say(preview.ErrSignIn, "GitHub did not let you in, or you did not want it to.")
	case q.Get("code") == "":
		return pending{}, again
	}
	return p, nil
}

// who exchanges the code for a token, asks with it whose it is, and forgets it.
func (g *GitHub) who(ctx context.Context, code, verifier, callback string) (preview.Person, error) {
	var token struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	form := url.Values{"client_id": {g.ClientID}, "client_secret": {g.ClientSecret}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.WebURL+"/login/oauth/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		return preview.Person{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := g.ask(request, &token); err != nil {
		return preview.Person{}, fmt.Errorf("exchange the code of a sign-in: %w", err)
	}
	if token.AccessToken == "" {
		return preview.Person{}, fmt.Errorf("exchange the code of a sign-in: GitHub says %.100q: %w", token.Error, preview.ErrSignIn)
	}
	var account struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Type  string `json:"type"`
	}
	request, err = http.NewRequestWithContext(ctx, http.MethodGet, g.APIURL+"user", nil)
	if err != nil {
		return preview.Person{}, err
	}
	request.Header.Set("Authorization", "Bearer "+token.AccessToken)
	if err := g.ask(request, &account); err != nil {
		return preview.Person{}, fmt.Errorf("ask who signed in: %w", err)
	}
	if account.ID <= 0 || account.Login == "" || account.Type != "User" {
		return preview.Person{}, fmt.Errorf("who signed in is %q, %d, of type %q: %w", account.Login, account.ID, account.Type, preview.ErrSignIn)
	}
	return preview.Person{Login: account.Login, UserID: account.ID, Name: account.Login}, nil
}

func (g *GitHub) ask(request *http.Request, into any) error {
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "catalyst")
	response, err := g.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", request.URL.Host, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, answerLimit)).Decode(into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", request.URL.Host, err)
	}
	return nil
}
