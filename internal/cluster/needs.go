package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const rbacGroup = rbacv1.GroupName

// guardianNeeds are all the rights that Catalyst uses in a preview's namespace. The role catalyst-guardian of deploy/manifests gives exactly these.
func guardianNeeds() []right {
	return []right{
		// The guards. They are never deleted but with their namespace.
		{"", "resourcequotas", "", "", "get create patch"},
		{"", "limitranges", "", "", "get create patch"},
		{"networking.k8s.io", "networkpolicies", "", "", "get create patch"},
		// The identity of each deployment, and the account of pods.
		{"", "serviceaccounts", "", "", "get list create patch delete"},
		{"", "serviceaccounts", "token", "", "create"},
		{rbacGroup, "rolebindings", "", "", "list delete"},
		// The release's record, copies of Secrets, and the values of all, to keep them out of what is said.
		{"", "secrets", "", "", "get list create update delete"},
		// What runs: watched until it is ready, and taken away first.
		{"", "pods", "", "", "list watch delete"},
		{"", "pods", "log", "", "get"},
		{"", "replicationcontrollers", "", "", "list delete"},
		{"apps", "deployments", "", "", "list watch delete"},
		{"apps", "statefulsets", "", "", "list watch delete"},
		{"apps", "daemonsets", "", "", "list watch delete"},
		{"apps", "replicasets", "", "", "get list watch delete"},
		{"batch", "jobs", "", "", "list watch delete"},
		{"batch", "cronjobs", "", "", "get list delete"},
		{"", "persistentvolumeclaims", "", "", "list watch"},
		{"", "events", "", "", "list watch"},
		// What is ready when it is there.
		{"", "configmaps", "", "", "get list"},
		{"", "services", "", "", "get list"},
		{"autoscaling", "horizontalpodautoscalers", "", "", "get list"},
		{"policy", "poddisruptionbudgets", "", "", "get list"},
		{"networking.k8s.io", "ingresses", "", "", "get list"},
		{"gateway.networking.k8s.io", "httproutes", "", "", "get list"},
		{"gateway.networking.k8s.io", "grpcroutes", "", "", "get list"},
	}
}

// deployerNever are the rights with which a chart could undo its guards, or become somebody else. A role that has one of them was loosened.
func deployerNever() []right {
	const all = "create update patch delete"
	return []right{
		{"networking.k8s.io", "networkpolicies", "", "", all},
		{"", "resourcequotas", "", "", all},
		{"", "limitranges", "", "", all},
		{rbacGroup, "roles", "", "", "create update patch delete escalate"},
		{rbacGroup, "rolebindings", "", "", all},
		{"", "serviceaccounts", "token", "", "create"},
		{"", "serviceaccounts", "", "", "impersonate"},
		{"", "pods", "exec", "", "create get"},
		{"", "pods", "attach", "", "create get"},
		{"", "pods", "portforward", "", "create get"},
		{"", "pods", "ephemeralcontainers", "", "update patch"},
		{"", "endpoints", "", "", all},
		{"discovery.k8s.io", "endpointslices", "", "", all},
		{"coordination.k8s.io", "leases", "", "", all},
	}
}

// checkRole looks whether a role gives what it must, and not what it must not.
func (c *Cluster) checkRole(ctx context.Context, role string) Finding {
	f := Finding{Name: "role " + role, Why: "Without it no preview can be deployed.", Fix: applyManifests}
	found, err := c.client.RbacV1().ClusterRoles().Get(ctx, role, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		f.Found = "does not exist"
		return f
	case err != nil:
		f.Found = oneLine(err.Error())
		return f
	}
	return judgeRole(f, role, found.Rules)
}

func judgeRole(f Finding, role string, rules []rbacv1.PolicyRule) Finding {
	if len(rules) == 0 {
		f.Found = "allows nothing"
		return f
	}
	if role == deployerRole {
		if loose := granted(rules, deployerNever(), true); len(loose) > 0 {
			f.Found = "allows charts to " + strings.Join(loose, ", ")
			f.Why = "A chart could undo its guards, or act as somebody else."
			f.Fix = "Take that out of the ClusterRole " + role + ", or apply deploy/manifests/deployer.yaml again."
			return f
		}
	} else if missing := granted(rules, guardianNeeds(), false); len(missing) > 0 {
		f.Found = "does not allow to " + strings.Join(missing, ", ")
		return f
	}
	return Finding{Name: f.Name, OK: true, Found: "is there"}
}

// granted are those of the rights that the rules give (want true) or do not give (want false), for people: "watch pods".
func granted(rules []rbacv1.PolicyRule, rights []right, want bool) []string {
	var all []string
	for _, r := range rights {
		for verb := range strings.FieldsSeq(r.verbs) {
			gives := slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool { return gives(rule, r, verb) })
			if gives == want {
				all = append(all, fmt.Sprintf("%s %s", verb, r.what()))
			}
		}
	}
	return all
}

// gives reports whether a rule gives the right to all objects of the kind.
func gives(rule rbacv1.PolicyRule, r right, verb string) bool {
	has := func(list []string, one string) bool { return slices.Contains(list, one) || slices.Contains(list, "*") }
	return len(rule.ResourceNames) == 0 && has(rule.APIGroups, r.group) && has(rule.Resources, r.what()) && has(rule.Verbs, verb)
}

// what is the resource as roles name it.
func (r right) what() string {
	if r.sub != "" {
		return r.resource + "/" + r.sub
	}
	return r.resource
}
