package cluster

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"catalyst.dev/catalyst/internal/preview"
)

// Network is whom the pods of a preview may talk to, besides each other.
type Network struct {
	IngressNamespaces string   // label selector: pods of these namespaces reach the preview, the ingress controller's among them; "" means none
	IngressAddresses  []string // CIDRs that reach the preview, for an ingress controller on the network of its node
	DNSNamespaces     string   // label selector: pods of these namespaces are asked for names; "" means none
	EgressNamespaces  string   // label selector: pods of these namespaces are reached by the preview; "" means none
	EgressAddresses   []string // CIDRs that are reached by the preview although they are not the internet
	NotInternet       []string // CIDRs that are not the internet, besides those that never are
}

// notInternet are the addresses that mean something inside of a network, or mean another address: private, shared, link-local (the
// metadata services of clouds), loopback, multicast and reserved ones, and those that a translator leads back to IPv4.
var notInternet = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/127"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

// policy lets the pods of the preview talk to each other, be reached by the ingress controller, ask for names and reach the internet. As it selects
// every pod for both directions, all else is denied. server is the address of the API server, which is not the internet either.
func (n Network) policy(server netip.Addr) (*networkingv1.NetworkPolicy, error) {
	own := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	in := networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{own}}
	out := networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{own}}
	var dns []networkingv1.NetworkPolicyPeer
	for _, part := range []struct {
		name, selector string
		addresses      []string
		peers          *[]networkingv1.NetworkPolicyPeer
	}{
		{"ingress", n.IngressNamespaces, n.IngressAddresses, &in.From},
		{"egress", n.EgressNamespaces, n.EgressAddresses, &out.To},
		{"DNS", n.DNSNamespaces, nil, &dns},
	} {
		found, err := peers(part.selector, part.addresses)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		*part.peers = append(*part.peers, found...)
	}
	internet, err := n.internet(server)
	if err != nil {
		return nil, err
	}
	out.To = append(out.To, internet...)
	spec := networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{in},
		Egress:      []networkingv1.NetworkPolicyEgressRule{out},
	}
	if len(dns) > 0 {
		spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{To: dns, Ports: dnsPorts()})
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: guardMeta(guardName),
		Spec:       spec,
	}, nil
}

func dnsPorts() []networkingv1.NetworkPolicyPort {
	udp, tcp := corev1.ProtocolUDP, corev1.ProtocolTCP
	port, pod := intstr.FromInt32(53), intstr.FromInt32(5353) // the second is where OpenShift's pods listen
	return []networkingv1.NetworkPolicyPort{
		{Protocol: &udp, Port: &port}, {Protocol: &tcp, Port: &port}, {Protocol: &udp, Port: &pod}, {Protocol: &tcp, Port: &pod},
	}
}

func peers(selector string, addresses []string) ([]networkingv1.NetworkPolicyPeer, error) {
	var found []networkingv1.NetworkPolicyPeer
	if selector != "" {
		namespaces, err := metav1.ParseToLabelSelector(selector)
		if err != nil {
			return nil, fmt.Errorf("%q is not a label selector: %w: %w", selector, err, preview.ErrInvalid)
		}
		found = append(found, networkingv1.NetworkPolicyPeer{NamespaceSelector: namespaces})
	}
	for _, text := range addresses {
		prefix, err := prefix(text)
		if err != nil {
			return nil, err
		}
		found = append(found, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: prefix.String()}})
	}
	return found, nil
}

// internet is every address but those that are not the internet.
func (n Network) internet(server netip.Addr) ([]networkingv1.NetworkPolicyPeer, error) {
	holes := slices.Clone(notInternet)
	for _, text := range n.NotInternet {
		hole, err := prefix(text)
		if err != nil {
			return nil, err
		}
		holes = append(holes, hole)
	}
	if server.IsValid() && !slices.ContainsFunc(holes, func(h netip.Prefix) bool { return h.Contains(server) }) {
		holes = append(holes, netip.PrefixFrom(server, server.BitLen()))
	}
	all := []networkingv1.IPBlock{{CIDR: "0.0.0.0/0"}, {CIDR: "::/0"}}
	for _, hole := range holes {
		family := 0
		if hole.Addr().Is6() {
			family = 1
		}
		all[family].Except = append(all[family].Except, hole.String())
	}
	return []networkingv1.NetworkPolicyPeer{{IPBlock: &all[0]}, {IPBlock: &all[1]}}, nil
}

func prefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address range like 10.1.0.0/16: %w", text, preview.ErrInvalid)
	}
	return p.Masked(), nil
}
