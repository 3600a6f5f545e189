package fakegithub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/ghspec"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-github/v92/github"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "It's a Secret to Everybody"

// bundle is a server with an App installed on an organization with one repository, and one open pull request.
type bundle struct {
	*fakegithub.Server
	app        *fakegithub.App
	acme       *fakegithub.Account
	alice      *fakegithub.Account
	repo       *fakegithub.Repo
	install    *fakegithub.Installation
	pull       *fakegithub.Pull
	received   *inbox
	transport  *http.Transport
	jwt, token string
	t          *testing.T
}

// setup starts it; the webhook goes to a receiver that answers 200.
func setup(t *testing.T) *bundle { return setupWith(t, fakegithub.Options{}) }

func setupWith(t *testing.T, options fakegithub.Options) *bundle {
	t.Helper()
	b := &bundle{Server: fakegithub.StartWith(t, options), received: newInbox(t), transport: &http.Transport{}, t: t}
	t.Cleanup(b.transport.CloseIdleConnections)
	b.acme, b.alice = b.CreateOrg("acme"), b.CreateUser("alice")
	b.app = b.CreateApp(fakegithub.AppOptions{WebhookURL: b.received.url, WebhookSecret: secret,
		Events: []string{"pull_request", "push", "issue_comment", "repository", "check_run", "workflow_run", "deployment", "deployment_status"}})
	b.repo = b.acme.CreateRepo(fakegithub.RepoOptions{Name: "web", Files: fakegithub.Text(map[string]string{
		"README.md": "# web\n", "chart.txt": "x", "chart/Chart.yaml": "name: web\n", "chart/templates/app.yaml": "kind: Pod\n"})})
	b.repo.AddCollaborator(b.alice, "write")
	b.install = b.app.Install(b.acme)
	b.pull = b.repo.OpenPull(fakegithub.PullOptions{Title: "Add a page", Author: b.alice, Head: "page",
		Files: fakegithub.Text(map[string]string{"page.html": "<p>hi</p>\n"})})
	now := time.Now()
	if options.Now != nil {
		now = options.Now()
	}
	b.jwt = b.sign(now.Add(-time.Minute), now.Add(5*time.Minute))
	b.token = b.installationToken(nil)
	return b
}

func (b *bundle) sign(issued, expires time.Time) string {
	b.t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": fmt.Sprint(b.app.ID()),
		"iat": issued.Unix(), "exp": expires.Unix()}).SignedString(b.app.Key())
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *bundle) installationToken(narrow map[string]any) string {
	b.t.Helper()
	var request any
	if narrow != nil {
		request = narrow
	}
	status, _, body := b.ask(b.jwt, "POST", fmt.Sprintf("/app/installations/%d/access_tokens", b.install.ID()), request)
	var v struct{ Token string }
	if err := json.Unmarshal(body, &v); err != nil || status != 201 {
		b.t.Fatalf("create an installation token: %d %s", status, body)
	}
	return v.Token
}

// ask makes one request and follows no redirect.
func (b *bundle) ask(token, method, path string, body any, headers ...string) (int, http.Header, []byte) {
	b.t.Helper()
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		reader = bytes.NewReader(data)
	}
	address := strings.TrimSuffix(b.APIURL(), "/") + path
	if strings.HasPrefix(path, "http://") {
		address = path
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, reader)
	if err != nil {
		b.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/vnd.github+json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.transport.RoundTrip(r)
	if err != nil {
		return 0, nil, []byte(err.Error())
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, response.Header, data
}

// client is go-github with a token.
func (b *bundle) client(token string) *github.Client {
	b.t.Helper()
	c, err := github.NewClient(github.WithHTTPClient(&http.Client{Transport: b.transport}), github.WithAuthToken(token),
		github.WithEnterpriseURLs(b.URL(), b.URL()))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bundle) settle() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	if err := b.Settle(ctx); err != nil {
		b.t.Fatal(err)
	}
}

// inbox is a webhook receiver.
type inbox struct {
	url    string
	mu     sync.Mutex
	list   []message
	status int
}

type message struct {
	header http.Header
	body   []byte
}

func (m message) name() string {
	name := m.header.Get("X-GitHub-Event")
	if action := ghspec.Action(m.body); action != "" {
		name += "." + action
	}
	return name
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{status: http.StatusOK}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		in.list = append(in.list, message{r.Header, body})
		w.WriteHeader(in.status)
	}))
	t.Cleanup(server.Close)
	in.url = server.URL + "/hook"
	return in
}

func (in *inbox) answer(status int) { in.mu.Lock(); in.status = status; in.mu.Unlock() }

func (in *inbox) messages() []message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.list)
}

func (in *inbox) names() []string {
	var names []string
	for _, m := range in.messages() {
		names = append(names, m.name())
	}
	return names
}

