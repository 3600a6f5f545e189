package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// The roles of deploy/manifests that are bound inside the namespaces of previews.
const (
	guardianRole = "catalyst-guardian" // Catalyst's own
	deployerRole = "catalyst-deployer" // of the service account that applies a chart
)

// rightsLimit is how long a binding may take to come into force: the API server learns of it by a watch, in milliseconds.
const rightsLimit = 5 * time.Second

// asGuardian does work that needs the role catalyst-guardian in the namespace, again when it has to. Catalyst binds the role to itself in a
// namespace that it makes, and where it turns out not to have it.
func (c *Cluster) asGuardian(ctx context.Context, namespace string, work func(context.Context) error) error {
	if err := work(ctx); !unauthorized(err) {
		return err
	}
	if err := c.bindSelf(ctx, namespace); err != nil {
		return err
	}
	err := inForce(ctx, work)
	if unauthorized(err) {
		return preview.Fail(err, preview.Diagnosis{
			Code:  preview.CodeNamespace,
			Cause: fmt.Sprintf("Catalyst has not the rights of the role %s in the namespace %s: %s", guardianRole, namespace, oneLine(err.Error())),
			Fix:   "Have the operator apply deploy/manifests of this version of Catalyst.",
			Blame: preview.BlameCluster,
		})
	}
	return err
}

// bindSelf gives Catalyst its role in the namespace.
func (c *Cluster) bindSelf(ctx context.Context, namespace string) error {
	self, err := c.self(ctx)
	if err != nil {
		return err
	}
	_, err = c.client.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: guardMeta(guardianRole),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: guardianRole},
		Subjects:   []rbacv1.Subject{self},
	}, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("bind %s in %s: %w", guardianRole, namespace, err)
	}
	return nil
}

// self is who the API server takes Catalyst for. It is asked once.
func (c *Cluster) self(ctx context.Context) (rbacv1.Subject, error) {
	c.mu.Lock()
	known := c.identity
	c.mu.Unlock()
	if known.Name != "" {
		return known, nil
	}
	review, err := c.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return rbacv1.Subject{}, fmt.Errorf("ask the API server who this is: %w", err)
	}
	subject := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: review.Status.UserInfo.Username}
	if rest, ok := strings.CutPrefix(subject.Name, "system:serviceaccount:"); ok {
		namespace, name, _ := strings.Cut(rest, ":")
		subject = rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.identity = subject
	return subject, nil
}

// inForce does the work again while it is refused for want of rights that were just given.
func inForce(ctx context.Context, work func(context.Context) error) error {
	deadline := time.Now().Add(rightsLimit)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := work(ctx)
		if !unauthorized(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// unauthorized reports whether a request was refused because of who made it: for want of a right, or because the credentials are no longer
// good. What an admission policy or a quota refuses is not meant.
func unauthorized(err error) bool {
	return apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ")
}
