package cluster

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	helmrelease "helm.sh/helm/v4/pkg/release/v1/util"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// FuzzReaders: whatever labels, annotations and status an object has, reading them ends well. Charts write the first two, applications in the
// cluster the third.
func FuzzReaders(f *testing.F) {
	for _, text := range []string{
		`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"pr-web-7","uid":"u","labels":{"catalyst.dev/instance":"test","catalyst.dev/repository-id":"4711","catalyst.dev/pull-request":"7","app.kubernetes.io/managed-by":"catalyst"},"annotations":{"catalyst.dev/repository":"acme/web"}}}`,
		`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","labels":{"catalyst.dev/repository-id":"99999999999999999999","catalyst.dev/pull-request":"-1"}}}`,
		`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","generation":2,"annotations":{"deployment.kubernetes.io/revision":"2"}},"spec":{"replicas":1},"status":{"observedGeneration":2,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"too late"},{"type":"ReplicaFailure","status":"True","message":"violates PodSecurity"}]}}`,
		`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a","annotations":{"helm.sh/hook":"pre-install, nonsense","helm.sh/hook-weight":"x","helm.sh/hook-delete-policy":",,"}},"spec":{"suspend":"yes"},"status":{"conditions":"none"}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","ownerReferences":[{"controller":true,"kind":"ReplicaSet","name":"web-1"}]},"spec":{"containers":[{"name":"web","resources":{"limits":{"memory":"64Mi"}}}]},"status":{"phase":"Pending","containerStatuses":[{"name":"web","state":{"waiting":{"reason":"ImagePullBackOff","message":"not found"}},"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}}`,
		`{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"a"},"spec":{"tls":[{"hosts":["h"]}],"rules":[{"host":"h"}]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		object := &unstructured.Unstructured{}
		if json.Unmarshal(data, &object.Object) != nil || object.Object == nil {
			return
		}
		readObject(t, object)
		var ns corev1.Namespace
		if json.Unmarshal(data, &ns) == nil {
			readNamespace(t, &ns)
		}
		var ingress networkingv1.Ingress
		if json.Unmarshal(data, &ingress) == nil && !strings.HasSuffix(address(&ingress, "h"), "://h") {
			t.Errorf("address %q", address(&ingress, "h"))
		}
		// Helm reads hooks' annotations from the text.
		_, _, _ = helmrelease.SortManifests(map[string]string{"web/templates/a.yaml": string(data)}, nil, helmrelease.InstallOrder)
	})
}

func readNamespace(t *testing.T, ns *corev1.Namespace) {
	t.Helper()
	c := &Cluster{instance: "test"}
	id, err := identityOf(ns)
	if err != nil {
		return
	}
	// Who owns a namespace is what is read from it, to the letter.
	other := id
	other.Key.Number++
	if c.owns(ns, other) == nil {
		t.Errorf("%v is owned by two: %+v and %+v", ns.Labels, id, other)
	}
}

func readObject(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	c := &Cluster{instance: "test", log: slog.New(slog.DiscardHandler)}
	gvk := object.GroupVersionKind()
	ref := ObjectRef{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Name: object.GetName()}
	w := newWait(c, Identity{Namespace: "pr-web-7"}, []ObjectRef{ref}, time.Minute)
	resource := schema.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: strings.ToLower(gvk.Kind) + "s"}
	w.resources[ref] = resource
	w.objects[objectKey{resource, ref.Name}] = object
	if seen := w.object(ref); seen.Name != ref.Name || seen.Kind != ref.Kind {
		t.Errorf("%v is seen as %v", ref, seen.Ref)
	}
	_, _ = finished(object), phase(object)
}
