package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// lasts is how many days a token lasts unless it says otherwise.
const lasts = 90

// people is who asks, and their tokens.
func (a *api) people() {
	register(a, get("get-me", base+"/me", "Get who asks", "people"), func(ctx context.Context, _ *struct{}) (*answer[client.Me], error) {
		who := access.From(ctx)
		out := client.Me{Login: who.Login, Name: who.Who(), Operator: a.Access.Operator(who), Via: string(who.Via)}
		for _, s := range who.Scopes {
			out.Scopes = append(out.Scopes, string(s))
		}
		return ok(out), nil
	})
	register(a, get("list-tokens", base+"/tokens", "List one's own tokens; operators see all", "people"),
		func(ctx context.Context, _ *struct{}) (*answer[client.Tokens], error) {
			list, err := a.Store.Tokens(ctx)
			out := client.Tokens{Tokens: []client.Token{}}
			for _, t := range list {
				if a.owns(access.From(ctx), t) {
					out.Tokens = append(out.Tokens, encodeToken(t))
				}
			}
			return ok(out), err
		})
	make := get("create-token", base+"/tokens", "Make a token; its secret is told this once", "people")
	make.Method, make.DefaultStatus = http.MethodPost, http.StatusCreated
	register(a, make, func(ctx context.Context, in *struct{ Body client.NewToken }) (*answer[client.Token], error) {
		out, err := a.newToken(ctx, access.From(ctx), in.Body)
		return ok(out), err
	})
	end := get("end-token", base+"/tokens/{id}", "End one of one's own tokens; operators may end any", "people")
	end.Method, end.DefaultStatus = http.MethodDelete, http.StatusNoContent
	register(a, end, func(ctx context.Context, in *struct {
		ID string `path:"id"`
	}) (*struct{}, error) {
		list, err := a.Store.Tokens(ctx)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(t preview.Token) bool { return t.ID == in.ID && a.owns(access.From(ctx), t) }) {
			return nil, problem.Say(preview.ErrNotFound, "There is no such token of yours.")
		}
		return &struct{}{}, a.Store.DropToken(ctx, in.ID)
	})
}

// owns reports whether a token is the actor's, or the actor is an operator.
func (a *api) owns(who access.Actor, t preview.Token) bool {
	return a.Access.Operator(who) || who.UserID != 0 && who.UserID == t.UserID || who.UserID == 0 && t.UserID == 0 && who.Name == t.Name
}

func (a *api) newToken(ctx context.Context, who access.Actor, n client.NewToken) (client.Token, error) {
	for _, s := range n.Scopes {
		if s == string(access.ScopeOperate) && !a.Access.Operator(who) {
			return client.Token{}, problem.Say(preview.ErrForbidden, "Only operators can make tokens with the scope operate.")
		}
	}
	if n.Days == 0 {
		n.Days = lasts
	}
	secret := access.TokenPrefix + access.NewSecret()
	t, err := a.Store.PutToken(ctx, preview.Token{Hash: access.Hash(secret), Label: n.Label, Scopes: n.Scopes, Person: who.Person}, time.Duration(n.Days)*24*time.Hour)
	out := encodeToken(t)
	out.Secret = secret
	return out, err
}

func encodeToken(t preview.Token) client.Token {
	owner := t.Login
	if owner == "" {
		owner = t.Name
	}
	return client.Token{ID: t.ID, Label: t.Label, Scopes: t.Scopes, Owner: owner, CreatedAt: t.CreatedAt, ExpiresAt: when(t.ExpiresAt), UsedAt: when(t.UsedAt)}
}
