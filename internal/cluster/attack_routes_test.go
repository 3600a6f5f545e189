package cluster

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// routeKinds makes the Gateway API's routes known to the cluster: testdata holds the definitions of its release 1.4.1.
func (f *fenced) routeKinds() {
	f.t.Helper()
	definitions := f.anything().Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, name := range []string{"httproutes", "grpcroutes"} {
		file, err := os.Open("testdata/" + name + ".yaml.gz")
		if err != nil {
			f.t.Fatal(err)
		}
		defer file.Close()
		zipped, err := gzip.NewReader(file)
		if err != nil {
			f.t.Fatal(err)
		}
		text, err := io.ReadAll(zipped)
		if err != nil {
			f.t.Fatal(err)
		}
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &crd.Object); err != nil {
			f.t.Fatal(err)
		}
		if _, err := definitions.Create(f.t.Context(), crd, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			f.t.Fatal(err)
		}
		routes := f.anything().Resource(schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: name})
		polls := 0
		f.eventually(func() error {
			if _, err := routes.Namespace(f.id.Namespace).List(f.t.Context(), metav1.ListOptions{}); err != nil {
				return err
			}
			// The quota's controller looks for new kinds twice a minute, and until then every route is refused for want of a count. It counts
			// them when the quota changes, or every five minutes.
			quota, err := f.admin.CoreV1().ResourceQuotas(f.id.Namespace).Get(f.t.Context(), guardName, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if _, ok := quota.Status.Used[corev1.ResourceName("count/"+name+".gateway.networking.k8s.io")]; !ok {
				if polls++; polls%40 == 1 {
					f.alsoLimit(fmt.Sprintf("%q", strconv.Itoa(polls)))
				}
				return errors.New("the quota does not count " + name + " yet")
			}
			return nil
		})
	}
	f.alsoLimit("null")
}

// alsoLimit changes the quota, as an operator may, by a limit on what there is none of.
func (f *fenced) alsoLimit(value string) {
	f.t.Helper()
	change := fmt.Sprintf(`{"spec": {"hard": {"count/nothing.example.com": %s}}}`, value)
	if _, err := f.admin.CoreV1().ResourceQuotas(f.id.Namespace).Patch(f.t.Context(), guardName, types.MergePatchType, []byte(change), metav1.PatchOptions{}); err != nil {
		f.t.Fatal(err)
	}
}

const ownRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: public, namespace: gateways}]
  hostnames: ['{{ .Values.host }}']
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs: [{name: web, port: 80}]
`

// TestRoutesAnswerForTheirOwnHost is TestIngressAnswersForItsOwnHost for the Gateway API.
func TestRoutesAnswerForTheirOwnHost(t *testing.T) {
	t.Parallel()
	f := fence(t, func(g *Guards) { g.Gateway = "gateways/public" })
	f.routeKinds()
	grpc := altered(ownRoute, "{kind: GRPCRoute, metadata: {name: grpc}, spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}}")
	for name, manifest := range map[string]string{
		"own host":      ownRoute,
		"below it":      altered(ownRoute, "spec: {hostnames: ['api.{{ .Values.host }}']}"),
		"a redirection": altered(ownRoute, "spec: {rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]}"),
		"gRPC":          grpc,
	} {
		if err := f.try(f.c, manifest); !letIn(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	attacks := map[string]attack{}
	for name, change := range map[string]string{
		"production's host":          "spec: {hostnames: [www.example.com]}",
		"a second host":              "spec: {hostnames: ['{{ .Values.host }}', www.example.com]}",
		"a wildcard":                 "spec: {hostnames: ['*.preview.localhost']}",
		"a wildcard below its own":   "spec: {hostnames: ['*.{{ .Values.host }}']}",
		"a sibling's host":           "spec: {hostnames: [pr-web-7.preview.localhost]}",
		"every host of the listener": "spec: {hostnames: null}",
		"no host":                    "spec: {hostnames: []}",
		"another Gateway":            "spec: {parentRefs: [{name: production, namespace: gateways}]}",
		"another namespace":          "spec: {parentRefs: [{name: public, namespace: production}]}",
		"its own Gateway":            "spec: {parentRefs: [{name: public}]}",
		"a Service as its parent":    "spec: {parentRefs: [{group: '', kind: Service, name: web}]}",
		"a second parent":            "spec: {parentRefs: [{name: public, namespace: gateways}, {name: production, namespace: gateways}]}",
		"no parent":                  "spec: {parentRefs: null}",
		"another's Service":          "spec: {rules: [{backendRefs: [{name: web, namespace: production, port: 80}]}]}",
		"no Service":                 "spec: {rules: [{backendRefs: [{group: example.com, kind: Bucket, name: web, port: 80}]}]}",
		"external-dns":               "metadata: {annotations: {external-dns.alpha.kubernetes.io/hostname: www.example.com}}",
	} {
		attacks[name] = attack{altered(ownRoute, "metadata: {name: attack}", change), "catalyst-previews-routes"}
		attacks[name+", afterwards"] = attack{altered(ownRoute, change), "catalyst-previews-routes"}
	}
	for name, change := range map[string]string{
		"a mirror":             "spec: {rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, namespace: production, port: 80}}}]}]}",
		"the controller's own": "spec: {rules: [{filters: [{type: ExtensionRef, extensionRef: {group: example.com, kind: Snippet, name: a}}]}]}",
		"a mirror behind":      "spec: {rules: [{backendRefs: [{name: web, port: 80, filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}}}]}]}]}",
	} {
		attacks[name] = attack{altered(ownRoute, "metadata: {name: attack}", change), "filters"}
	}
	attacks["gRPC for another host"] = attack{altered(grpc, "spec: {hostnames: [www.example.com]}"), "not for"}
	f.repel(attacks)
}

// TestRoutesWithoutAGateway: none is configured, so there are no routes.
func TestRoutesWithoutAGateway(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	f.routeKinds()
	f.repel(map[string]attack{"a route": {ownRoute, "no Gateway is configured"}})
}
