package cluster

import (
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

const ownRecord = "sh.helm.release.v1.preview.v1"

// asDeployer is the API server as the deployment of an attempt has it, without any of the code between a chart and it.
func (f *fenced) asDeployer(attempt int64) dynamic.Interface {
	f.t.Helper()
	d, err := f.c.hire(f.t.Context(), f.c.client, f.id.Namespace, attempt)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := d.ready(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	client, err := dynamic.NewForConfigAndClient(rest.CopyConfig(f.c.config), &http.Client{Transport: d})
	if err != nil {
		f.t.Fatal(err)
	}
	return client
}

// copied makes what the copy of an operator's Secret looks like.
func (f *fenced) copied() {
	f.t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "copied", Labels: map[string]string{labelCopy: "true", LabelInstance: "test", LabelManagedBy: managedBy}},
		StringData: map[string]string{"password": "copied-as-it-is"},
	}
	if _, err := f.admin.CoreV1().Secrets(f.id.Namespace).Create(f.t.Context(), secret, metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
}

// TestDeployerCannotTouchWhatIsCatalysts: changing and removing it, past everything that reads charts (K4).
func TestDeployerCannotTouchWhatIsCatalysts(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	if err := f.try(f.c, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"); err != nil {
		t.Fatal(err)
	}
	f.copied()
	as := f.asDeployer(50)
	core := func(resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Version: "v1", Resource: resource}
	}
	network := schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
	bindings := schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}
	dry := []string{metav1.DryRunAll}
	remove := func(kind schema.GroupVersionResource, name string) error {
		return as.Resource(kind).Namespace(f.id.Namespace).Delete(t.Context(), name, metav1.DeleteOptions{DryRun: dry})
	}
	change := func(kind schema.GroupVersionResource, name string) error {
		patch := []byte(`{"metadata":{"labels":{"owner":null,"catalyst.dev/copy":null,"catalyst.dev/attempt":null,"example.com/mine":"yes"}}}`)
		_, err := as.Resource(kind).Namespace(f.id.Namespace).Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{DryRun: dry})
		return err
	}
	for _, own := range []struct {
		kind schema.GroupVersionResource
		name string
	}{
		{core("secrets"), ownRecord},
		{core("secrets"), "copied"},
		{core("serviceaccounts"), "default"},
		{core("serviceaccounts"), deployerPrefix + "50"},
		{core("resourcequotas"), guardName},
		{core("limitranges"), guardName},
		{network, guardName},
		{bindings, guardianRole},
		{bindings, deployerPrefix + "50"},
	} {
		if err := remove(own.kind, own.name); !apierrors.IsForbidden(err) {
			t.Errorf("%s %s is removed: %v", own.kind.Resource, own.name, err)
		}
		if err := change(own.kind, own.name); !apierrors.IsForbidden(err) {
			t.Errorf("%s %s is changed: %v", own.kind.Resource, own.name, err)
		}
	}
	for _, kind := range []schema.GroupVersionResource{core("secrets"), core("serviceaccounts"), core("resourcequotas"), network, bindings} {
		err := as.Resource(kind).Namespace(f.id.Namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{DryRun: dry}, metav1.ListOptions{})
		if !apierrors.IsForbidden(err) {
			t.Errorf("all %s are removed: %v", kind.Resource, err)
		}
	}
	// What is the chart's it may change and remove, so the refusals are not for want of rights.
	if err := change(core("configmaps"), "web"); err != nil {
		t.Error(err)
	}
	if err := remove(core("configmaps"), "web"); err != nil {
		t.Error(err)
	}
}

// TestHookCannotRemoveWhatIsCatalysts: Helm removes what is in a hook's way before it makes the hook, and a hook that has ended (K4).
func TestHookCannotRemoveWhatIsCatalysts(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	if err := f.try(f.c, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"); err != nil {
		t.Fatal(err)
	}
	f.copied()
	hook := func(kind, name, policy string) string {
		return altered("apiVersion: v1\nkind: "+kind+"\nmetadata: {name: "+name+"}", "metadata: {annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: '"+policy+"'}}")
	}
	f.repel(map[string]attack{
		"record":             {hook("Secret", ownRecord, "before-hook-creation"), "record"},
		"record, afterwards": {hook("Secret", ownRecord, "hook-succeeded,hook-failed"), "record"},
		"copy":               {hook("Secret", "copied", "before-hook-creation"), "catalyst.dev/copy"},
		"account of pods":    {hook("ServiceAccount", "default", "before-hook-creation"), "catalyst-"},
		"quota":              {hook("ResourceQuota", guardName, "before-hook-creation"), "resourcequotas"},
		"limits":             {altered(hook("LimitRange", guardName, "before-hook-creation"), "spec: {limits: []}"), "limitranges"},
		"network policy":     {altered(hook("NetworkPolicy", guardName, "before-hook-creation"), "{apiVersion: networking.k8s.io/v1, spec: {podSelector: {}}}"), "networkpolicies"},
	})
	for _, name := range []string{ownRecord, "copied"} {
		if _, err := f.admin.CoreV1().Secrets(f.id.Namespace).Get(t.Context(), name, metav1.GetOptions{}); err != nil {
			t.Errorf("after the hooks: %v", err)
		}
	}
}
