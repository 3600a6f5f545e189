package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/ghspec"
	"catalyst.dev/catalyst/test/rig"
)

func sampleFile(name string) (string, error) {
	root, err := rig.Root()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(root, "examples", "hello", name))
	return string(b), err
}

// TestBrokenCharts: each is told in the comment, in a sentence that says where, and leaves nothing behind.
func TestBrokenCharts(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	gone := func(names ...string) fakegithub.Files {
		files := fakegithub.Files{}
		for _, name := range names {
			files[name] = fakegithub.File{Delete: true}
		}
		return files
	}
	chartFiles := []string{"chart/Chart.yaml", "chart/values.yaml", "chart/templates/deployment.yaml", "chart/templates/service.yaml", "chart/templates/ingress.yaml"}
	cases := map[string]struct {
		files fakegithub.Files
		want  []string
	}{
		"missing":        {gone(chartFiles...), []string{"CHART_MISSING", "chart", "deploy/chart"}},
		"no render":      {fakegithub.Text(map[string]string{"chart/templates/service.yaml": "{{ .Values.nothing.here }}"}), []string{"RENDER", "templates/service.yaml"}},
		"bad Chart.yaml": {fakegithub.Text(map[string]string{"chart/Chart.yaml": "name: ["}), []string{"CHART_INVALID"}},
		"bad values":     {fakegithub.Text(map[string]string{"values-preview.yaml": "a: [b"}), []string{"VALUES", "values-preview.yaml"}},
		"two charts":     {fakegithub.Text(map[string]string{"helm/Chart.yaml": "apiVersion: v2\nname: other\nversion: 0.1.0\n"}), []string{"helm", "chart"}},
	}
	pulls := map[string]*fakegithub.Pull{}
	for name, c := range cases {
		pulls[name] = b.github.Repo.OpenPull(fakegithub.PullOptions{Title: name, Author: b.github.Author, Files: c.files})
	}
	for name, c := range cases {
		b.comment(pulls[name], append(c.want, "| failed |")...)
	}
	b.noNamespace()
}

// TestRefusedObject: what the API server refuses is named, with the object.
func TestRefusedObject(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	pull := b.open("Refused", map[string]string{"chart/templates/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: hello}\nspec: {ports: [{port: 99999}]}\n"})
	b.comment(pull, "| failed |", "APPLY", "Service")
}

// TestUnknownRepository: a delivery about a repository that is not configured is kept with the reason, and nothing else happens.
func TestUnknownRepository(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	other := b.github.Account("acme").CreateRepo(fakegithub.RepoOptions{Name: "other"})
	other.OpenPull(fakegithub.PullOptions{Title: "Unknown", Files: fakegithub.Text(map[string]string{"NOTES.md": "unknown"})})
	b.logged("acme/other is not configured: add it under")
	if got := b.namespaces(); got != "" {
		t.Errorf("namespaces %s", got)
	}
}

// TestUnreachableCluster: retried, then told in the comment; the log has the details.
func TestUnreachableCluster(t *testing.T) {
	t.Parallel()
	b := setup(t, func(config map[string]any) {
		kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
		text := "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n"
		if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		config["cluster"] = map[string]any{"kubeconfig": kubeconfig}
	})
	pull := b.open("No cluster", nil)
	b.comment(pull, "| failed |", "OUTAGE", "Push again")
	b.logged("127.0.0.1:1")
}

// TestBadConfiguration: the server does not start, and says every mistake at once.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err = rig.StartCatalyst(ctx, s.binary, t.TempDir(), map[string]any{
		"listen": "127.0.0.1:0", "github": map[string]any{"token": "x", "webhook_secret": ""},
		"preview":      map[string]any{"domain": "preview.localhost", "scheme": "http", "host": "{{.Nothing}}.{{"},
		"repositories": []any{map[string]any{"name": "no-owner"}}, "unknwon": 1,
	})
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range []string{"preview.host", "webhook_secret", "no-owner", "unknwon"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message does not name %s:\n%v", want, err)
		}
	}
}

// TestRecordedDelivery: a recorded pull_request.opened, signed, is answered 200 and stored; forged, it is answered 401 and nothing is stored.
func TestRecordedDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t, func(config map[string]any) {
		config["repositories"] = append(config["repositories"].([]any), map[string]any{"name": "Codertocat/Hello-World"})
	})
	payloads, err := ghspec.Payloads()
	if err != nil {
		t.Fatal(err)
	}
	var body []byte
	for _, p := range payloads {
		if p.Event == "pull_request" && p.Action == "opened" && body == nil {
			body = p.Body
		}
	}
	if body == nil {
		t.Fatal("no recorded pull_request.opened")
	}
	post := func(signature string) (int, string, time.Duration) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+"/webhooks/github", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"Content-Type": "application/json", "X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "X-Hub-Signature-256": signature} {
			request.Header.Set(k, v)
		}
		start := time.Now()
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(answer), time.Since(start)
	}
	if status, answer, _ := post(fakegithub.Signature("wrong", body)); status != http.StatusUnauthorized {
		t.Errorf("forged: %d %s", status, answer)
	}
	status, answer, took := post(fakegithub.Signature(rig.WebhookSecret, body))
	t.Logf("answered %d in %s: %s", status, took, answer)
	if status != http.StatusOK || !strings.Contains(answer, "accepted") {
		t.Errorf("signed: %d %s", status, answer)
	}
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(b.server.Dir, "catalyst.db"))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := db.Deliveries(t.Context(), 100)
	if err = firstError(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, d := range stored {
		if d.Repository == "Codertocat/Hello-World" {
			count++
			if !bytes.Equal(d.Body, body) || d.Outcome != preview.DeliveryAccepted {
				t.Errorf("stored as %s with %d bytes, want accepted with %d", d.Outcome, len(d.Body), len(body))
			}
		}
	}
	if count != 1 {
		t.Errorf("%d deliveries stored, want the signed one alone", count)
	}
	b.start()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
