package cluster

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
)

// canarySecret has what encodings treat differently, and is valid nowhere.
const canarySecret = `c4n4ry/"Pa<ss>&word+1`

// canaryForms are its encodings that the test application prints, or their parts that no other text has.
func canaryForms() []string {
	return []string{
		canarySecret, fmt.Sprintf("%x", canarySecret)[:20], url.QueryEscape(canarySecret), "c4n4ry",
		base64.StdEncoding.EncodeToString([]byte(canarySecret))[:12],
		base64.StdEncoding.EncodeToString([]byte("user:" + canarySecret))[8:24],
	}
}

// expectNoCanary looks through everything that a failure says.
func expectNoCanary(t *testing.T, err error) *preview.Diagnosis {
	t.Helper()
	f := asFailure(err)
	if f == nil {
		t.Fatalf("no failure: %v", err)
	}
	d := f.Diagnosis
	said := strings.Join(append(slices.Clone(d.Evidence), d.Cause, d.Fix, f.Error()), "\n")
	if f.Err != nil {
		said += "\n" + f.Err.Error()
	}
	for _, form := range canaryForms() {
		if strings.Contains(said, form) {
			t.Errorf("%q is told:\n%s", form, said)
		}
	}
	if !strings.Contains(said, redact.Mark) {
		t.Errorf("nothing was hidden in:\n%s", said)
	}
	return &d
}

const leakTemplate = `apiVersion: apps/v1
kind: Deployment
metadata: {name: leaky}
spec:
  selector: {matchLabels: {app: leaky}}
  template:
    metadata: {labels: {app: leaky}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: leaky
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        image: {{ .Values.image }}
        args: ["-leak"]
        env: [{name: CANARY, valueFrom: {secretKeyRef: {name: {{ .Values.secret }}, key: password}}}]
        readinessProbe: {tcpSocket: {port: 8080}}
`

// TestCopiedSecretIsHidden: a program that prints a copied secret in every way it can does not get it into the diagnosis (O5, I8).
func TestCopiedSecretIsHidden(t *testing.T) {
	t.Parallel()
	b := connect(t)
	s := b.sources()
	b.namespace()
	s.put("acme-db", "4711", corev1.SecretTypeOpaque, map[string]string{"password": canarySecret})
	b.sync("", SecretCopy{Name: "db", From: "acme-db"})
	learned := b.learned()
	done := b.deploy(makeChart(map[string]string{"leaky.yaml": leakTemplate}), map[string]any{"secret": "db"})
	err := b.c.WaitReady(t.Context(), b.id, done.Objects, 2*time.Minute, nil)
	d := expectNoCanary(t, err)
	if d.Code != diagnose.CodeCrashLoop || len(d.Evidence) < 6 {
		t.Errorf("%+v", d)
	}
	if !slices.Contains(*learned, canarySecret) {
		t.Error("the log does not know the value")
	}

	// Another process has not seen the copy being made, and looks later, as if it had been ready.
	if err := b.c.note(t.Context(), b.id, done.Objects); err != nil {
		t.Fatal(err)
	}
	fresh := newCluster(t, &traffic{})
	sick, err := fresh.Health(t.Context(), b.id)
	if err != nil || sick == nil {
		t.Fatalf("%+v, %v", sick, err)
	}
	expectNoCanary(t, preview.Fail(nil, *sick))
}

// learned collects what the log gets to know.
func (b *bundle) learned() *[]string {
	var all []string
	b.c.learn = func(values ...string) { all = append(all, values...) }
	return &all
}

// TestRenderedSecretIsHidden: the same for a Secret that the chart makes itself, from values that only the server knows.
func TestRenderedSecretIsHidden(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	files := makeChart(map[string]string{
		"leaky.yaml":  leakTemplate,
		"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: own}\nstringData: {password: {{ .Values.canary | quote }}}\n",
	})
	done := b.deploy(files, map[string]any{"secret": "own", "canary": canarySecret})
	expectNoCanary(t, b.c.WaitReady(t.Context(), b.id, done.Objects, 2*time.Minute, nil))
}

// TestRefusedSecretIsHidden: the API server repeats what it refuses, and so do events about images.
func TestRefusedSecretIsHidden(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	own := "apiVersion: v1\nkind: Secret\nmetadata: {name: own}\nstringData: {password: {{ .Values.canary | quote }}}\n"
	for name, template := range map[string]string{
		"refused": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: refused, labels: {l: {{ .Values.canary | quote }}}}\n",
		"unknown": "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.canary | quote }}}\nspec: {ports: [{port: 80}]}\n",
	} {
		_, err := b.c.Deploy(t.Context(), DeployRequest{
			Identity: b.id, Files: makeChart(map[string]string{"own.yaml": own, name + ".yaml": template}),
			Values: b.values(map[string]any{"canary": canarySecret}), Timeout: time.Minute,
		})
		if d := expectNoCanary(t, err); d.Code != preview.CodeApply {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestUnreadableSecrets: evidence that cannot be searched for secrets is not shown.
func TestUnreadableSecrets(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	done := b.deploy(makeChart(map[string]string{"leaky.yaml": leakTemplate, "secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: own}\nstringData: {password: public}\n"}), map[string]any{"secret": "own"})
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/secrets") {
			return nil, errors.New("connection refused")
		}
		return nil, nil
	})
	f := asFailure(b.c.WaitReady(t.Context(), b.id, done.Objects, 2*time.Minute, nil))
	if f == nil || len(f.Diagnosis.Evidence) != 1 || f.Diagnosis.Evidence[0] != withheld {
		t.Errorf("%+v", *f)
	}
}

// TestOwnSecretsAreHidden: what Catalyst itself must keep is hidden from errors that are no diagnosis, too, and the error stays what it is.
func TestOwnSecretsAreHidden(t *testing.T) {
	t.Parallel()
	c := &Cluster{own: []string{canarySecret}}
	err := c.hidden(t.Context(), Identity{Namespace: "ct"}, fmt.Errorf("dial %s: %w", canarySecret, preview.ErrNotReady))
	if got := err.Error(); got != "dial [redacted]: not ready" || !errors.Is(err, preview.ErrNotReady) {
		t.Errorf("%v", err)
	}
}
