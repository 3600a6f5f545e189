package cluster

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"catalyst.dev/catalyst/internal/preview"
)

// The labels and the annotation that make a namespace ours. The labels are the identity; the annotation is for people.
const (
	LabelInstance        = "catalyst.dev/instance"
	LabelRepositoryID    = "catalyst.dev/repository-id"
	LabelPullRequest     = "catalyst.dev/pull-request"
	LabelManagedBy       = "app.kubernetes.io/managed-by"
	AnnotationRepository = "catalyst.dev/repository"

	managedBy = "catalyst"
)

// Identity is what makes a namespace a certain preview's: the name alone proves nothing.
type Identity struct {
	Namespace  string
	UID        string // "" when not known yet
	Key        preview.Key
	Repository string // full name, "owner/name", for people
}

func (c *Cluster) labels(id Identity) map[string]string {
	return map[string]string{
		LabelInstance:     c.instance,
		LabelRepositoryID: strconv.FormatInt(id.Key.RepositoryID, 10),
		LabelPullRequest:  strconv.Itoa(id.Key.Number),
		LabelManagedBy:    managedBy,
	}
}

// owns returns nil when the namespace carries exactly the labels of id.
func (c *Cluster) owns(ns *corev1.Namespace, id Identity) error {
	for label, want := range c.labels(id) {
		if got, ok := ns.Labels[label]; !ok || got != want {
			return fmt.Errorf("namespace %s belongs to somebody else (label %s is %q, not %q): %w", ns.Name, label, got, want, preview.ErrConflict)
		}
	}
	return nil
}

// live reads the namespace and checks that it is ours and the one meant: preview.ErrNotFound when there is none,
// preview.ErrConflict when it is somebody else's or has another UID than id.
func (c *Cluster) live(ctx context.Context, id Identity) (*corev1.Namespace, error) {
	ns, err := c.client.CoreV1().Namespaces().Get(ctx, id.Namespace, metav1.GetOptions{})
	if err != nil {
		return nil, kind(fmt.Errorf("read namespace %s: %w", id.Namespace, err))
	}
	if err := c.owns(ns, id); err != nil {
		return nil, err
	}
	if id.UID != "" && string(ns.UID) != id.UID {
		return nil, fmt.Errorf("namespace %s was made anew (its UID is %s, not %s): %w", ns.Name, ns.UID, id.UID, preview.ErrConflict)
	}
	return ns, nil
}

// EnsureNamespace makes the namespace, with the guards that stand on itself and with Catalyst's rights in it, or finds it, and returns its UID,
// which comes with an error too when the namespace is there. What guards it from within is Deploy's and KeepGuards'. One that exists is ours only
// with exactly our labels; otherwise it is left as it is and the error is preview.ErrConflict. preview.ErrNotReady means that it is still being
// deleted. When id.UID is set and the namespace has meanwhile been made anew with our labels, the new UID is returned.
func (c *Cluster) EnsureNamespace(ctx context.Context, id Identity, g Guards) (uid string, err error) {
	labels, annotations, err := c.namespaceGuards(ctx, id, g)
	if err != nil {
		return "", kind(err)
	}
	// Between "it exists" and reading it, it may go away, and between that and creating it, come back: a few rounds settle it.
	const rounds = 4
	create := id.UID == ""
	for range rounds {
		var ns *corev1.Namespace
		if create {
			ns, err = c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: id.Namespace, Labels: labels, Annotations: annotations,
			}}, metav1.CreateOptions{FieldManager: fieldManager})
		} else {
			ns, err = c.client.CoreV1().Namespaces().Get(ctx, id.Namespace, metav1.GetOptions{})
		}
		if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
			create = !create
			continue
		}
		if err != nil {
			return "", kind(c.heldBack(fmt.Errorf("make namespace %s: %w", id.Namespace, err)))
		}
		if err := c.owns(ns, id); err != nil {
			return "", err
		}
		if ns.DeletionTimestamp != nil {
			return "", fmt.Errorf("namespace %s is still being deleted: %w", id.Namespace, preview.ErrNotReady)
		}
		if create {
			err = kind(c.bindSelf(ctx, ns.Name))
		}
		return string(ns.UID), err
	}
	return "", fmt.Errorf("namespace %s comes and goes: %w", id.Namespace, preview.ErrNotReady)
}

// DeleteNamespace deletes what runs in the namespace, waits at most 35 seconds until its pods have ended, starts the deletion of the
// namespace with all else it holds, and returns without waiting for that (see WaitGone). It reads the namespace first and deletes
// exactly what it has read: one that is gone or already going is success, one that is not ours or has another UID than id is
// preview.ErrConflict and stays. Stopped anywhere in the middle, it may be called again.
func (c *Cluster) DeleteNamespace(ctx context.Context, id Identity) error {
	defer c.seen.forget(id.Namespace)
	ns, err := c.doomed(ctx, id)
	if ns == nil {
		return err
	}
	id.UID = string(ns.UID)
	if err := c.drain(ctx, id); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("empty namespace %s: %w", id.Namespace, err)
	}
	c.noteHolders(ctx, ns)
	const rounds = 4
	for range rounds {
		if ns, err = c.doomed(ctx, id); ns == nil {
			return err
		}
		grace, foreground := int64(podGrace.Seconds()), metav1.DeletePropagationForeground
		err = c.client.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &grace,
			PropagationPolicy:  &foreground,
			// The resource version as well: labels taken away since the reading mean that it is no longer ours.
			Preconditions: &metav1.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion},
		})
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		if !apierrors.IsConflict(err) {
			break
		}
	}
	return kind(fmt.Errorf("delete namespace %s: %w", id.Namespace, err))
}

// doomed reads the namespace that is to be deleted: nil without an error when it is gone or going.
func (c *Cluster) doomed(ctx context.Context, id Identity) (*corev1.Namespace, error) {
	ns, err := c.live(ctx, id)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // there is nothing to delete
	case err != nil:
		return nil, fmt.Errorf("delete namespace: %w", err)
	case ns.DeletionTimestamp != nil:
		return nil, nil //nolint:nilnil // as above
	}
	return ns, nil
}

// Namespaces lists every namespace of this instance, those being deleted included.
func (c *Cluster) Namespaces(ctx context.Context) ([]Identity, error) {
	selector := labels.SelectorFromSet(labels.Set{LabelInstance: c.instance, LabelManagedBy: managedBy}).String()
	options := metav1.ListOptions{LabelSelector: selector, Limit: 500}
	var found []Identity
	for {
		page, err := c.client.CoreV1().Namespaces().List(ctx, options)
		if err != nil {
			return nil, kind(fmt.Errorf("list namespaces labelled %s: %w", selector, err))
		}
		for _, ns := range page.Items {
			if ns.Labels[labelProbe] != "" {
				continue
			}
			id, err := identityOf(&ns)
			if err != nil {
				c.log.WarnContext(ctx, "namespace with our label but without a pull request: left alone", "namespace", ns.Name, "err", err)
				continue
			}
			found = append(found, id)
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return found, nil
		}
	}
}

// identityOf reads from a namespace of ours whose it is.
func identityOf(ns *corev1.Namespace) (id Identity, err error) {
	id = Identity{Namespace: ns.Name, UID: string(ns.UID), Repository: ns.Annotations[AnnotationRepository]}
	if id.Key.RepositoryID, err = strconv.ParseInt(ns.Labels[LabelRepositoryID], 10, 64); err != nil {
		return id, err
	}
	id.Key.Number, err = strconv.Atoi(ns.Labels[LabelPullRequest])
	return id, err
}
