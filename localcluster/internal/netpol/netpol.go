// Package netpol enforces NetworkPolicy on the one node there is: it renders every policy into one nftables table of the
// network namespace it runs in. It filters what pods send to each other, to the node and beyond, and what they get; never
// what the node itself sends.
//
// It does not know: pods on the node's network as peers (their address is the node's, so name that in an ipBlock), IPv6, and
// the first instant of a pod, before the kubelet has reported its address.
package netpol

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"catalyst.dev/catalyst/localcluster/internal/watch"
)

// Options say which cluster's policies are enforced.
type Options struct {
	Kubeconfig string
	ReadyFile  string // made once the policies found at the start are in force
}

// Run enforces policies until ctx ends. It leaves the last rules in place.
func Run(ctx context.Context, o Options) error {
	_, f, err := watch.Connect(o.Kubeconfig)
	if err != nil {
		return err
	}
	pods, namespaces, policies := f.Core().V1().Pods(), f.Core().V1().Namespaces(), f.Networking().V1().NetworkPolicies()
	last := ""
	look := func() error {
		w := World{Namespaces: map[string]labels.Set{}}
		// Listing from memory does not fail.
		w.Pods, _ = pods.Lister().List(labels.Everything())
		w.Policies, _ = policies.Lister().List(labels.Everything())
		all, _ := namespaces.Lister().List(labels.Everything())
		for _, n := range all {
			w.Namespaces[n.Name] = n.Labels
		}
		rules := w.Render()
		if rules == last {
			return nil
		}
		if err := apply(ctx, rules); err != nil {
			slog.Error("enforce policies", "error", err, "rules", rules)
			return err
		}
		last = rules
		slog.Info("enforced policies", "policies", len(w.Policies), "pods", len(w.Pods))
		if o.ReadyFile != "" {
			return os.WriteFile(o.ReadyFile, nil, 0o644)
		}
		return nil
	}
	return watch.Run(ctx, f, look, pods.Informer(), namespaces.Informer(), policies.Informer())
}

// apply hands rules to nft, which takes all of them or none.
func apply(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
