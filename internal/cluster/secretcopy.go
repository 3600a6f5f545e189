package cluster

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"catalyst.dev/catalyst/internal/preview"
)

// AnnotationCopyTo is how an operator allows a Secret to be copied: on the Secret, the ids or full names of repositories, separated by commas
// or spaces. An id is safer: a name can become somebody else's.
const AnnotationCopyTo = "catalyst.dev/copy-to"

const (
	labelCopy            = "catalyst.dev/copy" // what has it is a copy of ours, and nothing else is
	annotationCopiedFrom = "catalyst.dev/copied-from"
)

// SecretCopy is a Secret that a preview gets.
type SecretCopy struct {
	Name string // in the preview's namespace
	From string // of the source
	Pull bool   // pods that name none pull images with it
}

// SyncSecrets makes the copies in the preview's namespace those that are wanted, and takes away those that are not, or no longer allowed. It
// writes nothing when they are right already. It reads each source by its name alone; a Secret of the preview's that
// is not a copy of ours is never touched.
//
// A *preview.Failure is SECRET_MISSING (no such source, or it is not marked for the repository) or SECRET_TAKEN (another Secret has the
// name); all other copies are right then.
func (c *Cluster) SyncSecrets(ctx context.Context, id Identity, want []SecretCopy) error {
	if _, err := c.live(ctx, id); err != nil {
		return fmt.Errorf("copy Secrets to %s: %w", id.Namespace, err)
	}
	var changes changes
	err := c.asGuardian(ctx, id.Namespace, func(ctx context.Context) (err error) {
		changes, err = c.secretChanges(ctx, id, want)
		return err
	})
	if err != nil {
		return fmt.Errorf("copy Secrets to %s: %w", id.Namespace, err)
	}
	problem := changes.problem
	for _, change := range changes.all {
		err := change(ctx)
		if f := asFailure(err); f != nil {
			problem = f
		} else if err != nil {
			return fmt.Errorf("copy Secrets to %s: %w", id.Namespace, kind(err))
		}
	}
	if problem != nil {
		return problem
	}
	return nil
}

// SecretsDiffer reports whether SyncSecrets would change something, and changes nothing. Its *preview.Failure means that something is wrong
// that a change does not mend.
func (c *Cluster) SecretsDiffer(ctx context.Context, id Identity, want []SecretCopy) (bool, error) {
	changes, err := c.secretChanges(ctx, id, want)
	if err != nil {
		return false, fmt.Errorf("compare Secrets of %s: %w", id.Namespace, err)
	}
	if changes.problem != nil {
		return len(changes.all) > 0, changes.problem
	}
	return len(changes.all) > 0, nil
}

// changes are what has to be done to a namespace's copies.
type changes struct {
	all     []func(context.Context) error
	problem *preview.Failure
}

func (c *Cluster) secretChanges(ctx context.Context, id Identity, want []SecretCopy) (changes, error) {
	var out changes
	secrets := c.client.CoreV1().Secrets(id.Namespace)
	selector := labels.SelectorFromSet(labels.Set{LabelInstance: c.instance, labelCopy: "true"}).String()
	list, err := secrets.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return out, kind(err)
	}
	have := map[string]*corev1.Secret{}
	for i := range list.Items {
		have[list.Items[i].Name] = &list.Items[i]
	}
	var deletions []func(context.Context) error
	touched, pull := slices.Collect(maps.Keys(have)), []string(nil)
	for _, w := range want {
		copied, err := c.copyOf(ctx, id, w)
		if f := asFailure(err); f != nil {
			out.problem = f
			continue // what there is of it is no longer allowed, and goes
		} else if err != nil {
			return out, err
		}
		c.remember(id.Namespace, copied)
		touched = append(touched, w.Name)
		if w.Pull {
			pull = append(pull, w.Name)
		}
		old := have[w.Name]
		delete(have, w.Name)
		switch {
		case old == nil:
			out.all = append(out.all, func(ctx context.Context) error { return c.createCopy(ctx, copied) })
		case old.Type != copied.Type || old.Immutable != nil: // neither can be changed
			out.all = append(out.all, func(ctx context.Context) error { return c.deleteCopy(ctx, old) },
				func(ctx context.Context) error { return c.createCopy(ctx, copied) })
		case !sameCopy(old, copied):
			out.all = append(out.all, func(ctx context.Context) error { return c.updateCopy(ctx, old, copied) })
		}
	}
	for _, old := range have {
		c.remember(id.Namespace, old)
		deletions = append(deletions, func(ctx context.Context) error { return c.deleteCopy(ctx, old) })
	}
	account, err := c.pullChange(ctx, id.Namespace, touched, pull)
	if err != nil {
		return out, err
	}
	if account != nil { // before the deletions, after which nobody would know which references were to ours
		out.all = append(out.all, account)
	}
	out.all = append(out.all, deletions...)
	return out, nil
}

