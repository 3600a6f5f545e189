package cluster

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/preview"
)

// deployers are what is there of deployers in the namespace of the test.
func (b *bundle) deployers() []string {
	b.t.Helper()
	var names []string
	accounts, err := b.admin.CoreV1().ServiceAccounts(b.id.Namespace).List(b.t.Context(), metav1.ListOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, a := range accounts.Items {
		if a.Name != "default" {
			names = append(names, "account "+a.Name)
		}
	}
	bindings, err := b.admin.RbacV1().RoleBindings(b.id.Namespace).List(b.t.Context(), metav1.ListOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range bindings.Items {
		if r.Name != guardianRole {
			names = append(names, "binding "+r.Name)
		}
	}
	return names
}

// TestDeployerLeavesNothing: neither after success nor after failure nor after being stopped.
func TestDeployerLeavesNothing(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), nil)
	if left := b.deployers(); len(left) > 0 {
		t.Errorf("after success: %q", left)
	}
	broken := makeChart(map[string]string{"a.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{port: 99999}]}\n"})
	if _, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: broken, Values: b.values(nil)}); err == nil {
		t.Error("deployed")
	}
	if left := b.deployers(); len(left) > 0 {
		t.Errorf("after failure: %q", left)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if strings.Contains(req.URL.Path, "/configmaps/") {
			cancel()
		}
		return nil, nil
	})
	if _, err := b.c.Deploy(ctx, DeployRequest{Identity: b.id, Files: web(), Values: b.values(nil)}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	if left := b.deployers(); len(left) > 0 {
		t.Errorf("after being stopped: %q", left)
	}
}

// TestChartIsAppliedAsTheDeployer: every object of the chart is written by the deployer, and every record by Catalyst.
func TestChartIsAppliedAsTheDeployer(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	var mu sync.Mutex
	writers := map[string]map[bool]bool{} // by resource: was it the deployer?
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		_, rest, ok := strings.Cut(req.URL.Path, "/namespaces/"+b.id.Namespace+"/")
		if req.Method == http.MethodGet || !ok {
			return nil, nil
		}
		resource, _, _ := strings.Cut(rest, "/")
		mu.Lock()
		defer mu.Unlock()
		if writers[resource] == nil {
			writers[resource] = map[bool]bool{}
		}
		writers[resource][strings.HasPrefix(req.Header.Get("Authorization"), "Bearer ")] = true
		return nil, nil
	})
	b.deploy(web(), nil)
	for resource, deployer := range map[string]bool{
		"configmaps": true, "services": true, "deployments": true, "ingresses": true,
		"secrets": false, "serviceaccounts": false, "rolebindings": false,
	} {
		if got := writers[resource]; !got[deployer] || got[!deployer] {
			t.Errorf("%s written by the deployer (true) or Catalyst (false): %v", resource, got)
		}
	}
}

// TestStaleDeploymentIsFencedOff: a worker was paused in the middle of its deployment, and another has taken over. When it wakes up, and
// knows nothing of that, the API server lets it write nothing more.
func TestStaleDeploymentIsFencedOff(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), map[string]any{"commit": "zero"})
	paused, resume := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	var answers []int
	stale, err := New(t.Context(), Options{
		Kubeconfig: clustertest.Catalyst(t, "test"), InstanceID: "test", Renderer: renderer,
		wrap: func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				object := req.Method == http.MethodPatch && !strings.Contains(req.URL.Path, "/serviceaccounts")
				if object {
					once.Do(func() { close(paused); <-resume })
				}
				resp, err := next.RoundTrip(req)
				if object && err == nil {
					mu.Lock()
					answers = append(answers, resp.StatusCode)
					mu.Unlock()
				}
				return resp, err
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := stale.Deploy(t.Context(), DeployRequest{Identity: b.id, Attempt: 1, Files: web(), Values: b.values(map[string]any{"commit": "stale"})})
		ended <- err
	}()
	select {
	case <-paused:
	case err := <-ended:
		t.Fatalf("it ended before it was paused: %v", err)
	}
	if _, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Attempt: 2, Files: web(), Values: b.values(map[string]any{"commit": "new"})}); err != nil {
		t.Fatal(err)
	}
	close(resume)
	if err := <-ended; !errors.Is(err, preview.ErrStale) {
		t.Errorf("the stale worker ends with: %v", err)
	}
	mu.Lock()
	t.Logf("the API server answered the stale worker: %v", answers)
	if len(answers) == 0 || slices.ContainsFunc(answers, func(code int) bool { return code != http.StatusForbidden && code != http.StatusUnauthorized }) {
		t.Errorf("the API server answered the stale worker: %v", answers)
	}
	mu.Unlock()
	settings, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).Get(t.Context(), "settings", metav1.GetOptions{})
	if err != nil || settings.Data["commit"] != "new" {
		t.Errorf("settings %v, %v", settings.Data, err)
	}
	// And one that wakes up before it has begun takes nobody their rights.
	late, err := b.c.hire(t.Context(), b.c.client, b.id.Namespace, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stale.Deploy(t.Context(), DeployRequest{Identity: b.id, Attempt: 1, Files: web(), Values: b.values(nil)}); !errors.Is(err, preview.ErrStale) {
		t.Errorf("an older attempt begins with: %v", err)
	}
	if late.overtaken(t.Context()) {
		t.Error("an older attempt took a later one its rights")
	}
}

