package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/render"
)

// renderer is shared by all tests: it keeps no state between charts.
var renderer *render.Renderer

// run is the tests, with what they share.
type run struct{ m *testing.M }

// Run implements goleak.TestingM.
func (r run) Run() int {
	renderer = render.New(render.Options{})
	defer renderer.Close()
	return r.m.Run()
}

func TestMain(m *testing.M) {
	RouteLogs(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(run{m},
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"), // connections kept for the next test
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("golang.org/x/net/http2.(*ClientConn).readLoop"),
		goleak.IgnoreTopFunction("net/http/internal/http2.(*ClientConn).readLoop"),
	)
}

// traffic sees every request of a Cluster, whoever it is made as.
type traffic struct {
	mu     sync.Mutex
	log    []string // "PATCH /apis/…"
	before func(*http.Request) (*http.Response, error)
}

// through is the traffic over one transport.
type through struct {
	*traffic
	next http.RoundTripper
}

func (tr through) RoundTrip(req *http.Request) (*http.Response, error) {
	tr.mu.Lock()
	line := req.Method + " " + req.URL.Path
	if req.URL.Query().Get("watch") == "true" {
		line = "WATCH " + req.URL.Path
	}
	tr.log = append(tr.log, line)
	before := tr.before
	tr.mu.Unlock()
	if before != nil {
		if resp, err := before(req); resp != nil || err != nil {
			return resp, err
		}
	}
	return tr.next.RoundTrip(req)
}

// intercept has before look at every request: it may answer it or fail it, and lets it through by returning nothing.
func (tr *traffic) intercept(before func(*http.Request) (*http.Response, error)) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.before = before
}

// take returns what was requested since the last time.
func (tr *traffic) take() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	log := tr.log
	tr.log = nil
	return log
}

// bundle is what a test works with.
type bundle struct {
	t       *testing.T
	c       *Cluster
	id      Identity
	guards  Guards
	traffic *traffic
	admin   *kubernetes.Clientset // the cluster past the code under test
}

// connect makes a Cluster of its own for the test, and an identity whose namespace is named after the test and does not exist.
func connect(t *testing.T) *bundle {
	t.Helper()
	tr := &traffic{}
	c := newCluster(t, tr)
	config, err := restConfig(clustertest.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{t: t, c: c, traffic: tr, admin: admin}
	b.id = b.identity("")
	b.guards = guardsOf(b.id)
	return b
}

func newCluster(t testing.TB, tr *traffic) *Cluster {
	t.Helper()
	c, err := New(t.Context(), Options{
		Kubeconfig: clustertest.Catalyst(t, "test"),
		InstanceID: "test",
		Renderer:   renderer,
		Log:        slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: logLevel()})),
		wrap:       func(next http.RoundTripper) http.RoundTripper { return through{tr, next} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func logLevel() slog.Level {
	if os.Getenv("CATALYST_TEST_DEBUG") != "" {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// identity is one of a further namespace of the test.
func (b *bundle) identity(suffix string) Identity {
	b.t.Helper()
	name := strings.ToLower("ct-" + strings.NewReplacer("/", "-", "_", "-").Replace(b.t.Name()) + suffix)
	b.clean(name)
	number := 1 + len(suffix)
	return Identity{Namespace: name, Key: preview.Key{RepositoryID: 4711, Number: number}, Repository: "acme/web"}
}

// clean removes what an earlier run has left.
func (b *bundle) clean(namespace string) {
	b.t.Helper()
	ctx := context.Background()
	remove := func() error {
		zero := int64(0)
		return b.admin.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{GracePeriodSeconds: &zero})
	}
	if err := remove(); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		b.t.Fatal(err)
	}
	b.eventually(func() error {
		_, err := b.admin.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil:
			return fmt.Errorf("namespace %s is still there", namespace)
		}
		return err
	})
	b.t.Cleanup(func() {
		if !b.t.Failed() { // kept for inspection
			_ = remove()
		}
	})
}

// eventually polls until there is no error.
func (b *bundle) eventually(check func() error) {
	b.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatal(err)
		}
		select {
		case <-b.t.Context().Done():
			b.t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ensure makes a namespace and guards it.
func ensure(ctx context.Context, c *Cluster, id Identity, g Guards) (string, error) {
	uid, err := c.EnsureNamespace(ctx, id, g)
	if err != nil {
		return uid, err
	}
	id.UID = uid
	return uid, c.KeepGuards(ctx, id, g)
}

// namespace makes the namespace of the test.
func (b *bundle) namespace() {
	b.t.Helper()
	uid, err := ensure(b.t.Context(), b.c, b.id, b.guards)
	if err != nil {
		b.t.Fatal(err)
	}
	b.id.UID = uid
}

// anything is the cluster past the code under test, for objects of any kind.
func (b *bundle) anything() dynamic.Interface {
	b.t.Helper()
	config, err := restConfig(clustertest.Kubeconfig(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		b.t.Fatal(err)
	}
	return client
}

// guardsOf are the guards that the configuration gives a preview when it says nothing.
func guardsOf(id Identity) Guards {
	return Guards{
		PodSecurity: "restricted",
		Host:        id.Namespace + ".preview.localhost",
		Annotations: []string{"cert-manager.io/cluster-issuer"},
		Quota: Quota{
			Pods:     30,
			Requests: Resources{"4", "8Gi", "32Gi"},
			Limits:   Resources{"16", "16Gi", "32Gi"},
			Volumes:  5, VolumeStorage: "20Gi",
		},
		Container: ContainerLimits{
			Request: Resources{"100m", "128Mi", "64Mi"},
			Limit:   Resources{"500m", "512Mi", "1Gi"},
			Max:     Resources{"4", "8Gi", "8Gi"},
		},
		Network: Network{IngressNamespaces: "kubernetes.io/metadata.name=ingress-nginx", DNSNamespaces: "kubernetes.io/metadata.name=kube-system"},
	}
}

// makeChart makes a chart of templates: name → text.
func makeChart(templates map[string]string) []File {
	files := []File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		{Name: "values.yaml", Data: []byte("args: []\nreplicas: 1\ncommit: one\n")},
	}
	for name, text := range templates {
		files = append(files, File{Name: "templates/" + name, Data: []byte(text)})
	}
	return files
}

const deploymentTemplate = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: web
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        image: {{ .Values.image }}
        args: {{ toJson .Values.args }}
        env: [{name: COMMIT, value: {{ .Values.commit | quote }}}]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        resources: {requests: {cpu: 5m, memory: 16Mi}, limits: {memory: 64Mi}}
`

const serviceTemplate = `apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`

const ingressTemplate = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: {{ .Values.host }}
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`

const configTemplate = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {commit: {{ .Values.commit | quote }}}
`

func web() []File {
	return makeChart(map[string]string{"deployment.yaml": deploymentTemplate, "service.yaml": serviceTemplate, "ingress.yaml": ingressTemplate, "config.yaml": configTemplate})
}

func (b *bundle) values(more map[string]any) map[string]any {
	values := map[string]any{"image": clustertest.Image(b.t), "host": b.id.Namespace + ".preview.localhost"}
	for k, v := range more {
		values[k] = v
	}
	return values
}

// deploy deploys and expects success.
func (b *bundle) deploy(files []File, values map[string]any) Deployed {
	b.t.Helper()
	d, err := b.c.Deploy(b.t.Context(), DeployRequest{Identity: b.id, Files: files, Values: b.values(values), Version: strings.Repeat("a", 40), Timeout: time.Minute})
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}
