package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/redact"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/test/fakegithub"
)

// TestCanary (I8): a program prints the Secret that it got a copy of, in every way it can, and dies of it. The comment shows its last lines; what
// was secret in them is in nothing that leaves Catalyst: no comment, no line of its log, no row, no answer.
func TestCanary(t *testing.T) {
	t.Parallel()
	random := make([]byte, 12)
	_, _ = rand.Read(random) // it never fails
	canary := "cat/5f+" + hex.EncodeToString(random) + "=9&51"
	b := setup(t, func(config map[string]any) { keepCanary(t, config, canary) })
	b.github.Repo.SetPrivate(true) // else logs are kept out of the comment altogether
	branch, sha := b.github.Change(b.github.Repo.SHA("main"), map[string]string{"chart/templates/deployment.yaml": failing(`args: ["-leak"]`, "{name: CANARY, valueFrom: {secretKeyRef: {name: payments, key: token}}}")})
	b.image(sha)
	pull := b.github.Repo.OpenPull(fakegithub.PullOptions{Title: "Leaky", Author: b.github.Author, Head: branch})
	b.comment(pull, "| failed |", redact.Mark)
	b.tell(pull, b.github.Author, "/preview diagnose", "rocket")

	printed, err := b.cluster.Kubectl(t.Context(), "-n", "pr-testcanary-1", "logs", "deployment/hello")
	if err != nil || !strings.Contains(printed, canary) {
		t.Fatalf("the program did not print the canary: %v\n%s", err, printed)
	}
	left := map[string][]byte{"an answer": b.answers()}
	for i, d := range b.github.Deliveries() { // the comments as they were written, one after the other, are in them
		left[fmt.Sprintf("delivery %d, %s.%s", i, d.Event, d.Action)] = d.Payload
	}
	for i, c := range pull.Comments() {
		left[fmt.Sprintf("comment %d", i)] = []byte(c.Body)
	}
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, content := range b.kept() {
		left[name] = content
	}
	for where, content := range left {
		for form, text := range forms(canary) {
			if bytes.Contains(content, []byte(text)) {
				t.Errorf("%s has the canary, %s", where, form)
			}
		}
	}
	b.start()
}

// keepCanary puts the canary into a Secret of the cluster, marked for this test's repository, and has Catalyst copy it.
func keepCanary(t *testing.T, config map[string]any, canary string) {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	const sources = "canary-sources"
	repository := config["repositories"].([]any)[0].(map[string]any)
	objects, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{
		map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": sources}},
		map[string]any{
			"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "stringData": map[string]any{"token": canary},
			"metadata": map[string]any{"name": "payments", "namespace": sources, "annotations": map[string]any{"catalyst.dev/copy-to": repository["name"]}},
		},
		map[string]any{ // Catalyst may read it by its name, as docs/secrets.md has it
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": map[string]any{"name": "catalyst-secrets", "namespace": sources},
			"rules": []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"get"}, "resourceNames": []any{"payments"}}},
		},
		map[string]any{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": map[string]any{"name": "catalyst-secrets", "namespace": sources},
			"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "catalyst-secrets"},
			"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "catalyst", "namespace": "catalyst-" + strings.ToLower(t.Name())}},
		},
	}})
	if err == nil {
		_, err = s.cluster.KubectlIn(t.Context(), string(objects), "apply", "-f", "-")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.cluster.Kubectl(context.Background(), "delete", "namespace", sources, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	repository["secrets"] = []any{map[string]any{"name": "payments"}}
	config["cluster"].(map[string]any)["secrets_namespace"] = sources
}

// answers is what Catalyst says over HTTP to whoever asks.
func (b *bench) answers() []byte {
	b.Helper()
	var all []byte
	for _, path := range []string{"/metrics", "/readyz", "/healthz", "/webhooks/github"} {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.server.URL+path, nil)
		if err != nil {
			b.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, body...)
	}
	return all
}

// kept is what Catalyst leaves on disk, and what it stored, row by row.
func (b *bench) kept() map[string][]byte {
	b.Helper()
	all := map[string][]byte{}
	files, err := filepath.Glob(filepath.Join(b.server.Dir, "catalyst.[dl]*"))
	if err != nil || len(files) < 2 {
		b.Fatalf("files %v, %v; want the database and the log", files, err)
	}
	for _, name := range files {
		if all[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			b.Fatal(err)
		}
	}
	db, err := store.Open(b.Context(), filepath.Join(b.server.Dir, "catalyst.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	previews, err := db.Previews(b.Context(), 10)
	if err != nil || len(previews) == 0 || previews[0].Diagnosis == nil {
		b.Fatalf("previews %+v, %v", previews, err)
	}
	for _, p := range previews {
		deployments, err := db.Deployments(b.Context(), p.ID, 10)
		if err != nil {
			b.Fatal(err)
		}
		if all["rows of "+p.Ref()], err = json.Marshal([]any{p, deployments}); err != nil {
			b.Fatal(err)
		}
	}
	return all
}

// forms are the ways in which a text is printed, as a search finds them: of Base64, what is the same whatever stands before and behind.
func forms(s string) map[string]string {
	all := map[string]string{"as it is": s, "for URLs": url.QueryEscape(s), "in hexadecimal": hex.EncodeToString([]byte(s)), "the middle of it": s[8:24]}
	quoted, _ := json.Marshal(s)
	all["in JSON"] = strings.Trim(string(quoted), `"`)
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + s))
		all[fmt.Sprintf("in Base64, %d bytes behind", shift)] = text[4 : len(text)-4]
	}
	return all
}
