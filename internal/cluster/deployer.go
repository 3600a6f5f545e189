package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"catalyst.dev/catalyst/internal/preview"
)

// LabelAttempt is the label of the service account and the role binding of one deployment.
const LabelAttempt = "catalyst.dev/attempt"

const (
	deployerPrefix = "catalyst-deployer-"
	tokenLife      = 10 * time.Minute // the least that Kubernetes gives
	tokenRest      = 2 * time.Minute  // a token with less left is replaced
)

// deployer is the identity that applies one deployment: a service account of its own, which may do in the namespace what the role catalyst-deployer lists. There is one
// at a time, so making the next one takes a worker that was paused, and does not know that it was overtaken, its rights at the API server.
type deployer struct {
	c         *Cluster
	client    kubernetes.Interface // Catalyst's own, within the operation
	namespace string
	name      string
	uid       string

	mu      sync.Mutex
	token   string
	expires time.Time
}

// hire removes the deployers of earlier attempts and makes the one of this attempt. preview.ErrStale means that a later attempt has one.
func (c *Cluster) hire(ctx context.Context, client kubernetes.Interface, namespace string, attempt int64) (*deployer, error) {
	if err := dismissOthers(ctx, client, namespace, attempt); err != nil {
		return nil, err
	}
	number := strconv.FormatInt(attempt, 10)
	d := &deployer{c: c, client: client, namespace: namespace, name: deployerPrefix + number}
	labels := map[string]string{LabelManagedBy: managedBy, LabelAttempt: number}
	never := false
	var made errgroup.Group
	made.Go(func() error {
		account, err := client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{
			ObjectMeta:                   metav1.ObjectMeta{Name: d.name, Labels: labels},
			AutomountServiceAccountToken: &never,
		}, metav1.CreateOptions{FieldManager: fieldManager})
		if err != nil {
			return fmt.Errorf("make service account %s: %w", d.name, err)
		}
		d.uid = string(account.UID)
		return d.renew(ctx)
	})
	made.Go(func() error {
		_, err := client.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: d.name, Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: deployerRole},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: d.name}},
		}, metav1.CreateOptions{FieldManager: fieldManager})
		if err != nil {
			return fmt.Errorf("bind %s to %s: %w", deployerRole, d.name, err)
		}
		return nil
	})
	return d, kind(made.Wait())
}

// dismissOthers removes the deployers of all other attempts. A later attempt that may still be at work is left alone.
func dismissOthers(ctx context.Context, client kubernetes.Interface, namespace string, attempt int64) error {
	only := metav1.ListOptions{LabelSelector: LabelAttempt}
	var found [2][]metav1.ObjectMeta
	var listed errgroup.Group
	listed.Go(func() error {
		list, err := client.RbacV1().RoleBindings(namespace).List(ctx, only)
		if err == nil {
			for _, item := range list.Items {
				found[0] = append(found[0], item.ObjectMeta)
			}
		}
		return err
	})
	listed.Go(func() error {
		list, err := client.CoreV1().ServiceAccounts(namespace).List(ctx, only)
		if err == nil {
			for _, item := range list.Items {
				found[1] = append(found[1], item.ObjectMeta)
			}
		}
		return err
	})
	if err := listed.Wait(); err != nil {
		return fmt.Errorf("list the deployers of %s: %w", namespace, err)
	}
	for _, other := range slices.Concat(found[0], found[1]) {
		// Attempts are counted by the database. One that was restored counts anew, but then the later attempt is over.
		if n, err := strconv.ParseInt(other.Labels[LabelAttempt], 10, 64); err == nil && n > attempt && time.Since(other.CreationTimestamp.Time) < tokenLife {
			return fmt.Errorf("deploy to %s as attempt %d: attempt %d has begun: %w", namespace, attempt, n, preview.ErrStale)
		}
	}
	var removed errgroup.Group
	for i, remove := range []func(context.Context, string, metav1.DeleteOptions) error{
		client.RbacV1().RoleBindings(namespace).Delete, client.CoreV1().ServiceAccounts(namespace).Delete,
	} {
		for _, other := range found[i] {
			removed.Go(func() error {
				err := remove(ctx, other.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other.UID}})
				if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
					return fmt.Errorf("take %s its rights: %w", other.Name, err)
				}
				return nil
			})
		}
	}
	return removed.Wait()
}

// dismiss removes the deployer. What is left when that fails is removed by the next attempt, and its token ends by itself.
func (d *deployer) dismiss(ctx context.Context, client kubernetes.Interface) error {
	var gone errgroup.Group
	for _, remove := range []func(context.Context, string, metav1.DeleteOptions) error{
		client.RbacV1().RoleBindings(d.namespace).Delete, client.CoreV1().ServiceAccounts(d.namespace).Delete,
	} {
		gone.Go(func() error {
			if err := remove(ctx, d.name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("take %s its rights: %w", d.name, err)
			}
			return nil
		})
	}
	return gone.Wait()
}

// ready returns when the API server knows what the deployer may do. It finds out by the least there is: whether anything is there of a kind.
func (d *deployer) ready(ctx context.Context) error {
	client, err := kubernetes.NewForConfigAndClient(rest.CopyConfig(d.c.config), &http.Client{Transport: d})
	if err != nil {
		return err
	}
	err = inForce(ctx, func(ctx context.Context) error {
		_, err := client.CoreV1().ConfigMaps(d.namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err
	})
	switch {
	case !unauthorized(err):
		return err
	case d.overtaken(ctx):
		return fmt.Errorf("overtaken by a later attempt: %w: %w", err, preview.ErrStale)
	}
	return preview.Fail(err, preview.Diagnosis{
		Code:  preview.CodeNamespace,
		Cause: fmt.Sprintf("The service account that applies charts has not the rights of the role %s: %s", deployerRole, oneLine(err.Error())),
		Fix:   "Have the operator apply deploy/manifests of this version of Catalyst.",
		Blame: preview.BlameCluster,
	})
}

// overtaken reports whether the deployer was removed by somebody else.
func (d *deployer) overtaken(ctx context.Context) bool {
	account, err := d.client.CoreV1().ServiceAccounts(d.namespace).Get(ctx, d.name, metav1.GetOptions{})
	return apierrors.IsNotFound(err) || err == nil && string(account.UID) != d.uid
}

// renew gets a token. Call it with mu held, or before the deployer is shared.
func (d *deployer) renew(ctx context.Context) error {
	seconds := int64(tokenLife / time.Second)
	answer, err := d.client.CoreV1().ServiceAccounts(d.namespace).CreateToken(ctx, d.name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("get a token for %s: %w", d.name, err)
	}
	d.token, d.expires = answer.Status.Token, answer.Status.ExpirationTimestamp.Time
	return nil
}

// RoundTrip implements http.RoundTripper: it makes the request as the deployer.
func (d *deployer) RoundTrip(req *http.Request) (*http.Response, error) {
	d.mu.Lock()
	if time.Until(d.expires) < tokenRest { // hooks may take longer than a token lives
		if err := d.renew(req.Context()); err != nil {
			d.mu.Unlock()
			if req.Body != nil {
				_ = req.Body.Close()
			}
			return nil, err
		}
	}
	token := d.token
	d.mu.Unlock()
	as := req.Clone(req.Context())
	as.Header.Set("Authorization", "Bearer "+token)
	return d.c.bare.RoundTrip(as)
}
