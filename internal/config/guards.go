package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Guards bound what each preview may use, reach and answer for. Quantities are written as Kubernetes writes them.
type Guards struct {
	Pods                  int      `key:"pods" default:"30" doc:"Pods of a preview."`
	CPURequests           string   `key:"cpu_requests" default:"4" doc:"CPU that all containers of a preview together may ask for."`
	CPULimits             string   `key:"cpu_limits" default:"16" doc:"CPU that all containers of a preview together may be limited to."`
	MemoryRequests        string   `key:"memory_requests" default:"8Gi" doc:"Memory that all containers of a preview together may ask for."`
	MemoryLimits          string   `key:"memory_limits" default:"16Gi" doc:"Memory that all containers of a preview together may be limited to."`
	EphemeralStorage      string   `key:"ephemeral_storage" default:"32Gi" doc:"Disk of nodes (logs, writable layers, emptyDir) that all containers of a preview together may be limited to."`
	Volumes               int      `key:"volumes" default:"5" doc:"PersistentVolumeClaims of a preview."`
	VolumeStorage         string   `key:"volume_storage" default:"20Gi" doc:"Size of all PersistentVolumeClaims of a preview together."`
	StorageClasses        []string `key:"storage_classes" doc:"Storage classes of previews. Unset: the cluster's default one, when it deletes its volumes."`
	ForkPercent           int      `key:"fork_percent" default:"50" doc:"How much of all that a pull request from a fork, or of a bot that is not trusted, gets: percent of the pods, CPU, memory, disk and volumes above."`
	ContainerCPU          string   `key:"container_cpu" default:"4" doc:"CPU limit of one container at most."`
	ContainerMemory       string   `key:"container_memory" default:"8Gi" doc:"Memory limit of one container at most."`
	ContainerStorage      string   `key:"container_storage" default:"8Gi" doc:"Disk of its node for one container at most."`
	DefaultCPURequest     string   `key:"default_cpu_request" default:"100m" doc:"CPU request of a container that has none."`
	DefaultMemoryRequest  string   `key:"default_memory_request" default:"128Mi" doc:"Memory request of a container that has none."`
	DefaultStorageRequest string   `key:"default_storage_request" default:"64Mi" doc:"Disk request of a container that has none."`
	DefaultCPULimit       string   `key:"default_cpu_limit" default:"500m" doc:"CPU limit of a container that has none."`
	DefaultMemoryLimit    string   `key:"default_memory_limit" default:"512Mi" doc:"Memory limit of a container that has none."`
	DefaultStorageLimit   string   `key:"default_storage_limit" default:"1Gi" doc:"Disk limit of a container that has none."`
	IngressNamespaces     string   `key:"ingress_namespaces" default:"kubernetes.io/metadata.name=ingress-nginx" doc:"Label selector of the namespaces whose pods reach previews: the ingress controller's."`
	IngressAddresses      []string `key:"ingress_addresses" doc:"Address ranges that reach previews, for an ingress controller on the network of its node."`
	DNSNamespaces         string   `key:"dns_namespaces" default:"kubernetes.io/metadata.name=kube-system" doc:"Label selector of the namespaces whose pods previews ask for names."`
	EgressNamespaces      string   `key:"egress_namespaces" doc:"Label selector of other namespaces whose pods previews reach. Unset: none."`
	EgressAddresses       []string `key:"egress_addresses" doc:"Address ranges that previews reach although they are private, for example a shared database."`
	NotInternet           []string `key:"not_internet" doc:"Address ranges that previews do not reach, besides private, link-local and other special ones: public addresses of your own network and of the API server."`
	Registries            []string `key:"registries" doc:"Registries, or repositories in them, that images of previews come from. Unset: any."`
	Annotations           []string `key:"annotations" default:"[cert-manager.io/cluster-issuer]" doc:"Annotations that Ingresses, routes and Services of previews may carry."`
}

var (
	quantity          = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$`)
	labelSelector     = regexp.MustCompile(`^[A-Za-z0-9!=,()./_ -]+$`)
	registry          = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*$`)
	annotationKey     = regexp.MustCompile(`^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	podSecurityLevels = []string{"restricted", "baseline"}
)

// guards checks what previews are held to.
func (l *loader) guards(p Preview) {
	const at = "preview.guards."
	g := p.Guards
	l.oneOf("preview.pod_security", p.PodSecurity, podSecurityLevels...)
	namespace, name, ok := strings.Cut(p.Gateway, "/")
	l.check("preview.gateway", p.Gateway, ok && isDNS(namespace) && isDNS(name), "NAMESPACE/NAME of a Gateway")
	l.check(at+"pods", strconv.Itoa(g.Pods), g.Pods >= 1 && g.Pods <= 1000, "a whole number from 1 to 1000")
	l.check(at+"volumes", strconv.Itoa(g.Volumes), g.Volumes >= 0 && g.Volumes <= 1000, "a whole number from 0 to 1000")
	l.check(at+"fork_percent", strconv.Itoa(g.ForkPercent), g.ForkPercent >= 1 && g.ForkPercent <= 100, "a whole number from 1 to 100")
	for _, q := range []struct{ key, value string }{
		{"cpu_requests", g.CPURequests}, {"cpu_limits", g.CPULimits}, {"memory_requests", g.MemoryRequests}, {"memory_limits", g.MemoryLimits},
		{"ephemeral_storage", g.EphemeralStorage}, {"volume_storage", g.VolumeStorage},
		{"container_cpu", g.ContainerCPU}, {"container_memory", g.ContainerMemory}, {"container_storage", g.ContainerStorage},
		{"default_cpu_request", g.DefaultCPURequest}, {"default_memory_request", g.DefaultMemoryRequest}, {"default_storage_request", g.DefaultStorageRequest},
		{"default_cpu_limit", g.DefaultCPULimit}, {"default_memory_limit", g.DefaultMemoryLimit}, {"default_storage_limit", g.DefaultStorageLimit},
	} {
		l.check(at+q.key, q.value, quantity.MatchString(q.value), `a quantity like "500m", "2" or "8Gi"`)
	}
	for _, s := range []struct{ key, value string }{
		{"ingress_namespaces", g.IngressNamespaces}, {"dns_namespaces", g.DNSNamespaces}, {"egress_namespaces", g.EgressNamespaces},
	} {
		l.check(at+s.key, s.value, labelSelector.MatchString(s.value), `a label selector like "kubernetes.io/metadata.name in (traefik, haproxy)"`)
	}
	l.each(at+"ingress_addresses", g.IngressAddresses, isRange, "an address range like 10.1.0.0/16")
	l.each(at+"egress_addresses", g.EgressAddresses, isRange, "an address range like 10.1.0.0/16")
	l.each(at+"not_internet", g.NotInternet, isRange, "an address range like 203.0.113.0/24")
	l.each(at+"registries", g.Registries, registry.MatchString, "a registry or a repository in one, like ghcr.io/acme, without / at the end")
	l.each(at+"storage_classes", g.StorageClasses, isDNS, "the name of a storage class")
	l.each(at+"annotations", g.Annotations, annotationKey.MatchString, "the key of an annotation, like example.com/name")
}

// each checks the items of a list.
func (l *loader) each(path string, items []string, ok func(string) bool, expected string) {
	for i, item := range items {
		if !ok(item) {
			l.wrong(fmt.Sprintf("%s[%d]", path, i), shown(item), "expected "+expected)
		}
	}
}

func isRange(s string) bool {
	_, err := netip.ParsePrefix(s)
	return err == nil
}
