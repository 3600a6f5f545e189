package signin_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/signin"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/test/fakeoidc"
)

// provided is the sign-in at a provider, with a page that tells what whoever is signed in may do.
func provided(t *testing.T) (*bundle, *fakeoidc.Server) {
	t.Helper()
	b := &bundle{T: t, store: storetest.SQLite(t)}
	provider := fakeoidc.Start(t)
	log := slog.New(slog.DiscardHandler)
	knows, decides := access.NewIdentifier(b.store, false, ""), access.NewAuthorizer(nil, nil)
	mux := access.NewMux(access.NewGuard(access.GuardOptions{Identifier: knows, Authorizer: decides, Finder: b.store, Recorder: b.store, Log: log}))
	b.server = httptest.NewServer(mux)
	t.Cleanup(b.server.Close)
	signin.Register(mux, signin.Options{Identifier: knows, Sessions: b.store, Log: log, PublicURL: b.server.URL, OIDC: &signin.OIDC{
		Issuer: provider.URL, ClientID: fakeoidc.ClientID, ClientSecret: fakeoidc.ClientSecret, HTTP: http.DefaultClient, GroupsClaim: "groups",
		Operators: []string{"olga@example.com", "subject-7"}, OperatorGroups: []string{"platform"}, ViewerGroups: []string{"staff"},
	}})
	mux.HandleFunc("GET /api/v1/me", func(w http.ResponseWriter, r *http.Request) {
		who, may := access.From(r.Context()), ""
		for _, do := range []access.Action{access.See, access.Redeploy, access.Operate} {
			if decides.Authorize(r.Context(), who, do, &preview.Preview{}) == nil {
				may += " " + string(do)
			}
		}
		if _, _, err := decides.NewToken(r.Context(), b.store, who, "x", []string{"read"}, 0); err == nil {
			may += " token"
		}
		_, _ = io.WriteString(w, who.Who()+may)
	})
	return b, provider
}

// through goes to the provider and comes back, and returns what is said then, and who is signed in.
func (b *bundle) through(browser *http.Client) (said, who string) {
	b.Helper()
	back := b.leads(browser, b.leads(browser, b.server.URL+"/login/oidc?to=/queue"))
	return b.leads(browser, back), b.leads(browser, b.server.URL+"/api/v1/me")
}

// TestOIDC: what somebody may do follows from what the provider says of them, and is nothing for whoever is not named.
func TestOIDC(t *testing.T) {
	t.Parallel()
	b, provider := provided(t)
	for name, c := range map[string]struct {
		person fakeoidc.Claims
		said   string
		who    string
	}{
		"an operator by address":             {fakeoidc.Claims{"sub": "1", "email": "Olga@example.com", "email_verified": true}, "/queue", "200 OK Olga@example.com see redeploy operate"},
		"by subject":                         {fakeoidc.Claims{"sub": "subject-7"}, "/queue", "200 OK subject-7 see redeploy operate"},
		"by group":                           {fakeoidc.Claims{"sub": "2", "preferred_username": "pia", "groups": []string{"all", "platform"}}, "/queue", "200 OK pia (2) see redeploy operate"},
		"a viewer":                           {fakeoidc.Claims{"sub": "3", "email": "vera@example.com", "email_verified": "true", "groups": []string{"staff"}}, "/queue", "200 OK vera@example.com see"},
		"nobody":                             {fakeoidc.Claims{"sub": "4", "email": "nico@example.com", "email_verified": true, "groups": []string{"guests"}}, "403 ", "401 "},
		"an unverified address":              {fakeoidc.Claims{"sub": "5", "email": "olga@example.com", "email_verified": false}, "403 ", "401 "},
		"an address not said to be verified": {fakeoidc.Claims{"sub": "6", "email": "olga@example.com"}, "403 ", "401 "},
		"a name like an operator's":          {fakeoidc.Claims{"sub": "8", "preferred_username": "olga@example.com", "name": "subject-7"}, "403 ", "401 "},
		"groups that are no list":            {fakeoidc.Claims{"sub": "9", "groups": "platform"}, "401 ", "401 "},
		"a group in another claim than that of groups": {fakeoidc.Claims{"sub": "10", "roles": []string{"platform"}}, "403 ", "401 "},
	} {
		provider.Person = c.person
		said, who := b.through(b.browser())
		if !strings.HasPrefix(said, c.said) || !strings.HasPrefix(who, c.who) || strings.HasPrefix(c.who, "200") && who != c.who {
			t.Errorf("%s: %q, then %q; want %q, %q", name, said, who, c.said, c.who)
		}
	}
}

// TestOIDCWrong: an answer that the provider did not give to this client, now, for this sign-in, signs nobody in.
func TestOIDCWrong(t *testing.T) {
	t.Parallel()
	b, provider := provided(t)
	set := func(name string, value any) func() {
		return func() { provider.Change = func(c fakeoidc.Claims) { c[name] = value } }
	}
	for name, spoil := range map[string]func(){
		"another nonce":               set("nonce", "stolen"),
		"no nonce":                    func() { provider.Change = func(c fakeoidc.Claims) { delete(c, "nonce") } },
		"another client's":            set("aud", "somebody-else"),
		"several clients', unsaid":    set("aud", []string{fakeoidc.ClientID, "somebody-else"}),
		"asked for by another":        set("azp", "somebody-else"),
		"expired":                     set("exp", time.Now().Add(-time.Hour).Unix()),
		"another issuer":              set("iss", "https://evil.example"),
		"signed with another key":     func() { provider.Forged = true },
		"not signed":                  func() { provider.Plain = true },
		"right, to see that it is so": func() {},
	} {
		provider.Person, provider.Change, provider.Forged, provider.Plain = fakeoidc.Claims{"sub": "subject-7"}, nil, false, false
		spoil()
		said, who := b.through(b.browser())
		if right := strings.HasPrefix(name, "right"); strings.HasPrefix(said, "401 ") == right || strings.HasPrefix(who, "401 ") == right {
			t.Errorf("%s: %q, then %q", name, said, who)
		}
	}
	provider.Change, provider.Forged, provider.Plain = nil, false, false
	change := func(address, name, value string) string {
		u, _ := url.Parse(address)
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	for name, value := range map[string]string{"state": "forged", "code": "forged", "iss": "https://evil.example", "error": "access_denied"} {
		browser := b.browser()
		back := b.leads(browser, b.leads(browser, b.server.URL+"/login/oidc"))
		if said := b.leads(browser, change(back, name, value)); !strings.HasPrefix(said, "401 ") {
			t.Errorf("%s %s: %q", name, value, said)
		}
	}
	browser := b.browser()
	back := b.leads(browser, b.leads(browser, b.server.URL+"/login/oidc"))
	if said := b.leads(b.browser(), back); !strings.HasPrefix(said, "401 ") {
		t.Errorf("in another browser: %q", said)
	}
}
