package cluster

import (
	"net/netip"
	"testing"
)

func TestAddressesNeverMeet(t *testing.T) {
	t.Parallel()
	var ranges []netip.Prefix
	ports := map[int]bool{}
	for i := range MaxClusters {
		a := AddressesOf(i, true)
		for _, text := range []string{a.Uplink, a.Pods, a.Services, a.FakePods} {
			p := netip.MustParsePrefix(text)
			for _, other := range ranges {
				if p.Overlaps(other) {
					t.Errorf("cluster %d: %s overlaps %s", i, p, other)
				}
			}
			ranges = append(ranges, p)
		}
		if !netip.MustParsePrefix(a.Services).Contains(netip.MustParseAddr(a.DNSIP)) {
			t.Errorf("cluster %d: DNS address %s is not in %s", i, a.DNSIP, a.Services)
		}
		shared := AddressesOf(i, false)
		for _, p := range []int{shared.APIPort, shared.EtcdPort, shared.EtcdPeerPort, shared.ControllerPort, shared.SchedulerPort, shared.RegistryPort, shared.KwokPort, shared.MetricsPort} {
			if ports[p] {
				t.Errorf("cluster %d: port %d is taken", i, p)
			}
			ports[p] = true
		}
	}
}

func TestFreeIndex(t *testing.T) {
	t.Parallel()
	all := make([]int, MaxClusters)
	for i := range all {
		all[i] = i
	}
	for name, c := range map[string]struct {
		used     []int
		prefixes []string
		want     int
	}{
		"first":                         {nil, nil, 0},
		"lowest free":                   {[]int{0, 2}, nil, 1},
		"a network of the machine's":    {nil, []string{"192.168.1.0/24", "10.100.0.0/16"}, 1},
		"a wide network of the machine": {nil, []string{"10.0.0.0/8"}, -1},
		"none left":                     {all, nil, -1},
	} {
		var prefixes []netip.Prefix
		for _, p := range c.prefixes {
			prefixes = append(prefixes, netip.MustParsePrefix(p))
		}
		if got := freeIndex(c.used, prefixes); got != c.want {
			t.Errorf("%s: index %d, want %d", name, got, c.want)
		}
	}
}
