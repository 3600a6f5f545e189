package ghspec_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"catalyst.dev/catalyst/test/ghspec"
)

func load(t *testing.T) *ghspec.Spec {
	t.Helper()
	spec, err := ghspec.Load()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestRoute(t *testing.T) {
	t.Parallel()
	spec := load(t)
	for _, test := range []struct{ method, path, operation, param, value string }{
		{"GET", "/repos/acme/web", "GET /repos/{owner}/{repo}", "repo", "web"},
		{"GET", "/repos/acme/web/issues/comments/7", "GET /repos/{owner}/{repo}/issues/comments/{comment_id}", "comment_id", "7"},
		{"GET", "/repos/acme/web/issues/7/comments", "GET /repos/{owner}/{repo}/issues/{issue_number}/comments", "issue_number", "7"},
		{"GET", "/repos/acme/web/contents/a/b%20c.yaml", "GET /repos/{owner}/{repo}/contents/{path}", "path", "a/b c.yaml"},
		{"GET", "/repos/acme/web/git/ref/heads/fix/it", "GET /repos/{owner}/{repo}/git/ref/{ref}", "ref", "heads/fix/it"},
		{"GET", "/repos/acme/web/commits/fix%2Fit/check-runs", "GET /repos/{owner}/{repo}/commits/{ref}/check-runs", "ref", "fix/it"},
		{"GET", "/repos/acme/web/contents/", "GET /repos/{owner}/{repo}/contents/{path}", "path", ""},
		{"GET", "/repos/acme/web/commits/main", "GET /repos/{owner}/{repo}/commits/{ref}", "ref", "main"},
		{"PUT", "/repos/acme/web", "", "", ""},
		{"GET", "/nothing", "", "", ""},
	} {
		route, _ := spec.Route(test.method, test.path)
		if route.Operation != test.operation || route.Params[test.param] != test.value {
			t.Errorf("%s %s: got %q with %v, want %q with %s=%s", test.method, test.path, route.Operation, route.Params,
				test.operation, test.param, test.value)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	spec := load(t)
	const comments = "/repos/acme/web/issues/7/comments"
	for _, test := range []struct {
		name, method, target, body string
		header                     map[string]string
		want                       string // part of the complaint, empty for none
	}{
		{"good list", "GET", comments + "?per_page=100&page=2", "", nil, ""},
		{"good create", "POST", comments, `{"body":"hi"}`, nil, ""},
		{"unknown query", "GET", comments + "?perPage=100", "", nil, `unknown query parameter "perPage"`},
		{"too many a page", "GET", comments + "?per_page=1000", "", nil, "per_page=1000"},
		{"page is no number", "GET", comments + "?page=x", "", nil, "page"},
		{"no body", "POST", comments, "", nil, "value is required"},
		{"body lacks body", "POST", comments, `{"text":"hi"}`, nil, `"body" is missing`},
		{"body of another type", "POST", comments, `{"body":7}`, nil, "at /body"},
		{"form", "POST", comments, `{"body":"hi"}`, map[string]string{"Content-Type": "text/plain"}, "Content-Type"},
		{"accept", "GET", comments, "", map[string]string{"Accept": "text/html"}, "Accept"},
		{"no agent", "GET", comments, "", map[string]string{"User-Agent": ""}, "User-Agent"},
		{"number in path", "GET", "/repos/acme/web/pulls/x", "", nil, "pull_number"},
		{"bad enum", "POST", "/repos/acme/web/statuses/0000", `{"state":"great"}`, nil, "at /state"},
		{"body on GET", "GET", comments, `{}`, nil, "a body"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
			r.Header.Set("User-Agent", "test")
			r.Header.Set("Accept", "application/vnd.github+json")
			if test.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			for name, value := range test.header {
				r.Header.Set(name, value)
			}
			route, ok := spec.Route(r.Method, r.URL.EscapedPath())
			if !ok {
				t.Fatal("no route")
			}
			expect(t, spec.Request(route, r, []byte(test.body)), test.want)
		})
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	spec := load(t)
	r := httptest.NewRequest("GET", "/repos/acme/web/git/commits/1", nil)
	route, _ := spec.Route("GET", "/repos/acme/web/git/commits/1")
	const link = `"html_url":"http://x/1","url":"http://x/1","sha":"7638417db6d59f3c431d3e1f261cc637155684cd"`
	const person = `{"date":"2026-01-02T03:04:05Z","email":"a@b","name":"a"}`
	good := `{"node_id":"x","message":"m",` + link + `,"author":` + person + `,"committer":` + person +
		`,"parents":[],"tree":{` + link + `},"verification":{"verified":false,"reason":"unsigned","signature":null,"payload":null,"verified_at":null}}`
	for _, test := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"good", good, 200, ""},
		{"lacks message", strings.Replace(good, `"message":"m",`, "", 1), 200, `"message" is missing`},
		{"wrong type", strings.Replace(good, `"m"`, `7`, 1), 200, "at /message"},
		{"not documented", good, 201, "status 201"},
		{"not found", `{"message":"Not Found"}`, 404, ""},
		{"error without message", `{"error":"x"}`, 401, "error object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
			expect(t, spec.Response(route, r, test.status, header, []byte(test.body)), test.want)
		})
	}
}

// old matches the complaints about recorded bodies that only say the body is older than the description.
var old = regexp.MustCompile(`missing propert(y|ies) ('(app_slug|suspended_by|suspended_at|requester|active_lock_reason|` +
	`reactions|description|performed_via_github_app|has_discussions|auto_merge|topics|visibility)'(, )?)+$|_at': got number, want string$|` +
	`validation failed$|validation failed with '|'(allOf|anyOf)' failed$|head/repo': got object, want null$`)

// Every recorded payload is one that the description allows, when it holds its action, but for fields younger than it.
func TestPayloads(t *testing.T) {
	t.Parallel()
	hooks, err := ghspec.LoadWebhooks()
	if err != nil {
		t.Fatal(err)
	}
	payloads, err := ghspec.Payloads()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, p := range payloads {
		if !hooks.Known(p.Event, p.Action) {
			continue
		}
		checked++
		if err := hooks.Check(p.Event, p.Action, p.Body); err != nil {
			for line := range strings.Lines(err.Error()) {
				if line = strings.TrimSpace(line); !old.MatchString(line) {
					t.Errorf("%s: %s", p.Name, line)
				}
			}
		}
	}
	if checked < 40 {
		t.Errorf("checked %d recorded payloads, want at least 40", checked)
	}
	if err := hooks.Check("pull_request", "opened", []byte(`{"action":"opened","number":"seven"}`)); err == nil {
		t.Error("a pull_request payload with a text as its number passes")
	}
	if err := hooks.Check("star", "created", []byte(`{}`)); err == nil {
		t.Error("an unknown event passes")
	}
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && err == nil:
		t.Errorf("accepted, want a complaint about %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("complaint %q does not name %q", err, want)
	}
}