// TestEveryOperation asks for each operation once; that request and answer fit GitHub's description is checked at the
// end of the test, by Start.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pull.Comment("hello")
	id := b.pull.Comments()[0].ID
	sha := b.pull.HeadSHA()
	run := b.repo.StartRun("ci", "page", sha)
	b.repo.FinishRun(run, "success")
	b.settle()
	delivery := b.Deliveries()[0].ID
	must := func(token, method, path string, body any, want int) map[string]any {
		t.Helper()
		status, _, data := b.ask(token, method, path, body)
		if status != want {
			t.Errorf("%s %s: status %d, want %d: %.300s", method, path, status, want, data)
		}
		var v map[string]any
		_ = json.Unmarshal(data, &v)
		return v
	}
	num := func(v map[string]any) string { n, _ := v["id"].(float64); return fmt.Sprintf("%.0f", n) }
	const repo = "/repos/acme/web"
	person := b.alice.Token()
	for _, path := range []string{"/app", "/app/hook/config", "/app/hook/deliveries?per_page=2", "/app/installations",
		fmt.Sprintf("/app/hook/deliveries/%d", delivery), fmt.Sprintf("/app/installations/%d", b.install.ID()), "/orgs/acme/installation",
		"/users/acme/installation", repo + "/installation", "/meta", "/rate_limit"} {
		must(b.jwt, "GET", path, nil, 200)
	}
	must(b.jwt, "PATCH", "/app/hook/config", map[string]any{"content_type": "json"}, 200)
	must(b.jwt, "POST", fmt.Sprintf("/app/hook/deliveries/%d/attempts", delivery), nil, 202)
	must(person, "GET", "/user", nil, 200)
	must(b.token, "POST", repo+"/statuses/"+sha, map[string]any{"state": "pending", "context": "ci"}, 201)
	check := must(b.token, "POST", repo+"/check-runs", map[string]any{"name": "preview", "head_sha": sha}, 201)
	must(b.token, "PATCH", repo+"/check-runs/"+num(check), map[string]any{"conclusion": "success",
		"output": map[string]any{"title": "t", "summary": "s"}}, 200)
	deployment := must(b.token, "POST", repo+"/deployments", map[string]any{"ref": sha, "auto_merge": false, "required_contexts": []string{},
		"environment": "pr-1", "transient_environment": true, "production_environment": false}, 201)
	must(b.token, "POST", repo+"/deployments/"+num(deployment)+"/statuses", map[string]any{"state": "success", "environment_url": "http://x.localhost"}, 201)
	reaction := must(b.token, "POST", fmt.Sprintf("%s/issues/comments/%d/reactions", repo, id), map[string]any{"content": "eyes"}, 201)
	must(b.token, "POST", repo+"/issues/1/labels", map[string]any{"labels": []string{"preview"}}, 200)
	for _, path := range []string{"", "/collaborators/alice/permission", "/branches", "/branches/page", "/commits", "/commits/" + sha,
		"/commits/" + sha + "/pulls", "/commits/" + sha + "/check-runs", "/commits/" + sha + "/status", "/commits/page/statuses",
		"/contents/", "/contents/chart", "/contents/chart/Chart.yaml?ref=page", "/git/commits/" + sha, "/git/ref/heads/page",
		"/git/ref/pull/1/head", "/git/trees/" + sha + "?recursive=1", "/pulls?state=all", "/pulls/1", "/pulls/1/files", "/pulls/1/commits",
		"/issues/1", "/issues/1/comments", "/issues/1/labels", "/issues/comments", fmt.Sprintf("/issues/comments/%d", id),
		fmt.Sprintf("/issues/comments/%d/reactions", id), "/check-runs/" + num(check), "/deployments", "/deployments/" + num(deployment),
		"/deployments/" + num(deployment) + "/statuses", "/environments", "/environments/pr-1", "/actions/runs?head_sha=" + sha, fmt.Sprintf("/actions/runs/%d", run)} {
		must(b.token, "GET", repo+path, nil, 200)
	}
	must(b.token, "GET", repo+"/tarball/"+sha, nil, 302)
	must(b.token, "GET", "/users/alice", nil, 200)
	must(b.token, "GET", "/installation/repositories", nil, 200)
	must(b.token, "POST", repo+"/issues/1/comments", map[string]any{"body": "mine"}, 201)
	must(b.token, "PATCH", fmt.Sprintf("%s/issues/comments/%d", repo, id), map[string]any{"body": "changed"}, 200)
	must(b.token, "DELETE", fmt.Sprintf("%s/issues/comments/%d/reactions/%s", repo, id, num(reaction)), nil, 204)
	must(b.token, "DELETE", fmt.Sprintf("%s/issues/comments/%d", repo, id), nil, 204)
	must(b.token, "DELETE", repo+"/issues/1/labels/preview", nil, 200)
	must(b.token, "DELETE", repo+"/deployments/"+num(deployment), nil, 204)
	owner := b.CreateUser("owner")
	b.repo.AddCollaborator(owner, "admin")
	must(owner.Token(), "DELETE", repo+"/environments/pr-1", nil, 204)
	b.repo.Commit("other", fakegithub.Text(map[string]string{"o": "o"}), "other")
	must(person, "POST", repo+"/pulls", map[string]any{"title": "other", "head": "other", "base": "main"}, 201)
	must(person, "PATCH", repo+"/pulls/2", map[string]any{"title": "another", "state": "closed"}, 200)
	must(b.token, "DELETE", "/installation/token", nil, 204)
	must(b.jwt, "DELETE", fmt.Sprintf("/app/installations/%d", b.install.ID()), nil, 204)

	spec, err := ghspec.Load()
	if err != nil {
		t.Fatal(err)
	}
	counters := b.Counters()
	for _, operation := range spec.Operations() {
		if counters[operation] == 0 {
			t.Errorf("%s: never asked for by this test", operation)
		}
	}
}
