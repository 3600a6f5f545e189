package cluster

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"catalyst.dev/catalyst/internal/preview"
)

func writes(requests []string) []string {
	return slices.DeleteFunc(requests, func(r string) bool { return strings.HasPrefix(r, "GET ") || strings.HasPrefix(r, "WATCH ") })
}

// TestGuardsAreWrittenOnce: whoever looks after them again, and finds them as they should be, writes nothing (I14).
func TestGuardsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	before := f.snapshot()
	f.traffic.take()
	for range 2 {
		if err := f.c.KeepGuards(t.Context(), f.id, f.guards); err != nil {
			t.Fatal(err)
		}
		if _, err := f.c.EnsureNamespace(t.Context(), f.id, f.guards); err != nil {
			t.Fatal(err)
		}
	}
	requests := f.traffic.take()
	if made := writes(slices.Clone(requests)); len(made) > 0 {
		t.Errorf("writes: %q", made)
	}
	if len(requests) > 2*(5+1) {
		t.Errorf("%d requests for looking twice at all and twice at the namespace: %q", len(requests), requests)
	}
	if d := cmp.Diff(before, f.snapshot()); d != "" {
		t.Errorf("changed (-before +after):\n%s", d)
	}
}

// TestGuardsArePutBack: whatever somebody did to them.
func TestGuardsArePutBack(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	ns, core := f.id.Namespace, f.admin.CoreV1()
	wanted := f.spec()
	patch := func(text string) (types.PatchType, []byte, metav1.PatchOptions) {
		return types.MergePatchType, []byte(text), metav1.PatchOptions{FieldManager: "somebody"}
	}
	for name, spoil := range map[string]func() error{
		"quota raised": func() error {
			kind, data, o := patch(`{"spec":{"hard":{"pods":"1000","services.loadbalancers":"5"}}}`)
			_, err := core.ResourceQuotas(ns).Patch(t.Context(), guardName, kind, data, o)
			return err
		},
		"quota gone":  func() error { return core.ResourceQuotas(ns).Delete(t.Context(), guardName, metav1.DeleteOptions{}) },
		"limits gone": func() error { return core.LimitRanges(ns).Delete(t.Context(), guardName, metav1.DeleteOptions{}) },
		"limits loose": func() error {
			kind, data, o := patch(`{"spec":{"limits":[]}}`)
			_, err := core.LimitRanges(ns).Patch(t.Context(), guardName, kind, data, o)
			return err
		},
		"policy open": func() error {
			kind, data, o := patch(`{"spec":{"ingress":[{}],"egress":[{}]}}`)
			_, err := f.admin.NetworkingV1().NetworkPolicies(ns).Patch(t.Context(), guardName, kind, data, o)
			return err
		},
		"policy for some pods only": func() error {
			kind, data, o := patch(`{"spec":{"podSelector":{"matchLabels":{"app":"other"}}}}`)
			_, err := f.admin.NetworkingV1().NetworkPolicies(ns).Patch(t.Context(), guardName, kind, data, o)
			return err
		},
		"policy gone": func() error {
			return f.admin.NetworkingV1().NetworkPolicies(ns).Delete(t.Context(), guardName, metav1.DeleteOptions{})
		},
		"account with a token": func() error {
			kind, data, o := patch(`{"automountServiceAccountToken":true}`)
			_, err := core.ServiceAccounts(ns).Patch(t.Context(), "default", kind, data, o)
			return err
		},
		"Pod Security off": func() error {
			kind, data, o := patch(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged","pod-security.kubernetes.io/enforce-version":null}}}`)
			_, err := core.Namespaces().Patch(t.Context(), ns, kind, data, o)
			return err
		},
		"another host": func() error {
			kind, data, o := patch(`{"metadata":{"annotations":{"catalyst.dev/host":"www.example.com","catalyst.dev/registries":"evil"}}}`)
			_, err := core.Namespaces().Patch(t.Context(), ns, kind, data, o)
			return err
		},
		"Catalyst without rights": func() error {
			return f.admin.RbacV1().RoleBindings(ns).Delete(t.Context(), guardianRole, metav1.DeleteOptions{})
		},
	} {
		if err := spoil(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := f.c.KeepGuards(t.Context(), f.id, f.guards); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(wanted, f.spec()); d != "" {
			t.Errorf("%s: not put back (-want +got):\n%s", name, d)
		}
	}

	// An operator may be stricter than Catalyst.
	kind, data, o := patch(`{"spec":{"hard":{"count/things.example.com":"0"}}}`)
	if _, err := core.ResourceQuotas(ns).Patch(t.Context(), guardName, kind, data, o); err != nil {
		t.Fatal(err)
	}
	f.traffic.take()
	if err := f.c.KeepGuards(t.Context(), f.id, f.guards); err != nil {
		t.Fatal(err)
	}
	if made := writes(f.traffic.take()); len(made) > 0 {
		t.Errorf("an operator's own limit was written over: %q", made)
	}
	if err := f.c.KeepGuards(t.Context(), f.identity("-none"), f.guards); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("a namespace that is not there: %v", err)
	}
}

// spec is what the guards say, without who wrote it and when.
func (f *fenced) spec() map[string]any {
	f.t.Helper()
	ctx, ns := f.t.Context(), f.id.Namespace
	quota, err := f.admin.CoreV1().ResourceQuotas(ns).Get(ctx, guardName, metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	limits, err := f.admin.CoreV1().LimitRanges(ns).Get(ctx, guardName, metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	policy, err := f.admin.NetworkingV1().NetworkPolicies(ns).Get(ctx, guardName, metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	account, err := f.admin.CoreV1().ServiceAccounts(ns).Get(ctx, "default", metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	namespace, err := f.admin.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	hard := map[string]string{}
	for name, q := range quota.Spec.Hard {
		hard[string(name)] = q.String()
	}
	return map[string]any{
		"quota": hard, "scopes": quota.Spec.Scopes, "limits": limits.Spec, "policy": policy.Spec,
		"account": *account.AutomountServiceAccountToken, "labels": namespace.Labels, "annotations": namespace.Annotations,
	}
}

// TestGuardsSay looks at what is written, for the numbers a configuration may set.
func TestGuardsSay(t *testing.T) {
	t.Parallel()
	g := guardsOf(Identity{Namespace: "pr-web-1"})
	quota, err := g.quota()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[corev1.ResourceName]string{
		"pods": "30", "requests.cpu": "4", "limits.cpu": "16", "requests.memory": "8Gi", "limits.memory": "16Gi",
		"requests.ephemeral-storage": "32Gi", "limits.ephemeral-storage": "32Gi", "persistentvolumeclaims": "5", "requests.storage": "20Gi",
		"services.loadbalancers": "0", "services.nodeports": "0", "count/configmaps": "60", "count/replicationcontrollers": "0",
	} {
		if got := quota.Spec.Hard[name]; got.Cmp(resource.MustParse(want)) != 0 {
			t.Errorf("%s: %s, want %s", name, got.String(), want)
		}
	}
	limits, err := g.limits()
	if err != nil {
		t.Fatal(err)
	}
	item := limits.Spec.Limits[0]
	for what, q := range map[string]resource.Quantity{
		"100m": item.DefaultRequest["cpu"], "128Mi": item.DefaultRequest["memory"], "500m": item.Default["cpu"], "512Mi": item.Default["memory"], "4": item.Max["cpu"],
	} {
		if q.String() != what {
			t.Errorf("%s, want %s", q.String(), what)
		}
	}
	g.Quota.Percent = 50
	small, err := g.quota()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[corev1.ResourceName]string{
		"pods": "15", "requests.cpu": "2", "limits.memory": "8Gi", "persistentvolumeclaims": "2", "requests.storage": "10Gi",
		"services.loadbalancers": "0", "count/configmaps": "60",
	} {
		if got := small.Spec.Hard[name]; got.Cmp(resource.MustParse(want)) != 0 {
			t.Errorf("half of it: %s: %s, want %s", name, got.String(), want)
		}
	}
	g.Quota.Percent, g.Quota.Pods = 1, 5
	if got := g.Quota.pods(); got != 1 {
		t.Errorf("one percent of five pods is %d pods, want one all the same", got)
	}
	g.Quota.Requests.CPU = "many"
	if _, err := g.quota(); !errors.Is(err, preview.ErrInvalid) || !strings.Contains(err.Error(), "many") {
		t.Errorf("a quantity that is none: %v", err)
	}
}

// TestPolicySays: the parts of a NetworkPolicy that a configuration may set, and what is never the internet.
func TestPolicySays(t *testing.T) {
	t.Parallel()
	n := Network{
		IngressNamespaces: "kubernetes.io/metadata.name in (traefik, haproxy)", IngressAddresses: []string{"10.0.0.7/24"},
		DNSNamespaces: "dns=yes", EgressNamespaces: "shared=yes", EgressAddresses: []string{"10.9.0.0/16"}, NotInternet: []string{"203.0.113.0/24", "2001:db8::/32"},
	}
	policy, err := n.policy(netip.MustParseAddr("198.51.100.1"))
	if err != nil {
		t.Fatal(err)
	}
	in, out := policy.Spec.Ingress[0].From, policy.Spec.Egress[0].To
	if len(in) != 3 || in[0].PodSelector == nil || in[1].NamespaceSelector.MatchExpressions[0].Values[1] != "traefik" || in[2].IPBlock.CIDR != "10.0.0.0/24" {
		t.Errorf("ingress: %+v", in)
	}
	if len(out) != 5 || out[1].NamespaceSelector.MatchLabels["shared"] != "yes" || out[2].IPBlock.CIDR != "10.9.0.0/16" {
		t.Errorf("egress: %+v", out)
	}
	for i, holes := range [][]string{
		{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "203.0.113.0/24", "198.51.100.1/32"},
		{"fc00::/7", "fe80::/10", "64:ff9b::/96", "2001:db8::/32"},
	} {
		for _, hole := range holes {
			if !slices.Contains(out[3+i].IPBlock.Except, hole) {
				t.Errorf("%s counts as internet: %v", hole, out[3+i].IPBlock.Except)
			}
		}
	}
	if dns := policy.Spec.Egress[1]; len(dns.To) != 1 || dns.To[0].NamespaceSelector.MatchLabels["dns"] != "yes" || len(dns.Ports) != 4 {
		t.Errorf("dns: %+v", dns)
	}
	if !slices.Equal(policy.Spec.PolicyTypes, []networkingv1.PolicyType{"Ingress", "Egress"}) {
		t.Errorf("types %v", policy.Spec.PolicyTypes)
	}
	for _, bad := range []Network{{IngressNamespaces: "a=(b"}, {EgressAddresses: []string{"10.0.0.1"}}, {NotInternet: []string{"all"}}} {
		if _, err := bad.policy(netip.MustParseAddr("10.0.0.1")); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestOlderNamespaceIsGuarded: a namespace that an older Catalyst made has no guards yet; it gets them at the next deployment.
func TestOlderNamespaceIsGuarded(t *testing.T) {
	t.Parallel()
	b := connect(t)
	ns, err := b.admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.id.Namespace, Labels: b.c.labels(b.id)}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.id.UID = string(ns.UID)
	if _, err := ensure(t.Context(), b.c, b.id, guardsOf(b.id)); err != nil {
		t.Fatal(err)
	}
	b.deploy(web(), nil)
}

// TestSelfGuardIsExplained: the manifests say another instance or another domain than the configuration.
func TestSelfGuardIsExplained(t *testing.T) {
	t.Parallel()
	b := connect(t)
	g := guardsOf(b.id)
	g.Host = "pr-web-1.example.org"
	_, err := ensure(t.Context(), b.c, b.id, g)
	d := diagnosis(t, err)
	wantText(t, d, preview.CodeNamespace, "below the domain")
	if !strings.Contains(d.Fix, "self-guard.yaml") {
		t.Errorf("%+v", d)
	}
	b.c.instance = "other"
	_, err = ensure(t.Context(), b.c, b.id, guardsOf(b.id))
	wantText(t, diagnosis(t, err), preview.CodeNamespace, "catalyst.dev/instance")
}

// TestQuotaIsWaitedFor: until its controller has counted, nothing could be made.
func TestQuotaIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := connect(t)
	asked := 0
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/resourcequotas/") {
			asked++
		}
		return nil, nil
	})
	b.namespace()
	quota, err := b.admin.CoreV1().ResourceQuotas(b.id.Namespace).Get(t.Context(), guardName, metav1.GetOptions{})
	if err != nil || !holds(quota.Status.Hard, quota.Spec.Hard) || asked < 2 {
		t.Errorf("asked %d times, %v, %v", asked, quota, err)
	}
}

// TestDeployGuards: a deployment sees to the guards itself, and nothing of the chart is there before they are, or without them.
func TestDeployGuards(t *testing.T) {
	t.Parallel()
	for name, spoilt := range map[string]bool{"good": false, "spoilt": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connect(t)
			var err error
			if b.id.UID, err = b.c.EnsureNamespace(t.Context(), b.id, b.guards); err != nil {
				t.Fatal(err)
			}
			b.traffic.take()
			hired := make(chan struct{}) // closed when all else is ready to begin
			ready := sync.OnceFunc(func() { close(hired) })
			b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
				switch {
				case req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/configmaps"):
					ready()
				case req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/networkpolicies/"+guardName):
					<-hired
					if spoilt {
						return refused(req, http.StatusInternalServerError, "InternalError", nil), nil
					}
				}
				return nil, nil
			})
			var mu sync.Mutex
			steps := map[preview.StepName]int{}
			_, err = b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Guards: &b.guards, Files: web(), Values: b.values(nil), Step: func(name preview.StepName) func(error) {
				return func(err error) {
					mu.Lock()
					defer mu.Unlock()
					if steps[name]++; (err != nil) != (spoilt && name == preview.StepGuard) {
						t.Errorf("step %s: %v", name, err)
					}
				}
			}})
			if (err != nil) != spoilt {
				t.Errorf("deploy: %v", err)
			}
			made := writes(b.traffic.take())
			guards := slices.IndexFunc(made, func(r string) bool { return strings.HasSuffix(r, "/networkpolicies/"+guardName) })
			chart := slices.IndexFunc(made, func(r string) bool {
				return strings.HasSuffix(r, "/secrets") || strings.Contains(r, "/deployments/") || strings.Contains(r, "/services/")
			})
			if spoilt && chart >= 0 || !spoilt && (guards < 0 || chart < guards) || steps[preview.StepGuard] != 1 {
				t.Errorf("writes, in this order: %q; steps %v", made, steps)
			}
		})
	}
}
