package cluster

import (
	"context"
	"fmt"
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

// right is something Catalyst must be allowed to do in every namespace it makes.
type right struct{ group, resource, sub, verbs string }

func rights() []right {
	return []right{
		{"", "namespaces", "", "create delete get list watch patch"},
		{"", "secrets", "", "create delete get list update patch"},
		{"", "configmaps", "", "create delete get patch"},
		{"", "services", "", "create delete get list patch"},
		{"", "pods", "", "delete get list watch"},
		{"", "pods", "log", "get"},
		{"", "events", "", "list watch"},
		{"apps", "deployments", "", "create delete get list watch patch"},
		{"apps", "statefulsets", "", "create delete get list watch patch"},
		{"apps", "daemonsets", "", "delete list"},
		{"apps", "replicasets", "", "delete get list"},
		{"batch", "jobs", "", "create delete get list watch patch"},
		{"batch", "cronjobs", "", "delete list"},
		{"", "replicationcontrollers", "", "delete list"},
		{"networking.k8s.io", "ingresses", "", "create delete get list patch"},
	}
}

func (c *Cluster) checkRight(ctx context.Context, r right) Finding {
	name := r.resource
	if r.sub != "" {
		name += "/" + r.sub
	}
	f := Finding{Name: "may manage " + name, OK: true, Found: "may " + strings.ReplaceAll(r.verbs, " ", ", ")}
	var denied []string
	for _, verb := range strings.Fields(r.verbs) {
		review, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: r.group, Resource: r.resource, Subresource: r.sub, Verb: verb,
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
	group := r.group
	return Finding{
		Name:  f.Name,
		Found: "may not " + strings.Join(denied, ", "),
		Why:   "Previews that have such objects cannot be made, watched or taken away.",
		Fix:   fmt.Sprintf("Add to Catalyst's ClusterRole: {apiGroups: [%q], resources: [%s], verbs: [%s]}.", group, name, strings.Join(denied, ", ")),
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
