package cluster

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// Guards are the fence around one preview: what its chart may use, reach and answer for. Catalyst writes them into the namespace, the
// API server and the cluster's network keep them; the chart cannot change them.
type Guards struct {
	PodSecurity    string   // Pod Security level that is enforced: restricted or baseline
	Host           string   // Ingresses and routes may answer for it and for names below it
	IngressClass   string   // "" means the cluster's default
	Gateway        string   // NAMESPACE/NAME of the Gateway that routes may be attached to; "" means none
	Registries     []string // images must come from below one of these; none means from anywhere
	StorageClasses []string // none means the cluster's default, if that deletes its volumes
	Annotations    []string // keys that Ingresses, routes and Services may carry besides Helm's own
	Quota          Quota
	Container      ContainerLimits
	Network        Network
}

// Quota is what all of a preview may use together.
type Quota struct {
	Pods          int
	Requests      Resources
	Limits        Resources
	Volumes       int    // PersistentVolumeClaims
	VolumeStorage string // bytes of all of them
	Percent       int    // how much of all that this preview gets; 0 means all
}

// ContainerLimits are what a container gets that asks for nothing, and what it may ask for.
type ContainerLimits struct {
	Request Resources
	Limit   Resources
	Max     Resources
}

// Resources are quantities as Kubernetes writes them.
type Resources struct{ CPU, Memory, EphemeralStorage string }

// The annotations of a namespace by which Catalyst tells the admission policies (deploy/manifests) what this preview may do.
const (
	annotationHost           = "catalyst.dev/host"
	annotationIngressClass   = "catalyst.dev/ingress-class"
	annotationGateway        = "catalyst.dev/gateway"
	annotationRegistries     = "catalyst.dev/registries"
	annotationStorageClasses = "catalyst.dev/storage-classes"
	annotationAnnotations    = "catalyst.dev/annotations"
	annotationPods           = "catalyst.dev/pods"
)

// podSecurityVersion is the version of the Pod Security Standards that is enforced, so that an upgrade of the cluster changes nothing for
// previews that run. A server that is older takes its own newest.
const podSecurityVersion = "v1.37"

// namespaceGuards are the labels and annotations of the preview's namespace.
func (c *Cluster) namespaceGuards(ctx context.Context, id Identity, g Guards) (labels, annotations map[string]string, err error) {
	d, err := c.currentDefaults(ctx)
	if err != nil {
		return nil, nil, err
	}
	labels = c.labels(id)
	maps.Copy(labels, podSecurity(g.PodSecurity))
	class, classes := g.IngressClass, g.StorageClasses
	if class == "" {
		class = d.ingressClass
	}
	if len(classes) == 0 && d.storageClass != "" {
		classes = []string{d.storageClass}
	}
	return labels, map[string]string{
		AnnotationRepository:     id.Repository,
		annotationHost:           g.Host,
		annotationIngressClass:   class,
		annotationGateway:        g.Gateway,
		annotationRegistries:     strings.Join(g.Registries, " "),
		annotationStorageClasses: strings.Join(classes, " "),
		annotationAnnotations:    strings.Join(g.Annotations, " "),
		annotationPods:           strconv.Itoa(g.Quota.pods()),
	}, nil
}

// podSecurity are the labels that enforce a level, and tell people and the audit log what the strictest one would refuse.
func podSecurity(level string) map[string]string {
	labels := map[string]string{}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		labels["pod-security.kubernetes.io/"+mode] = level
		labels["pod-security.kubernetes.io/"+mode+"-version"] = podSecurityVersion
		level = "restricted"
	}
	return labels
}

// guardName is the name of the objects that guard a preview.
const guardName = "catalyst"

