package api_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/api"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
	"catalyst.dev/catalyst/internal/signin"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/internal/usage"
	"catalyst.dev/catalyst/internal/webhook"
	"catalyst.dev/catalyst/test/fakegithub"
)

const (
	hookSecret    = "a secret for the tests"
	operatorToken = "an operator's token that is long enough"
)

// bundle is the API over HTTP, between a GitHub, a database and a namespace that says what it is told to.
type bundle struct {
	*testing.T
	github *fakegithub.Server
	app    *fakegithub.App
	web    *fakegithub.Repo
	store  *store.Store
	door   *lifecycle.Lifecycle
	pods   *pods
	kept   *kept.Store
	said   *said
	server *httptest.Server
	mux    *access.Mux
	renew  time.Duration
}

func setup(t *testing.T, change ...func(*bundle)) *bundle {
	t.Helper()
	b := &bundle{T: t, github: fakegithub.Start(t), pods: &pods{logs: map[string]string{}}, said: &said{}}
	for _, c := range change {
		c(b)
	}
	org := b.github.CreateOrg("acme")
	b.web = org.CreateRepo(fakegithub.RepoOptions{Name: "web", Private: true, Files: fakegithub.Text(map[string]string{"README.md": "web"})})
	b.web.AddCollaborator(b.github.CreateUser("dora"), "write")
	b.web.AddCollaborator(b.github.CreateUser("rita"), "read")
	b.github.CreateUser("mallory")
	b.github.CreateUser("olga")
	if b.store == nil {
		b.store = storetest.SQLite(t)
	}
	var err error
	if b.kept, err = kept.Open(kept.Options{Dir: t.TempDir(), For: time.Hour, Bytes: 1 << 20, Hide: redact.New()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.kept.Close() })
	log := slog.New(slog.NewTextHandler(b.said, nil))
	b.door = lifecycle.New(b.store, policy.Rules{GitHubHost: "github.com", Repositories: []string{"acme/web"}}, log, nil)
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }))
	t.Cleanup(b.server.Close)
	hook, err := webhook.New(webhook.Options{Lifecycle: b.door, Secrets: [][]byte{[]byte(hookSecret)}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	b.app = b.github.CreateApp(fakegithub.AppOptions{WebhookURL: b.server.URL + "/webhooks/github", WebhookSecret: hookSecret})
	people, err := ghapp.New(ghapp.Options{APIURL: b.github.APIURL(), AppID: b.app.ID(), PrivateKey: b.app.KeyPEM()})
	if err != nil {
		t.Fatal(err)
	}
	knows := access.NewIdentifier(b.store, false, operatorToken)
	decides := access.NewAuthorizer(people, []string{"olga"})
	b.mux = access.NewMux(access.NewGuard(access.GuardOptions{
		Identifier: knows, Authorizer: decides, Finder: b.store, Recorder: b.store, Log: log, Renew: b.renew, Rate: 1000,
	}))
	b.mux.Handle("/webhooks/github", hook)
	signin.Register(b.mux, signin.Options{
		Identifier: knows, Sessions: b.store, Log: log, PublicURL: b.server.URL, Link: true,
		GitHub: &signin.GitHub{WebURL: b.github.URL(), APIURL: b.github.APIURL(), ClientID: b.app.ClientID(), ClientSecret: b.app.ClientSecret(), HTTP: http.DefaultClient},
	})
	api.Register(b.mux, api.Options{
		Store: b.store, Lifecycle: b.door, Access: decides, Cluster: b.pods, Logs: logs.New(b.pods), Log: log, Version: "test",
		Replay: func(ctx context.Context, d preview.Delivery) (preview.Decision, error) {
			return webhook.Replay(ctx, b.door, d)
		},
		Doctor: func(context.Context) []doctor.Finding {
			return []doctor.Finding{{Group: "database", Name: "schema", Status: doctor.OK, Found: "current"}}
		},
		Resources: b.pods, Kept: b.kept,
	})
	b.app.Install(org)
	return b
}

// open opens a pull request and waits until Catalyst knows it.
func (b *bundle) open() client.Ref {
	b.Helper()
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.github.Account("dora"), Head: fmt.Sprintf("change-%d", time.Now().UnixNano()), Title: "Add gift cards",
		Files: fakegithub.Text(map[string]string{"gift.md": "gift"}),
	})
	ref := client.Ref{Repository: "acme/web", Number: int(pull.Number())}
	b.until("the preview is known", func() bool { _, err := b.store.Named(b.Context(), ref.Repository, ref.Number); return err == nil })
	return ref
}

