package cluster

import (
	"context"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// URL reads back from the cluster under which URL the release answers: the host that is equal to host, or the first that an Ingress of
// the release has; https when the Ingress has a certificate for it. preview.ErrNotFound when no Ingress has a host.
func (c *Cluster) URL(ctx context.Context, id Identity, objects []ObjectRef, host string) (string, error) {
	first := ""
	for _, ref := range objects {
		if ref.Kind != "Ingress" || ref.Group != networkingv1.GroupName {
			continue
		}
		ingress, err := c.client.NetworkingV1().Ingresses(id.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return "", kind(fmt.Errorf("read ingress %s of %s: %w", ref.Name, id.Namespace, err))
		}
		for _, rule := range ingress.Spec.Rules {
			switch {
			case rule.Host == "":
			case rule.Host == host:
				return address(ingress, rule.Host), nil
			case first == "":
				first = address(ingress, rule.Host)
			}
		}
	}
	if first == "" {
		return "", fmt.Errorf("no Ingress of the release in %s has a host: %w", id.Namespace, preview.ErrNotFound)
	}
	return first, nil
}

func address(ingress *networkingv1.Ingress, host string) string {
	if slices.ContainsFunc(ingress.Spec.TLS, func(t networkingv1.IngressTLS) bool { return slices.Contains(t.Hosts, host) }) {
		return "https://" + host
	}
	return "http://" + host
}
