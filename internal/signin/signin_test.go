package signin_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/signin"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/test/fakegithub"
)

// bundle is the sign-in over HTTP, with a page that tells who is signed in.
type bundle struct {
	*testing.T
	github *fakegithub.Server
	store  *store.Store
	server *httptest.Server
	app    *fakegithub.App
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{T: t, github: fakegithub.Start(t), store: storetest.SQLite(t)}
	b.github.CreateUser("dora")
	b.app = b.github.CreateApp(fakegithub.AppOptions{})
	log := slog.New(slog.DiscardHandler)
	knows := access.NewIdentifier(b.store, false, "")
	mux := access.NewMux(access.NewGuard(access.GuardOptions{
		Identifier: knows, Authorizer: access.NewAuthorizer(nil, nil), Finder: b.store, Recorder: b.store, Log: log,
	}))
	b.server = httptest.NewServer(mux)
	t.Cleanup(b.server.Close)
	signin.Register(mux, signin.Options{
		Identifier: knows, Sessions: b.store, Log: log, PublicURL: b.server.URL, Link: true,
		GitHub: &signin.GitHub{WebURL: b.github.URL(), APIURL: b.github.APIURL(), ClientID: b.app.ClientID(), ClientSecret: b.app.ClientSecret(), HTTP: http.DefaultClient},
	})
	mux.HandleFunc("GET /api/v1/me", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "here is "+access.From(r.Context()).Who())
	})
	return b
}

// browser is a browser, which follows no redirect by itself.
func (b *bundle) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// leads asks for the address and returns where it leads, or its status and text.
func (b *bundle) leads(browser *http.Client, address string) string {
	b.Helper()
	response, err := browser.Get(address)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	if to := response.Header.Get("Location"); to != "" {
		return to
	}
	text, _ := io.ReadAll(response.Body)
	return response.Status + " " + string(text)
}

// allow answers GitHub's question as the account, and returns the address that GitHub leads back to.
func (b *bundle) allow(browser *http.Client, at string, form url.Values) string {
	b.Helper()
	response, err := browser.PostForm(at, form)
	if err != nil {
		b.Fatal(err)
	}
	_ = response.Body.Close()
	return response.Header.Get("Location")
}

// TestGitHub: who comes back from GitHub is signed in as whom GitHub says, and goes on to where they wanted to go.
func TestGitHub(t *testing.T) {
	t.Parallel()
	b := setup(t)
	browser := b.browser()
	at := b.leads(browser, b.server.URL+"/login/github?to="+url.QueryEscape("/p/acme/web/1?x=1"))
	q, err := url.Parse(at)
	if err != nil || q.Query().Get("code_challenge_method") != "S256" || len(q.Query().Get("state")) < 32 {
		t.Fatalf("sent to %s", at)
	}
	back := b.allow(browser, at, url.Values{"login": {"dora"}})
	if to := b.leads(browser, back); to != "/p/acme/web/1?x=1" {
		t.Errorf("goes on to %s", to)
	}
	if text := b.leads(browser, b.server.URL+"/api/v1/me"); text != "200 OK here is dora" {
		t.Error(text)
	}
	if text := b.leads(browser, back); !strings.HasPrefix(text, "401 ") {
		t.Errorf("the same answer of GitHub's a second time: %s", text)
	}
	if _, err := browser.Post(b.server.URL+"/logout", "", nil); err != nil {
		t.Fatal(err)
	}
	if text := b.leads(browser, b.server.URL+"/api/v1/me"); !strings.HasPrefix(text, "401 ") {
		t.Errorf("after the sign-out: %s", text)
	}
}

// TestGitHubForged: an answer of GitHub's that this browser did not ask for, or that was changed on its way, signs nobody in.
func TestGitHubForged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	change := func(name, value string) func(string) string {
		return func(address string) string {
			u, _ := url.Parse(address)
			q := u.Query()
			q.Set(name, value)
			u.RawQuery = q.Encode()
			return u.String()
		}
	}
	for name, c := range map[string]struct {
		form   url.Values
		forge  func(string) string
		victim bool // another browser takes the answer
	}{
		"another browser": {url.Values{"login": {"dora"}}, func(a string) string { return a }, true},
		"another state":   {url.Values{"login": {"dora"}}, change("state", "forged"), false},
		"another code":    {url.Values{"login": {"dora"}}, change("code", "forged"), false},
		"denied":          {url.Values{"login": {"dora"}, "deny": {"yes"}}, func(a string) string { return a }, false},
	} {
		browser := b.browser()
		back := b.allow(browser, b.leads(browser, b.server.URL+"/login/github"), c.form)
		if c.victim {
			browser = b.browser()
		}
		if text := b.leads(browser, c.forge(back)); !strings.HasPrefix(text, "401 ") {
			t.Errorf("%s: %s", name, text)
		}
		if text := b.leads(browser, b.server.URL+"/api/v1/me"); !strings.HasPrefix(text, "401 ") {
			t.Errorf("%s signed somebody in: %s", name, text)
		}
	}
	// A code that was stolen on its way is worth nothing without the verifier, which never left the server.
	thief := b.browser()
	stolen := b.allow(thief, change("code_challenge", "c3RvbGVu")(b.leads(thief, b.server.URL+"/login/github")), url.Values{"login": {"dora"}})
	if text := b.leads(thief, stolen); !strings.HasPrefix(text, "401 ") {
		t.Errorf("a code of another verifier: %s", text)
	}
}

// TestElsewhere: the sign-in leads to pages of this Catalyst alone.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, to := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/\t/evil.example", ""} {
		browser := b.browser()
		back := b.allow(browser, b.leads(browser, b.server.URL+"/login/github?to="+url.QueryEscape(to)), url.Values{"login": {"dora"}})
		if at := b.leads(browser, back); at != "/" {
			t.Errorf("%q leads to %q", to, at)
		}
	}
}

// TestLink: it signs its first visitor in, from this machine under this machine's name.
func TestLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path, err := signin.NewLink(t.Context(), b.store)
	if err != nil {
		t.Fatal(err)
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+path, nil)
	request.Host = "rebound.example"
	if response, err := b.browser().Do(request); err != nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("under another name: %v, %v", response, err)
	}
	browser := b.browser()
	if to := b.leads(browser, b.server.URL+path); to != "/" {
		t.Errorf("leads to %s", to)
	}
	if text := b.leads(browser, b.server.URL+"/api/v1/me"); text != "200 OK here is operator" {
		t.Error(text)
	}
	if text := b.leads(b.browser(), b.server.URL+path); !strings.HasPrefix(text, "401 ") {
		t.Errorf("a second visitor: %s", text)
	}
	if _, err := b.store.Session(t.Context(), preview.SessionPerson, path); err == nil {
		t.Error("the link itself is a session")
	}
}
