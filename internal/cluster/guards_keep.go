package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"catalyst.dev/catalyst/internal/preview"
)

// fieldManager owns what Catalyst applies.
const fieldManager = "catalyst"

// KeepGuards puts the guards of a preview back as they should be, and writes nothing when they are. preview.ErrNotFound and
// preview.ErrConflict mean what they do for the namespace: there is none, or it is not the one meant.
func (c *Cluster) KeepGuards(ctx context.Context, id Identity, g Guards) error {
	ns, err := c.live(ctx, id)
	if err != nil {
		return fmt.Errorf("keep the guards: %w", err)
	}
	if ns.DeletionTimestamp != nil {
		return fmt.Errorf("keep the guards of %s: it is being deleted: %w", ns.Name, preview.ErrNotReady)
	}
	return c.keepGuards(ctx, ns, id, g)
}

// keepGuards makes sure of all guards of a namespace that is ours: those that stand on the namespace itself, then, at the same time, those in it.
func (c *Cluster) keepGuards(ctx context.Context, ns *corev1.Namespace, id Identity, g Guards) error {
	labels, annotations, err := c.namespaceGuards(ctx, id, g)
	if err != nil {
		return err
	}
	if !contains(ns.Labels, labels) || !contains(ns.Annotations, annotations) {
		want := corev1.Namespace{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			// With its UID: one that was made anew meanwhile is not written to.
			ObjectMeta: metav1.ObjectMeta{Name: ns.Name, UID: ns.UID, Labels: labels, Annotations: annotations},
		}
		if err := apply(ctx, c.client.CoreV1().Namespaces(), &want); err != nil {
			return c.heldBack(fmt.Errorf("guard namespace %s: %w", ns.Name, err))
		}
	}
	work := func(ctx context.Context) error { return c.keepObjects(ctx, ns.Name, g) }
	if err := c.asGuardian(ctx, ns.Name, work); err != nil {
		return fmt.Errorf("guard namespace %s: %w", ns.Name, err)
	}
	return nil
}

func (c *Cluster) keepObjects(ctx context.Context, namespace string, g Guards) error {
	quota, err := g.quota()
	if err != nil {
		return err
	}
	limits, err := g.limits()
	if err != nil {
		return err
	}
	policy, err := g.Network.policy(c.server())
	if err != nil {
		return err
	}
	core := c.client.CoreV1()
	var all errgroup.Group // a request that is cut off may have been served all the same, so none stops the others
	all.Go(func() error {
		counts := false
		err := keep(ctx, core.ResourceQuotas(namespace), quota, func(have *corev1.ResourceQuota) bool {
			counts = holds(have.Status.Hard, quota.Spec.Hard)
			return holds(have.Spec.Hard, quota.Spec.Hard) && have.Spec.Scopes == nil && have.Spec.ScopeSelector == nil
		})
		if err != nil || counts {
			return err
		}
		return c.quotaCounts(ctx, namespace, quota.Spec.Hard)
	})
	all.Go(func() error {
		return keep(ctx, core.LimitRanges(namespace), limits, func(have *corev1.LimitRange) bool {
			return equality.Semantic.DeepEqual(have.Spec, limits.Spec)
		})
	})
	all.Go(func() error {
		return keep(ctx, c.client.NetworkingV1().NetworkPolicies(namespace), policy, func(have *networkingv1.NetworkPolicy) bool {
			return equality.Semantic.DeepEqual(have.Spec, policy.Spec)
		})
	})
	all.Go(func() error {
		// Kubernetes makes this account by itself, a while after the namespace: whoever comes first.
		return keep(ctx, core.ServiceAccounts(namespace), account(), func(have *corev1.ServiceAccount) bool {
			return have.AutomountServiceAccountToken != nil && !*have.AutomountServiceAccountToken
		})
	})
	return all.Wait()
}

// quotaCounts returns when the quota is in force: until its controller has counted, the API server refuses whatever it would count.
func (c *Cluster) quotaCounts(ctx context.Context, namespace string, hard corev1.ResourceList) error {
	const limit = time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the quota's controller has not counted within %s", limit))
	defer cancel()
	for pause := 4 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		quota, err := c.client.CoreV1().ResourceQuotas(namespace).Get(ctx, guardName, metav1.GetOptions{})
		if err == nil && holds(quota.Status.Hard, hard) {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the quota of %s: %w", namespace, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// holds reports whether have has every limit of want. It may have more: an operator's own.
func holds(have, want corev1.ResourceList) bool {
	for name, q := range want {
		if got, ok := have[name]; !ok || got.Cmp(q) != 0 {
			return false
		}
	}
	return true
}

func contains(have, want map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// client is the part of a typed client that keeps an object as it should be.
type client[T any] interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (T, error)
	Patch(ctx context.Context, name string, kind types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (T, error)
}

// keep applies the object unless it is there and the same.
func keep[T metav1.Object](ctx context.Context, c client[T], want T, same func(have T) bool) error {
	have, err := c.Get(ctx, want.GetName(), metav1.GetOptions{})
	if err == nil && same(have) && contains(have.GetLabels(), want.GetLabels()) {
		return nil
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return apply(ctx, c, want)
}

func apply[T metav1.Object](ctx context.Context, c client[T], want T) error {
	data, err := json.Marshal(want)
	if err != nil {
		return err
	}
	force := true
	_, err = c.Patch(ctx, want.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
	return err
}

// server is the address of the API server when it is named by one.
func (c *Cluster) server() netip.Addr {
	u, err := url.Parse(c.config.Host)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// heldBack gives the diagnosis of a write that catalyst-self-guard refused: what it was told of this Catalyst is not so.
func (c *Cluster) heldBack(err error) error {
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "catalyst-self-guard") {
		return err
	}
	_, said, _ := strings.Cut(oneLine(err.Error()), policyDenial)
	return preview.Fail(err, preview.Diagnosis{
		Code:  preview.CodeNamespace,
		Cause: "The admission policy that holds Catalyst to its own namespaces refused this one: " + said + ".",
		Fix:   "Have the operator set `instance` and `domains` in deploy/manifests/self-guard.yaml to what Catalyst's configuration says, and apply it.",
		Blame: preview.BlameCluster,
	})
}
