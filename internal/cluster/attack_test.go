package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// repelled counts the attacks that were, for the end of the run.
var repelled atomic.Int64

// attack is a chart that wants more than a preview may have.
type attack struct {
	manifest string
	says     string // in the diagnosis, with the friendly checks and without: which guard it is that refuses
}

// fenced is a preview with its guards, and a second way to deploy into it that leaves the friendly checks out.
type fenced struct {
	*bundle
	unchecked *Cluster
	attempt   int64
}

// fence makes the preview of a test; change may adapt its guards.
func fence(t *testing.T, change func(*Guards)) *fenced {
	t.Helper()
	f := &fenced{bundle: connect(t)}
	f.guards.IngressClass = "local"
	if change != nil {
		change(&f.guards)
	}
	var err error
	if f.id.UID, err = ensure(t.Context(), f.c, f.id, f.guards); err != nil {
		t.Fatal(err)
	}
	f.unchecked, err = New(t.Context(), Options{
		Kubeconfig: clustertest.Catalyst(t, "test"), InstanceID: "test", Log: slog.New(slog.DiscardHandler), unchecked: true, Renderer: renderer,
		wrap: func(next http.RoundTripper) http.RoundTripper { return through{f.traffic, next} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// try deploys a chart of this manifest, and waits until it is ready or has failed.
func (f *fenced) try(c *Cluster, manifest string) error {
	f.attempt++
	d, err := c.Deploy(f.t.Context(), DeployRequest{
		Identity: f.id, Attempt: f.attempt, Files: makeChart(map[string]string{"a.yaml": manifest}), Timeout: time.Minute,
		Values: f.values(map[string]any{"namespace": f.id.Namespace}),
	})
	if err != nil {
		return err
	}
	return c.WaitReady(f.t.Context(), f.id, d.Objects, time.Minute, nil)
}

// letIn reports whether the cluster took what the chart has: nothing went wrong, or only that its URL leads to no pod, which these charts
// do without.
func letIn(err error) bool {
	var failure *preview.Failure
	return err == nil || errors.As(err, &failure) && failure.Diagnosis.Code == diagnose.CodeRoute
}

// repel tries every attack with the friendly checks and without. Each must end in a diagnosis, and leave the guards as they were. Where nothing
// guards, each would succeed.
func (f *fenced) repel(attacks map[string]attack) {
	f.t.Helper()
	f.unguarded(attacks)
	before := f.snapshot()
	for name, a := range attacks {
		if a.says == "" {
			f.t.Errorf("%s names no guard that refuses it", name)
		}
		for mode, c := range map[string]*Cluster{"checked": f.c, "unchecked": f.unchecked} {
			err := f.try(c, a.manifest)
			var failure *preview.Failure
			if !errors.As(err, &failure) {
				f.t.Errorf("%s, %s: no diagnosis but: %v", name, mode, err)
				continue
			}
			d := failure.Diagnosis
			if letIn(err) {
				f.t.Errorf("%s, %s: it was let in: %+v", name, mode, d)
			}
			if text := d.Cause + strings.Join(d.Evidence, " "); !strings.Contains(strings.ToLower(text), strings.ToLower(a.says)) || d.Fix == "" {
				f.t.Errorf("%s, %s: %q is not in: %+v", name, mode, a.says, d)
			}
			repelled.Add(1)
		}
	}
	if d := cmp.Diff(before, f.snapshot()); d != "" {
		f.t.Errorf("the guards changed (-before +after):\n%s", d)
	}
}

// snapshot is every guard of the preview as the API server has it, byte for byte but for what the server counts.
func (f *fenced) snapshot() map[string]string {
	f.t.Helper()
	ctx, ns := f.t.Context(), f.id.Namespace
	got := map[string]string{}
	note := func(name string, object any, err error) {
		f.t.Helper()
		if err != nil {
			f.t.Fatal(err)
		}
		text, err := json.Marshal(object)
		if err != nil {
			f.t.Fatal(err)
		}
		got[name] = string(text)
	}
	quotas, err := f.admin.CoreV1().ResourceQuotas(ns).List(ctx, metav1.ListOptions{})
	for i := range quotas.Items {
		// What is used is counted in the object itself.
		quotas.Items[i].Status, quotas.Items[i].ResourceVersion, quotas.Items[i].ManagedFields = corev1.ResourceQuotaStatus{}, "", nil
	}
	note("quotas", quotas.Items, err)
	limits, err := f.admin.CoreV1().LimitRanges(ns).List(ctx, metav1.ListOptions{})
	note("limits", limits.Items, err)
	policies, err := f.admin.NetworkingV1().NetworkPolicies(ns).List(ctx, metav1.ListOptions{})
	note("network policies", policies.Items, err)
	account, err := f.admin.CoreV1().ServiceAccounts(ns).Get(ctx, "default", metav1.GetOptions{})
	note("account", account, err)
	roles, err := f.admin.RbacV1().Roles(ns).List(ctx, metav1.ListOptions{})
	note("roles", roles.Items, err)
	bindings, err := f.admin.RbacV1().RoleBindings(ns).List(ctx, metav1.ListOptions{})
	note("bindings", bindings.Items, err)
	namespace, err := f.admin.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{})
	note("namespace", namespace, err)
	return got
}

// altered is an object in YAML with changes, each YAML as well: maps are merged, null removes, anything else replaces.
func altered(base string, changes ...string) string {
	merged := parsed(base)
	for _, change := range changes {
		merged = overlay(merged, parsed(change))
	}
	text, err := json.Marshal(merged)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func parsed(text string) map[string]any {
	var object map[string]any
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		panic(fmt.Sprintf("%v in:\n%s", err, text))
	}
	return object
}

func overlay(low, high map[string]any) map[string]any {
	merged := maps.Clone(low)
	if merged == nil {
		merged = map[string]any{}
	}
	for k, v := range high {
		if inner, ok := v.(map[string]any); ok {
			below, _ := merged[k].(map[string]any)
			merged[k] = overlay(below, inner)
			continue
		}
		merged[k] = v
		if v == nil {
			delete(merged, k)
		}
	}
	return merged
}
