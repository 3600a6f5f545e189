package cluster

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// ready waits for what was deployed, at most a minute.
func (b *bundle) ready(d Deployed) error {
	b.t.Helper()
	return b.c.WaitReady(b.t.Context(), b.id, d.Objects, time.Minute, nil)
}

// pods are those that run and are not going away.
func (b *bundle) pods() []corev1.Pod {
	b.t.Helper()
	pods, err := b.admin.CoreV1().Pods(b.id.Namespace).List(b.t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
		return pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning
	})
}

// running are the commits of the pods.
func (b *bundle) running() []string {
	b.t.Helper()
	var commits []string
	for _, pod := range b.pods() {
		commits = append(commits, pod.Spec.Containers[0].Env[0].Value)
	}
	slices.Sort(commits)
	return commits
}

// podNames are the names of the pods.
func (b *bundle) podNames() []string {
	b.t.Helper()
	var names []string
	for _, pod := range b.pods() {
		names = append(names, pod.Name)
	}
	slices.Sort(names)
	return names
}

func TestReadyIsTheNewRevision(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	var steps []Progress
	d := b.deploy(web(), map[string]any{"replicas": 2})
	if err := b.c.WaitReady(t.Context(), b.id, d.Objects, time.Minute, func(p Progress) { steps = append(steps, p) }); err != nil {
		t.Fatal(err)
	}
	for i, p := range steps {
		if p.Total != 4 || p.Ready > 4 || (p.Ready < 4) != (p.Waiting != "") || i > 0 && p == steps[i-1] {
			t.Errorf("step %d: %+v", i, p)
		}
	}
	if last := steps[len(steps)-1]; last.Ready != 4 {
		t.Errorf("last step %+v", last)
	}
	// The old pods stay ready all the while: they must not pass for the new ones.
	for _, commit := range []string{"two", "three"} {
		d = b.deploy(web(), map[string]any{"replicas": 2, "commit": commit, "args": []any{"-startup", "2s"}})
		if err := b.ready(d); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{commit, commit}, b.running()); diff != "" {
			t.Errorf("running when ready (-want +got):\n%s", diff)
		}
	}
	// Nothing changes: what runs is ready, and stays.
	before := b.podNames()
	if err := b.ready(b.deploy(web(), map[string]any{"replicas": 2, "commit": "three", "args": []any{"-startup", "2s"}})); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, b.podNames()); diff != "" {
		t.Errorf("pods (-before +after):\n%s", diff)
	}
}

func TestMissingImageFailsFastAndIsForgotten(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	started := time.Now()
	missing := clustertest.Registry(t) + "/app:not-built-yet"
	err := b.ready(b.deploy(web(), map[string]any{"image": missing}))
	wantText(t, diagnosis(t, err), diagnose.CodeImageNotFound, `Deployment "web"`, missing)
	if took := time.Since(started); took > 30*time.Second {
		t.Errorf("told after %s", took)
	}
	// The pod that cannot start stays until one of the next commit is ready, and says nothing about that.
	if err := b.ready(b.deploy(web(), map[string]any{"commit": "two", "args": []any{"-startup", "3s"}})); err != nil {
		t.Fatal(err)
	}
}

func TestCrashLoop(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	started := time.Now()
	err := b.ready(b.deploy(web(), map[string]any{"args": []any{"-crash", "0s"}}))
	if took := time.Since(started); took > 45*time.Second {
		t.Errorf("told after %s", took)
	}
	wantText(t, diagnosis(t, err), diagnose.CodeDependency, `Deployment "web"`, "exit code 3", "panic: cannot reach the database at db:5432")
}

