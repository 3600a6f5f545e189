package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// Sessions keeps who is signed in, and tokens.
type Sessions interface {
	PutSession(ctx context.Context, s preview.Session, lasts time.Duration) error
	Session(ctx context.Context, kind preview.SessionKind, id string) (preview.Session, error)
	TakeSession(ctx context.Context, kind preview.SessionKind, id string) (preview.Session, error)
	EndSession(ctx context.Context, id string) error
	UseToken(ctx context.Context, hash string) (preview.Token, error)
}

// SessionLasts is how long somebody stays signed in.
const SessionLasts = 12 * time.Hour

// TokenPrefix is how every token begins, so that scanners of secrets know one.
const TokenPrefix = "cat_"

// Identifier finds out who asks, by the session's cookie or by a token.
type Identifier struct {
	sessions Sessions
	operator [sha256.Size]byte // hash of the token in the configuration
	hasToken bool
	secure   bool
}

// NewIdentifier returns who finds out. secure says that people reach Catalyst by https. operatorToken is the one in the configuration; empty: there is none.
func NewIdentifier(s Sessions, secure bool, operatorToken string) *Identifier {
	return &Identifier{sessions: s, secure: secure, operator: sha256.Sum256([]byte(operatorToken)), hasToken: operatorToken != ""}
}

// Identify returns who asks; an Actor that is not known when nobody says so. preview.ErrSignIn for a token or a session that is none or over: a wrong
// credential is never the same as none. A token counts before a cookie.
func (i *Identifier) Identify(r *http.Request) (Actor, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Actor{}, problem.Say(preview.ErrSignIn, "The token is to be sent as Authorization: Bearer TOKEN.")
		}
		return i.byToken(r.Context(), token)
	}
	cookie, err := r.Cookie(i.CookieName())
	if err != nil || cookie.Value == "" {
		return Actor{}, nil //nolint:nilerr // nobody is signed in
	}
	s, err := i.sessions.Session(r.Context(), preview.SessionPerson, Hash(cookie.Value))
	if errors.Is(err, preview.ErrNotFound) {
		return Actor{}, nil // it is over, as if it never was
	}
	if err != nil {
		return Actor{}, err
	}
	return Actor{Person: s.Person, Via: ViaSession, Standing: Standing(s.Data)}, nil
}

func (i *Identifier) byToken(ctx context.Context, token string) (Actor, error) {
	sum := sha256.Sum256([]byte(token))
	if i.hasToken && subtle.ConstantTimeCompare(sum[:], i.operator[:]) == 1 {
		return Actor{Person: preview.Person{Name: "operator", Operator: true}, Via: ViaOperatorToken}, nil
	}
	t, err := i.sessions.UseToken(ctx, hex.EncodeToString(sum[:]))
	if errors.Is(err, preview.ErrNotFound) {
		return Actor{}, problem.Say(preview.ErrSignIn, "The token is not known, or its time is over.")
	}
	if err != nil {
		return Actor{}, err
	}
	a := Actor{Person: t.Person, Via: ViaToken}
	for _, s := range t.Scopes {
		a.Scopes = append(a.Scopes, Scope(s))
	}
	return a, nil
}

// CookieName is that of the session's cookie. Only over https may it say that it belongs to this host alone.
func (i *Identifier) CookieName() string {
	if i.secure {
		return "__Host-catalyst"
	}
	return "catalyst"
}

// Begin signs the person in: from now on the browser is theirs.
func (i *Identifier) Begin(ctx context.Context, w http.ResponseWriter, p preview.Person, standing Standing) error {
	secret := NewSecret()
	err := i.sessions.PutSession(ctx, preview.Session{ID: Hash(secret), Kind: preview.SessionPerson, Person: p, Data: string(standing)}, SessionLasts)
	if err != nil {
		return err
	}
	http.SetCookie(w, i.Cookie(i.CookieName(), secret, SessionLasts))
	return nil
}

// End signs out.
func (i *Identifier) End(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, i.Cookie(i.CookieName(), "", -1))
	cookie, err := r.Cookie(i.CookieName())
	if err != nil {
		return nil //nolint:nilerr // nobody is signed in
	}
	return i.sessions.EndSession(r.Context(), Hash(cookie.Value))
}

// Cookie makes a cookie that scripts cannot read and that other sites cannot send along. A negative time takes it away.
func (i *Identifier) Cookie(name, value string, lasts time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: i.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(lasts.Seconds())}
	if lasts < 0 {
		c.MaxAge = -1
	}
	return c
}

// NewSecret returns a secret that nobody can guess.
func NewSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// Hash is what the database keeps of a secret.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
