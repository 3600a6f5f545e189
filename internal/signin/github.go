package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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

// toGitHub sends a person to GitHub.
func (h *handler) toGitHub(w http.ResponseWriter, r *http.Request) {
	p, err := h.leave(w, r, byGitHub)
	if err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	challenge := sha256.Sum256([]byte(p.Verifier))
	http.Redirect(w, r, h.GitHub.WebURL+"/login/oauth/authorize?"+url.Values{
		"client_id": {h.GitHub.ClientID}, "redirect_uri": {h.callback()}, "state": {p.State},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode(), http.StatusSeeOther)
}

func (h *handler) callback() string { return h.PublicURL + "/login/github/callback" }

// fromGitHub takes a person back.
func (h *handler) fromGitHub(w http.ResponseWriter, r *http.Request) {
	p, err := h.returned(w, r, byGitHub)
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
	h.welcome(w, r, who, access.StandingNone, p.To)
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
