package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"catalyst.dev/catalyst/localcluster/internal/api"
	"catalyst.dev/catalyst/localcluster/internal/cluster"
	"catalyst.dev/catalyst/localcluster/internal/component"
)

const nodeName = component.NodeName

func fakeName(i int) string { return fmt.Sprintf("fake%d", i) }

// obj is a Kubernetes object, or part of one.
type obj = map[string]any

type placed struct {
	path string
	obj  obj
}

// applyObjects makes the objects a fresh cluster is given: the IngressClass, DNS, metrics, and the simulated nodes.
func (s *Supervisor) applyObjects(ctx context.Context) error {
	all := []placed{{"/apis/networking.k8s.io/v1/ingressclasses/local", obj{
		"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
		"metadata": obj{"name": "local", "annotations": obj{"ingressclass.kubernetes.io/is-default-class": "true"}},
		"spec":     obj{"controller": "catalyst.dev/local-router"},
	}}}
	if s.cluster.Node == cluster.Real {
		a := s.cluster.Addresses()
		all = append(all, dns(a.DNSIP, a.Registry()+"/"+s.set.ImageName(s.cluster.Binaries.CoreDNS))...)
		ca, err := os.ReadFile(s.cluster.Path("pki", "ca.crt"))
		if err != nil {
			return fmt.Errorf("load the cluster's authority: %w", err)
		}
		all = append(all, metrics(a.NodeIP, a.MetricsPort, ca)...)
	}
	for i := range s.cluster.SimulatedNodes {
		all = append(all, fakeNode(fakeName(i), s.cluster.Node == cluster.Real))
	}
	for _, p := range all {
		if err := s.api.Apply(ctx, p.path, p.obj); err != nil {
			return err
		}
	}
	return s.forgetNodes(ctx)
}

// forgetNodes removes nodes of an earlier start that are not part of the cluster any more: pods would be waited for on them.
func (s *Supervisor) forgetNodes(ctx context.Context) error {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
		}
	}
	if err := s.api.Get(ctx, "/api/v1/nodes", &list); err != nil {
		return err
	}
	for _, n := range list.Items {
		name := n.Metadata.Name
		stays := name == nodeName && s.cluster.Node == cluster.Real
		for i := range s.cluster.SimulatedNodes {
			stays = stays || name == fakeName(i)
		}
		if stays || name != nodeName && !strings.HasPrefix(name, "fake") {
			continue
		}
		if err := s.api.Delete(ctx, "/api/v1/nodes/"+name); err != nil && !errors.Is(err, api.ErrNotFound) {
			return err
		}
	}
	return nil
}

// fakeNode is a node that kwok plays. Beside a real node it is tainted, so that only pods that ask for it land there.
func fakeNode(name string, tainted bool) placed {
	size := obj{"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "2000"}
	node := obj{
		"apiVersion": "v1", "kind": "Node",
		"metadata": obj{"name": name,
			"annotations": obj{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
			"labels":      obj{"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
		"status": obj{"allocatable": size, "capacity": size},
	}
	if tainted {
		node["spec"] = obj{"taints": []obj{{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}}}
	}
	return placed{"/api/v1/nodes/" + name, node}
}

// nodeReady checks that a node says so, since the time given: what it said before the cluster was last stopped is still there.
func (s *Supervisor) nodeReady(name, since string) func(context.Context) error {
	return func(ctx context.Context) error {
		var n struct {
			Status struct {
				Conditions []struct{ Type, Status, LastHeartbeatTime string }
			}
		}
		if err := s.api.Get(ctx, "/api/v1/nodes/"+name, &n); err != nil {
			return err
		}
		for _, c := range n.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" && c.LastHeartbeatTime >= since {
				return nil
			}
		}
		return fmt.Errorf("node %s is not ready", name)
	}
}
