// Package guards attacks the cluster as somebody would who has Catalyst's own token, and writes down what each identity may do. What a chart may do is
// tested in internal/cluster.
package guards

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/test/install"
	"catalyst.dev/catalyst/test/rig"
)

const (
	instance = "guards"
	preview  = "guards-preview" // a namespace of this Catalyst
	foreign  = "guards-foreign" // somebody's
	sibling  = "guards-sibling" // of another Catalyst in the same cluster
	deployer = "catalyst-deployer-1"
)

// bench is a cluster with Catalyst installed, one preview, and neighbours.
type bench struct {
	options install.Options
	admin   *kubernetes.Clientset
	host    string
	as      func(token string) *http.Client
	token   string // Catalyst's own
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{options: install.Options{Kubeconfig: clustertest.Kubeconfig(t), Instance: instance, Domains: []string{"preview.localhost"}}}
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	identity, err := install.Apply(t.Context(), root, b.options)
	if err != nil {
		t.Fatal(err)
	}
	b.token = identity.AuthInfos[identity.Contexts[identity.CurrentContext].AuthInfo].Token
	config, err := clientcmd.BuildConfigFromFlags("", b.options.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	b.host = config.Host
	if b.admin, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	b.as = func(token string) *http.Client {
		as := rest.AnonymousClientConfig(config)
		as.BearerToken = token
		client, err := rest.HTTPClientFor(as)
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	b.namespace(t, foreign, nil)
	b.namespace(t, sibling, owned("other"))
	b.namespace(t, preview, owned(instance))
	b.bind(t, "catalyst-guardian", rbacv1.Subject{Kind: "ServiceAccount", Namespace: b.options.Namespace(), Name: "catalyst"})
	b.account(t, deployer)
	b.bind(t, "catalyst-deployer", rbacv1.Subject{Kind: "ServiceAccount", Namespace: preview, Name: deployer})
	return b
}

// owned are the labels of a preview.
func owned(instance string) map[string]string {
	return map[string]string{
		"catalyst.dev/instance": instance, "catalyst.dev/repository-id": "1", "catalyst.dev/pull-request": "1", "app.kubernetes.io/managed-by": "catalyst",
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "v1.37",
	}
}

func (b *bench) namespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	if _, err := b.admin.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "secret"}, StringData: map[string]string{"password": "canary"}}
	if _, err := b.admin.CoreV1().Secrets(name).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

func (b *bench) account(t *testing.T, name string) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := b.admin.CoreV1().ServiceAccounts(preview).Create(t.Context(), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

func (b *bench) bind(t *testing.T, role string, subject rbacv1.Subject) {
	t.Helper()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}, Subjects: []rbacv1.Subject{subject},
	}
	if _, err := b.admin.RbacV1().RoleBindings(preview).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// accountToken is a token of an account in the preview.
func (b *bench) accountToken(t *testing.T, name string) string {
	t.Helper()
	answer, err := b.admin.CoreV1().ServiceAccounts(preview).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}

// request is one request to the API server, as somebody might type it.
type request struct {
	line   string // "POST /api/v1/namespaces", a PATCH is a merge patch
	body   string // JSON
	header string // lines like "Impersonate-User: admin"
}

// send makes the request and returns the status code and what the API server says.
func (r request) send(ctx context.Context, host string, client *http.Client) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	method, path, _ := strings.Cut(r.line, " ")
	req, err := http.NewRequestWithContext(ctx, method, host+path, strings.NewReader(r.body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	for line := range strings.Lines(r.header) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		req.Header.Set(key, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var said bytes.Buffer
	if _, err := said.ReadFrom(resp.Body); err != nil {
		return 0, "", err
	}
	var status metav1.Status
	if json.Unmarshal(said.Bytes(), &status) == nil && status.Message != "" {
		return resp.StatusCode, status.Message, nil
	}
	return resp.StatusCode, said.String(), nil
}
