// Package fence gives tests that drive package cluster by themselves guards that are in nobody's way.
package fence

import "catalyst.dev/catalyst/internal/cluster"

// Wide returns guards within which everything fits that one node can run. host is what the preview answers under.
func Wide(host string) cluster.Guards {
	return cluster.Guards{
		PodSecurity: "baseline",
		Host:        host,
		Quota: cluster.Quota{
			Pods:     100,
			Requests: cluster.Resources{CPU: "1k", Memory: "64Ti", EphemeralStorage: "64Ti"},
			Limits:   cluster.Resources{CPU: "1k", Memory: "64Ti", EphemeralStorage: "64Ti"},
			Volumes:  20, VolumeStorage: "64Ti",
		},
		Container: cluster.ContainerLimits{
			Request: cluster.Resources{CPU: "10m", Memory: "16Mi", EphemeralStorage: "16Mi"},
			Limit:   cluster.Resources{CPU: "1", Memory: "512Mi", EphemeralStorage: "1Gi"},
			Max:     cluster.Resources{CPU: "1k", Memory: "64Ti", EphemeralStorage: "64Ti"},
		},
		StorageClasses: []string{"fast"}, // no cluster of the tests has it
		Network:        cluster.Network{DNSNamespaces: "kubernetes.io/metadata.name=kube-system"},
	}
}
