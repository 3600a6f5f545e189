package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// AnnotationObjects lists the objects that a preview consists of since it was last ready, one in a line, as VERSION/Kind/name or
// GROUP/VERSION/Kind/name. Health compares with it: what a namespace has lost cannot be seen in the namespace.
const AnnotationObjects = "catalyst.dev/objects"

// note writes down, at the namespace of exactly this UID, what it consists of. The record that Helm keeps would say the same, in a Secret
// that has to be unpacked and rendered manifests parsed, for every preview at every look.
func (c *Cluster) note(ctx context.Context, id Identity, objects []ObjectRef) error {
	lines := make([]string, len(objects))
	for i, o := range objects {
		lines[i] = strings.TrimPrefix(o.Group+"/"+o.Version+"/"+o.Kind+"/"+o.Name, "/")
	}
	metadata := map[string]any{"annotations": map[string]string{AnnotationObjects: strings.Join(lines, "\n")}}
	if id.UID != "" {
		metadata["uid"] = id.UID // the API server refuses another one
	}
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return fmt.Errorf("note the objects of %s: %w", id.Namespace, err)
	}
	if _, err := c.client.CoreV1().Namespaces().Patch(ctx, id.Namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return kind(fmt.Errorf("note the objects of %s: %w", id.Namespace, err))
	}
	return nil
}

// noted reads what note has written; a line that says nothing is left out.
func noted(ns *corev1.Namespace) []ObjectRef {
	var objects []ObjectRef
	for line := range strings.SplitSeq(ns.Annotations[AnnotationObjects], "\n") {
		parts := strings.Split(line, "/")
		if len(parts) == 3 {
			parts = append([]string{""}, parts...)
		}
		if len(parts) != 4 {
			continue
		}
		objects = append(objects, ObjectRef{Group: parts[0], Version: parts[1], Kind: parts[2], Namespace: ns.Name, Name: parts[3]})
	}
	return objects
}
