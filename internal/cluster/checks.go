package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"

	"catalyst.dev/catalyst/internal/doctor"
)

const checkGroup = "cluster"

// The versions of Kubernetes that Catalyst works with: it needs admission policies, which are there since the first, and was tested up to the last.
const (
	oldestVersion = "1.30"
	testedVersion = "1.37"
)

const unanswered = "not checked: the API server does not answer"

// Checks are what doctor asks the cluster. The first one is whether the API server answers; without that, no other is made.
func (c *Cluster) Checks(r CheckRequest) []doctor.Check {
	checks := []doctor.Check{{Group: checkGroup, Name: "API server", Run: func(ctx context.Context) []doctor.Finding { return c.checkServer(ctx, r) }}}
	var asked sync.Once
	var silent error
	answers := func(ctx context.Context) bool {
		asked.Do(func() { silent = c.Ping(ctx) })
		return silent == nil
	}
	add := func(name string, run func(ctx context.Context) Finding) {
		checks = append(checks, doctor.One(checkGroup, name, func(ctx context.Context) doctor.Finding {
			if !answers(ctx) {
				return doctor.Finding{Status: doctor.Skip, Found: unanswered}
			}
			return run(ctx).told()
		}))
	}
	checks = append(checks, doctor.Check{Group: checkGroup, Name: "rights", Run: func(ctx context.Context) []doctor.Finding {
		if !answers(ctx) {
			return []doctor.Finding{{Group: checkGroup, Name: "rights", Status: doctor.Skip, Found: unanswered}}
		}
		return c.checkRights(ctx)
	}})
	for _, class := range r.IngressClasses {
		add("ingress class "+class, func(ctx context.Context) Finding { return c.checkIngressClass(ctx, class) })
		add("ingress controller of "+class, func(ctx context.Context) Finding { return c.checkController(ctx, class) })
	}
	for _, issuer := range r.Issuers {
		add("issuer "+issuer, func(ctx context.Context) Finding { return c.checkIssuer(ctx, issuer) })
	}
	add("default storage class", c.checkStorageClass)
	add("metrics", c.checkMetrics)
	for _, source := range r.Secrets {
		add("secret "+source, func(ctx context.Context) Finding { return c.checkSource(ctx, source) })
	}
	if !r.Before {
		for _, role := range []string{guardianRole, deployerRole} {
			add("role "+role, func(ctx context.Context) Finding { return c.checkRole(ctx, role) })
		}
		add("admission policies of previews", c.checkPolicies)
		add("held to its own namespaces", c.checkHeld)
	}
	add("NetworkPolicy is enforced", func(ctx context.Context) Finding { return c.checkNetworkPolicy(ctx, r.ProbeImage, probeLimit) })
	checks[len(checks)-1].Limit = probeLimit + linger
	return checks
}

// told is the finding as doctor tells it.
func (f Finding) told() doctor.Finding {
	d := doctor.Finding{Group: checkGroup, Name: f.Name, Status: doctor.Fail, Found: f.Found, Why: f.Why, Fix: f.Fix}
	switch {
	case f.OK:
		d.Status = doctor.OK
	case f.Unknown, f.Minor:
		d.Status = doctor.Warn
	}
	return d
}

