package cluster

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const applyManifests = "Apply deploy/manifests of this version of Catalyst."

// policies are the admission policies of deploy/manifests that hold charts; each has a binding of the same name.
var policies = []string{
	"catalyst-previews-deployers", "catalyst-previews-pods", "catalyst-previews-services", "catalyst-previews-ingresses",
	"catalyst-previews-routes", "catalyst-previews-volumes",
}

// checkPolicies looks for the policies that hold charts to what a preview may have.
func (c *Cluster) checkPolicies(ctx context.Context) Finding {
	f := Finding{Name: "admission policies of previews"}
	var missing []string
	for _, name := range policies {
		_, err := c.client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			_, err = c.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Get(ctx, name, metav1.GetOptions{})
		}
		switch {
		case apierrors.IsNotFound(err):
			missing = append(missing, name)
		case err != nil:
			f.Found, f.Why, f.Fix = oneLine(err.Error()), "It could not be read.", applyManifests
			return f
		}
	}
	if len(missing) == 0 {
		f.OK, f.Found = true, "are there"
		return f
	}
	f.Found = "missing: " + strings.Join(missing, ", ")
	f.Why = "Without them a chart may answer for other hosts, open ports of nodes and claim what is not its own."
	f.Fix = applyManifests
	return f
}

// checkHeld tries, without doing it, to make a namespace that would not be Catalyst's own.
func (c *Cluster) checkHeld(ctx context.Context) Finding {
	f := Finding{Name: "held to its own namespaces"}
	_, err := c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "catalyst-not-its-own"}},
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "catalyst-self-guard"):
		f.OK, f.Found = true, "by the admission policy catalyst-self-guard"
		return f
	case err == nil || apierrors.IsAlreadyExists(err):
		f.Found = "may make any namespace"
	default:
		f.Found = oneLine(err.Error())
	}
	f.Why = "A mistake in Catalyst, or its token in wrong hands, would reach every namespace of the cluster."
	f.Fix = applyManifests + " Run it as the service account they make, and not as an administrator."
	return f
}
