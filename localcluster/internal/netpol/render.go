package netpol

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const table = "catalyst-netpol"

// World is what the rules depend on.
type World struct {
	Pods       []*corev1.Pod
	Namespaces map[string]labels.Set // their labels
	Policies   []*netv1.NetworkPolicy
}

// direction is one way of a policy: whose address a peer is matched on, and how an isolated pod's own.
type direction struct {
	self, peer string
	isolated   []string
	allowed    []string
}

// Render gives the whole nftables table that enforces the world's policies, replacing the one before. The same world gives
// the same text, whatever order its objects are in.
func (w World) Render() string {
	pods := slices.DeleteFunc(slices.Clone(w.Pods), func(p *corev1.Pod) bool { return !networked(p) })
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Status.PodIP, b.Status.PodIP) })
	policies := slices.SortedFunc(slices.Values(w.Policies), func(a, b *netv1.NetworkPolicy) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	v := view{pods, w.Namespaces}
	in, out := direction{self: "daddr", peer: "saddr"}, direction{self: "saddr", peer: "daddr"}
	for _, p := range policies {
		selected := v.match(p.Namespace, nil, &p.Spec.PodSelector)
		if len(selected) == 0 {
			continue
		}
		if slices.Contains(p.Spec.PolicyTypes, netv1.PolicyTypeIngress) {
			in.isolated = append(in.isolated, addresses(selected)...)
			for _, r := range p.Spec.Ingress {
				from, _ := v.peers(p.Namespace, in.peer, r.From)
				in.allow(selected, from, ports(r.Ports, selected))
			}
		}
		if slices.Contains(p.Spec.PolicyTypes, netv1.PolicyTypeEgress) {
			out.isolated = append(out.isolated, addresses(selected)...)
			for _, r := range p.Spec.Egress {
				to, targets := v.peers(p.Namespace, out.peer, r.To)
				out.allow(selected, to, ports(r.Ports, targets))
			}
		}
	}
	return text(in, out)
}

func (d *direction) allow(selected []*corev1.Pod, peers, ports []string) {
	for _, peer := range peers {
		for _, port := range ports {
			rule := []string{"ip", d.self, set(addresses(selected)), peer, port, "return"}
			d.allowed = append(d.allowed, strings.Join(slices.DeleteFunc(rule, func(s string) bool { return s == "" }), " "))
		}
	}
}

// text lays the table out: a packet of an isolated pod must be returned by a rule of its direction, or it is dropped.
func text(in, out direction) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("add table ip %s\nflush table ip %s\ntable ip %s {", table, table, table)
	for _, c := range []struct {
		name string
		d    direction
	}{{"ingress", in}, {"egress", out}} {
		line("  chain %s {", c.name)
		for _, rule := range c.d.allowed {
			line("    %s", rule)
		}
		line("    drop\n  }")
	}
	// Input is what pods send to the node itself. What the node sends to pods is never filtered: probes must get through.
	for _, hook := range []string{"forward", "input"} {
		line("  chain %s {\n    type filter hook %s priority -10; policy accept;\n    ct state established,related accept", hook, hook)
		if self := slices.Concat(in.isolated, out.isolated); hook == "forward" && len(self) > 0 {
			for i := range self {
				self[i] += " . " + self[i]
			}
			line("    ip saddr . ip daddr %s accept", set(self)) // a pod may always talk to itself, by way of a Service too
		}
		if len(out.isolated) > 0 {
			line("    ip saddr %s jump egress", set(out.isolated))
		}
		if len(in.isolated) > 0 && hook == "forward" {
			line("    ip daddr %s jump ingress", set(in.isolated))
		}
		line("  }")
	}
	line("}")
	return b.String()
}

type view struct {
	pods       []*corev1.Pod
	namespaces map[string]labels.Set
}

// match gives the pods a selector pair means to a policy in namespace; a nil namespace selector means that namespace.
func (v view) match(namespace string, namespaces, pods *metav1.LabelSelector) []*corev1.Pod {
	byPod := labels.Everything()
	if pods != nil {
		byPod = selector(pods)
	}
	var out []*corev1.Pod
	for _, p := range v.pods {
		if namespaces == nil && p.Namespace != namespace {
			continue
		}
		if namespaces != nil && !selector(namespaces).Matches(v.namespaces[p.Namespace]) {
			continue
		}
		if byPod.Matches(labels.Set(p.Labels)) {
			out = append(out, p)
		}
	}
	return out
}

// peers gives a match on side for each of a rule's peers, and the pods among them; no peers means everybody.
func (v view) peers(namespace, side string, peers []netv1.NetworkPolicyPeer) (matches []string, pods []*corev1.Pod) {
	if len(peers) == 0 {
		return []string{""}, v.pods
	}
	for _, p := range peers {
		if b := p.IPBlock; b != nil {
			if strings.Contains(b.CIDR, ":") {
				continue // no pod speaks IPv6
			}
			m := fmt.Sprintf("ip %s %s", side, b.CIDR)
			for _, hole := range b.Except { // not as a set: holes may overlap, which nft refuses
				m += fmt.Sprintf(" ip %s != %s", side, hole)
			}
			matches = append(matches, m)
			continue
		}
		if found := v.match(namespace, p.NamespaceSelector, p.PodSelector); len(found) > 0 {
			matches = append(matches, fmt.Sprintf("ip %s %s", side, set(addresses(found))))
			pods = append(pods, found...)
		}
	}
	return matches, pods
}

// ports gives a match for each of a rule's ports; targets are the pods in which names of ports are looked up.
func ports(list []netv1.NetworkPolicyPort, targets []*corev1.Pod) []string {
	if len(list) == 0 {
		return []string{""}
	}
	var out []string
	for _, p := range list {
		protocol := "tcp"
		if p.Protocol != nil {
			protocol = strings.ToLower(string(*p.Protocol))
		}
		switch {
		case p.Port == nil:
			out = append(out, "meta l4proto "+protocol)
		case p.Port.Type == intstr.String:
			out = append(out, named(p.Port.StrVal, protocol, targets)...)
		case p.EndPort != nil:
			out = append(out, fmt.Sprintf("%s dport %d-%d", protocol, p.Port.IntVal, *p.EndPort))
		default:
			out = append(out, fmt.Sprintf("%s dport %d", protocol, p.Port.IntVal))
		}
	}
	return out
}

func named(name, protocol string, targets []*corev1.Pod) []string {
	var out []string
	for _, t := range targets {
		for _, c := range slices.Concat(t.Spec.Containers, t.Spec.InitContainers) {
			for _, p := range c.Ports {
				if p.Name == name && strings.EqualFold(string(p.Protocol), protocol) {
					out = append(out, fmt.Sprintf("ip daddr %s %s dport %d", t.Status.PodIP, protocol, p.ContainerPort))
				}
			}
		}
	}
	return out
}

// networked tells whether the pod has an address of its own now.
func networked(p *corev1.Pod) bool {
	return p.Status.PodIP != "" && !p.Spec.HostNetwork && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

func selector(s *metav1.LabelSelector) labels.Selector {
	r, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing() // the API server lets none through
	}
	return r
}

func addresses(pods []*corev1.Pod) []string {
	var out []string
	for _, p := range pods {
		out = append(out, p.Status.PodIP)
	}
	return out
}

func set(items []string) string {
	return "{ " + strings.Join(slices.Compact(slices.Sorted(slices.Values(items))), ", ") + " }"
}
