package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	ri "helm.sh/helm/v4/pkg/release"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubewait "k8s.io/apimachinery/pkg/util/wait"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"

	"catalyst.dev/catalyst/internal/preview"
)

// records are the revisions of the release in one namespace. They are read once and then served from memory, which saves a request
// for every question Helm asks: during an operation nobody else writes them. Writes go to the cluster first.
type records struct {
	*driver.Memory
	stored  *driver.Secrets
	secrets typedcorev1.SecretInterface
	before  func(*release.Release) error // called before a new revision is recorded, that is before anything is applied
	missed  error                        // the first update that could not be stored: Helm logs some of them and goes on
}

// readRecords reads and writes them as Catalyst itself. Only what has the type of a record is one: a chart cannot make that.
func readRecords(namespace string, secrets typedcorev1.SecretInterface) (*records, error) {
	r := &records{Memory: driver.NewMemory(), stored: driver.NewSecrets(secrets), secrets: secrets}
	r.SetNamespace(namespace)
	found, err := r.stored.Query(map[string]string{"name": preview.Release, "owner": "helm"})
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, fmt.Errorf("read the release records of %s: %w", namespace, err)
	}
	for _, rel := range found {
		one := rel.(*release.Release)
		one.Labels = nil // Helm copies them into the next revision: the secret's own would go along
		if err := r.Memory.Create(recordKey(one), one); err != nil {
			return nil, fmt.Errorf("read the release record %s of %s: %w", recordKey(one), namespace, err)
		}
	}
	return r, nil
}

func recordKey(r *release.Release) string {
	return fmt.Sprintf("sh.helm.release.v1.%s.v%d", r.Name, r.Version)
}

// Create implements driver.Creator.
func (r *records) Create(key string, rel ri.Releaser) error {
	if err := r.before(rel.(*release.Release)); err != nil {
		return err
	}
	if err := r.stored.Create(key, rel); err != nil {
		return fmt.Errorf("record revision %s: %w", key, err)
	}
	return r.Memory.Create(key, rel)
}

// Update implements driver.Updator. It insists, and keeps what was in vain: Helm goes on when it could not record that the last revision
// was superseded, and then two are called deployed.
func (r *records) Update(key string, rel ri.Releaser) error {
	pause := kubewait.Backoff{Steps: 5, Duration: 50 * time.Millisecond, Factor: 3, Jitter: 0.1}
	if err := retry.OnError(pause, passing, func() error { return r.stored.Update(key, rel) }); err != nil {
		if r.missed == nil {
			r.missed = fmt.Errorf("record the end of revision %s: %w", key, err)
		}
		return err
	}
	return r.Memory.Update(key, rel)
}

// passing reports whether an error of the API server, or of the way to it, may be gone the next moment. A connection breaks in many ways
// (a reset stream, a closed pipe, a GOAWAY); what is tried again may be written twice without harm.
func passing(err error) bool {
	var way *url.Error
	if errors.As(err, &way) {
		return !errors.Is(err, context.Canceled) && !errors.Is(err, preview.ErrStale)
	}
	return apierrors.IsConflict(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err)
}

// Delete implements driver.Deletor.
func (r *records) Delete(key string) (ri.Releaser, error) {
	if err := r.secrets.Delete(context.Background(), key, metav1.DeleteOptions{}); err != nil {
		return nil, err
	}
	return r.Memory.Delete(key)
}

// all returns the revisions, newest first.
func (r *records) all() []*release.Release {
	list, err := r.List(func(ri.Releaser) bool { return true })
	if err != nil {
		return nil // memory has no reason to fail
	}
	revisions := make([]*release.Release, len(list))
	for i, rel := range list {
		revisions[i] = rel.(*release.Release)
	}
	slices.SortFunc(revisions, func(a, b *release.Release) int { return b.Version - a.Version })
	return revisions
}

// unfinished returns the revisions newer than the last that came through: what they made is nobody's any more.
func unfinished(revisions []*release.Release) []*release.Release {
	i := slices.IndexFunc(revisions, func(r *release.Release) bool { return r.Info.Status == rcommon.StatusDeployed })
	if i < 0 {
		return revisions
	}
	return revisions[:i]
}
