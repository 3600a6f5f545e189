package cluster

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// TestEachUsage reads lists as servers of metrics write them, and says so when one breaks off.
func TestEachUsage(t *testing.T) {
	t.Parallel()
	const list = `{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[
{"metadata":{"name":"web","namespace":"a"},"timestamp":"2026-05-01T10:00:00Z","window":"15s","containers":[{"name":"x","usage":{"cpu":"2089724n","memory":"8Mi"}},{"name":"y","usage":{"cpu":"1","memory":"1024Ki"}}]},
{"metadata":{"name":"db","namespace":"b"},"containers":[]}]}`
	for text, want := range map[string][]string{
		list: {"a/web 1003 9437184", "b/db 0 0"}, `{"items":[]}`: nil, `{"items":null}`: nil, list[:150]: {"fails"}, `{}`: {"fails"}, ``: {"fails"}, `<html>`: {"fails"},
	} {
		var got []string
		err := eachUsage(strings.NewReader(text), func(namespace string, u PodUsage) {
			got = append(got, namespace+"/"+u.Pod+" "+resource.NewQuantity(u.CPU, resource.DecimalSI).String()+" "+resource.NewQuantity(u.Memory, resource.DecimalExponent).AsDec().String())
		})
		if err != nil {
			got = []string{"fails"}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%.40s (-want +got):\n%s", text, d)
		}
	}
}

// TestPlanOf: containers that run at the same time are counted together, and a pod of which one has no limit has none.
func TestPlanOf(t *testing.T) {
	t.Parallel()
	res := func(requests, limits string) corev1.ResourceRequirements {
		l := func(cpu string) corev1.ResourceList {
			if cpu == "" {
				return nil
			}
			return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("1Mi")}
		}
		return corev1.ResourceRequirements{Requests: l(requests), Limits: l(limits)}
	}
	always := corev1.ContainerRestartPolicyAlways
	ended := metav1.NewTime(time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "once", Resources: res("8", "8")}, {Name: "stays", Resources: res("100m", "200m"), RestartPolicy: &always}},
		Containers:     []corev1.Container{{Name: "a", Resources: res("100m", "1")}, {Name: "b", Resources: res("50m", "500m")}},
	}, Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "a", RestartCount: 3, LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: ended, Reason: "OOMKilled", ExitCode: 137}},
	}}}}
	want := PodPlan{
		Pod: "web", Phase: "Running", Requests: Amount{250, 3 << 20}, Limits: Amount{1700, 3 << 20}, Restarts: 3,
		Ends: []End{{At: ended.Time, Container: "a", Reason: "OOMKilled", ExitCode: 137}},
	}
	if d := cmp.Diff(want, planOf(pod)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	pod.Spec.Containers[1].Resources.Limits = nil
	if got := planOf(pod).Limits; got != (Amount{}) {
		t.Errorf("without a limit of one container: %+v", got)
	}
}

// TestUsage reads what the pods of a preview use from a cluster that counts it, what they asked for, and how much of the quota that is.
func TestUsage(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	if err := b.ready(b.deploy(web(), nil)); err != nil {
		t.Fatal(err)
	}
	var used PodUsage
	b.eventually(func() error {
		all, err := b.c.Usage(t.Context())
		if err != nil {
			return err
		}
		if len(all[b.id.Namespace]) == 0 {
			return errors.New("no pod is counted yet")
		}
		used = all[b.id.Namespace][0]
		for namespace := range all {
			if strings.HasPrefix(namespace, "kube-") {
				t.Errorf("somebody else's namespace %s is told of", namespace)
			}
		}
		return nil
	})
	plans, err := b.c.Plans(t.Context(), b.id)
	if err != nil || len(plans) != 1 {
		t.Fatalf("%+v, %v", plans, err)
	}
	if plans[0].Pod != used.Pod || used.Memory <= 0 || plans[0].Requests.Memory <= 0 || plans[0].Limits.CPU < plans[0].Requests.CPU {
		t.Errorf("used %+v, planned %+v", used, plans[0])
	}
	b.eventually(func() error {
		lines, err := b.c.QuotaUse(t.Context(), b.id.Namespace)
		if err == nil && (len(lines) != len(bounds) || lines[0].Part <= 0 || lines[0].Part > 1) {
			err = fmt.Errorf("quota %+v", lines)
		}
		return err
	})
	other := b.id
	other.Key.Number++
	if _, err := b.c.Plans(t.Context(), other); !errors.Is(err, preview.ErrConflict) {
		t.Errorf("the pods of another preview: %v", err)
	}
}

// TestUsageWithout: where nothing counts, or Catalyst may not read it, that is told apart from an outage.
func TestUsageWithout(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{http.StatusNotFound: preview.ErrNotFound, http.StatusForbidden: preview.ErrForbidden, http.StatusServiceUnavailable: nil} {
		b := connect(t)
		b.traffic.intercept(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != metricsPath {
				return nil, nil
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("no")), Request: r}, nil
		})
		_, err := b.c.Usage(t.Context())
		if err == nil || want != nil && !errors.Is(err, want) || want == nil && (errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrForbidden)) {
			t.Errorf("%d: %v", status, err)
		}
		if f := b.c.checkMetrics(t.Context()); f.OK || f.Fix == "" {
			t.Errorf("%d: %+v", status, f)
		}
	}
}
