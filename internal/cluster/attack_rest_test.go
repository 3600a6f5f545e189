package cluster

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestNothingHoldsTheNamespace: objects with finalizers (K11).
func TestNothingHoldsTheNamespace(t *testing.T) {
	t.Parallel()
	f := fence(t, func(g *Guards) { g.StorageClasses = []string{"ct-delete"} })
	plain := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
	if err := f.try(f.c, plain); err != nil {
		t.Fatal(err)
	}
	held := "metadata: {finalizers: [example.com/hold]}"
	f.repel(map[string]attack{
		"ConfigMap":               {altered(plain, "metadata: {name: attack}", held), "finalizers"},
		"ConfigMap, afterwards":   {altered(plain, held), "finalizers"},
		"Secret":                  {altered("apiVersion: v1\nkind: Secret\nmetadata: {name: attack}", held), "finalizers"},
		"Service":                 {altered(ownService, "metadata: {name: attack}", held), "finalizers"},
		"Deployment":              {altered(inTemplate("apps/v1", "Deployment", "spec: {selector: {matchLabels: {app: a}}}", "spec: {template: POD}", modest), held), "finalizers"},
		"Pod":                     {altered(modest, held), "finalizers"},
		"Kubernetes' own":         {altered(plain, "metadata: {name: attack, finalizers: [foregroundDeletion]}"), "finalizers"},
		"as a hook":               {altered(plain, "metadata: {name: attack, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}", held), "finalizers"},
		"never removed from disk": {altered("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: attack}\nspec: {storageClassName: ct-delete, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}", held), "finalizers"},
	})
}

// TestVolumesGoWithThePreview (K12).
func TestVolumesGoWithThePreview(t *testing.T) {
	t.Parallel()
	f := fence(t, func(g *Guards) { g.StorageClasses = []string{"ct-delete"} })
	for name, policy := range map[string]corev1.PersistentVolumeReclaimPolicy{"ct-delete": corev1.PersistentVolumeReclaimDelete, "ct-retain": corev1.PersistentVolumeReclaimRetain} {
		binding := storagev1.VolumeBindingWaitForFirstConsumer
		class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "example.com/none", ReclaimPolicy: &policy, VolumeBindingMode: &binding}
		if _, err := f.admin.StorageV1().StorageClasses().Create(t.Context(), class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	claim := "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: attack}\nspec: {storageClassName: ct-delete, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"
	set := func(change string) string {
		template := altered(claim, "{apiVersion: null, kind: null}", change)
		return inTemplate("apps/v1", "StatefulSet", "spec: {serviceName: web, selector: {matchLabels: {app: a}}, volumeClaimTemplates: ["+template+"]}", "spec: {template: POD}", modest)
	}
	attacks := map[string]attack{}
	for name, c := range map[string]struct{ change, says string }{
		"a class that keeps its volumes": {"spec: {storageClassName: ct-retain}", "ct-delete"},
		"a class that does not exist":    {"spec: {storageClassName: nowhere}", "ct-delete"},
		"no class":                       {"spec: {storageClassName: ''}", "ct-delete"},
		"a volume that is there":         {"spec: {volumeName: production}", "there already"},
		"too much":                       {"spec: {resources: {requests: {storage: 1Ti}}}", "quota"},
	} {
		attacks[name] = attack{altered(claim, c.change), c.says}
		if name != "too much" {
			attacks[name+" in a StatefulSet"] = attack{set(c.change), c.says}
		}
	}
	// An API server that does not copy between namespaces drops the wish from a claim, before a policy could see it, and leaves it in a StatefulSet.
	foreign := "spec: {dataSourceRef: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: a, namespace: production}}"
	attacks["another's data"] = attack{set(foreign), "data of another namespace"}
	f.repel(attacks)
	d, err := f.c.Deploy(t.Context(), DeployRequest{Identity: f.id, Attempt: 100, Files: makeChart(map[string]string{"a.yaml": claim}), Values: f.values(nil)})
	if err != nil || len(d.Objects) != 1 {
		t.Errorf("a claim that is allowed: %v, %v", d, err)
	}
	if _, err := f.c.Deploy(t.Context(), DeployRequest{Identity: f.id, Attempt: 101, Files: makeChart(map[string]string{"a.yaml": altered(claim, "metadata: {name: copy}", foreign)}), Values: f.values(nil)}); err == nil {
		got, err := f.admin.CoreV1().PersistentVolumeClaims(f.id.Namespace).Get(t.Context(), "copy", metav1.GetOptions{})
		if err != nil || got.Spec.DataSourceRef != nil && got.Spec.DataSourceRef.Namespace != nil {
			t.Errorf("a claim of another's data: %+v, %v", got.Spec.DataSourceRef, err)
		}
	}
}

// TestHooksAreHeld: they are applied by the same account, and none runs when the preview is removed (K13).
func TestHooksAreHeld(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	hook := func(event, change string) string {
		return altered(inTemplate("batch/v1", "Job", "metadata: {name: attack, annotations: {helm.sh/hook: "+event+"}}", "spec: {template: POD}", altered(modest, "spec: {restartPolicy: Never}")), change)
	}
	f.repel(map[string]attack{
		"as another account": {hook("pre-install", "spec: {template: {spec: {serviceAccountName: catalyst-deployer-1}}}"), "catalyst-"},
		"with privileges":    {hook("pre-install", "spec: {backoffLimit: 0, activeDeadlineSeconds: 3, template: {spec: {hostNetwork: true}}}"), "Pod Security"},
		"with a token":       {hook("post-install,post-upgrade,pre-install", "spec: {template: {spec: {automountServiceAccountToken: true}}}"), "token"},
	})
	forever := hook("pre-delete,post-delete,pre-rollback,test", "metadata: {name: forever}")
	if err := f.try(f.c, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n---\n"+forever); err != nil {
		t.Fatal(err)
	}
	f.traffic.take()
	started := time.Now()
	if err := f.c.DeleteNamespace(t.Context(), f.id); err != nil {
		t.Fatal(err)
	}
	if err := f.c.WaitGone(t.Context(), f.id, 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Logf("gone after %s", time.Since(started))
	if requests := f.traffic.take(); slices.ContainsFunc(requests, func(r string) bool { return r == "PATCH /apis/batch/v1/namespaces/"+f.id.Namespace+"/jobs/forever" }) {
		t.Errorf("a hook ran at the end: %q", requests)
	}
}
