package cluster

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/preview"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	b := connect(t)
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "ct-check"}, Spec: networkingv1.IngressClassSpec{Controller: "example.com/ingress"}}
	if _, err := b.admin.NetworkingV1().IngressClasses().Create(t.Context(), class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	for _, f := range findings(t, b.c, CheckRequest{IngressClasses: []string{"ct-check"}}) {
		if f.Status == doctor.Fail || f.Found == "" || (f.Status == doctor.OK) != (f.Why == "" && f.Fix == "") {
			t.Errorf("%+v", f)
		}
	}
	expect(t, findings(t, b.c, CheckRequest{IngressClasses: []string{"nowhere"}}), "ingress class nowhere", doctor.Fail, "ct-check")
}

// findings runs the checks.
func findings(t *testing.T, c *Cluster, r CheckRequest) []doctor.Finding {
	t.Helper()
	return doctor.Run(t.Context(), c.Checks(r))
}

// expect looks for the finding of a name, and that it says why it matters and what to do.
func expect(t *testing.T, all []doctor.Finding, name string, status doctor.Status, found string) {
	t.Helper()
	for _, f := range all {
		if f.Name != name {
			continue
		}
		if f.Status != status || !strings.Contains(f.Found, found) || status != doctor.OK && (f.Why == "" || f.Fix == "") {
			t.Errorf("%+v; want %s, %q", f, status, found)
		}
		return
	}
	t.Errorf("nothing is said of %s in %+v", name, all)
}

// TestCheckIssuer: this cluster has no cert-manager.
func TestCheckIssuer(t *testing.T) {
	t.Parallel()
	b := connect(t)
	expect(t, findings(t, b.c, CheckRequest{Issuers: []string{"letsencrypt"}}), "issuer letsencrypt", doctor.Fail, "does not know cert-manager")
}

func TestCheckSources(t *testing.T) {
	t.Parallel()
	b := connect(t)
	s := b.sources()
	s.put("marked", "4711", corev1.SecretTypeOpaque, map[string]string{"a": "b"})
	s.put("unmarked", "", corev1.SecretTypeOpaque, map[string]string{"a": "b"})
	s.put("login", "4711", corev1.SecretTypeBasicAuth, map[string]string{"username": "a", "password": "b"})
	all := findings(t, b.c, CheckRequest{Secrets: []string{"marked", "unmarked", "login", "none"}})
	expect(t, all, "secret marked", doctor.OK, "4711")
	expect(t, all, "secret unmarked", doctor.Fail, "marked for no repository")
	expect(t, all, "secret login", doctor.Fail, "basic-auth")
	expect(t, all, "secret none", doctor.Fail, "does not exist")
}

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	c := &Cluster{config: &rest.Config{Host: "https://api"}}
	for found, want := range map[string]doctor.Status{
		"v1.29.9": doctor.Fail, "v1.30.0": doctor.OK, "v1.37.2+k3s1": doctor.OK, "v1.38.0-alpha.1": doctor.Warn, "v2.0.0": doctor.Warn, "?": doctor.Warn,
	} {
		if f := c.judgeVersion(found).told(); f.Status != want {
			t.Errorf("%s: %+v, want %s", found, f, want)
		}
	}
}

// TestCheckClock: the clock is compared with the API server's.
func TestCheckClock(t *testing.T) {
	t.Parallel()
	b := connect(t)
	all := findings(t, b.c, CheckRequest{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	expect(t, all, "clock", doctor.Fail, "ahead")
}

// TestCheckWithoutRights looks at the cluster as somebody who may do nothing.
func TestCheckWithoutRights(t *testing.T) {
	t.Parallel()
	config, err := clientcmd.LoadFromFile(clustertest.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Impersonate = "nobody@example.com"
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	c, err := New(t.Context(), Options{Kubeconfig: path, InstanceID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	denied := 0
	all := findings(t, c, CheckRequest{IngressClasses: []string{"nowhere"}, Issuers: []string{"letsencrypt"}, Secrets: []string{"acme-db"}})
	for _, f := range all {
		if f.Status != doctor.OK && (f.Found == "" || f.Why == "" || f.Fix == "") {
			t.Errorf("%+v", f)
		}
		if f.Status == doctor.Fail && strings.HasPrefix(f.Name, "may manage ") {
			denied++
		}
	}
	if want := len(rights()); denied != want {
		t.Errorf("%d rights are missing, want %d", denied, want)
	}
	expect(t, all, "ingress class nowhere", doctor.Fail, "forbidden")
	expect(t, all, "issuer letsencrypt", doctor.Warn, "may not read it")
	expect(t, all, "default storage class", doctor.Warn, "forbidden")
	expect(t, all, "secret acme-db", doctor.Fail, "forbidden")
	_, err = ensure(t.Context(), c, Identity{Namespace: "ct-never", Key: preview.Key{RepositoryID: 1, Number: 1}}, Guards{})
	if !errors.Is(err, preview.ErrForbidden) {
		t.Errorf("ensure: %v", err)
	}
	if _, err := c.Namespaces(t.Context()); !errors.Is(err, preview.ErrForbidden) {
		t.Errorf("list: %v", err)
	}
	if err := c.WaitReady(t.Context(), Identity{Namespace: "default"}, []ObjectRef{{Group: "apps", Version: "v1", Kind: "Deployment", Name: "web"}}, 1<<40, nil); !errors.Is(err, preview.ErrForbidden) {
		t.Errorf("wait: %v", err)
	}
}

func TestSilentAPIServer(t *testing.T) {
	t.Parallel()
	b := connect(t)
	if err := b.c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	refused := errors.New("connection refused")
	b.traffic.intercept(func(*http.Request) (*http.Response, error) { return nil, refused })
	if err := b.c.Ping(t.Context()); !errors.Is(err, refused) {
		t.Errorf("ping: %v", err)
	}
	for _, f := range findings(t, b.c, CheckRequest{IngressClasses: []string{"nowhere"}}) {
		want := doctor.Skip
		if f.Name == "API server" {
			want = doctor.Fail
		}
		if f.Status != want || want == doctor.Fail && !strings.Contains(f.Found, "refused") {
			t.Errorf("%+v", f)
		}
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Kubeconfig: "kubeconfig"},
		{Kubeconfig: "kubeconfig", InstanceID: "not a label"},
	} {
		if _, err := New(t.Context(), o); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := New(t.Context(), Options{InstanceID: "test", Kubeconfig: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no kubeconfig: %v", err)
	}
}