// TestCrashWhileSomethingStarts: an application that crashes until its database is there is not given up before it is.
func TestCrashWhileSomethingStarts(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	db := strings.NewReplacer("name: web", "name: db", "app: web", "app: db", "{{ toJson .Values.args }}", `["-startup", "600s"]`).Replace(deploymentTemplate)
	d := b.deploy(append(web(), File{Name: "templates/db.yaml", Data: []byte(db)}), map[string]any{"args": []any{"-crash", "0s"}})
	wait := make(chan error, 1)
	go func() { wait <- b.c.WaitReady(t.Context(), b.id, d.Objects, 2*time.Minute, nil) }()
	var crashing corev1.ContainerStatus
	b.eventually(func() error {
		pods, err := b.admin.CoreV1().Pods(b.id.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		if err == nil && len(pods.Items) == 1 && len(pods.Items[0].Status.ContainerStatuses) == 1 {
			if crashing = pods.Items[0].Status.ContainerStatuses[0]; crashing.RestartCount >= 3 {
				return nil
			}
		}
		return errors.New("not crashed often enough yet")
	})
	select {
	case err := <-wait:
		t.Fatalf("given up after %d restarts: %v", crashing.RestartCount, err)
	default:
	}
	// The database is what never came; the crash is its consequence.
	wantText(t, diagnosis(t, <-wait), diagnose.CodeProbe, `Deployment "db"`)
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	err := b.ready(b.deploy(web(), map[string]any{"args": []any{"-oom"}}))
	wantText(t, diagnosis(t, err), diagnose.CodeOutOfMemory, `Deployment "web"`, "64Mi")
}

func TestContainersThatCannotStart(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	reference := strings.Replace(deploymentTemplate, "env: [", "env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: nowhere, key: token}}}, ", 1)
	err := b.ready(b.deploy(makeChart(map[string]string{"deployment.yaml": reference}), nil))
	wantText(t, diagnosis(t, err), diagnose.CodeContainerConfig, `Deployment "web"`, `"nowhere"`)

	err = b.ready(b.deploy(web(), map[string]any{"image": "Not/An:Image:Name"}))
	wantText(t, diagnosis(t, err), diagnose.CodeImageName, `Deployment "web"`, "Not/An:Image:Name")

	command := strings.Replace(deploymentTemplate, "args: ", "command: [/no/such/program]\n        args: ", 1)
	err = b.ready(b.deploy(makeChart(map[string]string{"deployment.yaml": command}), nil))
	wantText(t, diagnosis(t, err), diagnose.CodeContainerStart, `Deployment "web"`, "/no/such/program")
}

func TestTimeoutNamesWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.guards.Container.Max.Memory, b.guards.Quota.Requests.Memory, b.guards.Quota.Limits.Memory = "8Ti", "16Ti", "16Ti"
	b.namespace()
	d := b.deploy(web(), map[string]any{"args": []any{"-sick"}})
	err := b.c.WaitReady(t.Context(), b.id, d.Objects, 8*time.Second, nil)
	wantText(t, diagnosis(t, err), diagnose.CodeProbe, `Deployment "web"`, "503", "Readiness probe failed")

	huge := strings.Replace(deploymentTemplate, "memory: 16Mi", "memory: 4Ti", 1)
	huge = strings.Replace(huge, "memory: 64Mi", "memory: 4Ti", 1)
	d = b.deploy(makeChart(map[string]string{"deployment.yaml": huge}), nil)
	err = b.c.WaitReady(t.Context(), b.id, d.Objects, 4*time.Second, nil)
	wantText(t, diagnosis(t, err), diagnose.CodeNoCapacity, `Deployment "web"`, "4Ti", "Insufficient memory")
}

func TestObjectThatIsGone(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d := b.deploy(makeChart(map[string]string{"config.yaml": configTemplate}), nil)
	if err := b.ready(d); err != nil {
		t.Fatal(err)
	}
	if err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).Delete(t.Context(), "settings", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := b.c.WaitReady(t.Context(), b.id, d.Objects, time.Second, nil)
	wantText(t, diagnosis(t, err), preview.CodeTimeout, `ConfigMap "settings"`, "does not exist")
}

func TestFailedJobEndsTheWait(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	job := strings.Replace(jobTemplate, `, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}`, "", 1)
	d := b.deploy(withJob(job), map[string]any{"hook": []any{"-exit", "9"}})
	wantText(t, diagnosis(t, b.ready(d)), diagnose.CodeJob, `Job "migrate"`, "ends with code 9")
}

func TestPodsThatAdmissionRefuses(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d := b.deploy(makeChart(map[string]string{"deployment.yaml": strings.Replace(deploymentTemplate, "runAsNonRoot: true, runAsUser: 65534", "runAsUser: 0", 1)}), nil)
	wantText(t, diagnosis(t, b.ready(d)), diagnose.CodeAdmission, `Deployment "web"`, "violates PodSecurity", "runAsNonRoot")
}

