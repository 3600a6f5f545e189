package cluster

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// MaxClusters is how many clusters one machine can remember: the address plan has room for no more.
const MaxClusters = 50

// Addresses is the address plan of one cluster. Two indexes never share a range, a port or a device.
type Addresses struct {
	HostIP    string // the host's end of the pair of devices
	NodeIP    string // the node's end; the API server and the registry listen here
	Uplink    string // the /24 both are in
	Pods      string
	Services  string
	ServiceIP string // of the Service "kubernetes"
	DNSIP     string
	FakePods  string // what simulated pods are said to have
	HostLink  string // device names
	NodeLink  string

	APIPort, EtcdPort, EtcdPeerPort, ControllerPort, SchedulerPort, RegistryPort, KwokPort, MetricsPort int
}

// AddressesOf gives the plan of cluster number index. With its own network namespace (namespaced) a cluster listens on its
// node address and standard ports; without one it shares the machine's loopback, so the ports move with the index.
func AddressesOf(index int, namespaced bool) Addresses {
	a := Addresses{
		HostIP:    fmt.Sprintf("10.250.%d.1", index),
		NodeIP:    fmt.Sprintf("10.250.%d.2", index),
		Uplink:    fmt.Sprintf("10.250.%d.0/24", index),
		Pods:      fmt.Sprintf("10.%d.0.0/16", 100+index),
		Services:  fmt.Sprintf("10.%d.0.0/16", 150+index),
		ServiceIP: fmt.Sprintf("10.%d.0.1", 150+index),
		DNSIP:     fmt.Sprintf("10.%d.0.10", 150+index),
		FakePods:  fmt.Sprintf("10.%d.0.0/16", 200+index),
		HostLink:  fmt.Sprintf("cat%dh", index),
		NodeLink:  fmt.Sprintf("cat%dn", index),
		APIPort:   6443, EtcdPort: 2379, EtcdPeerPort: 2380, ControllerPort: 10257, SchedulerPort: 10259, RegistryPort: 5000, KwokPort: 10247, MetricsPort: 4443,
	}
	if namespaced {
		return a
	}
	first := 21000 + 10*index
	a.NodeIP = "127.0.0.1"
	for i, p := range []*int{&a.APIPort, &a.EtcdPort, &a.EtcdPeerPort, &a.ControllerPort, &a.SchedulerPort, &a.RegistryPort, &a.KwokPort, &a.MetricsPort} {
		*p = first + i
	}
	return a
}

// APIServer is the address of the API server.
func (a Addresses) APIServer() string {
	return "https://" + net.JoinHostPort(a.NodeIP, strconv.Itoa(a.APIPort))
}

// Registry is the host and port of the registry: what image references of this cluster begin with.
func (a Addresses) Registry() string { return net.JoinHostPort(a.NodeIP, strconv.Itoa(a.RegistryPort)) }

// Metrics is the host and port of the server of metrics.
func (a Addresses) Metrics() string { return net.JoinHostPort(a.NodeIP, strconv.Itoa(a.MetricsPort)) }

// Etcd is the address of the store.
func (a Addresses) Etcd() string { return "http://127.0.0.1:" + strconv.Itoa(a.EtcdPort) }

// overlaps tells whether one of the cluster's ranges meets a range the machine already uses.
func (a Addresses) overlaps(used []netip.Prefix) bool {
	for _, own := range []string{a.Uplink, a.Pods, a.Services} {
		p := netip.MustParsePrefix(own)
		for _, u := range used {
			if p.Overlaps(u) {
				return true
			}
		}
	}
	return false
}

// hostPrefixes lists the ranges of the machine's own devices.
func hostPrefixes() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the machine's addresses: %w", err)
	}
	var out []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			out = append(out, p.Masked())
		}
	}
	return out, nil
}
