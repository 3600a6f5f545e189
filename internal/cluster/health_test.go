package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
