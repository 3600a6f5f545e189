package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"catalyst.dev/catalyst/internal/preview"
)

const stubbornPod = `apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  terminationGracePeriodSeconds: {{ .Values.grace }}
  securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: web
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    image: {{ .Values.image }}
    args: [-stubborn]
`

// busy is a chart with one workload of every kind that runs at once, each with a pod that does not want to end.
func busy() []File {
	deployment := strings.Replace(deploymentTemplate, "GracePeriodSeconds: 1", "GracePeriodSeconds: {{ .Values.grace }}", 1)
	as := func(kind, name string, more ...string) []byte {
		return []byte(strings.NewReplacer(append([]string{"kind: Deployment", "kind: " + kind, "name: web", "name: " + name, "app: web", "app: " + name}, more...)...).Replace(deployment))
	}
	return append(makeChart(map[string]string{"pod.yaml": stubbornPod, "config.yaml": configTemplate}),
		File{Name: "templates/deployment.yaml", Data: []byte(deployment)},
		File{Name: "templates/stateful.yaml", Data: as("StatefulSet", "stateful", "  replicas:", "  serviceName: web\n  replicas:")},
		File{Name: "templates/daemon.yaml", Data: as("DaemonSet", "daemon", "  replicas: {{ .Values.replicas }}\n", "")},
	)
}

// walls puts a NetworkPolicy into the namespace.
func (b *bundle) walls() {
	b.t.Helper()
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "walls"}}
	if _, err := b.admin.NetworkingV1().NetworkPolicies(b.id.Namespace).Create(b.t.Context(), policy, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// ends notes when objects of the namespace end, and when its own end begins, by the one count of revisions that the API server keeps for
// all kinds.
type ends struct {
	mu      sync.Mutex
	by      map[string]int64 // revision at which it ended, by "kind/name"
	watches sync.WaitGroup
}

func (b *bundle) watchEnds() *ends {
	b.t.Helper()
	e := &ends{by: map[string]int64{}}
	follow := func(kind string, w watch.Interface, err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { w.Stop(); e.watches.Wait() })
		e.watches.Go(func() {
			for event := range w.ResultChan() {
				object, err := meta.Accessor(event.Object)
				if err != nil {
					continue
				}
				revision, _ := strconv.ParseInt(object.GetResourceVersion(), 10, 64)
				name := kind + "/" + object.GetName()
				e.mu.Lock()
				if _, known := e.by[name]; !known && (event.Type == watch.Deleted || kind == "namespace" && object.GetDeletionTimestamp() != nil) {
					e.by[name] = revision
				}
				e.mu.Unlock()
			}
		})
	}
	ctx, ns := b.t.Context(), b.id.Namespace
	pods, err := b.admin.CoreV1().Pods(ns).Watch(ctx, metav1.ListOptions{})
	follow("pod", pods, err)
	policies, err := b.admin.NetworkingV1().NetworkPolicies(ns).Watch(ctx, metav1.ListOptions{})
	follow("wall", policies, err)
	namespaces, err := b.admin.CoreV1().Namespaces().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + ns})
	follow("namespace", namespaces, err)
	return e
}

// of returns the revisions at which objects of the kind ended, in no order.
func (e *ends) of(kind string) []int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	var revisions []int64
	for name, revision := range e.by {
		if strings.HasPrefix(name, kind+"/") {
			revisions = append(revisions, revision)
		}
	}
	return revisions
}

// podsFirst waits until at least so many pods have ended, and checks that they did so before the namespace began to go, and with it
// whatever else was in there.
func (b *bundle) podsFirst(e *ends, pods int) {
	b.t.Helper()
	b.eventually(func() error {
		if ended, walls := len(e.of("pod")), len(e.of("wall")); ended < pods || walls < 1 || len(e.of("namespace")) < 1 {
			return fmt.Errorf("%d pods and %d walls have ended", ended, walls)
		}
		return nil
	})
	wall, namespace := e.of("wall")[0], e.of("namespace")[0]
	for _, pod := range e.of("pod") {
		// Kubernetes from 1.33 on keeps the order of the first kind by itself; the second is Catalyst's own.
		if pod > wall || pod > namespace {
			b.t.Errorf("a pod ended at revision %d, its wall at %d, and its namespace began to at %d", pod, wall, namespace)
		}
	}
}

