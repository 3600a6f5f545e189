package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
)

// openNamespace has no label of Catalyst's: no policy, quota or Pod Security level holds what is in it.
const openNamespace = "ct-open"

// unguarded sees what becomes of every attack where no guard stands in its way: tried on the API server as an administrator in a namespace without
// any, it must be taken. One that is refused there as well, because it is not well-formed say, would be refused whatever became of the guards, and
// the test that repels it could not fail.
func (f *fenced) unguarded(attacks map[string]attack) {
	f.t.Helper()
	f.openNamespace()
	config, err := restConfig(clustertest.Kubeconfig(f.t))
	if err != nil {
		f.t.Fatal(err)
	}
	config.QPS = -1
	helm := &kube.Client{Factory: factory{config: config, mapper: f.c.mapper}, Namespace: openNamespace}
	values := f.values(nil)
	fill := strings.NewReplacer("{{ .Values.namespace }}", openNamespace, "{{ .Values.host }}", values["host"].(string), "{{ .Values.image }}", values["image"].(string))
	for name, a := range attacks {
		list, err := helm.Build(strings.NewReader(fill.Replace(a.manifest)), false)
		if err != nil {
			f.t.Errorf("%s is no attack, it cannot be read: %v", name, err)
		}
		for _, info := range list {
			if err := f.taken(info); err != nil {
				f.t.Errorf("%s is no attack, it is refused where nothing guards: %v", name, err)
			}
		}
	}
}

// taken returns nil when the API server would take the object. Nothing is kept.
func (f *fenced) taken(info *resource.Info) error {
	text, err := json.Marshal(info.Object)
	if err != nil {
		return err
	}
	force := true
	_, err = resource.NewHelper(info.Client, info.Mapping).DryRun(true).WithFieldManager("attacker").
		Patch(info.Namespace, info.Name, types.ApplyPatchType, text, &metav1.PatchOptions{Force: &force})
	return err
}

// openNamespace makes the namespace with what the attacks' pods name there.
func (f *fenced) openNamespace() {
	f.t.Helper()
	ctx, core := f.t.Context(), f.admin.CoreV1()
	if _, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: openNamespace}}, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		f.t.Fatal(err)
	}
	for _, name := range []string{deployerPrefix + "1", "open"} {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := core.ServiceAccounts(openNamespace).Create(ctx, account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			f.t.Fatal(err)
		}
	}
	f.eventually(func() error {
		_, err := core.ServiceAccounts(openNamespace).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return errors.New("Kubernetes has not made the namespace's account")
		}
		if err != nil {
			return fmt.Errorf("look for the account: %w", err)
		}
		return nil
	})
}