// TestRightsEndAtOnce measures how long a token goes on working after the deployer was removed.
func TestRightsEndAtOnce(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d, err := b.c.hire(t.Context(), b.c.client, b.id.Namespace, 1)
	if err != nil {
		t.Fatal(err)
	}
	as, err := kubernetes.NewForConfigAndClient(rest.CopyConfig(b.c.config), &http.Client{Transport: d})
	if err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context) error {
		_, err := as.CoreV1().ConfigMaps(b.id.Namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err
	}
	if err := inForce(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	if err := d.dismiss(t.Context(), b.c.client); err != nil {
		t.Fatal(err)
	}
	removed := time.Now()
	b.eventually(func() error {
		if err := read(t.Context()); !unauthorized(err) {
			return errors.New("still let through")
		}
		return nil
	})
	t.Logf("refused %s after the binding was removed", time.Since(removed))
	b.eventually(func() error {
		if err := read(t.Context()); !apierrors.IsUnauthorized(err) {
			return errors.New("the token is still taken for good")
		}
		return nil
	})
	t.Logf("not even recognised %s after the account was removed", time.Since(removed))
}

// TestTokenIsRenewed: a hook may take longer than a token lives.
func TestTokenIsRenewed(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d, err := b.c.hire(t.Context(), b.c.client, b.id.Namespace, 1)
	if err != nil {
		t.Fatal(err)
	}
	first := d.token
	d.expires = time.Now().Add(tokenRest - time.Second)
	as, err := kubernetes.NewForConfigAndClient(rest.CopyConfig(b.c.config), &http.Client{Transport: d})
	if err != nil {
		t.Fatal(err)
	}
	who, err := as.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if want := "system:serviceaccount:" + b.id.Namespace + ":catalyst-deployer-1"; err != nil || who.Status.UserInfo.Username != want {
		t.Errorf("%v, %v", who, err)
	}
	if d.token == first || time.Until(d.expires) < tokenLife-time.Minute {
		t.Errorf("the token was not renewed; it ends %s", d.expires)
	}
}

// TestLeftDeployersAreRemoved: what a dead process has left, whatever its number, when it is old or of an earlier attempt.
func TestLeftDeployersAreRemoved(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	if _, err := b.c.hire(t.Context(), b.c.client, b.id.Namespace, 4); err != nil {
		t.Fatal(err)
	}
	// A binding alone: the process died between the two.
	if err := b.admin.CoreV1().ServiceAccounts(b.id.Namespace).Delete(t.Context(), deployerPrefix+"4", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Attempt: 5, Files: web(), Values: b.values(nil)}); err != nil {
		t.Fatal(err)
	}
	if left := b.deployers(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestMissingRoleIsNamed: a cluster in which the manifests were not applied.
func TestMissingRoleIsNamed(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	// The binding of another role under the deployer's name stands for one of a role that is not there.
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/rolebindings") {
			body := strings.NewReader(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"catalyst-deployer-0"}}`)
			return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}}, Body: nopCloser{body}, Request: req}, nil
		}
		return nil, nil
	})
	_, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: web(), Values: b.values(nil)})
	d := diagnosis(t, err)
	wantText(t, d, preview.CodeNamespace, deployerRole)
	if d.Blame != preview.BlameCluster || !strings.Contains(d.Fix, "deploy/manifests") {
		t.Errorf("%+v", d)
	}
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }
