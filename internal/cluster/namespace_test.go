package cluster

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// TestConflictIsNoOwner: an API server that answers 409 says that something changed meanwhile, not that the namespace is somebody else's:
// it would be abandoned for another name, and left behind.
func TestConflictIsNoOwner(t *testing.T) {
	t.Parallel()
	b := connect(t)
	var met atomic.Int64
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPatch || req.Method == http.MethodDelete && strings.HasSuffix(req.URL.Path, "/namespaces/"+b.id.Namespace) {
			met.Add(1)
			return refused(req, http.StatusConflict, "Conflict", nil), nil
		}
		return nil, nil
	})
	if _, err := ensure(t.Context(), b.c, b.id, guardsOf(b.id)); !apierrors.IsConflict(err) || errors.Is(err, preview.ErrConflict) {
		t.Errorf("guards refused by a conflict: %v", err)
	}
	made := met.Load()
	if err := b.c.DeleteNamespace(t.Context(), b.id); !apierrors.IsConflict(err) || errors.Is(err, preview.ErrConflict) {
		t.Errorf("deletion refused by a conflict: %v", err)
	}
	if made == 0 || met.Load() == made {
		t.Error("void: no conflict was met")
	}
}

func TestEnsureNamespaceMakesAndFinds(t *testing.T) {
	t.Parallel()
	b := connect(t)
	uid, err := ensure(t.Context(), b.c, b.id, guardsOf(b.id))
	if err != nil {
		t.Fatal(err)
	}
	ns, err := b.admin.CoreV1().Namespaces().Get(t.Context(), b.id.Namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	delete(ns.Labels, corev1.LabelMetadataName)
	want := map[string]string{
		"catalyst.dev/instance": "test", "catalyst.dev/repository-id": "4711", "catalyst.dev/pull-request": "1",
		"app.kubernetes.io/managed-by": "catalyst",
	}
	maps.Copy(want, podSecurity("restricted"))
	if d := cmp.Diff(want, ns.Labels); d != "" {
		t.Errorf("labels (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{
		"catalyst.dev/repository": "acme/web", "catalyst.dev/host": b.id.Namespace + ".preview.localhost", "catalyst.dev/ingress-class": "local",
		"catalyst.dev/pods": "30", "catalyst.dev/annotations": "cert-manager.io/cluster-issuer",
		"catalyst.dev/gateway": "", "catalyst.dev/registries": "", "catalyst.dev/storage-classes": "",
	}, ns.Annotations); d != "" {
		t.Errorf("annotations (-want +got):\n%s", d)
	}
	if uid == "" || uid != string(ns.UID) {
		t.Errorf("uid %q, in the cluster %q", uid, ns.UID)
	}
	for _, known := range []string{"", uid, "00000000-0000-4000-8000-000000000000"} { // the last: made anew meanwhile, and ours
		id := b.id
		id.UID = known
		if again, err := ensure(t.Context(), b.c, id, guardsOf(id)); err != nil || again != uid {
			t.Errorf("ensure again knowing %q: %q, %v", known, again, err)
		}
	}
	found, err := b.c.Namespaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mine := b.id
	mine.UID = uid
	if !slices.Contains(found, mine) {
		t.Errorf("%+v is not among %+v", mine, found)
	}
}

func TestEnsureNamespaceByManyAtOnce(t *testing.T) {
	t.Parallel()
	b := connect(t)
	uids := make(chan string)
	for range 8 {
		go func() {
			uid, err := ensure(t.Context(), b.c, b.id, guardsOf(b.id))
			if err != nil {
				t.Error(err)
			}
			uids <- uid
		}()
	}
	first := <-uids
	for range 7 {
		if uid := <-uids; uid != first || uid == "" {
			t.Errorf("two UIDs: %q and %q", first, uid)
		}
	}
}

func TestForeignNamespaceIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := connect(t)
	ours := b.c.labels(b.id)
	for name, spoil := range map[string]func(map[string]string){
		"none":       func(l map[string]string) { clear(l) },
		"instance":   func(l map[string]string) { l[LabelInstance] = "other" },
		"repository": func(l map[string]string) { l[LabelRepositoryID] = "4712" },
		"number":     func(l map[string]string) { l[LabelPullRequest] = "2" },
		"manager":    func(l map[string]string) { delete(l, LabelManagedBy) },
	} {
		id := b.identity("-" + name)
		id.Key = b.id.Key
		labels := map[string]string{}
		for k, v := range ours {
			labels[k] = v
		}
		spoil(labels)
		made, err := b.admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: id.Namespace, Labels: labels}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if uid, err := ensure(t.Context(), b.c, id, guardsOf(id)); !errors.Is(err, preview.ErrConflict) {
			t.Errorf("%s: ensure: %q, %v", name, uid, err)
		}
		id.UID = string(made.UID)
		if _, err := b.c.Deploy(t.Context(), DeployRequest{Identity: id, Files: web(), Values: b.values(nil)}); !errors.Is(err, preview.ErrConflict) {
			t.Errorf("%s: deploy: %v", name, err)
		}
		if err := b.c.DeleteNamespace(t.Context(), id); !errors.Is(err, preview.ErrConflict) {
			t.Errorf("%s: delete: %v", name, err)
		}
		after, err := b.admin.CoreV1().Namespaces().Get(t.Context(), id.Namespace, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(made.Labels, after.Labels); d != "" || after.DeletionTimestamp != nil {
			t.Errorf("%s: touched (-before +after):\n%s", name, d)
		}
	}
}

