package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// annotationHeld says of a namespace, since just before its deletion began, which of its objects have finalizers, one in a line:
// "RESOURCE.GROUP Kind "name" (finalizer …)". Catalyst's rights in a preview are in the preview, and go with it: when it turns out to be stuck, nothing in it
// can be read any more.
const annotationHeld = "catalyst.dev/held"

// heldLines bounds the annotation.
const heldLines = 20

// kinds that a preview may hold, besides those that run something.
var holdings = []schema.GroupVersionResource{
	{Version: "v1", Resource: "configmaps"},
	{Version: "v1", Resource: "secrets"},
	{Version: "v1", Resource: "services"},
	{Version: "v1", Resource: "serviceaccounts"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
	{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "grpcroutes"},
}

// ownFinalizers are Kubernetes' own, which it takes away by itself.
var ownFinalizers = []string{metav1.FinalizerDeleteDependents, metav1.FinalizerOrphanDependents, "kubernetes.io/pvc-protection", "batch.kubernetes.io/job-tracking"}

// noteHolders writes down at the namespace, which is about to be deleted, what may hold it. It is for the diagnosis alone, and stops nothing.
func (c *Cluster) noteHolders(ctx context.Context, ns *corev1.Namespace) {
	lines := c.finalized(ctx, ns.Name)
	if len(lines) == 0 {
		return
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": ns.UID, "annotations": map[string]string{annotationHeld: strings.Join(lines, "\n")},
	}})
	if err == nil {
		_, err = c.client.CoreV1().Namespaces().Patch(ctx, ns.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	}
	if err != nil {
		c.log.WarnContext(ctx, "what may hold the namespace is not written down", "namespace", ns.Name, "err", err)
	}
}

// finalized are the lines of annotationHeld. What may not be read, or is not known to the cluster, is left out.
func (c *Cluster) finalized(ctx context.Context, namespace string) []string {
	resources := slices.Concat(runners, holdings)
	found := make([][]string, len(resources))
	var all errgroup.Group
	for i, resource := range resources {
		all.Go(func() error {
			list, err := c.metadata.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				c.log.DebugContext(ctx, "not looked at for finalizers", "namespace", namespace, "resource", resource.Resource, "err", err)
				return nil
			}
			for _, item := range list.Items {
				if foreign := foreignFinalizers(item.Finalizers); len(foreign) > 0 {
					found[i] = append(found[i], resource.Resource+"."+resource.Group+" "+held(c.kindOf(resource), item.Name, foreign))
				}
			}
			return nil
		})
	}
	_ = all.Wait() // none of them fails
	lines := slices.Concat(found...)
	return lines[:min(len(lines), heldLines)]
}

func foreignFinalizers(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(f string) bool { return slices.Contains(ownFinalizers, f) })
}

func held(kind, name string, finalizers []string) string {
	return fmt.Sprintf("%s %q (finalizer %s)", kind, name, strings.Join(finalizers, ", "))
}

// kindOf is the kind of a resource for people.
func (c *Cluster) kindOf(resource schema.GroupVersionResource) string {
	gvk, err := c.mapper.KindFor(resource)
	if err != nil {
		return resource.Resource
	}
	return gvk.Kind
}

var remaining = regexp.MustCompile(`([a-z0-9-]+)\.([a-z0-9.-]*) has (\d+) resource instances`)

// holders names the objects that are left in a namespace and have finalizers. message is the condition's: "Some resources are remaining:
// configmaps. has 1 resource instances, widgets.example.com has 2 resource instances". Objects of a kind that may not be read are those
// that were written down before the deletion.
func (c *Cluster) holders(ctx context.Context, ns *corev1.Namespace, message string) []string {
	var all []string
	for _, m := range remaining.FindAllStringSubmatch(message, 5) {
		left, err := c.remainingOf(ctx, ns.Name, schema.GroupVersionResource{Group: strings.TrimSuffix(m[2], "."), Resource: m[1]})
		if err != nil {
			c.log.DebugContext(ctx, "remaining objects not read", "namespace", ns.Name, "resource", m[1], "err", err)
			left = writtenDown(ns, m[1]+"."+m[2])
		}
		all = append(all, left...)
	}
	return all
}

func (c *Cluster) remainingOf(ctx context.Context, namespace string, partial schema.GroupVersionResource) ([]string, error) {
	resource, err := c.mapper.ResourceFor(partial)
	if err != nil {
		return nil, err
	}
	list, err := c.metadata.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 100})
	if err != nil {
		return nil, err
	}
	var left []string
	for _, object := range list.Items {
		if len(object.Finalizers) > 0 {
			left = append(left, held(c.kindOf(resource), object.Name, object.Finalizers))
		}
	}
	return left, nil
}

// writtenDown are the objects of one resource that had finalizers when the deletion began.
func writtenDown(ns *corev1.Namespace, resource string) []string {
	var left []string
	for line := range strings.SplitSeq(ns.Annotations[annotationHeld], "\n") {
		if of, what, _ := strings.Cut(line, " "); of == resource {
			left = append(left, what)
		}
	}
	return left
}
