// Package install puts the manifests of deploy/manifests into a cluster, as their reader would, for a Catalyst of any instance id, and gives out
// the kubeconfig of the identity they make. Tests, the demo and the benchmark run Catalyst as nobody else.
package install

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Options say into which cluster, and for which Catalyst.
type Options struct {
	Kubeconfig string   // of an administrator of the cluster
	Instance   string   // `instance` of the Catalyst
	Domains    []string // under which its previews answer
}

// Namespace is where the Catalyst of this instance has its service account: the manifests' own for the default instance.
func (o Options) Namespace() string {
	if o.Instance == "default" {
		return name
	}
	return name + "-" + o.Instance
}

// User is who the API server takes that Catalyst for.
func (o Options) User() string { return "system:serviceaccount:" + o.Namespace() + ":" + name }

const (
	name       = "catalyst"            // of the namespace and the service account in the manifests
	controller = "catalyst-controller" // and of what there is once for each instance
	selfGuard  = "catalyst-self-guard"
)

// Manifests returns the objects of deploy/manifests for the instance: as they are for the default one but for the domains; for another one, what
// there is once for each instance has names of its own, and the rest is shared.
func Manifests(root string, o Options) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(root, "deploy", "manifests", "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no manifests in %s/deploy/manifests: %w", root, err)
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		decoder := yamlutil.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
		for {
			object := &unstructured.Unstructured{}
			err := decoder.Decode(&object.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", file, err)
			}
			objects = append(objects, object)
		}
	}
	for _, object := range objects {
		if err := fit(object, o); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// fit changes one object for the instance, by its text: what stands in expressions is meant as well.
func fit(object *unstructured.Unstructured, o Options) error {
	domains, err := json.Marshal(o.Domains)
	if err != nil {
		return err
	}
	text, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	quoted := strings.ReplaceAll(string(domains), `"`, "'")
	changes := []string{"['preview.example.com']", quoted}
	if o.Instance != "default" {
		own := o.Namespace()
		changes = append(changes,
			`"'default'"`, `"'`+o.Instance+`'"`,
			"system:serviceaccount:catalyst:catalyst", o.User(),
			"s.?namespace.orValue('') == 'catalyst'", "s.?namespace.orValue('') == '"+own+"'",
			`"namespace":"catalyst"`, `"namespace":"`+own+`"`)
		switch {
		case object.GetKind() == "Namespace":
			changes = append(changes, `"name":"catalyst"`, `"name":"`+own+`"`)
		case object.GetKind() == "ClusterRoleBinding" && object.GetName() == controller:
			object.SetName(controller + "-" + o.Instance)
			if text, err = object.MarshalJSON(); err != nil {
				return err
			}
		case object.GetName() == selfGuard:
			changes = append(changes, `"`+selfGuard+`"`, `"`+selfGuard+"-"+o.Instance+`"`)
		}
	}
	return object.UnmarshalJSON([]byte(strings.NewReplacer(changes...).Replace(string(text))))
}

// applied are the identities that this process has made, so that whoever starts Catalyst again and again does not wait for its own each time.
var applied = struct {
	sync.Mutex
	identities map[string]*api.Config
}{identities: map[string]*api.Config{}}

// Kubeconfig applies the manifests, once in a process, and writes the kubeconfig of the identity that they make into dir. It returns its path.
func Kubeconfig(ctx context.Context, root string, o Options, dir string) (string, error) {
	applied.Lock()
	defer applied.Unlock()
	key := fmt.Sprintf("%+v", o)
	if applied.identities[key] == nil {
		identity, err := Apply(ctx, root, o)
		if err != nil {
			return "", fmt.Errorf("install Catalyst in the cluster: %w", err)
		}
		applied.identities[key] = identity
	}
	path := filepath.Join(dir, "kubeconfig")
	return path, clientcmd.WriteToFile(*applied.identities[key], path)
}

// order is what the manifests are made of, as it is applied, and resources where it goes.
var (
	order     = []string{"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
	resources = map[string]schema.GroupVersionResource{
		"Namespace":                        {Version: "v1", Resource: "namespaces"},
		"ServiceAccount":                   {Version: "v1", Resource: "serviceaccounts"},
		"ClusterRole":                      {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
		"ClusterRoleBinding":               {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
		"ValidatingAdmissionPolicy":        {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
		"ValidatingAdmissionPolicyBinding": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
	}
)

// Apply applies the manifests of the checkout at root, waits until they are in force, and returns a kubeconfig of Catalyst's identity that is good for a
// day.
func Apply(ctx context.Context, root string, o Options) (*api.Config, error) {
	objects, err := Manifests(root, o)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int {
		return slices.Index(order, a.GetKind()) - slices.Index(order, b.GetKind())
	})
	for _, object := range objects {
		resource, ok := resources[object.GetKind()]
		if !ok {
			return nil, fmt.Errorf("deploy/manifests has a %s: name its resource here", object.GetKind())
		}
		text, err := object.MarshalJSON()
		if err != nil {
			return nil, err
		}
		into, force := dynamic.ResourceInterface(client.Resource(resource)), true
		if object.GetNamespace() != "" {
			into = client.Resource(resource).Namespace(object.GetNamespace())
		}
		if _, err := into.Patch(ctx, object.GetName(), types.ApplyPatchType, text, metav1.PatchOptions{FieldManager: "install", Force: &force}); err != nil {
			return nil, fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return identity(ctx, config, o)
}

// identity gets a token for Catalyst and waits until the API server both lets it work and holds it back.
func identity(ctx context.Context, admin *rest.Config, o Options) (*api.Config, error) {
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return nil, err
	}
	day := int64(24 * 60 * 60)
	answer, err := client.CoreV1().ServiceAccounts(o.Namespace()).CreateToken(ctx, name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("get a token for %s: %w", o.User(), err)
	}
	as := rest.AnonymousClientConfig(admin)
	as.BearerToken, as.QPS = answer.Status.Token, -1
	catalyst, err := kubernetes.NewForConfig(as)
	if err != nil {
		return nil, err
	}
	if err := held(ctx, catalyst); err != nil {
		return nil, err
	}
	return &api.Config{
		Clusters:       map[string]*api.Cluster{name: {Server: admin.Host, CertificateAuthority: admin.CAFile, CertificateAuthorityData: admin.CAData}},
		AuthInfos:      map[string]*api.AuthInfo{name: {Token: answer.Status.Token}},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, nil
}

// held waits until a namespace without Catalyst's label is refused by the policy, not by want of the right.
func held(ctx context.Context, catalyst kubernetes.Interface) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute) // many clusters' worth of policies may be made at once
	defer cancel()
	for {
		_, err := catalyst.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "catalyst-not-its-own"}},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsForbidden(err) && strings.Contains(err.Error(), selfGuard) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not hold Catalyst", selfGuard), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
