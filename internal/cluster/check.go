package cluster

import (
	"context"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CheckRequest says what a preview will need besides the rights.
type CheckRequest struct {
	IngressClasses []string // of the previews' Ingresses
	Issuers        []string // cert-manager's ClusterIssuers
	Secrets        []string // names of the Secrets that are copied
	Now            func() time.Time
	Before         bool   // before deploy/manifests are applied: what they make is not looked for
	ProbeImage     string // Catalyst's own image, to find out whether NetworkPolicy is enforced; "" means that this is not found out
}

// Finding is the result of one check of the cluster.
type Finding struct {
	Name    string // what was checked
	OK      bool
	Unknown bool   // not OK, because it could not be found out
	Minor   bool   // not OK, but most previews do without
	Found   string // what was found
	Why     string // why it matters; "" when OK
	Fix     string // what to do; "" when OK
}

// right is something Catalyst must be allowed to do in the whole cluster. name is that of the one object that is meant, "" for all.
type right struct{ group, resource, sub, name, verbs string }

func rights() []right {
	const rbac = "rbac.authorization.k8s.io"
	return []right{
		{"", "namespaces", "", "", "create delete get list patch watch"},
		{rbac, "rolebindings", "", "", "create"},
		{rbac, "clusterroles", "", guardianRole, "bind get"},
		{rbac, "clusterroles", "", deployerRole, "bind get"},
		{"networking.k8s.io", "ingressclasses", "", "", "get list"},
		{"storage.k8s.io", "storageclasses", "", "", "list"},
	}
}

func (c *Cluster) checkRight(ctx context.Context, r right) Finding {
	name := r.resource
	if r.sub != "" {
		name += "/" + r.sub
	}
	if r.name != "" {
		name += " " + r.name
	}
	f := Finding{Name: "may manage " + name, OK: true, Found: "may " + strings.ReplaceAll(r.verbs, " ", ", ")}
	var denied []string
	for _, verb := range strings.Fields(r.verbs) {
		review, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: r.group, Resource: r.resource, Subresource: r.sub, Name: r.name, Verb: verb,
			}},
		}, metav1.CreateOptions{})
		if err != nil {
			return Finding{
				Name: f.Name, Found: oneLine(err.Error()),
				Why: "The right could not be asked for.",
				Fix: "Try again; the API server did not answer the access review.",
			}
		}
		if !review.Status.Allowed {
			denied = append(denied, verb)
		}
	}
	if len(denied) == 0 {
		return f
	}
	return Finding{
		Name:  f.Name,
		Found: "may not " + strings.Join(denied, ", "),
		Why:   "Without it previews cannot be made, guarded or taken away.",
		Fix:   "Apply deploy/manifests of this version of Catalyst, and run it as the service account they make.",
	}
}

func (c *Cluster) checkIngressClass(ctx context.Context, class string) Finding {
	f := Finding{Name: "ingress class " + class}
	found, err := c.client.NetworkingV1().IngressClasses().Get(ctx, class, metav1.GetOptions{})
	switch {
	case err == nil:
		f.OK, f.Found = true, "served by "+found.Spec.Controller
		return f
	case apierrors.IsNotFound(err):
		f.Found = "does not exist"
		list, listErr := c.client.NetworkingV1().IngressClasses().List(ctx, metav1.ListOptions{})
		if listErr == nil && len(list.Items) > 0 {
			names := make([]string, len(list.Items))
			for i, item := range list.Items {
				names[i] = item.Name
			}
			f.Found += "; there is " + strings.Join(names, ", ")
		}
		f.Why = "The previews' URLs would lead nowhere."
		f.Fix = "Install an ingress controller, or name one of the classes that exist in the configuration."
	default:
		f.Found, f.Why, f.Fix = oneLine(kind(err).Error()), "It could not be read.", "Let Catalyst's ClusterRole get and list ingressclasses."
	}
	return f
}