func TestDeleteNamespace(t *testing.T) {
	t.Parallel()
	b := connect(t)
	if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
		t.Errorf("delete what is not there: %v", err)
	}
	if err := b.c.WaitGone(t.Context(), b.id, time.Second); err != nil {
		t.Errorf("wait for what is not there: %v", err)
	}
	b.namespace()
	wrong := b.id
	wrong.UID = "00000000-0000-4000-8000-000000000000"
	if err := b.c.DeleteNamespace(t.Context(), wrong); !errors.Is(err, preview.ErrConflict) {
		t.Errorf("delete with another UID: %v", err)
	}
	// Another namespace of the same name is not the one waited for.
	if err := b.c.WaitGone(t.Context(), wrong, 5*time.Second); err != nil {
		t.Errorf("wait for another UID: %v", err)
	}
	if ns, err := b.admin.CoreV1().Namespaces().Get(t.Context(), b.id.Namespace, metav1.GetOptions{}); err != nil || ns.DeletionTimestamp != nil {
		t.Fatalf("deleted by name: %v, %v", ns, err)
	}

	// A held object keeps the namespace terminating.
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"example.com/hold"}}}
	if _, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).Create(t.Context(), held, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // whatever happens, or no later run could begin
		_, _ = b.admin.CoreV1().ConfigMaps(b.id.Namespace).Patch(context.Background(), "held", "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	})
	if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
		t.Fatal(err)
	}
	if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
		t.Errorf("delete what is being deleted: %v", err)
	}
	if _, err := ensure(t.Context(), b.c, b.id, guardsOf(b.id)); !errors.Is(err, preview.ErrNotReady) {
		t.Errorf("ensure what is being deleted: %v", err)
	}
	if _, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: web(), Values: b.values(nil)}); !errors.Is(err, preview.ErrNotReady) {
		t.Errorf("deploy into what is being deleted: %v", err)
	}
	b.eventually(func() error { // the controller says what holds the namespace after its first round
		ns, err := b.admin.CoreV1().Namespaces().Get(t.Context(), b.id.Namespace, metav1.GetOptions{})
		if err != nil || len(ns.Status.Conditions) > 0 {
			return err
		}
		return errors.New("no condition yet")
	})
	d := diagnosis(t, b.c.WaitGone(t.Context(), b.id, 2*time.Second))
	wantText(t, d, preview.CodeStuckDelete, `ConfigMap "held"`, "example.com/hold")

	gone := make(chan error, 1)
	go func() { gone <- b.c.WaitGone(t.Context(), b.id, time.Minute) }()
	if _, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).Patch(t.Context(), "held", "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
}
