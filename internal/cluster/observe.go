package cluster

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"catalyst.dev/catalyst/internal/diagnose"
)

// observe puts what is known of the release together for a verdict. It asks the API server for nothing but whose pods are whose.
func (w *wait) observe(ctx context.Context, over bool) diagnose.Observed {
	o := diagnose.Observed{
		Now: time.Now(), Began: w.began, Limit: w.limit, Over: over, Once: w.once, Hook: w.hook,
		Events: w.events(), Logs: w.evidence.logs, Nodes: w.evidence.nodes, Found: w.evidence.found,
	}
	for _, ref := range w.refs {
		o.Objects = append(o.Objects, w.object(ref))
	}
	names := serviceNames(o.Objects)
	for _, pod := range w.allPods() {
		o.Pods = append(o.Pods, w.dated(observedPod(pod, w.ownerOf(ctx, pod), names), o.Now))
	}
	return o
}

// runKey names one run of a container.
type runKey struct {
	pod, container string // the pod by UID
	restarts       int
}

// dated notes when each run was first seen: what nodes say of their time is not known to be right.
func (w *wait) dated(p diagnose.Pod, now time.Time) diagnose.Pod {
	for i := range p.Containers {
		c := &p.Containers[i]
		if !c.Running {
			continue
		}
		r := runKey{p.UID, c.Name, c.Restarts}
		if w.runs[r].IsZero() {
			w.runs[r] = now
		}
		c.Seen = w.runs[r]
	}
	return p
}

func refOf(r ObjectRef) diagnose.Ref { return diagnose.Ref{Kind: r.Kind, Name: r.Name} }

// object is one object of the release as it is known now.
func (w *wait) object(ref ObjectRef) diagnose.Object {
	o := diagnose.Object{Ref: refOf(ref), Custom: custom(ref)}
	object := w.objects[objectKey{w.resources[ref], ref.Name}]
	if object == nil {
		o.Absent = true
		return o
	}
	o.UID = string(object.GetUID())
	o.Ready, o.Failed, o.Status = w.state(ref, object)
	if seen, known, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration"); !known || seen >= object.GetGeneration() {
		o.Conditions = conditions(object)
	}
	o.Labels, _, _ = unstructured.NestedStringMap(object.Object, "spec", "template", "metadata", "labels")
	o.Wanted = wanted(ref, object)
	failures, _, _ := unstructured.NestedInt64(object.Object, "status", "failed")
	o.Failures = int(failures)
	switch {
	case o.Custom:
		o.Makes = makes(object)
	case ref.Group == "" && ref.Kind == "Service":
		o.Service = observedService(object)
	case ref.Group == networkingv1.GroupName && ref.Kind == "Ingress":
		o.Backs = backs(object)
	case ref.Group == "" && ref.Kind == "PersistentVolumeClaim":
		o.Claim = &diagnose.Claim{Phase: phase(object)}
		o.Claim.Class, _, _ = unstructured.NestedString(object.Object, "spec", "storageClassName")
		o.Claim.Size, _, _ = unstructured.NestedString(object.Object, "spec", "resources", "requests", "storage")
	}
	return o
}

// conditions are an object's, as far as they have a type.
func conditions(object *unstructured.Unstructured) []diagnose.Condition {
	list, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	var all []diagnose.Condition
	for _, item := range list {
		c, ok := item.(map[string]any)
		if !ok {
			continue
		}
		word := func(key string) string { s, _ := c[key].(string); return s }
		since, _ := time.Parse(time.RFC3339, word("lastTransitionTime")) // not known is the zero time
		all = append(all, diagnose.Condition{Type: word("type"), Status: word("status"), Reason: word("reason"), Message: word("message"), Since: since})
	}
	return all
}

// wanted is how many pods an object is to have.
func wanted(ref ObjectRef, object *unstructured.Unstructured) int {
	var n int64
	switch {
	case ref.Group == appsv1.GroupName && ref.Kind == "DaemonSet":
		n, _, _ = unstructured.NestedInt64(object.Object, "status", "desiredNumberScheduled")
	case ref.Group == appsv1.GroupName && ref.Kind != "ControllerRevision":
		n, _, _ = unstructured.NestedInt64(object.Object, "spec", "replicas")
	case ref.Group == "batch" && ref.Kind == "Job" && !finished(object), ref.Group == "" && ref.Kind == "Pod":
		n = 1
	}
	return int(n)
}

// makes are the Secrets that a custom object names as what comes of it: cert-manager's, the external secrets operator's and
// sealed secrets'.
func makes(object *unstructured.Unstructured) []string {
	var names []string
	for _, path := range [][]string{{"spec", "secretName"}, {"spec", "target", "name"}, {"spec", "template", "metadata", "name"}} {
		if name, _, _ := unstructured.NestedString(object.Object, path...); name != "" {
			names = append(names, name)
		}
	}
	return append(names, object.GetName())
}

func observedService(object *unstructured.Unstructured) *diagnose.Service {
	var s corev1.Service
	if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &s) != nil {
		return nil
	}
	found := &diagnose.Service{Selector: s.Spec.Selector, IPs: s.Spec.ClusterIPs}
	for _, p := range s.Spec.Ports {
		found.Ports = append(found.Ports, diagnose.ServicePort{Name: p.Name, Port: int(p.Port), Target: port(p.TargetPort)})
	}
	return found
}

func port(p intstr.IntOrString) diagnose.Port {
	if p.Type == intstr.String {
		return diagnose.Port{Name: p.StrVal}
	}
	return diagnose.Port{Number: int(p.IntVal)}
}

// backs are the Services an Ingress sends to, each once.
func backs(object *unstructured.Unstructured) []diagnose.Port {
	var i networkingv1.Ingress
	if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &i) != nil {
		return nil
	}
	var all []diagnose.Port
	add := func(b *networkingv1.IngressBackend) {
		if b == nil || b.Service == nil {
			return
		}
		p := diagnose.Port{Object: b.Service.Name, Name: b.Service.Port.Name, Number: int(b.Service.Port.Number)}
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	add(i.Spec.DefaultBackend)
	for _, rule := range i.Spec.Rules {
		if rule.HTTP != nil {
			for _, path := range rule.HTTP.Paths {
				add(&path.Backend)
			}
		}
	}
	return all
}

func serviceNames(objects []diagnose.Object) []string {
	var names []string
	for _, o := range objects {
		if o.Kind == "Service" {
			names = append(names, o.Name)
		}
	}
	return names
}
