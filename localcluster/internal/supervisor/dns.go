package supervisor

import (
	"context"
	"fmt"
)

// Names outside of the cluster do not exist, and are said so at once: there is nobody to ask.
const corefile = `.:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    ttl 5
  }
  template ANY ANY . {
    rcode NXDOMAIN
  }
  cache 5
  loadbalance
}
`

const dnsDeployment = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"

// dns gives the objects of the cluster's DNS server: CoreDNS in one pod, for names of the cluster only.
func dns(ip, image string) []placed {
	meta := func(name string) obj { return obj{"name": name, "namespace": "kube-system"} }
	labels := obj{"k8s-app": "kube-dns"}
	const core, rbac = "/api/v1/namespaces/kube-system", "/apis/rbac.authorization.k8s.io/v1"
	return []placed{
		{core + "/serviceaccounts/coredns", obj{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("coredns")}},
		{rbac + "/clusterroles/system:coredns", obj{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": obj{"name": "system:coredns"},
			"rules": []obj{
				{"apiGroups": []string{""}, "resources": []string{"endpoints", "services", "pods", "namespaces"}, "verbs": []string{"list", "watch"}},
				{"apiGroups": []string{"discovery.k8s.io"}, "resources": []string{"endpointslices"}, "verbs": []string{"list", "watch"}},
			},
		}},
		{rbac + "/clusterrolebindings/system:coredns", obj{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": obj{"name": "system:coredns"},
			"roleRef":  obj{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
			"subjects": []obj{{"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}},
		}},
		{core + "/configmaps/coredns", obj{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("coredns"), "data": obj{"Corefile": corefile}}},
		{core + "/services/kube-dns", obj{
			"apiVersion": "v1", "kind": "Service", "metadata": meta("kube-dns"),
			"spec": obj{"clusterIP": ip, "selector": labels, "ports": []obj{
				{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}}},
		}},
		{dnsDeployment, obj{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("coredns"),
			"spec": obj{"replicas": 1, "selector": obj{"matchLabels": labels}, "template": obj{
				"metadata": obj{"labels": labels},
				"spec": obj{
					"serviceAccountName": "coredns", "dnsPolicy": "Default", "priorityClassName": "system-cluster-critical",
					"containers": []obj{{
						"name": "coredns", "image": image, "args": []string{"-conf", "/etc/coredns/Corefile"},
						"ports":          []obj{{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}},
						"readinessProbe": obj{"httpGet": obj{"path": "/ready", "port": 8181}, "periodSeconds": 1},
						"volumeMounts":   []obj{{"name": "config", "mountPath": "/etc/coredns"}},
					}},
					"volumes": []obj{{"name": "config", "configMap": obj{"name": "coredns"}}},
				},
			}},
		}},
	}
}

// dnsReady tells whether a CoreDNS pod that runs since this start is ready.
func (s *Supervisor) dnsReady(ctx context.Context) error {
	var list struct {
		Items []struct {
			Status struct {
				Conditions        []struct{ Type, Status string }
				ContainerStatuses []struct {
					State struct{ Running struct{ StartedAt string } }
				}
			}
		}
	}
	if err := s.api.Get(ctx, "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns", &list); err != nil {
		return err
	}
	for _, p := range list.Items {
		fresh := len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].State.Running.StartedAt >= s.began
		for _, c := range p.Status.Conditions {
			if fresh && c.Type == "Ready" && c.Status == "True" {
				return nil
			}
		}
	}
	return fmt.Errorf("no DNS pod is ready")
}
