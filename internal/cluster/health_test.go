package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	expect := func(code string, words ...string) {
		t.Helper()
		var found *preview.Diagnosis
		b.eventually(func() error {
			d, err := b.c.Health(t.Context(), b.id)
			if found = d; err != nil {
				return err
			}
			if got := d; code == "" && got != nil || code != "" && (got == nil || got.Code != code) {
				return fmt.Errorf("health %+v, want %q", got, code)
			}
			return nil
		})
		if found != nil {
			wantText(t, diagnosis(t, preview.Fail(nil, *found)), code, words...)
		}
	}
	if err := b.ready(b.deploy(web(), nil)); err != nil {
		t.Fatal(err)
	}
	if d, err := b.c.Health(t.Context(), b.id); d != nil || err != nil { // at once: ready is healthy
		t.Errorf("%+v, %v", d, err)
	}
	// Somebody breaks it past the release.
	patch := func(json string) {
		t.Helper()
		if _, err := b.admin.AppsV1().Deployments(b.id.Namespace).Patch(t.Context(), "web", "application/strategic-merge-patch+json", []byte(json), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	patch(`{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"},"template":{"spec":{"containers":[{"name":"web","args":["-sick"]}]}}}}`)
	expect(diagnose.CodeNotReady, `Deployment "web"`)
	patch(`{"spec":{"template":{"spec":{"containers":[{"name":"web","args":["-crash","0s"]}]}}}}`)
	expect(diagnose.CodeDependency, `Deployment "web"`, "panic: cannot reach the database")
	if err := b.ready(b.deploy(web(), nil)); err != nil {
		t.Fatal(err)
	}
	expect("")

	// Somebody deletes a part of it; what others have put beside it does not count.
	debug := strings.NewReplacer("{{ .Values.replicas }}", "1", "{{ .Values.image }}", "nowhere:5000/debug", "{{ toJson .Values.args }}", "[]",
		"{{ .Values.commit | quote }}", "x", "name: web", "name: debug", "app: web", "app: debug").Replace(deploymentTemplate)
	deployments := appsv1.SchemeGroupVersion.WithResource("deployments")
	b.create(deployments, debug)
	expect("")
	for resource, words := range map[schema.GroupVersionResource]string{
		deployments: `Deployment "web"`,
		corev1.SchemeGroupVersion.WithResource("services"):        `Service "web"`,
		networkingv1.SchemeGroupVersion.WithResource("ingresses"): `Ingress "web"`,
	} {
		saved := b.steal(resource, "web")
		expect(diagnose.CodeObjectGone, words, "deleted")
		b.create(resource, saved)
		expect("")
	}

	refused := errors.New("connection refused")
	b.traffic.intercept(func(*http.Request) (*http.Response, error) { return nil, refused })
	if d, err := b.c.Health(t.Context(), b.id); d != nil || !errors.Is(err, refused) {
		t.Errorf("%+v, %v", d, err)
	}
	b.traffic.intercept(nil)

	other := b.id
	other.UID = "00000000-0000-4000-8000-000000000000"
	if d, err := b.c.Health(t.Context(), other); err != nil || d == nil || d.Code != preview.CodeNamespace {
		t.Errorf("another namespace: %+v, %v", d, err)
	}
	if err := b.admin.CoreV1().Namespaces().Delete(context.Background(), b.id.Namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(preview.CodeNamespace, b.id.Namespace)
}

// create makes an object of the namespace by hand.
func (b *bundle) create(resource schema.GroupVersionResource, text string) {
	b.t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), object); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.anything().Resource(resource).Namespace(b.id.Namespace).Create(b.t.Context(), object, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// steal deletes an object of the namespace by hand, and returns it as create takes it.
func (b *bundle) steal(resource schema.GroupVersionResource, name string) string {
	b.t.Helper()
	objects := b.anything().Resource(resource).Namespace(b.id.Namespace)
	object, err := objects.Get(b.t.Context(), name, metav1.GetOptions{})
	if err == nil {
		err = objects.Delete(b.t.Context(), name, metav1.DeleteOptions{})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	object.SetResourceVersion("")
	object.SetUID("")
	unstructured.RemoveNestedField(object.Object, "status")
	text, err := yaml.Marshal(object)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}