// checkServer asks for the version, past the client, whose answers have no date.
func (c *Cluster) checkServer(ctx context.Context, r CheckRequest) []doctor.Finding {
	f := Finding{
		Name: "API server", Why: "Without it nothing can be deployed.",
		Fix: "Check that " + c.config.Host + " can be reached from here, and the credentials in the kubeconfig: kubectl version",
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.Host+"/version", nil)
	if err != nil {
		f.Found = oneLine(err.Error())
		return []doctor.Finding{f.told()}
	}
	response, err := c.base.RoundTrip(request)
	if err != nil {
		f.Found = oneLine(err.Error())
		return []doctor.Finding{f.told()}
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil || response.StatusCode != http.StatusOK {
		f.Found = fmt.Sprintf("it answers %d: %s", response.StatusCode, oneLine(string(answer)))
		return []doctor.Finding{f.told()}
	}
	f = c.judgeVersion(versionIn(answer))
	return []doctor.Finding{f.told(), doctor.Clock(checkGroup, response.Header, r.now())}
}

func (c *Cluster) judgeVersion(found string) Finding {
	f := Finding{Name: "API server", OK: true, Found: found + " at " + c.config.Host}
	v, err := version.ParseGeneric(found)
	if err != nil {
		return Finding{Name: f.Name, Unknown: true, Found: f.Found, Why: "Its version tells nothing.", Fix: "See whether it is Kubernetes " + oldestVersion + " or newer."}
	}
	plain := version.MajorMinor(v.Major(), v.Minor())
	switch {
	case plain.LessThan(version.MustParseGeneric(oldestVersion)):
		f.OK, f.Why, f.Fix = false, "Previews are held to their namespaces by admission policies, which are there since "+oldestVersion+".", "Upgrade the cluster."
	case version.MustParseGeneric(testedVersion).LessThan(plain):
		f.OK, f.Minor = false, true
		f.Why, f.Fix = "It is newer than what this version of Catalyst was tested with ("+testedVersion+").", "Upgrade Catalyst when there is a newer version."
	}
	return f
}

// checkRights tells the rights in one line when all are there, and otherwise each that is missing.
func (c *Cluster) checkRights(ctx context.Context) []doctor.Finding {
	all := rights()
	var missing []doctor.Finding
	verbs := 0
	for _, one := range all {
		verbs += len(strings.Fields(one.verbs))
		if f := c.checkRight(ctx, one); !f.OK {
			missing = append(missing, f.told())
		}
	}
	if len(missing) > 0 {
		return missing
	}
	return []doctor.Finding{Finding{Name: "rights", OK: true, Found: fmt.Sprintf("all %d", verbs)}.told()}
}

// checkController looks whether somebody serves the class: who does writes an address into the Ingresses of it.
func (c *Cluster) checkController(ctx context.Context, class string) Finding {
	f := Finding{Name: "ingress controller of " + class, Why: "An Ingress that nobody serves has no address."}
	f.Fix = "See whether the class's controller runs: kubectl get ingressclass " + class + " -o jsonpath={.spec.controller}"
	namespaces, err := c.Namespaces(ctx)
	if err != nil {
		f.Unknown, f.Found = true, "not checked: "+oneLine(err.Error())
		return f
	}
	seen := 0
	for _, id := range namespaces {
		list, err := c.client.NetworkingV1().Ingresses(id.Namespace).List(ctx, metav1.ListOptions{Limit: 20})
		if err != nil {
			continue // a right that is missing there is told elsewhere
		}
		for _, ingress := range list.Items {
			if ingress.Spec.IngressClassName == nil || *ingress.Spec.IngressClassName != class {
				continue
			}
			if seen++; len(ingress.Status.LoadBalancer.Ingress) > 0 {
				f.OK, f.Found = true, "serves "+ingress.Namespace+"/"+ingress.Name
				return f
			}
		}
	}
	f.Unknown, f.Found = true, "cannot be told: no preview has an Ingress of it yet"
	if seen > 0 {
		f.Found = fmt.Sprintf("none of %d Ingresses of previews was given an address", seen)
	}
	return f
}

func (c *Cluster) checkIssuer(ctx context.Context, name string) Finding {
	f := Finding{Name: "issuer " + name, Why: "Previews get no certificates."}
	issuers := schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "clusterissuers"}
	issuer, err := c.dynamic.Resource(issuers).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err):
		f.Unknown, f.Found = true, "not checked: Catalyst may not read it"
		f.Fix = "kubectl get clusterissuer " + name
	case apierrors.IsNotFound(err) && !c.serves(ctx, issuers.GroupVersion()):
		f.Found, f.Fix = "the cluster does not know cert-manager", "Install cert-manager, or take issuer out of the configuration."
	case apierrors.IsNotFound(err):
		f.Found, f.Fix = "there is no ClusterIssuer of that name", "kubectl get clusterissuers, and correct preview.issuer."
	case err != nil:
		f.Found, f.Fix = oneLine(err.Error()), "Try again."
	case condition(issuer, "Ready", "True") == nil:
		f.Found, f.Fix = "is not ready"+because(issuer), "kubectl describe clusterissuer "+name
	default:
		return Finding{Name: f.Name, OK: true, Found: "is ready"}
	}
	return f
}

