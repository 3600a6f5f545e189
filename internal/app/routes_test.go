package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/redact"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
`

// TestEveryRouteHasARule builds the server with everything switched on. A route that the table of package access does not know would answer nobody, and one
// that is only in the table would be a promise.
func TestEveryRouteHasARule(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kubeconfig"), []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load("", []string{
		"CATALYST_DATABASE=" + filepath.Join(dir, "catalyst.db"), "CATALYST_GITHUB_TOKEN=ghp_example", "CATALYST_GITHUB_WEBHOOK_SECRET=hush",
		"CATALYST_PREVIEW_DOMAIN=preview.localhost", "CATALYST_CLUSTER_KUBECONFIG=" + filepath.Join(dir, "kubeconfig"), "CATALYST_PUBLIC_URL=http://127.0.0.1:8090",
		"CATALYST_ACCESS_LOGIN_LINK=true", "CATALYST_ACCESS_GITHUB_CLIENT_ID=Iv1", "CATALYST_ACCESS_GITHUB_CLIENT_SECRET=hush hush",
		"CATALYST_ACCESS_OIDC_ISSUER=http://127.0.0.1:1", "CATALYST_ACCESS_OIDC_CLIENT_ID=catalyst", "CATALYST_ACCESS_OIDC_CLIENT_SECRET=hush hush hush",
		"CATALYST_ACCESS_OIDC_VIEWER_GROUPS=[staff]",
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), c, Deps{Log: slog.New(slog.DiscardHandler), Known: &redact.Book{}, Version: "test", Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	registered := a.routes.Patterns()
	for _, pattern := range registered {
		rule, known := access.RuleOf(pattern)
		if !known {
			t.Errorf("%s has no rule in the table of routes", pattern)
		}
		if strings.Contains(pattern, "{owner}") && rule.About == "" {
			t.Errorf("%s names a preview, and its rule does not", pattern)
		}
	}
	for _, pattern := range access.Patterns() {
		if !slices.Contains(registered, pattern) {
			t.Errorf("%s is in the table of routes and nowhere else", pattern)
		}
	}
}