// TestPodsEndBeforeTheirWalls: the NetworkPolicies of a preview are there until its last pod has ended.
func TestPodsEndBeforeTheirWalls(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	if err := b.ready(b.deploy(busy(), map[string]any{"grace": 3})); err != nil {
		t.Fatal(err)
	}
	b.walls()
	ends := b.watchEnds()
	if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
		t.Fatal(err)
	}
	if err := b.c.WaitGone(t.Context(), b.id, time.Minute); err != nil {
		t.Fatal(err)
	}
	b.podsFirst(ends, 4)
}

// TestPodsThatStay: a pod that does not go holds its namespace up for a bounded time only.
func TestPodsThatStay(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.c.drainLimit = 2 * time.Second
	b.namespace()
	b.deploy(makeChart(map[string]string{"pod.yaml": stubbornPod}), map[string]any{"grace": 1})
	hold := []byte(`{"metadata":{"finalizers":["example.com/hold"]}}`) // a chart may not
	if _, err := b.admin.CoreV1().Pods(b.id.Namespace).Patch(t.Context(), "bare", types.MergePatchType, hold, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
		t.Fatal(err)
	}
	if ns, err := b.admin.CoreV1().Namespaces().Get(t.Context(), b.id.Namespace, metav1.GetOptions{}); err != nil || ns.DeletionTimestamp == nil {
		t.Errorf("not deleted: %+v, %v", ns.ObjectMeta, err)
	}
	if _, err := b.admin.CoreV1().Pods(b.id.Namespace).Patch(t.Context(), "bare", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.c.WaitGone(t.Context(), b.id, time.Minute); err != nil {
		t.Error(err)
	}
}

// TestLongGraceIsCut: a pod that asks for five minutes to end, the most it may, gets half a minute.
func TestLongGraceIsCut(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	if err := b.ready(b.deploy(makeChart(map[string]string{"pod.yaml": stubbornPod}), map[string]any{"grace": 300})); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- b.c.DeleteNamespace(t.Context(), b.id) }()
	b.eventually(func() error {
		pod, err := b.admin.CoreV1().Pods(b.id.Namespace).Get(t.Context(), "bare", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if pod.DeletionGracePeriodSeconds == nil || *pod.DeletionGracePeriodSeconds != 30 {
			return fmt.Errorf("grace period %v", pod.DeletionGracePeriodSeconds)
		}
		return nil
	})
	now := int64(0) // the test has seen enough
	if err := b.admin.CoreV1().Pods(b.id.Namespace).Delete(t.Context(), "bare", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestDrainMissesWhatIsNotOurs: a namespace that turns out to be somebody else's after its workloads were listed keeps them.
func TestDrainMissesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), nil)
	var once sync.Once
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/deployments") {
			once.Do(func() {
				taken := []byte(`{"metadata":{"labels":{"` + LabelInstance + `":"other"}}}`)
				if _, err := b.admin.CoreV1().Namespaces().Patch(t.Context(), b.id.Namespace, types.MergePatchType, taken, metav1.PatchOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		return nil, nil
	})
	if err := b.c.DeleteNamespace(t.Context(), b.id); !errors.Is(err, preview.ErrConflict) {
		t.Errorf("delete: %v", err)
	}
	web, err := b.admin.AppsV1().Deployments(b.id.Namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || web.DeletionTimestamp != nil {
		t.Errorf("the Deployment of somebody else was touched: %v", err)
	}
}

// TestDeleteStoppedAnywhere: the deletion is stopped at its first request, then at its second, and so on, until it comes through.
func TestDeleteStoppedAnywhere(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	if err := b.ready(b.deploy(web(), nil)); err != nil {
		t.Fatal(err)
	}
	b.walls()
	ends := b.watchEnds()
	stops := 0
	for {
		ctx, stop := context.WithCancel(t.Context())
		left := stops
		var mu sync.Mutex
		b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if left--; left < 0 {
				stop()
				return nil, req.Context().Err()
			}
			return nil, nil
		})
		err := b.c.DeleteNamespace(ctx, b.id)
		stop()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at request %d: %v", stops, err)
		}
		stops++
	}
	b.traffic.intercept(nil)
	if stops < len(runners)+4 {
		t.Errorf("came through with %d requests", stops)
	}
	if err := b.c.WaitGone(t.Context(), b.id, time.Minute); err != nil {
		t.Fatal(err)
	}
	b.podsFirst(ends, 1)
}

// TestDrainWithoutTheRight: a kind that Catalyst may not see keeps no namespace.
func TestDrainWithoutTheRight(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/cronjobs") {
			return refused(req, http.StatusForbidden, "Forbidden", nil), nil
		}
		return nil, nil
	})
	if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
		t.Error(err)
	}
	if err := b.c.WaitGone(t.Context(), b.id, time.Minute); err != nil {
		t.Error(err)
	}
}