// copyOf reads the source and makes the copy of it, or says in a *preview.Failure why there is none.
func (c *Cluster) copyOf(ctx context.Context, id Identity, w SecretCopy) (*corev1.Secret, error) {
	missing := func(fix, format string, args ...any) error {
		return preview.Fail(nil, preview.Diagnosis{
			Code: preview.CodeSecretMissing, Blame: preview.BlameConfig,
			Cause: fmt.Sprintf("The Secret %q, which previews of %s are to get as %q, %s.", w.From, id.Repository, w.Name, fmt.Sprintf(format, args...)),
			Fix:   fix,
		})
	}
	source, err := c.client.CoreV1().Secrets(c.sources).Get(ctx, w.From, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, missing(fmt.Sprintf("Make it in namespace %s, or take it out of the repository's `secrets` in the server's configuration.", c.sources),
			"does not exist in namespace %s", c.sources)
	case apierrors.IsForbidden(err):
		return nil, missing(fmt.Sprintf("Let Catalyst get it: add %q to resourceNames in its Role in namespace %s.", w.From, c.sources),
			"may not be read by Catalyst in namespace %s", c.sources)
	case err != nil:
		return nil, fmt.Errorf("read Secret %s/%s: %w", c.sources, w.From, err)
	case !marked(source.Annotations[AnnotationCopyTo], id):
		return nil, missing(fmt.Sprintf("kubectl -n %s annotate --overwrite secret %s %s=%d", c.sources, w.From, AnnotationCopyTo, id.Key.RepositoryID),
			"is not marked for that repository: its annotation %s names neither its id %d nor its name", AnnotationCopyTo, id.Key.RepositoryID)
	case source.Type != corev1.SecretTypeOpaque && source.Type != corev1.SecretTypeDockerConfigJson:
		return nil, missing(fmt.Sprintf("Take one of type %s or %s.", corev1.SecretTypeOpaque, corev1.SecretTypeDockerConfigJson),
			"is of type %s, which is not copied", source.Type)
	case w.Pull && source.Type != corev1.SecretTypeDockerConfigJson:
		return nil, missing("Make it with `kubectl create secret docker-registry`, or take `pull` away.",
			"is of type %s: images are pulled with %s", source.Type, corev1.SecretTypeDockerConfigJson)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: w.Name, Namespace: id.Namespace,
			Labels:      map[string]string{LabelInstance: c.instance, LabelManagedBy: managedBy, labelCopy: "true"},
			Annotations: map[string]string{annotationCopiedFrom: c.sources + "/" + w.From},
		},
		Type: source.Type,
		Data: source.Data,
	}, nil
}

// marked reports whether the mark names the repository.
func marked(mark string, id Identity) bool {
	return slices.ContainsFunc(strings.FieldsFunc(mark, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }), func(one string) bool {
		return one == strconv.FormatInt(id.Key.RepositoryID, 10) || strings.Contains(one, "/") && strings.EqualFold(one, id.Repository)
	})
}

func sameCopy(a, b *corev1.Secret) bool {
	return (len(a.Data) == 0 && len(b.Data) == 0 || reflect.DeepEqual(a.Data, b.Data)) &&
		a.Labels[LabelManagedBy] == b.Labels[LabelManagedBy] && a.Annotations[annotationCopiedFrom] == b.Annotations[annotationCopiedFrom]
}

func (c *Cluster) createCopy(ctx context.Context, copied *corev1.Secret) error {
	_, err := c.client.CoreV1().Secrets(copied.Namespace).Create(ctx, copied, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return preview.Fail(err, preview.Diagnosis{
			Code: preview.CodeSecretTaken, Blame: preview.BlameConfig,
			Cause: fmt.Sprintf("The preview's namespace has a Secret %q already that is not Catalyst's: it is left as it is.", copied.Name),
			Fix:   "Give the copy another name in the repository's `secrets` in the server's configuration, or take the Secret out of the chart.",
		})
	}
	return err
}

func (c *Cluster) updateCopy(ctx context.Context, old, copied *corev1.Secret) error {
	fresh := copied.DeepCopy()
	fresh.ResourceVersion, fresh.UID = old.ResourceVersion, old.UID // exactly the one that was looked at
	_, err := c.client.CoreV1().Secrets(fresh.Namespace).Update(ctx, fresh, metav1.UpdateOptions{})
	return err
}

func (c *Cluster) deleteCopy(ctx context.Context, old *corev1.Secret) error {
	err := c.client.CoreV1().Secrets(old.Namespace).Delete(ctx, old.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &old.UID, ResourceVersion: &old.ResourceVersion},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
