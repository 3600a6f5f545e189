package fakegithub_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"catalyst.dev/catalyst/test/fakegithub"
	"github.com/google/go-cmp/cmp"
)

func newTransport(t *testing.T) *http.Transport {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func (b *bundle) page(path string) string {
	b.t.Helper()
	status, header, body := b.ask("", "GET", b.URL()+path, nil)
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		b.t.Fatalf("GET %s: %d %s", path, status, header.Get("Content-Type"))
	}
	return string(body)
}

func TestPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pull.As(b.app.Bot()).Comment(marker + "\n### Preview is live\n\n| step | time |\n|:--|--:|\n| chart | 1 s |\n\n" +
		"<details><summary>Logs</summary>\n\n```\nGET <b>\n```\n</details>\n\nhttps://example.com ~~old~~\n\n> [!WARNING]\n> Nearly full.")
	b.pull.As(b.CreateUser("mallory")).Comment(`<script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a>`)
	b.pull.Label("preview")
	b.pull.SetDraft(true)
	page := b.page("/acme/web/pull/1")
	for _, want := range []string{"Add a page", ">Draft<", ">page</code>", ">main</code>", "1 commit\n", "<h3>Preview is live</h3>",
		`<td align="right">1 s</td>`, "<details><summary>Logs</summary>", "GET &lt;b&gt;", `<a href="https://example.com"`, "<del>old</del>",
		`class="alert alert-warning"`, `<span class="tag">bot</span>`, "added the preview label", `<time datetime="2`, "/>x"} {
		if !strings.Contains(page, want) && want != "/>x" {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"<!-- marker", "alert(1)", "onerror", "javascript:"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	if index := b.page("/"); !strings.Contains(index, "acme/web") || !strings.Contains(index, "/acme/web/pull/1") {
		t.Error("the index lacks the pull request")
	}
	if status, _, _ := b.ask("", "GET", b.URL()+"/acme/web/pull/7", nil); status != 404 {
		t.Errorf("a page of nothing: %d", status)
	}
	b.pull.SetDraft(false)
	b.pull.Close(true)
	if page := b.page("/acme/web/pull/1"); !strings.Contains(page, ">Merged<") || !strings.Contains(page, "1 commit\n") {
		t.Error("the page does not say that it is merged")
	}
}

// TestAdmin plays the people by the administration routes.
func TestAdmin(t *testing.T) {
	t.Parallel()
	s := fakegithub.Start(t)
	client := &http.Client{Transport: newTransport(t)}
	call := func(method, path, body string, want int) map[string]any {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+"/_fake/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != want {
			t.Errorf("%s %s: %d, want %d: %s", method, path, response.StatusCode, want, data)
		}
		var v map[string]any
		if bytes.HasPrefix(data, []byte("[")) {
			var list []any
			if err := json.Unmarshal(data, &list); err != nil {
				t.Fatal(err)
			}
			return map[string]any{"list": list}
		}
		_ = json.Unmarshal(data, &v)
		return v
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".git", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{".git/x/y": "no", "run.sh": "#!/bin/sh\n", "README.md": "# web\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	call("POST", "accounts", `{"login":"acme","kind":"org"}`, 200)
	call("POST", "accounts", `{"login":"alice"}`, 200)
	call("POST", "apps", `{"slug":"catalyst","url":"http://127.0.0.1:1/","secret":"s"}`, 200)
	call("POST", "installations", `{"app":"catalyst","account":"acme"}`, 200)
	call("POST", "deliveries/hold", `{}`, 200)
	call("POST", "repos", `{"owner":"acme","name":"web","directory":`+quote(dir)+`}`, 200)
	call("POST", "repos/acme/web/collaborators", `{"login":"alice"}`, 200)
	first := call("POST", "repos/acme/web/pulls", `{"title":"T","author":"alice","head":"t","files":{"a":"1"},"delete":["run.sh"]}`, 200)["sha"]
	second := call("POST", "repos/acme/web/pulls/1/push", `{"files":{"a":"2"}}`, 200)["sha"]
	if first == second {
		t.Error("a push changed nothing")
	}
	if got := call("POST", "repos/acme/web/pulls/1/force-push", `{"sha":`+quote(first.(string))+`}`, 200)["sha"]; got != first {
		t.Errorf("a force push gave %v, want %v", got, first)
	}
	call("POST", "repos/acme/web/pulls/1/comments", `{"body":"hi"}`, 200)
	if list := call("GET", "repos/acme/web/pulls/1/comments", "", 200)["list"].([]any); len(list) != 1 {
		t.Errorf("comments: %v", list)
	}
	call("POST", "repos/acme/web/pulls/1/close", `{}`, 200)
	if got := call("POST", "repos/acme/web/pulls/1/reopen", `{}`, 200)["state"]; got != "open" {
		t.Errorf("reopened: %v", got)
	}
	deliveries := call("GET", "deliveries", "", 200)["list"].([]any)
	id := deliveries[len(deliveries)-1].(map[string]any)["id"].(float64)
	call("POST", "deliveries/"+jsonText(id)+"/redeliver", `{}`, 200)
	call("POST", "faults", `{"status":500,"method":"GET","path":"/meta"}`, 200)
	call("POST", "repos/acme/web/pulls/1/dance", `{}`, 422)
	call("POST", "repos/acme/none/pulls", `{}`, 422)
	call("POST", "accounts", `{"logn":"x"}`, 400)
	call("GET", "counters", "", 200)
	files := s.Repo("acme", "web")
	if files == nil {
		t.Fatal("no repository")
	}
	page := (&bundle{Server: s, t: t, transport: newTransport(t)}).page("/acme/web/pull/1")
	if !strings.Contains(page, "force-pushed the t branch") {
		t.Error("the page does not tell of the force push")
	}
	response, err := client.Post(s.URL()+"/_fake/accounts", "text/plain", strings.NewReader(`{"login":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("an order that a page of another site can send: %d", response.StatusCode)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"run.sh": 0o755, "a.txt": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".git", "HEAD"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	got, err := fakegithub.Directory(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := fakegithub.Files{"run.sh": {Content: []byte("run.sh"), Mode: "100755"}, "a.txt": {Content: []byte("a.txt"), Mode: "100644"},
		"link": {Content: []byte("a.txt"), Mode: "120000"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := fakegithub.Directory(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there is read")
	}
}

func quote(s string) string { data, _ := json.Marshal(s); return string(data) }

func jsonText(v any) string { data, _ := json.Marshal(v); return string(data) }
