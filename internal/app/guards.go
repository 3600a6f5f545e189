package app

import (
	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/preview"
)

// guards are what a preview of the repository is held to. host is the one it answers under. A pull request from elsewhere is held to less.
func guards(c config.Preview, r config.Repository, host string, trust preview.Trust) cluster.Guards {
	g := c.Guards
	all := cluster.Guards{
		PodSecurity: r.PodSecurity, Host: host, IngressClass: r.IngressClass, Gateway: c.Gateway,
		Registries: g.Registries, StorageClasses: g.StorageClasses, Annotations: g.Annotations,
		Quota: cluster.Quota{
			Pods:     g.Pods,
			Requests: cluster.Resources{CPU: g.CPURequests, Memory: g.MemoryRequests, EphemeralStorage: g.EphemeralStorage},
			Limits:   cluster.Resources{CPU: g.CPULimits, Memory: g.MemoryLimits, EphemeralStorage: g.EphemeralStorage},
			Volumes:  g.Volumes, VolumeStorage: g.VolumeStorage,
		},
		Container: cluster.ContainerLimits{
			Request: cluster.Resources{CPU: g.DefaultCPURequest, Memory: g.DefaultMemoryRequest, EphemeralStorage: g.DefaultStorageRequest},
			Limit:   cluster.Resources{CPU: g.DefaultCPULimit, Memory: g.DefaultMemoryLimit, EphemeralStorage: g.DefaultStorageLimit},
			Max:     cluster.Resources{CPU: g.ContainerCPU, Memory: g.ContainerMemory, EphemeralStorage: g.ContainerStorage},
		},
		Network: cluster.Network{
			IngressNamespaces: g.IngressNamespaces, IngressAddresses: g.IngressAddresses, DNSNamespaces: g.DNSNamespaces,
			EgressNamespaces: g.EgressNamespaces, EgressAddresses: g.EgressAddresses, NotInternet: g.NotInternet,
		},
	}
	if trust != preview.TrustOwn {
		all.Quota.Percent = g.ForkPercent
	}
	return all
}
