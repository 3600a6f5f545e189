package cluster

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"catalyst.dev/catalyst/internal/preview"
)

// TestChartCannotReachTheCluster: kinds of the whole cluster (K1).
func TestChartCannotReachTheCluster(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	before := f.clusterObjects()
	rules := `rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]`
	hook := `webhooks: [{name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], failurePolicy: Ignore, clientConfig: {url: "https://example.com/"}}]`
	attacks := map[string]attack{}
	for name, manifest := range map[string]string{
		"ClusterRole":                      "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n" + rules,
		"ClusterRoleBinding":               "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: 'system:authenticated'}]",
		"CustomResourceDefinition":         "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {group: example.com, scope: Namespaced, names: {kind: Gadget, plural: ct-attack}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}",
		"ValidatingWebhookConfiguration":   "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n" + hook,
		"MutatingWebhookConfiguration":     "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\n" + hook,
		"ValidatingAdmissionPolicy":        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nspec: {matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}, validations: [{expression: 'true'}]}",
		"ValidatingAdmissionPolicyBinding": "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nspec: {policyName: catalyst-self-guard, validationActions: [Audit]}",
		"APIService":                       "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nspec: {group: example.com, version: ct-attack, groupPriorityMinimum: 1, versionPriority: 1, insecureSkipTLSVerify: true, service: {name: a, namespace: default}}",
		"PersistentVolume":                 "apiVersion: v1\nkind: PersistentVolume\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /}}",
		"StorageClass":                     "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nprovisioner: example.com/a",
		"PriorityClass":                    "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nvalue: 1000000000",
		"RuntimeClass":                     "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nhandler: runc",
		"Namespace":                        "apiVersion: v1\nkind: Namespace\nmetadata: {name: ct-attack}",
		"IngressClass":                     "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nspec: {controller: example.com/a}",
		"Node":                             "apiVersion: v1\nkind: Node",
		"CertificateSigningRequest":        "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nspec: {request: " + signingRequest(t) + ", signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}",
	} {
		says := strings.TrimSuffix(name, "y") // or it is told in the plural
		attacks[name] = attack{altered("metadata: {name: ct-attack.example.com}", manifest), says}
		attacks[name+" as a hook"] = attack{altered("metadata: {name: ct-attack.example.com, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}", manifest), says}
	}
	f.repel(attacks)
	if d := cmp.Diff(before, f.clusterObjects()); d != "" {
		t.Errorf("the cluster changed (-before +after):\n%s", d)
	}
}

// clusterObjects are the names of what the attacks would leave in the cluster.
func (f *fenced) clusterObjects() []string {
	f.t.Helper()
	var names []string
	for _, r := range []schema.GroupVersionResource{
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
		{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}, {Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"},
		{Version: "v1", Resource: "persistentvolumes"}, {Version: "v1", Resource: "nodes"}, {Version: "v1", Resource: "namespaces"},
		{Group: "node.k8s.io", Version: "v1", Resource: "runtimeclasses"}, {Group: "networking.k8s.io", Version: "v1", Resource: "ingressclasses"},
		{Group: "certificates.k8s.io", Version: "v1", Resource: "certificatesigningrequests"},
		{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}, {Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"},
	} {
		list, err := f.anything().Resource(r).List(f.t.Context(), metav1.ListOptions{})
		if err != nil {
			f.t.Fatal(err)
		}
		for _, item := range list.Items {
			if strings.HasPrefix(item.GetName(), "ct-attack") {
				names = append(names, r.Resource+"/"+item.GetName())
			}
		}
	}
	slices.Sort(names)
	return names
}

// signingRequest is a request for a certificate, as a CertificateSigningRequest has it.
func signingRequest(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "attack"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// TestChartStaysInItsNamespace: objects for other namespaces, however they are written (K2).
func TestChartStaysInItsNamespace(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	sibling := f.identity("-sibling")
	if _, err := ensure(t.Context(), f.c, sibling, guardsOf(sibling)); err != nil {
		t.Fatal(err)
	}
	attacks := map[string]attack{}
	targets := []string{"kube-system", "default", "catalyst-test", sibling.Namespace}
	for _, target := range targets {
		object := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ct-attack","namespace":"` + target + `"}}`
		for name, manifest := range map[string]string{
			"plainly":                  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ct-attack, namespace: " + target + "}\n",
			"in a list":                `{"apiVersion":"v1","kind":"List","items":[` + object + `]}`,
			"in a typed list":          `{"apiVersion":"v1","kind":"ConfigMapList","items":[` + object + `]}`,
			"as JSON":                  object,
			"as JSON in YAML":          "metadata: {\"name\": ct-attack, \"namespace\": " + target + "}\nkind: ConfigMap\napiVersion: v1\n",
			"by a key given twice":     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ct-attack\n  namespace: {{ .Values.namespace }}\n  namespace: " + target + "\n",
			"by metadata given twice":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ct-attack}\nmetadata: {name: ct-attack, namespace: " + target + "}\n",
			"by an anchor":             "apiVersion: v1\nkind: ConfigMap\ndata: {a: &a " + target + "}\nmetadata: {name: ct-attack, namespace: *a}\n",
			"by a merge key":           "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  <<: {namespace: " + target + "}\n  name: ct-attack\n",
			"after a byte order mark":  "\ufeffapiVersion: v1\nkind: ConfigMap\nmetadata: {name: ct-attack, namespace: " + target + "}\n",
			"after a harmless one":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: harmless}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ct-attack, namespace: " + target + "}\n",
			"after a document's end":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: harmless}\n...\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ct-attack, namespace: " + target + "}\n",
			"with a tag":               "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ct-attack, namespace: !!str " + target + "}\n",
			"behind Windows' newlines": "apiVersion: v1\r\nkind: ConfigMap\r\nmetadata:\r\n  name: harmless\r\n---\r\napiVersion: v1\r\nkind: ConfigMap\r\nmetadata:\r\n  name: ct-attack\r\n  namespace: " + target + "\r\n",
			"as a hook":                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ct-attack, namespace: " + target + ", annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}\n",
		} {
			if target == targets[0] || name == "plainly" { // in all disguises into one, and plainly into each
				says := `namespace "` + target + `"`
				if name == "after a byte order mark" { // that far it does not come: whoever reads the chart finds no object
					says = "no kind or no apiVersion"
				}
				attacks[target+" "+name] = attack{manifest, says}
			}
		}
	}
	// What looks like a document of its own inside of a text is none.
	hidden := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: harmless}\ndata:\n  a: |\n    ---\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: ct-attack, namespace: kube-system}\n"
	for _, c := range []*Cluster{f.c, f.unchecked} {
		if err := f.try(c, hidden); err != nil {
			t.Errorf("a harmless text: %v", err)
		}
	}
	f.repel(attacks)
	// What is no object to whoever reads charts never comes to the API server.
	nested := `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ct-attack","namespace":"default"}}]}]}`
	for _, c := range []*Cluster{f.c, f.unchecked} {
		var failure *preview.Failure
		if err := f.try(c, nested); !errors.As(err, &failure) || letIn(err) {
			t.Errorf("a list of a list: %v", err)
		}
	}
	for _, target := range targets {
		if found, err := f.admin.CoreV1().ConfigMaps(target).Get(t.Context(), "ct-attack", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("in %s: %v, %v", target, found, err)
			_ = f.admin.CoreV1().ConfigMaps(target).Delete(context.Background(), "ct-attack", metav1.DeleteOptions{})
		}
	}
}

