package ui

import (
	"net/http"
	"strings"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/order"
	"catalyst.dev/catalyst/internal/preview"
)

// order returns what hands an order in, and leads back to where it was given. A person's click asks for it.
func (u *ui) order(verb preview.Verb) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		who, p := access.From(ctx), access.Preview(ctx)
		o := preview.Order{Verb: verb}
		if verb == preview.VerbApprove {
			o.Argument = strings.ToLower(r.PostFormValue("sha"))
		}
		if _, err := order.Give(ctx, u.Lifecycle, p, who.Person, u.Access.Operator(who), o); err != nil {
			u.fail(w, r, err)
			return
		}
		http.Redirect(w, r, path(p), http.StatusSeeOther)
	}
}

// tokensView is one's own tokens.
type tokensView struct {
	Tokens   []preview.Token
	Fresh    string // the secret of the one just made; shown this once
	Operator bool
}

func (u *ui) tokens(w http.ResponseWriter, r *http.Request) { u.showTokens(w, r, "") }

func (u *ui) showTokens(w http.ResponseWriter, r *http.Request, fresh string) {
	who := access.From(r.Context())
	list, err := u.Access.TokensOf(r.Context(), u.Store, who)
	if err != nil {
		u.fail(w, r, err)
		return
	}
	u.show(w, r, "tokens.html", view{Title: "Tokens", Section: "tokens", Data: tokensView{list, fresh, u.Access.Operator(who)}})
}

func (u *ui) newToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return
	}
	_, secret, err := u.Access.NewToken(r.Context(), u.Store, access.From(r.Context()), r.PostFormValue("label"), r.PostForm["scope"], 0)
	if err != nil {
		u.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	u.showTokens(w, r, secret)
}

func (u *ui) endToken(w http.ResponseWriter, r *http.Request) {
	if err := u.Access.EndToken(r.Context(), u.Store, access.From(r.Context()), r.PathValue("id")); err != nil {
		u.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/tokens", http.StatusSeeOther)
}
