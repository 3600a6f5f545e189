package ui_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/live"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/internal/ui"
	"catalyst.dev/catalyst/internal/usage"
)

const token = "an operator's token that is long enough"

// hostile is text that would do something where it is taken for more than text.
const hostile = `<script>alert(1)</script><img src=x onerror=alert(2)>"'{{.}} javascript:alert(3) ` + "\x1b]8;;javascript:alert(4)\x07link\x1b[31mred\x1b[0m"

// bundle is the pages over HTTP, of a database with one preview whose every text is hostile.
type bundle struct {
	*testing.T
	store  *store.Store
	door   *lifecycle.Lifecycle
	server *httptest.Server
	stop   context.CancelFunc
	p      preview.Preview
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{T: t, store: storetest.SQLite(t)}
	log := slog.New(slog.DiscardHandler)
	b.door = lifecycle.New(b.store, policy.Rules{GitHubHost: "github.com", Repositories: []string{"acme/web"}}, log, nil)
	decides := access.NewAuthorizer(nil, nil)
	until, stop := context.WithCancel(context.Background())
	b.stop = stop
	t.Cleanup(stop)
	mux := access.NewMux(access.NewGuard(access.GuardOptions{
		Identifier: access.NewIdentifier(b.store, true, token), Authorizer: decides, Finder: b.store, Recorder: b.store, Log: log, Until: until, ErrorPage: ui.Error(log),
	}))
	ui.Register(mux, ui.Options{
		Store: b.store, Lifecycle: b.door, Access: decides, Cluster: inside{}, Logs: logs.New(inside{}), Live: live.New(b.store, log), Log: log, Version: "test",
		GitHubURL: "https://github.com", SignIn: true, Resources: inside{}, Usage: inside{},
		Replay: func(context.Context, preview.Delivery) (preview.Decision, error) {
			return preview.Decision{Outcome: preview.DeliveryAccepted}, nil
		},
		Doctor: func(context.Context) []doctor.Finding {
			return []doctor.Finding{{Group: "cluster", Name: hostile, Status: doctor.Fail, Found: hostile, Why: "Nothing works.", Fix: "kubectl version"}}
		},
		Settings: func(preview.Preview) []ui.Setting {
			return []ui.Setting{{Name: "chart", Value: hostile, From: "the default"}}
		},
	})
	b.server = httptest.NewServer(mux)
	t.Cleanup(b.server.Close)
	b.fill()
	return b
}

// fill stores a preview that failed, with a delivery that was ignored.
func (b *bundle) fill() {
	pr := preview.PullRequest{
		Key: preview.Key{RepositoryID: 7, Number: 1}, Repository: "acme/web", Title: hostile, Author: "mallory", Branch: hostile, BaseBranch: "main",
		HeadSHA: strings.Repeat("a1", 20), HeadRepositoryID: 7, Open: true,
	}
	failure := preview.Diagnosis{Code: "CRASH", Cause: hostile, Fix: hostile, Evidence: []string{hostile}, Blame: preview.BlameChange}
	delivery := &preview.Delivery{GUID: "g", Event: "pull_request", Action: "opened", BodySHA256: "x", Body: []byte("{}"), Repository: "acme/web", Number: 1}
	for _, e := range []preview.Event{
		{Kind: preview.EventHint, PullRequest: pr, Delivery: delivery},
		{Kind: preview.EventStarted, SHA: pr.HeadSHA, Host: "web.test", Generation: 1},
		{Kind: preview.EventFailed, Diagnosis: &failure, Generation: 1, Steps: []preview.Step{
			{Name: preview.StepFetch, Attempts: 2, Took: time.Second, Outcome: preview.StepDone}, {Name: preview.StepReady, Start: time.Second, Took: time.Second, Attempts: 1, Outcome: preview.StepFailed, Note: hostile},
		}},
		{Kind: preview.EventNamespace, NamespaceUID: "uid", Generation: 1},
		{Kind: preview.EventHint, Unused: hostile, Delivery: &preview.Delivery{GUID: hostile, Event: hostile, BodySHA256: "y", Body: []byte("{}")}},
	} {
		if e.Unused == "" {
			e.Key = pr.Key
		}
		p, _, err := b.door.Handle(b.Context(), e)
		if err != nil {
			b.Fatal(err)
		}
		if p.ID != "" {
			b.p = p
		}
	}
}