// TestChartCannotTouchItsGuards: the kinds that would loosen the fence from inside (K4).
func TestChartCannotTouchItsGuards(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	attacks := map[string]attack{}
	for name, manifest := range map[string]string{
		"NetworkPolicy":      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: NAME}\nspec: {podSelector: {}, ingress: [{}], egress: [{}], policyTypes: [Ingress, Egress]}",
		"ResourceQuota":      "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: NAME}\nspec: {hard: {pods: '1000'}}",
		"LimitRange":         "apiVersion: v1\nkind: LimitRange\nmetadata: {name: NAME}\nspec: {limits: []}",
		"Role":               "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: NAME}\nrules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]",
		"RoleBinding":        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: NAME}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: ServiceAccount, name: default}]",
		"ServiceAccount":     "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\nautomountServiceAccountToken: true",
		"Endpoints":          "apiVersion: v1\nkind: Endpoints\nmetadata: {name: NAME}\nsubsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 443}]}]",
		"EndpointSlice":      "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: NAME, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}]\nports: [{port: 443}]",
		"Lease":              "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: NAME}",
		"PodTemplate":        "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: NAME}\ntemplate: {spec: {containers: [{name: a, image: a}]}}",
		"ControllerRevision": "apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: NAME}\ndata: {}\nrevision: 1",
		"ResourceClaim":      "apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {name: NAME}\nspec: {}",
		"Event":              "apiVersion: v1\nkind: Event\nmetadata: {name: NAME}\ninvolvedObject: {kind: Pod, name: a, namespace: {{ .Values.namespace }}}",
	} {
		attacks[name+" of its own"] = attack{strings.ReplaceAll(manifest, "NAME", "mine"), strings.TrimSuffix(name, "y")} // the API server names the plural
		attacks[name+" in place of the guard"] = attack{strings.ReplaceAll(manifest, "NAME", guardName), strings.TrimSuffix(name, "y")}
	}
	attacks["binding of the guardian"] = attack{strings.ReplaceAll("apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: NAME}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: catalyst-guardian}\nsubjects: [{kind: ServiceAccount, name: default}]", "NAME", guardianRole), "RoleBinding"}
	attacks["record of the release"] = attack{"apiVersion: v1\nkind: Secret\nmetadata: {name: sh.helm.release.v1.preview.v99, labels: {owner: helm, name: preview}}\ntype: helm.sh/release.v1\nstringData: {release: bomb}", "record"}
	attacks["record by its name"] = attack{"apiVersion: v1\nkind: Secret\nmetadata: {name: sh.helm.release.v1.preview.v98}\nstringData: {release: bomb}", "record"}
	attacks["record by its label"] = attack{"apiVersion: v1\nkind: Secret\nmetadata: {name: mine, labels: {owner: helm}}\nstringData: {release: bomb}", "record"}
	attacks["account of a deployment"] = attack{"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: catalyst-deployer-99}", "catalyst-"}
	f.repel(attacks)
}