func because(object *unstructured.Unstructured) string {
	if text, _ := condition(object, "Ready", "False")["message"].(string); text != "" {
		return ": " + oneLine(text)
	}
	return ""
}

// serves reports whether the API server knows the group and version.
func (c *Cluster) serves(ctx context.Context, gv schema.GroupVersion) bool {
	return c.client.Discovery().RESTClient().Get().AbsPath("/apis/"+gv.String()).Do(ctx).Error() == nil
}

func (c *Cluster) checkStorageClass(ctx context.Context) Finding {
	f := Finding{Name: "default storage class", Minor: true, Why: "A chart that asks for storage and names no class waits for ever."}
	list, err := c.client.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		f.Unknown, f.Found, f.Fix = true, "not checked: "+oneLine(kind(err).Error()), "Let Catalyst's ClusterRole list storageclasses."
		return f
	}
	var names []string
	for _, class := range list.Items {
		if isDefault(class) {
			return Finding{Name: f.Name, OK: true, Found: class.Name + ", by " + class.Provisioner}
		}
		names = append(names, class.Name)
	}
	f.Found, f.Fix = "there is no storage class", "Install a storage provisioner, if previews need storage."
	if len(names) > 0 {
		f.Found = "none of " + strings.Join(names, ", ")
		f.Fix = "kubectl annotate storageclass " + names[0] + " storageclass.kubernetes.io/is-default-class=true"
	}
	return f
}

func isDefault(class storagev1.StorageClass) bool {
	return class.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" || class.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true"
}

// checkSource looks whether a Secret that previews are to get copies of is there.
func (c *Cluster) checkSource(ctx context.Context, name string) Finding {
	f := Finding{Name: "secret " + name, Why: "Deployments that are to get a copy fail with SECRET_MISSING."}
	source, err := c.client.CoreV1().Secrets(c.sources).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		f.Found, f.Fix = "does not exist in namespace "+c.sources, fmt.Sprintf("kubectl -n %s create secret generic %s --from-literal=KEY=VALUE", c.sources, name)
	case err != nil:
		f.Found, f.Fix = oneLine(kind(err).Error()), fmt.Sprintf("Add %q to resourceNames in Catalyst's Role in namespace %s.", name, c.sources)
	case strings.TrimSpace(source.Annotations[AnnotationCopyTo]) == "":
		f.Found, f.Fix = "is marked for no repository", fmt.Sprintf("kubectl -n %s annotate secret %s %s=REPOSITORY_ID", c.sources, name, AnnotationCopyTo)
	case source.Type != corev1.SecretTypeOpaque && source.Type != corev1.SecretTypeDockerConfigJson:
		f.Found, f.Fix = "is of type "+string(source.Type), "Take one of type Opaque or kubernetes.io/dockerconfigjson."
	default:
		return Finding{Name: f.Name, OK: true, Found: "in namespace " + c.sources + ", marked for " + source.Annotations[AnnotationCopyTo]}
	}
	return f
}

func (r CheckRequest) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// versionIn is the version in an answer of /version.
func versionIn(answer []byte) string {
	var info struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(answer, &info); err != nil {
		return "of no version"
	}
	return info.GitVersion
}
