package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"catalyst.dev/catalyst/internal/preview"
)

// defaultAccount is the service account of pods that name none.
const defaultAccount = "default"

// pullChange is what has to be done so that the namespace's default service account pulls images with exactly these of our copies; nil when it
// does. ours are the names of all copies, wanted or not: others that somebody added stay.
func (c *Cluster) pullChange(ctx context.Context, namespace string, ours, pull []string) (func(context.Context) error, error) {
	if len(ours) == 0 {
		return nil, nil //nolint:nilnil // nothing to do
	}
	accounts := c.client.CoreV1().ServiceAccounts(namespace)
	account, err := accounts.Get(ctx, defaultAccount, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && len(pull) == 0:
		return nil, nil //nolint:nilnil // nothing to do
	case apierrors.IsNotFound(err): // its controller has not made it yet, and will leave ours
		fresh := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: defaultAccount}, ImagePullSecrets: pullReferences(pull)}
		return func(ctx context.Context) error {
			_, err := accounts.Create(ctx, fresh, metav1.CreateOptions{})
			if !apierrors.IsAlreadyExists(err) {
				return err
			}
			again, err := c.pullChange(ctx, namespace, ours, pull)
			if err != nil || again == nil {
				return err
			}
			return again(ctx)
		}, nil
	case err != nil:
		return nil, fmt.Errorf("read service account %s/%s: %w", namespace, defaultAccount, kind(err))
	}
	want := slices.DeleteFunc(slices.Clone(account.ImagePullSecrets), func(r corev1.LocalObjectReference) bool {
		return slices.Contains(ours, r.Name) && !slices.Contains(pull, r.Name)
	})
	for _, r := range pullReferences(pull) {
		if !slices.Contains(want, r) {
			want = append(want, r)
		}
	}
	if slices.Equal(want, account.ImagePullSecrets) {
		return nil, nil //nolint:nilnil // nothing to do
	}
	// The resource version as well: whoever changed the list meanwhile is not overruled.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": account.ResourceVersion}, "imagePullSecrets": want})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := accounts.Patch(ctx, defaultAccount, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	}, nil
}

func pullReferences(names []string) []corev1.LocalObjectReference {
	refs := make([]corev1.LocalObjectReference, len(names))
	for i, name := range names {
		refs[i].Name = name
	}
	return refs
}

// ownNamespaceFile is where a pod finds the name of its namespace.
const ownNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// ownNamespace is the namespace that this process runs in; empty outside of a cluster.
func ownNamespace() string {
	name, err := os.ReadFile(ownNamespaceFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

// asFailure returns the failure that err is; nil when it is none.
func asFailure(err error) *preview.Failure {
	var f *preview.Failure
	errors.As(err, &f)
	return f
}
