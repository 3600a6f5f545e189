package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
)

// probing is a Catalyst of its own, since one instance has one probe at a time.
func probing(t *testing.T, instance string) *bundle {
	t.Helper()
	b := connect(t)
	c, err := New(t.Context(), Options{
		Kubeconfig: clustertest.Catalyst(t, instance), InstanceID: instance,
		wrap: func(next http.RoundTripper) http.RoundTripper { return through{b.traffic, next} },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.c = c
	b.withoutProbe()
	return b
}

// withoutProbe waits until no probe of an earlier run is left.
func (b *bundle) withoutProbe() {
	b.t.Helper()
	name := "catalyst-probe-" + b.c.instance
	b.eventually(func() error {
		err := b.admin.CoreV1().Namespaces().Delete(b.t.Context(), name, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(fmt.Errorf("namespace %s is still there", name), err)
	})
}

// TestProbeSeesThatPoliciesAreEnforced: this cluster's network enforces them, and the probe leaves nothing behind.
func TestProbeSeesThatPoliciesAreEnforced(t *testing.T) {
	t.Parallel()
	b := probing(t, "probe-yes")
	f := b.c.checkNetworkPolicy(t.Context(), clustertest.Product(t), 3*time.Minute)
	if !f.OK || f.Why != "" || f.Fix != "" || !strings.Contains(f.Found, "did not reach") {
		t.Errorf("%+v", f)
	}
	b.withoutProbe()
}

// TestProbeSeesThatPoliciesAreNotEnforced: a network that keeps no policy is one in which there is none.
func TestProbeSeesThatPoliciesAreNotEnforced(t *testing.T) {
	t.Parallel()
	b := probing(t, "probe-no")
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/pods") {
			err := b.admin.NetworkingV1().NetworkPolicies("catalyst-probe-probe-no").Delete(req.Context(), guardName, metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return nil, err
			}
		}
		return nil, nil
	})
	f := b.c.checkNetworkPolicy(t.Context(), clustertest.Product(t), 3*time.Minute)
	if f.OK || f.Unknown || !strings.Contains(f.Found, "reached the API server") || f.Why == "" || f.Fix == "" {
		t.Errorf("%+v", f)
	}
}

// TestProbeDoesNotGuess: without an image, with one that cannot be pulled, and while another probe runs, nothing is claimed.
func TestProbeDoesNotGuess(t *testing.T) {
	t.Parallel()
	b := probing(t, "probe-unknown")
	if f := b.c.checkNetworkPolicy(t.Context(), "", time.Minute); f.OK || !f.Unknown || !strings.Contains(f.Found, "not tested") || f.Fix == "" {
		t.Errorf("without an image: %+v", f)
	}
	f := b.c.checkNetworkPolicy(t.Context(), clustertest.Registry(t)+"/none:1", 45*time.Second)
	if f.OK || !f.Unknown || !strings.Contains(f.Found, "did not come to their end") || f.Fix == "" {
		t.Errorf("with an image that is not there: %+v", f)
	}
}

// TestProbeBesideAnother: a namespace of that name is somebody's, or another process probes.
func TestProbeBesideAnother(t *testing.T) {
	t.Parallel()
	b := probing(t, "probe-beside")
	other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "catalyst-probe-probe-beside"}}
	if _, err := b.admin.CoreV1().Namespaces().Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.c.probe(t.Context(), "none", time.Minute); !errors.Is(err, errProbe) {
		t.Errorf("beside another probe: %v", err)
	}
	if ns, err := b.admin.CoreV1().Namespaces().Get(t.Context(), other.Name, metav1.GetOptions{}); err != nil || ns.DeletionTimestamp != nil {
		t.Errorf("a namespace of somebody else was touched: %v, %v", ns, err)
	}
}