// do asks as an operator and returns the answer with its text.
func (b *bundle) do(method, path string, form url.Values) (*http.Response, string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), method, b.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.Fatal(err)
	}
	return response, string(text)
}

// dangerous is what no page may have in it, whatever its texts say: a tag or an attribute that could run something, or a link to a script.
var dangerous = regexp.MustCompile(`(?i)<script>|<img|<[a-z0-9]+(\s+[a-z-]+(="[^"]*")?)*\s+(on[a-z]+|style)=|(href|src|action)="\s*javascript:|ZgotmplZ|<no value>|\x1b|\x07`)

// TestPages: each page is whole without a script, says what it is about, and foreign text is nothing but text in it.
func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deployments, err := b.store.Deployments(t.Context(), b.p.ID, 1)
	if err != nil || len(deployments) != 1 {
		t.Fatal(deployments, err)
	}
	for path, want := range map[string]string{
		"/":                                 "Needs attention",
		"/?status=all&q=nothing":            "No preview matches",
		"/p/acme/web/1":                     "What to do:",
		"/p/acme/web/1/logs":                "link",
		"/p/acme/web/1/logs?grep=zzz":       "No line matches",
		"/p/acme/web/1/resources":           "all but used up",
		"/p/acme/web/1/resources?range=24h": "The charts as a table",
		"/p/acme/web/1/events":              "BackOff",
		"/p/acme/web/1/config":              "Configuration in effect",
		"/d/" + deployments[0].ID:           "ready",
		"/queue":                            "Nobody waits",
		"/deliveries":                       "Replay",
		"/deliveries?replayed=accepted":     "Looked at once more, and accepted",
		"/system":                           "kubectl version",
		"/tokens":                           "You have no tokens",
		"/login":                            "Sign in with GitHub",
		"/p/acme/web/2":                     "Not found",
	} {
		response, text := b.do("GET", path, nil)
		if status := map[bool]int{true: http.StatusNotFound, false: http.StatusOK}[path == "/p/acme/web/2"]; response.StatusCode != status {
			t.Errorf("%s answers %s", path, response.Status)
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s does not say %q:\n%s", path, want, text)
		}
		if found := dangerous.FindString(text); found != "" {
			t.Errorf("%s has %q in it", path, found)
		}
		if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s has the policy %q", path, policy)
		}
	}
	if response, text := b.do("GET", "/p/acme/web/1/logs?view=plain", nil); !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") || strings.ContainsAny(text, "\x1b\x07") || !strings.Contains(text, "link") {
		t.Errorf("as text: %s %q", response.Header.Get("Content-Type"), text)
	}
}

// TestWays: addresses that others can make lead to the preview, and who is not signed in to the sign-in.
func TestWays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for from, to := range map[string]string{
		"/gh/acme/web/pull/1": "/p/acme/web/1", "/sha/" + b.p.HeadSHA[:9]: "/p/acme/web/1", "/host/web.test": "/p/acme/web/1",
	} {
		if response, _ := b.do("GET", from, nil); response.Header.Get("Location") != to {
			t.Errorf("%s leads to %q (%s), want %s", from, response.Header.Get("Location"), response.Status, to)
		}
	}
	if response, _ := b.do("GET", "/host/elsewhere.test", nil); response.StatusCode != http.StatusNotFound {
		t.Errorf("a host of nobody: %s", response.Status)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(b.server.URL + "/p/acme/web/1?x=1")
	if err != nil || response.Header.Get("Location") != "/login?to=%2Fp%2Facme%2Fweb%2F1%3Fx%3D1" {
		t.Errorf("nobody is sent to %q, %v", response.Header.Get("Location"), err)
	}
}

