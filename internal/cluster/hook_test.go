package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

const jobTemplate = `apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: migrate
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        image: {{ .Values.hookImage | default .Values.image }}
        args: {{ toJson .Values.hook }}
        env: [{name: COMMIT, value: {{ .Values.commit | quote }}}]
`

const podTemplate = `apiVersion: v1
kind: Pod
metadata: {name: migrate, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: migrate
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    image: {{ .Values.image }}
    args: {{ toJson .Values.hook }}
    env: [{name: COMMIT, value: {{ .Values.commit | quote }}}]
`

func withJob(template string) []File {
	return append(web(), File{Name: "templates/job.yaml", Data: []byte(template)})
}

func TestHooks(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	try := func(template string, timeout time.Duration, values map[string]any) (Deployed, error) {
		return b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: withJob(template), Values: b.values(values), Timeout: timeout})
	}
	_, err := try(jobTemplate, time.Minute, map[string]any{"hook": []any{"-exit", "7"}})
	wantText(t, diagnosis(t, err), preview.CodeHook, `Job "migrate"`, "exit code 7", `job of commit "one" ends with code 7`)

	_, err = try(podTemplate, time.Minute, map[string]any{"hook": []any{"-exit", "5"}})
	wantText(t, diagnosis(t, err), preview.CodeHook, `Pod "migrate"`, "exit code 5", `job of commit "one" ends with code 5`)

	started := time.Now()
	_, err = try(jobTemplate, time.Minute, map[string]any{"hook": []any{}, "hookImage": clustertest.Registry(t) + "/nothing:here"})
	wantText(t, diagnosis(t, err), diagnose.CodeImageNotFound, `Job "migrate"`, "/nothing:here")
	if took := time.Since(started); took > 30*time.Second {
		t.Errorf("a missing image was told after %s", took)
	}

	_, err = try(jobTemplate, 2*time.Second, map[string]any{"hook": []any{}})
	wantText(t, diagnosis(t, err), diagnose.CodeHookTimeout, `Job "migrate"`, "not ended within 2s")

	d, err := try(jobTemplate, time.Minute, map[string]any{"hook": []any{"-exit", "0"}})
	if err != nil || len(d.Objects) != 4 {
		t.Errorf("%v, %v", d, err)
	}
	d, err = try(podTemplate, time.Minute, map[string]any{"hook": []any{"-exit", "0"}})
	if err != nil || len(d.Objects) != 4 {
		t.Errorf("%v, %v", d, err)
	}
}

func TestCancelInAHook(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := b.c.Deploy(ctx, DeployRequest{Identity: b.id, Files: withJob(jobTemplate), Values: b.values(map[string]any{"hook": []any{}}), Timeout: time.Hour})
		done <- err
	}()
	b.eventually(func() error {
		_, err := b.admin.BatchV1().Jobs(b.id.Namespace).Get(t.Context(), "migrate", metav1.GetOptions{})
		return err
	})
	started := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("stopped only after %s", took)
	}
	if s := b.statuses(); s["v1"] != "failed" {
		t.Errorf("statuses %v", s)
	}
}
