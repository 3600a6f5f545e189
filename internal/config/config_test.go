package config_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/preview"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// appKey is a private key that was made for this run.
var appKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

// enough is the least that a configuration must say.
func enough(more ...string) []string {
	return append([]string{
		"CATALYST_GITHUB_TOKEN=ghp_example",
		"CATALYST_GITHUB_WEBHOOK_SECRET=hush",
		"CATALYST_PREVIEW_DOMAIN=preview.example.com",
	}, more...)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load fails the test when the configuration has a mistake.
func load(t *testing.T, path string, environ ...string) config.Config {
	t.Helper()
	c, err := config.Load(path, environ)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

// complaints returns the lines of the mistakes; file stands for the path of the file in them.
func complaints(t *testing.T, path string, environ ...string) []string {
	t.Helper()
	_, err := config.Load(path, environ)
	if err == nil {
		return nil
	}
	if !errors.Is(err, preview.ErrInvalid) {
		t.Errorf("the kind of %v is not ErrInvalid", err)
	}
	text := err.Error()
	if path != "" {
		text = strings.ReplaceAll(text, path, "FILE")
	}
	return strings.Split(text, "\n")
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := load(t, "", enough()...)
	want := config.Config{
		Listen: "127.0.0.1:8090", Database: "catalyst.db", Instance: "default",
		Log:    config.Log{Level: "info", Format: "text"},
		GitHub: config.GitHub{APIURL: "https://api.github.com/", Token: "ghp_example", WebhookSecret: "hush", Checks: true, Deployments: true},
		Preview: config.Preview{Domain: "preview.example.com", Scheme: "https", Host: "{{.Name}}.preview.example.com", ReadyTimeout: 3 * time.Minute, PodSecurity: "restricted", Guards: config.Guards{
			Pods: 30, Volumes: 5, ForkPercent: 50, CPURequests: "4", CPULimits: "16", MemoryRequests: "8Gi", MemoryLimits: "16Gi", EphemeralStorage: "32Gi", VolumeStorage: "20Gi",
			ContainerCPU: "4", ContainerMemory: "8Gi", ContainerStorage: "8Gi",
			DefaultCPURequest: "100m", DefaultMemoryRequest: "128Mi", DefaultStorageRequest: "64Mi",
			DefaultCPULimit: "500m", DefaultMemoryLimit: "512Mi", DefaultStorageLimit: "1Gi",
			IngressNamespaces: "kubernetes.io/metadata.name=ingress-nginx", DNSNamespaces: "kubernetes.io/metadata.name=kube-system",
			Annotations: []string{"cert-manager.io/cluster-issuer"},
		}},
		Render: config.Render{Sandbox: "required"},
		Access: config.Access{OIDC: config.OIDC{GroupsClaim: "groups"}},
		Limits: config.Limits{Deployments: 8},
		Worker: config.Worker{Lease: 30 * time.Second, Poll: 2 * time.Second, Sweep: 5 * time.Minute, SweepGone: 50, Health: 30 * time.Second},
		Kept:   config.Kept{For: 168 * time.Hour, Megabytes: 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	got := load(t, "testdata/catalyst.yaml", "CATALYST_GITHUB_PRIVATE_KEY="+appKey(), "CATALYST_GITHUB_WEBHOOK_SECRET=hush", "CATALYST_LIMITS_DEPLOYMENTS=3")
	if got.GitHub.AppID != 12345 || string(got.GitHub.PrivateKey) != appKey() || got.Limits.Deployments != 3 {
		t.Errorf("App %d, %d deployments: the variables did not win over the file", got.GitHub.AppID, got.Limits.Deployments)
	}
	want := []config.Repository{
		{
			Name: "acme/web", Values: "deploy/values-preview.yaml",
			Image: config.Image{Repository: "ghcr.io/acme/web", Tag: "sha-{{.ShortSHA}}"},
			Host:  "{{.Name}}.preview.example.com", IngressClass: "nginx", Issuer: "letsencrypt", TLSSecret: "preview-tls", PodSecurity: "restricted",
			Forks: "never", TrustedBots: []string{"renovate[bot]", "dependabot[bot]"},
		},
		{
			Name: "acme/api", Chart: "deploy/chart", Image: config.Image{Tag: "{{.SHA}}"},
			Host: "{{.Repo}}-{{.Number}}.api.example.com", IngressClass: "nginx", Issuer: "letsencrypt", TLSSecret: "preview-tls", PodSecurity: "restricted",
			Forks: "approve",
		},
	}
	if diff := cmp.Diff(want, got.Repositories); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
	// A key with dots in it is one key.
	if diff := cmp.Diff(map[string]any{"podAnnotations": map[string]any{"example.com/team": "previews"}}, got.Preview.Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if r, ok := got.Repository("Acme/WEB"); !ok || r.Name != "acme/web" {
		t.Errorf("Repository(Acme/WEB) = %q, %v", r.Name, ok)
	}
	if _, ok := got.Repository("acme/other"); ok {
		t.Error("Repository(acme/other) was found")
	}
}

// TestEveryKeyHasAVariable sets each key by its variable alone, to a value that is not its default.
func TestEveryKeyHasAVariable(t *testing.T) {
	t.Parallel()
	got := load(t, "",
		"CATALYST_LISTEN=127.0.0.1:1", "CATALYST_PUBLIC_URL=https://c.example.com/", "CATALYST_DATABASE=postgres://u:p@db/c", "CATALYST_INSTANCE=two",
		"CATALYST_LOG_LEVEL=debug", "CATALYST_LOG_FORMAT=json",
		"CATALYST_GITHUB_API_URL=http://127.0.0.1:3000/api/v3", "CATALYST_GITHUB_APP_ID=7", "CATALYST_GITHUB_PRIVATE_KEY="+appKey(),
		"CATALYST_GITHUB_WEBHOOK_SECRET=a", "CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS=b", "CATALYST_GITHUB_CHECKS=false", "CATALYST_GITHUB_DEPLOYMENTS=false",
		"CATALYST_CLUSTER_KUBECONFIG=/k", "CATALYST_PREVIEW_DOMAIN=localhost", "CATALYST_PREVIEW_SCHEME=http", "CATALYST_PREVIEW_URL_PORT=8080",
		"CATALYST_PREVIEW_HOST={{.Repo}}-{{.Number}}.localhost", "CATALYST_PREVIEW_INGRESS_CLASS=i", "CATALYST_PREVIEW_ISSUER=is",
		"CATALYST_PREVIEW_TLS_SECRET=t", `CATALYST_PREVIEW_VALUES={"a.b": {"c": 1}}`, "CATALYST_PREVIEW_READY_TIMEOUT=10s",
		"CATALYST_RENDER_SANDBOX=optional",
		`CATALYST_ACCESS_OPERATORS=["dora", "583231"]`, "CATALYST_ACCESS_OPERATOR_TOKEN=0123456789abcdef0123456789abcdef",
		"CATALYST_ACCESS_GITHUB_CLIENT_ID=Iv1", "CATALYST_ACCESS_GITHUB_CLIENT_SECRET=hush", "CATALYST_ACCESS_LOGIN_LINK=true",
		"CATALYST_ACCESS_OIDC_ISSUER=https://id.example.com", "CATALYST_ACCESS_OIDC_CLIENT_ID=c", "CATALYST_ACCESS_OIDC_CLIENT_SECRET=s", "CATALYST_ACCESS_OIDC_OPERATORS=[olga@example.com]",
		"CATALYST_ACCESS_OIDC_GROUPS_CLAIM=roles", "CATALYST_ACCESS_OIDC_OPERATOR_GROUPS=[platform]", "CATALYST_ACCESS_OIDC_VIEWER_GROUPS=[staff]",
		"CATALYST_LIMITS_DEPLOYMENTS=1", "CATALYST_WORKER_LEASE=2s", "CATALYST_WORKER_SWEEP=1m", "CATALYST_WORKER_SWEEP_GONE_PERCENT=40", "CATALYST_WORKER_HEALTH=1m", "CATALYST_LIMITS_PREVIEWS=7", "CATALYST_LIMITS_PREVIEWS_PER_REPOSITORY=6", "CATALYST_WORKER_POLL=1s",
		"CATALYST_KEPT_FOR=24h", "CATALYST_KEPT_DIRECTORY=/var/kept", "CATALYST_KEPT_MEGABYTES=3",
		`CATALYST_REPOSITORIES=[{"name": "acme/web", "image": {"tag": "{{.Branch}}"}}]`,
		"CATALYST_CLUSTER_PROBE_IMAGE=probe", "CATALYST_PREVIEW_GATEWAY=infra/public", "CATALYST_PREVIEW_POD_SECURITY=baseline",
		"CATALYST_PREVIEW_GUARDS_PODS=1", "CATALYST_PREVIEW_GUARDS_VOLUMES=2",
		"CATALYST_PREVIEW_GUARDS_CPU_REQUESTS=1m", "CATALYST_PREVIEW_GUARDS_CPU_LIMITS=2m", "CATALYST_PREVIEW_GUARDS_MEMORY_REQUESTS=3Mi",
		"CATALYST_PREVIEW_GUARDS_MEMORY_LIMITS=4Mi", "CATALYST_PREVIEW_GUARDS_EPHEMERAL_STORAGE=5Mi", "CATALYST_PREVIEW_GUARDS_VOLUME_STORAGE=6Mi", "CATALYST_PREVIEW_GUARDS_FORK_PERCENT=25",
		"CATALYST_PREVIEW_GUARDS_STORAGE_CLASSES=[fast, slow]", "CATALYST_PREVIEW_GUARDS_CONTAINER_CPU=7m", "CATALYST_PREVIEW_GUARDS_CONTAINER_MEMORY=8Mi",
		"CATALYST_PREVIEW_GUARDS_CONTAINER_STORAGE=9Mi", "CATALYST_PREVIEW_GUARDS_DEFAULT_CPU_REQUEST=10m", "CATALYST_PREVIEW_GUARDS_DEFAULT_MEMORY_REQUEST=11Mi",
		"CATALYST_PREVIEW_GUARDS_DEFAULT_STORAGE_REQUEST=12Mi", "CATALYST_PREVIEW_GUARDS_DEFAULT_CPU_LIMIT=13m", "CATALYST_PREVIEW_GUARDS_DEFAULT_MEMORY_LIMIT=14Mi",
		"CATALYST_PREVIEW_GUARDS_DEFAULT_STORAGE_LIMIT=15Mi", "CATALYST_PREVIEW_GUARDS_INGRESS_NAMESPACES=a=b", "CATALYST_PREVIEW_GUARDS_INGRESS_ADDRESSES=[10.0.0.0/8]",
		"CATALYST_PREVIEW_GUARDS_DNS_NAMESPACES=c=d", "CATALYST_PREVIEW_GUARDS_EGRESS_NAMESPACES=e=f", "CATALYST_PREVIEW_GUARDS_EGRESS_ADDRESSES=[10.1.0.0/16, 10.2.0.0/16]",
		"CATALYST_PREVIEW_GUARDS_NOT_INTERNET=[203.0.113.0/24]", "CATALYST_PREVIEW_GUARDS_REGISTRIES=[ghcr.io/acme]", "CATALYST_PREVIEW_GUARDS_ANNOTATIONS=[example.com/a]",
	)
	want := config.Config{
		Listen: "127.0.0.1:1", PublicURL: "https://c.example.com", Database: "postgres://u:p@db/c", Instance: "two",
		Log: config.Log{Level: "debug", Format: "json"},
		GitHub: config.GitHub{
			APIURL: "http://127.0.0.1:3000/api/v3/", AppID: 7, PrivateKey: config.Secret(appKey()), WebhookSecret: "a", WebhookSecretPrevious: "b",
		},
		Cluster: config.Cluster{Kubeconfig: "/k", ProbeImage: "probe"},
		Preview: config.Preview{
			Domain: "localhost", Scheme: "http", URLPort: 8080, Host: "{{.Repo}}-{{.Number}}.localhost", IngressClass: "i", Issuer: "is",
			TLSSecret: "t", Values: map[string]any{"a.b": map[string]any{"c": 1}}, ReadyTimeout: 10 * time.Second,
			Gateway: "infra/public", PodSecurity: "baseline", Guards: config.Guards{
				Pods: 1, Volumes: 2, ForkPercent: 25, CPURequests: "1m", CPULimits: "2m", MemoryRequests: "3Mi", MemoryLimits: "4Mi", EphemeralStorage: "5Mi", VolumeStorage: "6Mi",
				StorageClasses: []string{"fast", "slow"}, ContainerCPU: "7m", ContainerMemory: "8Mi", ContainerStorage: "9Mi",
				DefaultCPURequest: "10m", DefaultMemoryRequest: "11Mi", DefaultStorageRequest: "12Mi",
				DefaultCPULimit: "13m", DefaultMemoryLimit: "14Mi", DefaultStorageLimit: "15Mi",
				IngressNamespaces: "a=b", IngressAddresses: []string{"10.0.0.0/8"}, DNSNamespaces: "c=d",
				EgressNamespaces: "e=f", EgressAddresses: []string{"10.1.0.0/16", "10.2.0.0/16"}, NotInternet: []string{"203.0.113.0/24"},
				Registries: []string{"ghcr.io/acme"}, Annotations: []string{"example.com/a"},
			},
		},
		Render: config.Render{Sandbox: "optional"},
		Access: config.Access{
			Operators: []string{"dora", "583231"}, OperatorToken: "0123456789abcdef0123456789abcdef", GitHubClientID: "Iv1", GitHubClientSecret: "hush", LoginLink: true,
			OIDC: config.OIDC{
				Issuer: "https://id.example.com", ClientID: "c", ClientSecret: "s", Operators: []string{"olga@example.com"}, GroupsClaim: "roles",
				OperatorGroups: []string{"platform"}, ViewerGroups: []string{"staff"},
			},
		},
		Limits: config.Limits{Deployments: 1, Previews: 7, PreviewsPerRepository: 6},
		Worker: config.Worker{Lease: 2 * time.Second, Poll: time.Second, Sweep: time.Minute, SweepGone: 40, Health: time.Minute},
		Kept:   config.Kept{For: 24 * time.Hour, Directory: "/var/kept", Megabytes: 3},
		Repositories: []config.Repository{{
			Name: "acme/web", Image: config.Image{Tag: "{{.Branch}}"}, Host: "{{.Repo}}-{{.Number}}.localhost",
			IngressClass: "i", Issuer: "is", TLSSecret: "t", PodSecurity: "baseline", Forks: "approve",
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if url := got.Preview.URL("pr-web-7.localhost"); url != "http://pr-web-7.localhost:8080" {
		t.Errorf("URL = %q", url)
	}
	if host := got.GitHub.Host(); host != "127.0.0.1" {
		t.Errorf("GitHub host = %q", host)
	}
	if n := len(got.GitHub.WebhookSecrets()); n != 2 {
		t.Errorf("%d webhook secrets, want 2", n)
	}
}

func TestSecretFromFile(t *testing.T) {
	t.Parallel()
	secret := write(t, "secret", "from a file\n")
	file := write(t, "catalyst.yaml", "github:\n  token: from the configuration\n  webhook_secret: from the configuration\npreview:\n  domain: p.example.com\n")
	got := load(t, file, "CATALYST_GITHUB_WEBHOOK_SECRET_FILE="+secret)
	if got.GitHub.WebhookSecret != "from a file" {
		t.Errorf("secret = %q", string(got.GitHub.WebhookSecret))
	}
	values := write(t, "values.yaml", "a: {1: x}\n")
	got = load(t, file, "CATALYST_PREVIEW_VALUES_FILE="+values)
	if diff := cmp.Diff(map[string]any{"a": map[string]any{"1": "x"}}, got.Preview.Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// TestVariableReplaces: a variable replaces the file's list or map as a whole, and positions follow.
func TestVariableReplaces(t *testing.T) {
	t.Parallel()
	file := write(t, "catalyst.yaml", "preview:\n  values: {a: 1}\nrepositories:\n- name: acme/web\n- name: acme/api\n")
	got := load(t, file, enough("CATALYST_PREVIEW_VALUES=b: 2", "CATALYST_REPOSITORIES=[{name: acme/one}]")...)
	if diff := cmp.Diff(map[string]any{"b": 2}, got.Preview.Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if len(got.Repositories) != 1 || got.Repositories[0].Name != "acme/one" {
		t.Errorf("repositories = %v", got.Repositories)
	}
	lines := complaints(t, file, enough("CATALYST_REPOSITORIES=[{name: one}]")...)
	want := []string{`repositories[0].name (CATALYST_REPOSITORIES) is "one": expected OWNER/NAME as on GitHub`}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestAllMistakesAtOnce is what people see after a bad day.
func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	lines := complaints(t, "testdata/mistakes.yaml",
		"CATALYST_WORKER_POLL=soon", "CATALYST_GITHUB_WEBHOK_SECRET=hush", "CATALYST_DATABSE=x",
		"CATALYST_PORT=tcp://10.0.0.1:80", "CATALYST_SERVICE_HOST=10.0.0.1", "CATALYST_PREVIEW_SERVICE_PORT_HTTP=80", "CATALYST_URL=http://x")
	golden(t, "testdata/mistakes.golden", strings.Join(lines, "\n")+"\n")
	if text := strings.Join(lines, "\n"); strings.Contains(text, "swordfish") {
		t.Errorf("a secret is shown:\n%s", text)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update rewrites it:\n%s", path, diff)
	}
}

func TestDatabases(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"catalyst.db", "/var/lib/catalyst.db", "postgres://u@db/c", "postgresql://u@db:5432/c", "postgres://u@/c?host=%2Frun%2Fpostgresql"} {
		if got := load(t, "", append(enough(), "CATALYST_DATABASE="+good)...).Database; got != good {
			t.Errorf("%s became %s", good, got)
		}
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/reference.md", config.Reference())
}

// TestRefused names for each bad value the mistake that must come, alone.
func TestRefused(t *testing.T) {
	t.Parallel()
	empty := write(t, "empty", "\n")
	for _, c := range []struct{ set, want string }{
		{"CATALYST_LISTEN=8090", `listen (CATALYST_LISTEN) is "8090": expected an address and a port like "127.0.0.1:8090" or ":8090"`},
		{"CATALYST_LISTEN=:99999", `listen (CATALYST_LISTEN) is ":99999": expected an address and a port`},
		{"CATALYST_PUBLIC_URL=http://catalyst.example.com", `public_url (CATALYST_PUBLIC_URL) is "http://catalyst.example.com": expected a URL like https://`},
		{"CATALYST_DATABASE=postgres:///x", `database (CATALYST_DATABASE) is "postgres:///x": expected the path of a SQLite file`},
		{"CATALYST_DATABASE=mysql://u:swordfish@db/x", `database (CATALYST_DATABASE) is "mysql://(hidden)@db/x": expected the path of a SQLite file`},
		{"CATALYST_INSTANCE=a b", `instance (CATALYST_INSTANCE) is "a b": expected a Kubernetes label value`},
		{"CATALYST_LOG_LEVEL=loud", `log.level (CATALYST_LOG_LEVEL) is "loud": expected debug, info, warn or error`},
		{"CATALYST_GITHUB_API_URL=api.github.com", `github.api_url (CATALYST_GITHUB_API_URL) is "api.github.com/": expected a URL`},
		{"CATALYST_GITHUB_APP_ID=seven", `github.app_id (CATALYST_GITHUB_APP_ID) is "seven": expected a whole number`},
		{"CATALYST_GITHUB_APP_ID=7", `github.token (CATALYST_GITHUB_TOKEN): set together with github.app_id`},
		{"CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS=hush", `github.webhook_secret_previous (CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS): is the same`},
		{"CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS=  ", `github.webhook_secret_previous (CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS): is empty`},
		{"CATALYST_GITHUB_WEBHOOK_SECRET_FILE=" + empty, `github.webhook_secret (CATALYST_GITHUB_WEBHOOK_SECRET_FILE): given twice`},
		{"CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS_FILE=" + empty, `github.webhook_secret_previous (CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS_FILE): the file`},
		{"CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS_FILE=/nowhere", `github.webhook_secret_previous (CATALYST_GITHUB_WEBHOOK_SECRET_PREVIOUS_FILE): expected a file that can be read`},
		{"CATALYST_PREVIEW_SCHEME=http", `preview.scheme (CATALYST_PREVIEW_SCHEME) is "http": expected https`},
		{"CATALYST_PREVIEW_POD_SECURITY=privileged", `preview.pod_security (CATALYST_PREVIEW_POD_SECURITY) is "privileged": expected restricted or baseline`},
		{"CATALYST_PREVIEW_GATEWAY=public", `preview.gateway (CATALYST_PREVIEW_GATEWAY) is "public": expected NAMESPACE/NAME`},
		{"CATALYST_PREVIEW_GUARDS_PODS=0", `preview.guards.pods (CATALYST_PREVIEW_GUARDS_PODS) is "0": expected a whole number from 1`},
		{"CATALYST_PREVIEW_GUARDS_MEMORY_LIMITS=16 GB", `preview.guards.memory_limits (CATALYST_PREVIEW_GUARDS_MEMORY_LIMITS) is "16 GB": expected a quantity`},
		{"CATALYST_PREVIEW_GUARDS_INGRESS_NAMESPACES={a: b}", `preview.guards.ingress_namespaces (CATALYST_PREVIEW_GUARDS_INGRESS_NAMESPACES) is "{a: b}": expected a label selector`},
		{"CATALYST_PREVIEW_GUARDS_EGRESS_ADDRESSES=[10.0.0.0/8, 10.0.0.1]", `preview.guards.egress_addresses[1] (CATALYST_PREVIEW_GUARDS_EGRESS_ADDRESSES) is "10.0.0.1": expected an address range`},
		{"CATALYST_PREVIEW_GUARDS_REGISTRIES=[ghcr.io/acme/]", `preview.guards.registries[0] (CATALYST_PREVIEW_GUARDS_REGISTRIES) is "ghcr.io/acme/": expected a registry`},
		{"CATALYST_PREVIEW_URL_PORT=70000", `preview.url_port (CATALYST_PREVIEW_URL_PORT) is "70000": expected a port`},
		{"CATALYST_PREVIEW_ISSUER=letsencrypt", `preview.tls_secret: must be set when preview.issuer is`},
		{"CATALYST_PREVIEW_HOST={{.Nmae}}.x", `preview.host (CATALYST_PREVIEW_HOST) is "{{.Nmae}}.x": expected a template of {{.Name}}, {{.Owner}}, {{.Repo}}, {{.Number}} and {{.Branch}} that gives a host name: {{.Nmae}} is not known`},
		{"CATALYST_PREVIEW_HOST={{.Name", `preview.host (CATALYST_PREVIEW_HOST) is "{{.Name": expected a template`},
		{"CATALYST_PREVIEW_HOST={{.Name}}_x.example.com", `preview.host (CATALYST_PREVIEW_HOST) is "{{.Name}}_x.example.com": expected a template`},
		{"CATALYST_PREVIEW_HOST=" + strings.Repeat("a", 60) + "-{{.Number}}-{{.Repo}}.example.com", `preview.host (CATALYST_PREVIEW_HOST) is`},
		{"CATALYST_PREVIEW_HOST={{.Repo}}.example.com", `preview.host (CATALYST_PREVIEW_HOST) is "{{.Repo}}.example.com": gives every pull request the same host`},
		{"CATALYST_PREVIEW_VALUES=[1]", `preview.values (CATALYST_PREVIEW_VALUES) is "[1]": expected a map`},
		{"CATALYST_PREVIEW_READY_TIMEOUT=3", `preview.ready_timeout (CATALYST_PREVIEW_READY_TIMEOUT) is "3": expected a duration like "30s" or "3m"`},
		{"CATALYST_PREVIEW_READY_TIMEOUT=-1m", `preview.ready_timeout (CATALYST_PREVIEW_READY_TIMEOUT) is "-1m0s": expected a duration from 1s to 1h0m0s`},
		{"CATALYST_LIMITS_DEPLOYMENTS=0", `limits.deployments (CATALYST_LIMITS_DEPLOYMENTS) is "0": expected a whole number from 1 to 100`},
		{"CATALYST_REPOSITORIES={name: acme/web}", `repositories (CATALYST_REPOSITORIES) is "map[name:acme/web]": expected a list`},
		{"CATALYST_REPOSITORIES=[", `repositories (CATALYST_REPOSITORIES) is "[": expected a list as YAML or JSON`},
		{"CATALYST_REPOSITORIES=[{}]", `repositories[0].name (CATALYST_REPOSITORIES): must be set: OWNER/NAME on GitHub.`},
		{"CATALYST_REPOSITORIES=[{name: a/b}, {name: A/B}]", `repositories[1].name (CATALYST_REPOSITORIES) is "A/B": is the same repository as repositories[0]`},
		{"CATALYST_REPOSITORIES=[{name: a/b, chart: ../x}]", `repositories[0].chart (CATALYST_REPOSITORIES) is "../x": expected a path inside the repository`},
		{"CATALYST_REPOSITORIES=[{name: a/b, values: /etc/passwd}]", `repositories[0].values (CATALYST_REPOSITORIES) is "/etc/passwd": expected a path inside the repository`},
		{"CATALYST_REPOSITORIES=[{name: a/b, image: {repository: 'x:1'}}]", `repositories[0].image.repository (CATALYST_REPOSITORIES) is "x:1": expected an image without a tag`},
		{"CATALYST_REPOSITORIES=[{name: a/b, image: {tag: '{{.Sha}}'}}]", `repositories[0].image.tag (CATALYST_REPOSITORIES) is "{{.Sha}}": expected a template of {{.SHA}}, {{.ShortSHA}}, {{.Number}} and {{.Branch}} that gives a tag: {{.Sha}} is not known`},
		{"CATALYST_REPOSITORIES=[{name: a/b, image: {tag: 'a:b'}}]", `repositories[0].image.tag (CATALYST_REPOSITORIES) is "a:b": expected a template`},
		{"CATALYST_REPOSITORIES=[{name: a/b, forks: always}]", `repositories[0].forks (CATALYST_REPOSITORIES) is "always": expected approve, deploy or never`},
		{"CATALYST_REPOSITORIES=[{name: a/b, trusted_bots: [renovate]}]", `repositories[0].trusted_bots[0] (CATALYST_REPOSITORIES) is "renovate": expected the login of an App, which ends in [bot]`},
		{"CATALYST_REPOSITORIES=[{name: a/b, trusted_bots: [7]}]", `repositories[0].trusted_bots[0] (CATALYST_REPOSITORIES) is "7": expected text`},
		{"CATALYST_REPOSITORIES=[{name: a/b, trusted_bots: 'renovate[bot]'}]", `repositories[0].trusted_bots (CATALYST_REPOSITORIES) is "renovate[bot]": expected a list`},
		{"CATALYST_REPOSITORIES=[{name: a/b, host: '{{.Number}}.x'}, {name: a/c, host: '{{.Number}}.x'}]", `repositories[1].host (CATALYST_REPOSITORIES) is "{{.Number}}.x": gives the same host as repositories[0]`},
		{"CATALYST_REPOSITORIES=[{name: a/b, secrets: [{from: x}]}]", `repositories[0].secrets[0].name (CATALYST_REPOSITORIES): must be set: Name of the copy`},
		{"CATALYST_REPOSITORIES=[{name: a/b, secrets: [{name: A_b}]}]", `repositories[0].secrets[0].name (CATALYST_REPOSITORIES) is "A_b": expected the name of a Kubernetes object`},
		{"CATALYST_REPOSITORIES=[{name: a/b, secrets: [{name: db, from: ../db}]}]", `repositories[0].secrets[0].from (CATALYST_REPOSITORIES) is "../db": expected the name of a Kubernetes object`},
		{"CATALYST_REPOSITORIES=[{name: a/b, secrets: [{name: db}, {name: db, from: other}]}]", `repositories[0].secrets[1].name (CATALYST_REPOSITORIES) is "db": is the name of secrets[0], too`},
		{"CATALYST_REPOSITORIES=[{name: a/b, secrets: [{name: db, forks: some}]}]", `repositories[0].secrets[0].forks (CATALYST_REPOSITORIES) is "some": expected true or false`},
		{"CATALYST_REPOSITORIES=[{name: a/b, secrets: [{name: db, fork: true}]}]", `repositories[0].secrets[0].fork (CATALYST_REPOSITORIES): no such key; did you mean forks?`},
		{"CATALYST_ACCESS_OPERATOR_TOKEN=short", `access.operator_token (CATALYST_ACCESS_OPERATOR_TOKEN): expected at least 32 characters`},
		{"CATALYST_ACCESS_OPERATORS=[a b]", `access.operators[0] (CATALYST_ACCESS_OPERATORS) is "a b": expected a login on GitHub`},
		{"CATALYST_ACCESS_GITHUB_CLIENT_ID=Iv1", `access.github_client_secret: must be set when access.github_client_id is`},
		{"CATALYST_CLUSTER_SECRETS_NAMESPACE=A", `cluster.secrets_namespace (CATALYST_CLUSTER_SECRETS_NAMESPACE) is "A": expected the name of a Kubernetes object`},
	} {
		lines := complaints(t, "", enough(c.set)...)
		if len(lines) != 1 || !strings.HasPrefix(lines[0], c.want) {
			t.Errorf("%s\n got %q\nwant [%q…]", c.set, lines, c.want)
		}
	}
}

func TestSecretCopies(t *testing.T) {
	t.Parallel()
	got := load(t, "", enough("CATALYST_REPOSITORIES=[{name: a/b, secrets: [{name: db}, {name: pull, from: registry, pull: true, forks: true}]}]")...)
	want := []config.SecretCopy{{Name: "db", From: "db"}, {Name: "pull", From: "registry", Pull: true, Forks: true}}
	if diff := cmp.Diff(want, got.Repositories[0].Secrets); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	outside := enough("CATALYST_REPOSITORIES=[{name: a/b, secrets: [{name: db}]}]", "CATALYST_CLUSTER_KUBECONFIG=admin.conf")
	lines := complaints(t, "", outside...)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "cluster.secrets_namespace: must be set when Catalyst runs outside") {
		t.Errorf("%q", lines)
	}
	load(t, "", append(outside, "CATALYST_CLUSTER_SECRETS_NAMESPACE=catalyst")...)
}

func TestNothingSet(t *testing.T) {
	t.Parallel()
	want := []string{
		"github.webhook_secret: must be set, in the file or as CATALYST_GITHUB_WEBHOOK_SECRET: Secret that signs GitHub's webhooks.",
		"preview.domain: must be set, in the file or as CATALYST_PREVIEW_DOMAIN: Domain under which previews answer. *.DOMAIN must lead to the ingress controller.",
		"github.app_id: must be set, with github.private_key (or else github.token): without one of them Catalyst cannot talk to GitHub",
	}
	if diff := cmp.Diff(want, complaints(t, "")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listen: [":             "line 1",
		"listen: :1\nlisten: 2": "already defined",
		"- a":                   "cannot unmarshal",
	} {
		lines := complaints(t, write(t, "catalyst.yaml", text), enough()...)
		if got := strings.Join(lines, "\n"); !strings.Contains(got, want) || !strings.Contains(got, "FILE") {
			t.Errorf("%q: %q does not name the file and %q", text, got, want)
		}
	}
	if lines := complaints(t, filepath.Join(t.TempDir(), "none.yaml"), enough()...); len(lines) == 0 {
		t.Error("a missing file is accepted")
	}
}

// TestSecrets: everything that has to stay out of logs is told, wherever it stands.
func TestSecrets(t *testing.T) {
	t.Parallel()
	c := config.Config{
		Database: "postgres://u:db-pass@db/c",
		GitHub:   config.GitHub{PrivateKey: "key", Token: "token", WebhookSecret: "hook", WebhookSecretPrevious: "previous"},
		Preview:  config.Preview{Values: map[string]any{"db": map[string]any{"password": "value-pass"}}},
	}
	told := strings.Join(c.Secrets(), "\n")
	for _, secret := range []string{"db-pass", "key", "token", "hook", "previous", "value-pass"} {
		if !strings.Contains(told, secret) {
			t.Errorf("%s is not among\n%s", secret, told)
		}
	}
	c = config.Config{Database: "catalyst.db", GitHub: config.GitHub{Token: "token"}}
	if diff := cmp.Diff([]string{"token"}, c.Secrets()); diff != "" {
		t.Error(diff)
	}
}

// TestSecretsAreHidden prints a configuration in every way it could end up in a log.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	c := load(t, "", enough("CATALYST_GITHUB_TOKEN=swordfish")...)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "swordfish") || strings.Contains(text, "hush") {
			t.Errorf("%s shows a secret: %s", verb, text)
		}
	}
}