// quota bounds what the preview uses. What a chart may not have at all has a zero; the numbers of objects only keep a chart from filling the
// API server's store. ServiceAccounts are not counted: each deployment has one of its own, and when something counted is removed Kubernetes
// counts everything anew from a cache, which would be in the moment the pods start and let more in than there may be.
func (g Guards) quota() (*corev1.ResourceQuota, error) {
	q := g.Quota
	hard := map[corev1.ResourceName]string{
		corev1.ResourcePods:                     strconv.Itoa(q.pods()),
		corev1.ResourceRequestsCPU:              q.Requests.CPU,
		corev1.ResourceRequestsMemory:           q.Requests.Memory,
		corev1.ResourceRequestsEphemeralStorage: q.Requests.EphemeralStorage,
		corev1.ResourceLimitsCPU:                q.Limits.CPU,
		corev1.ResourceLimitsMemory:             q.Limits.Memory,
		corev1.ResourceLimitsEphemeralStorage:   q.Limits.EphemeralStorage,
		corev1.ResourcePersistentVolumeClaims:   strconv.Itoa(q.part(q.Volumes)),
		corev1.ResourceRequestsStorage:          q.VolumeStorage,
		corev1.ResourceServicesLoadBalancers:    "0",
		corev1.ResourceServicesNodePorts:        "0",
		"count/replicationcontrollers":          "0",
	}
	for kind, most := range map[string]int{
		"configmaps": 60, "secrets": 60, "services": 30,
		"deployments.apps": 30, "statefulsets.apps": 15, "daemonsets.apps": 5, "replicasets.apps": 400,
		"jobs.batch": 60, "cronjobs.batch": 15, "horizontalpodautoscalers.autoscaling": 30, "poddisruptionbudgets.policy": 30,
		"ingresses.networking.k8s.io": 15, "httproutes.gateway.networking.k8s.io": 15, "grpcroutes.gateway.networking.k8s.io": 15,
	} {
		hard[corev1.ResourceName("count/"+kind)] = strconv.Itoa(most)
	}
	list, err := quantities(hard)
	if err != nil {
		return nil, fmt.Errorf("quota: %w", err)
	}
	for name, whole := range list {
		if !strings.HasPrefix(string(name), "count/") && name != corev1.ResourcePods && name != corev1.ResourcePersistentVolumeClaims {
			list[name] = q.share(whole)
		}
	}
	return &corev1.ResourceQuota{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
		ObjectMeta: guardMeta(guardName),
		Spec:       corev1.ResourceQuotaSpec{Hard: list},
	}, nil
}

// pods is how many pods the preview may have: one at least.
func (q Quota) pods() int { return max(1, q.part(q.Pods)) }

func (q Quota) part(whole int) int {
	if q.Percent == 0 {
		return whole
	}
	return whole * q.Percent / 100
}

func (q Quota) share(whole resource.Quantity) resource.Quantity {
	if q.Percent == 0 || q.Percent == 100 {
		return whole
	}
	if whole.Value() < 1<<30 { // small enough for its thousandths, which CPU is counted in
		return *resource.NewMilliQuantity(whole.MilliValue()*int64(q.Percent)/100, whole.Format)
	}
	return *resource.NewQuantity(whole.Value()*int64(q.Percent)/100, whole.Format)
}

// limits gives containers that ask for nothing what the quota needs to know, and bounds each.
func (g Guards) limits() (*corev1.LimitRange, error) {
	item := corev1.LimitRangeItem{Type: corev1.LimitTypeContainer}
	for _, part := range []struct {
		list *corev1.ResourceList
		r    Resources
	}{{&item.DefaultRequest, g.Container.Request}, {&item.Default, g.Container.Limit}, {&item.Max, g.Container.Max}} {
		list, err := quantities(map[corev1.ResourceName]string{
			corev1.ResourceCPU: part.r.CPU, corev1.ResourceMemory: part.r.Memory, corev1.ResourceEphemeralStorage: part.r.EphemeralStorage,
		})
		if err != nil {
			return nil, fmt.Errorf("limits of a container: %w", err)
		}
		*part.list = list
	}
	return &corev1.LimitRange{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"},
		ObjectMeta: guardMeta(guardName),
		Spec:       corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}},
	}, nil
}

// account is the service account of pods that name none: they get no token for the API server.
func account() *corev1.ServiceAccount {
	never := false
	return &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   metav1.ObjectMeta{Name: "default"},
		AutomountServiceAccountToken: &never,
	}
}

func guardMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{LabelManagedBy: managedBy}}
}

func quantities(texts map[corev1.ResourceName]string) (corev1.ResourceList, error) {
	list := corev1.ResourceList{}
	for name, text := range texts {
		q, err := resource.ParseQuantity(text)
		if err != nil {
			return nil, fmt.Errorf("%s %q is not a quantity: %w", name, text, preview.ErrInvalid)
		}
		list[name] = q
	}
	return list, nil
}
