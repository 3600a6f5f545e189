package cluster

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/preview"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	b := connect(t)
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "ct-check"}, Spec: networkingv1.IngressClassSpec{Controller: "example.com/ingress"}}
	if _, err := b.admin.NetworkingV1().IngressClasses().Create(t.Context(), class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	for _, f := range b.c.Check(t.Context(), CheckRequest{IngressClass: "ct-check"}) {
		if untested := f.Unknown && strings.Contains(f.Found, "not tested"); !untested && (!f.OK || f.Found == "" || f.Why != "" || f.Fix != "") {
			t.Errorf("%+v", f)
		}
	}
	findings := b.c.Check(t.Context(), CheckRequest{IngressClass: "nowhere"})
	last := findings[len(findings)-2]
	if last.OK || !strings.Contains(last.Found, "ct-check") || last.Why == "" || last.Fix == "" {
		t.Errorf("%+v", last)
	}
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
	for _, f := range c.Check(t.Context(), CheckRequest{IngressClass: "nowhere"}) {
		if f.OK {
			continue
		}
		denied++
		if f.Found == "" || f.Why == "" || f.Fix == "" {
			t.Errorf("%+v", f)
		}
	}
	// Two roles, the policies, that it is held, the ingress class, the network.
	if want := len(rights()) + 6; denied != want {
		t.Errorf("%d findings, want %d", denied, want)
	}
	_, err = c.EnsureNamespace(t.Context(), Identity{Namespace: "ct-never", Key: preview.Key{RepositoryID: 1, Number: 1}}, Guards{})
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
	findings := b.c.Check(t.Context(), CheckRequest{})
	if len(findings) != 1 || findings[0].OK || !strings.Contains(findings[0].Found, "refused") {
		t.Errorf("%+v", findings)
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