func TestSetsOfPods(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	stateful := strings.NewReplacer("kind: Deployment", "kind: StatefulSet", "  replicas:", "  serviceName: web\n  replicas:", "app: web", "app: stateful").Replace(deploymentTemplate)
	daemon := strings.NewReplacer("kind: Deployment", "kind: DaemonSet", "  replicas: {{ .Values.replicas }}\n", "", "app: web", "app: daemon").Replace(deploymentTemplate)
	files := makeChart(map[string]string{"stateful.yaml": stateful, "daemon.yaml": daemon})
	if err := b.ready(b.deploy(files, nil)); err != nil {
		t.Fatal(err)
	}
	if err := b.ready(b.deploy(files, map[string]any{"commit": "two"})); err != nil {
		t.Fatal(err)
	}
	missing := clustertest.Registry(t) + "/app:gone"
	for kind, template := range map[string]string{"StatefulSet": stateful, "DaemonSet": daemon} {
		d := b.deploy(makeChart(map[string]string{"set.yaml": template}), map[string]any{"image": missing})
		wantText(t, diagnosis(t, b.ready(d)), diagnose.CodeImageNotFound, kind+` "web"`, missing)
	}
}

// TestWatchRefused: where no watch can be held the objects are polled.
func TestWatchRefused(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	var refused atomic.Int32
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("watch") == "true" {
			refused.Add(1)
			return nil, errors.New("a proxy cut the connection")
		}
		return nil, nil
	})
	if err := b.ready(b.deploy(web(), map[string]any{"args": []any{"-startup", "2s"}})); err != nil {
		t.Fatal(err)
	}
	if refused.Load() == 0 {
		t.Error("no watch was tried")
	}
}

// TestWatchExpired: the API server no longer has the version that a watch is to resume from.
func TestWatchExpired(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	var expired atomic.Int32
	var mu sync.Mutex
	behind := map[string]bool{} // what has to be listed before it is watched again
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if req.URL.Query().Get("watch") != "true" {
			delete(behind, req.URL.Path)
			return nil, nil
		}
		if behind[req.URL.Path] {
			t.Errorf("%s is watched again without a new listing", req.URL.Path)
		}
		if expired.Add(1) > 4 {
			return nil, nil
		}
		behind[req.URL.Path] = true
		const gone = `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}}`
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(gone)), Request: req}, nil
	})
	if err := b.ready(b.deploy(web(), map[string]any{"args": []any{"-startup", "2s"}})); err != nil {
		t.Fatal(err)
	}
	if n := expired.Load(); n <= 4 {
		t.Errorf("only %d watches", n)
	}
}

func TestWaitReadyStopsWithItsContext(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d := b.deploy(web(), map[string]any{"args": []any{"-sick"}})
	ctx, cancel := context.WithCancel(t.Context())
	err := b.c.WaitReady(ctx, b.id, d.Objects, time.Minute, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestNoNewsIsAnOutage: when the API server tells nothing, the release is not to blame.
func TestNoNewsIsAnOutage(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d := b.deploy(web(), nil)
	refused := errors.New("connection refused")
	b.traffic.intercept(func(*http.Request) (*http.Response, error) { return nil, refused })
	err := b.c.WaitReady(t.Context(), b.id, d.Objects, time.Second, nil)
	var failure *preview.Failure
	if !errors.Is(err, refused) || errors.As(err, &failure) {
		t.Error(err)
	}
}

// TestSilenceEndsAtTheLimit: an API server that takes questions and never answers holds nobody longer than the limit and a little.
func TestSilenceEndsAtTheLimit(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d := b.deploy(web(), nil)
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	})
	started := time.Now()
	err := b.c.WaitReady(t.Context(), b.id, d.Objects, time.Second, nil)
	var failure *preview.Failure
	if err == nil || errors.As(err, &failure) {
		t.Errorf("%v", err)
	}
	if took := time.Since(started); took > 15*time.Second {
		t.Errorf("ended only after %s", took)
	}
}

// TestSilenceInTheMiddleEndsAtTheLimit: so does one that stops answering while a pod is looked at.
func TestSilenceInTheMiddleEndsAtTheLimit(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d := b.deploy(web(), map[string]any{"args": []any{"-sick"}})
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if !strings.Contains(req.URL.Path, "/replicasets/") {
			return nil, nil
		}
		<-req.Context().Done()
		return nil, req.Context().Err()
	})
	started := time.Now()
	if err := b.c.WaitReady(t.Context(), b.id, d.Objects, 2*time.Second, nil); err == nil {
		t.Error("ready")
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("ended only after %s", took)
	}
}

// TestQuotaIsNamed: pods over the quota may get their turn; when they do not, the quota is to blame and not the application.
func TestQuotaIsNamed(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}}}
	if _, err := b.admin.CoreV1().ResourceQuotas(b.id.Namespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	d := b.deploy(web(), map[string]any{"replicas": 2})
	err := b.c.WaitReady(t.Context(), b.id, d.Objects, 5*time.Second, nil)
	wantText(t, diagnosis(t, err), diagnose.CodeQuota, `Deployment "web"`, "exceeded quota")
}
