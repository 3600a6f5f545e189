package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
)

// releaseRecord is the type of the Secrets in which Helm keeps releases: much text, and no secret that is not in another Secret, too.
const releaseRecord = "helm.sh/release.v1"

// withheld stands for evidence that could not be looked through.
const withheld = "(the evidence is withheld: the Secrets of the namespace could not be read, so it could not be searched for them)"

// memory holds the values of Secrets that were seen, by namespace, until that is deleted: a pod may still print one that has been replaced.
type memory struct {
	mu     sync.Mutex
	values map[string]map[string]bool
}

func (m *memory) add(namespace string, values []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string]map[string]bool{}
	}
	if m.values[namespace] == nil {
		m.values[namespace] = map[string]bool{}
	}
	for _, v := range values {
		m.values[namespace][v] = true
	}
}

func (m *memory) of(namespace string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.values[namespace]))
}

func (m *memory) forget(namespace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, namespace)
}

// remember makes the values of a Secret in the namespace known, here and to the log.
func (c *Cluster) remember(namespace string, secrets ...*corev1.Secret) {
	var values []string
	for _, s := range secrets {
		values = append(values, valuesOf(s)...)
	}
	if len(values) == 0 {
		return
	}
	c.seen.add(namespace, values)
	c.learn(values...)
}

// rememberRendered makes known what the chart's own Secrets hold, which the API server may repeat when it refuses one.
func (c *Cluster) rememberRendered(namespace string, info *resource.Info) {
	object, ok := info.Object.(*unstructured.Unstructured)
	if !ok || info.Mapping.GroupVersionKind.GroupKind() != corev1.SchemeGroupVersion.WithKind("Secret").GroupKind() {
		return
	}
	var s corev1.Secret
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &s); err != nil {
		return // the API server will say what is wrong with it
	}
	c.remember(namespace, &s)
}

// valuesOf gives what is secret in a Secret: all values but certificates, which every visitor is shown.
func valuesOf(s *corev1.Secret) []string {
	var values []string
	for key, v := range s.Data {
		if key != corev1.TLSCertKey && key != "ca.crt" {
			values = append(values, string(v))
		}
	}
	return slices.AppendSeq(values, maps.Values(s.StringData))
}

// hidden returns the error as it may be told about the preview: without the values of the Secrets in its namespace, those of Catalyst's own, and
// what looks like a credential. Everything the package says about what runs in a preview goes through here.
func (c *Cluster) hidden(ctx context.Context, id Identity, err error) error {
	if err == nil {
		return nil
	}
	var failure *preview.Failure
	if !errors.As(err, &failure) { // for the log alone, which knows the values that were seen
		return hide(c.redactor(id.Namespace), err)
	}
	d := failure.Diagnosis
	if err := c.readSecrets(ctx, id.Namespace); err != nil && len(d.Evidence) > 0 {
		c.log.WarnContext(ctx, "Secrets not read, the evidence is withheld", "namespace", id.Namespace, "err", err)
		d.Evidence = []string{withheld}
	}
	r := c.redactor(id.Namespace)
	return preview.Fail(hide(r, failure.Err), d.Rewrite(r.String, r.Lines))
}

// redactor knows what was seen in the namespace.
func (c *Cluster) redactor(namespace string) *redact.Redactor {
	return redact.New(append(c.seen.of(namespace), c.own...)...)
}

// readSecrets makes the values of all Secrets in the namespace known.
func (c *Cluster) readSecrets(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, evidenceTime)
	defer cancel()
	selector := fields.OneTermNotEqualSelector("type", releaseRecord).String()
	list, err := c.client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return err
	}
	for i := range list.Items {
		c.remember(namespace, &list.Items[i])
	}
	return nil
}

// hiddenError is an error with another text.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.err }

func hide(r *redact.Redactor, err error) error {
	if err == nil {
		return nil
	}
	if text := r.String(err.Error()); text != err.Error() {
		return &hiddenError{text, err}
	}
	return err
}
