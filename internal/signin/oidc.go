package signin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// OIDC is a provider of OpenID Connect at which people have their accounts. GitHub knows nothing of those, so what they may do here follows from what the provider
// says of them: operators everything, viewers look at every preview, all others nothing.
type OIDC struct {
	Issuer         string
	ClientID       string
	ClientSecret   string
	Operators      []string // e-mail addresses that the provider has verified, or subjects
	OperatorGroups []string
	ViewerGroups   []string
	GroupsClaim    string // of the ID token: a list of names
	HTTP           *http.Client

	mu       sync.Mutex
	provider *oidc.Provider // nil until it has answered
}

// discovered asks the provider once where everything is. It may be away when Catalyst starts.
func (o *OIDC) discovered(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps the context for its keys, so this must not be the request's; the client has a limit of its own.
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), o.HTTP), o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask %s how people sign in there: %w", o.Issuer, err)
	}
	o.provider = p
	return p, nil
}

func (h *handler) oauth(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: h.OIDC.ClientID, ClientSecret: h.OIDC.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: h.PublicURL + "/login/oidc/callback",
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
}

// toOIDC sends a person to the provider.
func (h *handler) toOIDC(w http.ResponseWriter, r *http.Request) {
	provider, err := h.OIDC.discovered(r.Context())
	if err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	p, err := h.leave(w, r, byOIDC)
	if err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	http.Redirect(w, r, h.oauth(provider).AuthCodeURL(p.State, oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)), http.StatusSeeOther)
}

// fromOIDC takes a person back.
func (h *handler) fromOIDC(w http.ResponseWriter, r *http.Request) {
	p, err := h.returned(w, r, byOIDC)
	if err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), exchangeLimit)
	defer cancel()
	claims, err := h.vouched(ctx, r, p)
	if err != nil {
		problem.Write(w, problem.Of(err, h.Log))
		return
	}
	who, standing := h.OIDC.standing(claims)
	if standing == access.StandingNone {
		h.Log.Info("signed in without any right", "subject", claims.Subject, "name", who.Name)
		problem.Write(w, problem.Of(problem.Say(preview.ErrForbidden, "You are "+who.Name+", and nothing here is for you: an operator of this Catalyst can add you or a group of yours."), h.Log))
		return
	}
	h.welcome(w, r, who, standing, p.To)
}

// claims are what an ID token says of a person.
type claims struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	Verified any    `json:"email_verified"` // a boolean; some providers write it as text
	Name     string `json:"preferred_username"`
	Groups   []string
}

// vouched exchanges the code for an ID token and believes it when it is signed by the provider, for this client, now, and for this very sign-in.
func (h *handler) vouched(ctx context.Context, r *http.Request, p pending) (claims, error) {
	refused := func(why error) error {
		h.Log.Warn("the answer of the OpenID provider was refused", "issuer", h.OIDC.Issuer, "error", why)
		return problem.Say(preview.ErrSignIn, "The answer of the sign-in's provider cannot be trusted. Begin again; if it stays so, the log tells why.")
	}
	if issuer := r.URL.Query().Get("iss"); issuer != "" && issuer != h.OIDC.Issuer {
		return claims{}, refused(fmt.Errorf("it comes from %.200q", issuer))
	}
	provider, err := h.OIDC.discovered(ctx)
	if err != nil {
		return claims{}, err
	}
	token, err := h.oauth(provider).Exchange(oidc.ClientContext(ctx, h.OIDC.HTTP), r.URL.Query().Get("code"), oauth2.VerifierOption(p.Verifier))
	if err != nil {
		return claims{}, refused(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: h.OIDC.ClientID}).Verify(ctx, raw)
	if err != nil {
		return claims{}, refused(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(p.Nonce)) != 1 {
		return claims{}, refused(fmt.Errorf("it was made for another sign-in"))
	}
	c, err := h.OIDC.read(id)
	if err != nil {
		return claims{}, refused(err)
	}
	return c, nil
}

// read reads the claims. A token that is for several clients has to say that this one asked for it.
func (o *OIDC) read(id *oidc.IDToken) (claims, error) {
	var c claims
	all := map[string]json.RawMessage{}
	if err := id.Claims(&c); err != nil {
		return c, err
	}
	if err := id.Claims(&all); err != nil {
		return c, err
	}
	var by string
	_ = json.Unmarshal(all["azp"], &by) // absent: empty
	if by != o.ClientID && (by != "" || len(id.Audience) > 1) {
		return c, fmt.Errorf("it is for several clients, and %.100q asked for it", by)
	}
	if groups, there := all[o.GroupsClaim]; there {
		if err := json.Unmarshal(groups, &c.Groups); err != nil {
			return c, fmt.Errorf("the claim %s is no list of names: %w", o.GroupsClaim, err)
		}
	}
	if verified := c.Verified == true || c.Verified == "true"; !verified {
		c.Email = "" // anybody could have written it there
	}
	return c, nil
}

// standing is what follows from the claims.
func (o *OIDC) standing(c claims) (preview.Person, access.Standing) {
	who := preview.Person{Name: c.Subject}
	switch {
	case c.Email != "":
		who.Name = c.Email
	case c.Name != "":
		who.Name = c.Name + " (" + c.Subject + ")" // a name that people choose themselves proves nothing by itself
	}
	listed := slices.ContainsFunc(o.Operators, func(s string) bool { return s == c.Subject || c.Email != "" && strings.EqualFold(s, c.Email) })
	in := func(groups []string) bool {
		return slices.ContainsFunc(c.Groups, func(g string) bool { return slices.Contains(groups, g) })
	}
	switch {
	case listed || in(o.OperatorGroups):
		who.Operator = true
		return who, access.StandingOperator
	case in(o.ViewerGroups):
		return who, access.StandingViewer
	}
	return who, access.StandingNone
}