// stored is the preview as it is stored.
func (b *bundle) stored(r client.Ref) preview.Preview {
	b.Helper()
	p, err := b.store.Named(b.Context(), r.Repository, r.Number)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// runs gives the preview a namespace and a live commit, as a worker does.
func (b *bundle) runs(r client.Ref) {
	b.Helper()
	p := b.stored(r)
	for _, e := range []preview.Event{
		{Kind: preview.EventStarted, SHA: p.HeadSHA, Host: "web-1.preview.test"},
		{Kind: preview.EventSucceeded, SHA: p.HeadSHA, URL: "https://web-1.preview.test", Steps: []preview.Step{{Name: preview.StepApply, Attempts: 1, Took: time.Second, Outcome: preview.StepDone}}},
		{Kind: preview.EventNamespace, NamespaceUID: "uid-1"},
	} {
		e.Key, e.Generation = p.Key, p.Generation
		if _, _, err := b.door.Handle(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}

// until waits for the condition.
func (b *bundle) until(what string, done func() bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			b.Fatalf("not within a minute: %s", what)
		case <-ticker.C:
		}
	}
}

// browser is a person's browser.
func (b *bundle) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// signIn goes through GitHub's pages as the account, and returns the browser that is then signed in.
func (b *bundle) signIn(login string) *http.Client {
	b.Helper()
	browser := b.browser()
	page, err := browser.Get(b.server.URL + "/login/github?to=/api/v1/me")
	if err != nil {
		b.Fatal(err)
	}
	_ = page.Body.Close()
	back, err := browser.PostForm(page.Request.URL.String(), url.Values{"login": {login}})
	if err != nil {
		b.Fatal(err)
	}
	text, _ := io.ReadAll(back.Body)
	_ = back.Body.Close()
	if back.StatusCode != http.StatusOK || !strings.Contains(string(text), login) {
		b.Fatalf("signed in as %s: %s %s", login, back.Status, text)
	}
	return browser
}

// as returns a client with a token that the person made.
func (b *bundle) as(login string, scopes ...string) *client.Client {
	b.Helper()
	if len(scopes) == 0 {
		scopes = []string{"read", "write"}
	}
	session, err := client.New(b.server.URL, "", b.signIn(login))
	if err != nil {
		b.Fatal(err)
	}
	token, err := session.NewToken(b.Context(), client.NewToken{Label: "test", Scopes: scopes})
	if err != nil {
		b.Fatal(err)
	}
	return b.with(token.Secret)
}

func (b *bundle) with(token string) *client.Client {
	c, err := client.New(b.server.URL, token, &http.Client{})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// status fails the test unless the error is an answer with the status.
func (b *bundle) status(err error, want int, what string) {
	b.Helper()
	if !client.IsStatus(err, want) {
		b.Errorf("%s: %v, want status %d", what, err, want)
	}
}

// pods is the inside of a namespace: texts as a node gives them.
type pods struct {
	mu     sync.Mutex
	list   []cluster.Container
	logs   map[string]string // by pod/container
	secret string
	gone   bool // there is no such namespace any more
}

// said is what was logged.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (p *pods) Containers(context.Context, cluster.Identity) ([]cluster.Container, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list, nil
}

func (p *pods) Events(context.Context, cluster.Identity) ([]diagnose.Event, error) {
	return []diagnose.Event{{Ref: diagnose.Ref{Kind: "Pod", Name: "web-1"}, Reason: "BackOff", Message: "again", Count: 14, Warning: true}}, nil
}

func (p *pods) Log(_ context.Context, _ cluster.Identity, r cluster.LogRequest) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return io.NopCloser(strings.NewReader(p.logs[r.Pod+"/"+r.Container])), nil
}

func (p *pods) Hide(context.Context, cluster.Identity) (*redact.Redactor, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil, preview.ErrNotFound
	}
	return redact.New(p.secret), nil
}

func (p *pods) Of(_ context.Context, _ preview.Preview, since time.Duration) (usage.Report, error) {
	use := cluster.Amount{CPU: 5, Memory: int64(since.Hours()) << 20}
	points := []usage.Point{{At: time.Unix(1e9, 0), Amount: use}}
	return usage.Report{
		Total: points, Pods: []usage.Pod{{PodPlan: cluster.PodPlan{Pod: "web-1", Phase: "Running", Limits: use, Restarts: 2}, Points: points}},
		Quota: []cluster.QuotaLine{{Name: "requests.cpu", Used: "1", Hard: "2", Part: 0.5}}, Marks: []usage.Mark{{At: time.Unix(1e9, 0), Kind: usage.MarkDeploy, Text: "a1b2c3d deployed"}},
	}, nil
}
