package access

import (
	"context"
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// TokenStore keeps tokens.
type TokenStore interface {
	PutToken(ctx context.Context, t preview.Token, lasts time.Duration) (preview.Token, error)
	Tokens(ctx context.Context) ([]preview.Token, error)
	DropToken(ctx context.Context, id string) error
}

// TokenDays is how many days a token lasts unless it says otherwise.
const TokenDays = 90

// NewToken makes a token for who asks, and returns its secret, which nobody can be told again.
func (a *Authorizer) NewToken(ctx context.Context, s TokenStore, who Actor, label string, scopes []string, days int) (preview.Token, string, error) {
	if who.Standing != StandingNone {
		return preview.Token{}, "", problem.Say(preview.ErrForbidden, "A token would outlast what your sign-in says of you: tokens are for accounts on GitHub.")
	}
	for _, scope := range scopes {
		switch {
		case !slices.Contains(Scopes(), scope):
			return preview.Token{}, "", problem.Say(preview.ErrInvalid, "There is no such scope.")
		case scope == string(ScopeOperate) && !a.Operator(who):
			return preview.Token{}, "", problem.Say(preview.ErrForbidden, "Only operators can make tokens with the scope operate.")
		}
	}
	if label == "" || len(label) > 100 || len(scopes) == 0 || days < 0 || days > 366 {
		return preview.Token{}, "", problem.Say(preview.ErrInvalid, "A token needs a name, at least one scope, and lasts a year at most.")
	}
	if days == 0 {
		days = TokenDays
	}
	secret := TokenPrefix + NewSecret()
	t, err := s.PutToken(ctx, preview.Token{Hash: Hash(secret), Label: label, Scopes: scopes, Person: who.Person}, time.Duration(days)*24*time.Hour)
	return t, secret, err
}

// TokensOf returns who asks' own tokens, the newest first; all for an operator.
func (a *Authorizer) TokensOf(ctx context.Context, s TokenStore, who Actor) ([]preview.Token, error) {
	all, err := s.Tokens(ctx)
	return slices.DeleteFunc(all, func(t preview.Token) bool {
		own := who.UserID != 0 && who.UserID == t.UserID || who.UserID == 0 && t.UserID == 0 && who.Name == t.Name
		return !own && !a.Operator(who)
	}), err
}

// EndToken ends one of who asks' own tokens; any for an operator.
func (a *Authorizer) EndToken(ctx context.Context, s TokenStore, who Actor, id string) error {
	own, err := a.TokensOf(ctx, s, who)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(own, func(t preview.Token) bool { return t.ID == id }) {
		return problem.Say(preview.ErrNotFound, "There is no such token of yours.")
	}
	return s.DropToken(ctx, id)
}