// TestActions: a click is an order like any other, and leads back to the page, which says what became of it.
func TestActions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	response, _ := b.do("POST", "/p/acme/web/1/redeploy", url.Values{})
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != "/p/acme/web/1" {
		t.Fatalf("%s to %q", response.Status, response.Header.Get("Location"))
	}
	commands, err := b.store.CommandsOf(t.Context(), b.p.ID, 10)
	if err != nil || len(commands) != 1 || commands[0].Order.Verb != preview.VerbRedeploy || commands[0].Origin != preview.OriginOperator {
		t.Fatalf("%+v, %v", commands, err)
	}
	if _, text := b.do("GET", "/p/acme/web/1", nil); !strings.Contains(text, "redeploy by operator: waiting to be looked at") {
		t.Error("the page does not say what was asked for")
	}
	_, text := b.do("POST", "/tokens", url.Values{"label": {"ci"}, "scope": {"read"}})
	if !strings.Contains(text, access.TokenPrefix) {
		t.Error("the token is not shown")
	}
	if _, text := b.do("GET", "/tokens", nil); strings.Contains(text, access.TokenPrefix) || !strings.Contains(text, "ci") {
		t.Error("the token is shown again, or not listed")
	}
}

// TestLive: a change is told at once, to those who look at what changed, and a server that stops waits for nobody.
func TestLive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/live/acme/web/1", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	defer response.Body.Close()
	events := make(chan string)
	go func() {
		defer close(events)
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			if text := scanner.Text(); strings.HasPrefix(text, "event:") {
				events <- text
			}
		}
	}()
	next := func(what string) (ok bool) {
		t.Helper()
		select {
		case _, ok = <-events:
		case <-time.After(time.Minute):
			t.Fatalf("%s: nothing came", what)
		}
		return ok
	}
	if !next("at the beginning") {
		t.Fatal("the stream ended")
	}
	done := make(chan struct{})
	go func() { // until one of the changes was told: the hub may not have begun to compare
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-ticker.C:
				_, _, _ = b.door.Handle(context.Background(), preview.Event{Kind: preview.EventCommented, Key: b.p.Key, CommentID: 1, CommentHash: fmt.Sprint(n)})
			}
		}
	}()
	changed := next("after a change")
	close(done)
	if !changed {
		t.Fatal("the stream ended")
	}
	b.stop()
	for next("after the end of the server") { // what was under way may still come
	}
}

// inside is a namespace whose every text is hostile.
type inside struct{}

func (inside) Containers(context.Context, cluster.Identity) ([]cluster.Container, error) {
	return []cluster.Container{{Pod: "web-1", Name: "web", State: "running", StartedAt: time.Now()}}, nil
}

func (inside) Events(context.Context, cluster.Identity) ([]diagnose.Event, error) {
	return []diagnose.Event{{Ref: diagnose.Ref{Kind: "Pod", Name: hostile}, Reason: "BackOff", Message: hostile, Count: 3, Warning: true, Last: time.Now()}}, nil
}

func (inside) Log(context.Context, cluster.Identity, cluster.LogRequest) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("2026-05-01T10:00:00Z [ERROR] " + hostile + "\n")), nil
}

func (inside) Hide(context.Context, cluster.Identity) (*redact.Redactor, error) {
	return redact.New(), nil
}

func (inside) Now(string) usage.Now {
	return usage.Now{Known: true, Amount: cluster.Amount{CPU: 1500, Memory: 64 << 20}, Warning: hostile}
}

func (inside) Of(context.Context, preview.Preview, time.Duration) (usage.Report, error) {
	points := []usage.Point{{At: time.Now().Add(-15 * time.Second), Amount: cluster.Amount{CPU: 5, Memory: 1 << 20}}, {At: time.Now(), Amount: cluster.Amount{CPU: 7, Memory: 2 << 20}}}
	return usage.Report{
		Total: points, Pods: []usage.Pod{{PodPlan: cluster.PodPlan{Pod: hostile, Phase: "Running", Requests: cluster.Amount{CPU: 100, Memory: 64 << 20}}, Points: points}},
		Quota: []cluster.QuotaLine{{Name: "requests.memory", Used: "1900Mi", Hard: "2Gi", Part: 0.93}}, Marks: []usage.Mark{{At: time.Now(), Kind: usage.MarkRestart, Text: hostile}},
	}, nil
}
