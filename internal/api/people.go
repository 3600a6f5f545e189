package api

import (
	"context"
	"net/http"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
)

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
			list, err := a.Access.TokensOf(ctx, a.Store, access.From(ctx))
			out := client.Tokens{Tokens: []client.Token{}}
			for _, t := range list {
				out.Tokens = append(out.Tokens, encodeToken(t))
			}
			return ok(out), err
		})
	create := get("create-token", base+"/tokens", "Make a token; its secret is told this once", "people")
	create.Method, create.DefaultStatus = http.MethodPost, http.StatusCreated
	register(a, create, func(ctx context.Context, in *struct{ Body client.NewToken }) (*answer[client.Token], error) {
		t, secret, err := a.Access.NewToken(ctx, a.Store, access.From(ctx), in.Body.Label, in.Body.Scopes, in.Body.Days)
		out := encodeToken(t)
		out.Secret = secret
		return ok(out), err
	})
	end := get("end-token", base+"/tokens/{id}", "End one of one's own tokens; operators may end any", "people")
	end.Method, end.DefaultStatus = http.MethodDelete, http.StatusNoContent
	register(a, end, func(ctx context.Context, in *struct {
		ID string `path:"id"`
	}) (*struct{}, error) {
		return &struct{}{}, a.Access.EndToken(ctx, a.Store, access.From(ctx), in.ID)
	})
}

func encodeToken(t preview.Token) client.Token {
	owner := t.Login
	if owner == "" {
		owner = t.Name
	}
	return client.Token{ID: t.ID, Label: t.Label, Scopes: t.Scopes, Owner: owner, CreatedAt: t.CreatedAt, ExpiresAt: when(t.ExpiresAt), UsedAt: when(t.UsedAt)}
}
