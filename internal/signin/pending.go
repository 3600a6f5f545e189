package signin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// The ways to sign in by going elsewhere.
const (
	byGitHub = "GitHub"
	byOIDC   = "the provider"
)

// pending is a sign-in that is under way, as it is stored.
type pending struct {
	By       string `json:"by"`       // where the person was sent to
	State    string `json:"state"`    // what has to be brought back
	Verifier string `json:"verifier"` // what proves that the code is ours (PKCE)
	Nonce    string `json:"nonce"`    // what an ID token has to have in it
	To       string `json:"to"`       // where the person wanted to go
}

// leave begins a sign-in elsewhere. The browser keeps a cookie, by which the one who comes back is known to be the one who left.
func (h *handler) leave(w http.ResponseWriter, r *http.Request, by string) (pending, error) {
	cookie := access.NewSecret()
	p := pending{By: by, State: access.NewSecret(), Verifier: access.NewSecret(), Nonce: access.NewSecret(), To: inside(r.URL.Query().Get("to"))}
	data, _ := json.Marshal(p) // strings always encode
	err := h.Sessions.PutSession(r.Context(), preview.Session{ID: access.Hash(cookie), Kind: preview.SessionLogin, Data: string(data)}, loginLasts)
	if err != nil {
		return p, err
	}
	http.SetCookie(w, h.Identifier.Cookie(h.loginCookie(), cookie, loginLasts))
	return p, nil
}

func (h *handler) loginCookie() string { return h.Identifier.CookieName() + "-login" }

// returned is the sign-in that the request ends: the cookie is of the browser that began it, the state is the one that it was sent away with, and it was sent there
// where it comes back from.
func (h *handler) returned(w http.ResponseWriter, r *http.Request, by string) (pending, error) {
	http.SetCookie(w, h.Identifier.Cookie(h.loginCookie(), "", -1))
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
	case p.By != by, subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(p.State)) != 1:
		return pending{}, again
	case q.Get("error") != "":
		return pending{}, problem.Say(preview.ErrSignIn, "You were not let in by "+by+", or you did not want to be.")
	case q.Get("code") == "":
		return pending{}, again
	}
	return p, nil
}
