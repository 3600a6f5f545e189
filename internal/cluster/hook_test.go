package cluster

import (
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
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
      containers:
      - name: migrate
        image: {{ .Values.hookImage | default .Values.image }}
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
	pod := strings.NewReplacer(
		"apiVersion: batch/v1\nkind: Job", "apiVersion: v1\nkind: Pod",
	).Replace(jobTemplate[:strings.Index(jobTemplate, "spec:")]) + strings.ReplaceAll(jobTemplate[strings.Index(jobTemplate, "    spec:\n")+len("    spec:\n"):], "\n      ", "\n  ")
	pod = strings.Replace(pod, "      restartPolicy", "spec:\n  restartPolicy", 1)

	_, err := try(jobTemplate, time.Minute, map[string]any{"hook": []any{"-exit", "7"}})
	wantText(t, diagnosis(t, err), preview.CodeHook, `Job "migrate"`, "exit code 7", `job of commit "one" ends with code 7`)

	_, err = try(pod, time.Minute, map[string]any{"hook": []any{"-exit", "5"}})
	wantText(t, diagnosis(t, err), preview.CodeHook, `Pod "migrate"`, "exit code 5", `job of commit "one" ends with code 5`)

	started := time.Now()
	_, err = try(jobTemplate, time.Minute, map[string]any{"hook": []any{}, "hookImage": clustertest.Registry(t) + "/nothing:here"})
	wantText(t, diagnosis(t, err), CodeImageNotFound, `Job "migrate"`, "/nothing:here")
	if took := time.Since(started); took > 30*time.Second {
		t.Errorf("a missing image was told after %s", took)
	}

	_, err = try(jobTemplate, 2*time.Second, map[string]any{"hook": []any{}})
	wantText(t, diagnosis(t, err), preview.CodeHook, `Job "migrate"`, "not ended within 2s")

	d, err := try(jobTemplate, time.Minute, map[string]any{"hook": []any{"-exit", "0"}})
	if err != nil || len(d.Objects) != 4 {
		t.Errorf("%v, %v", d, err)
	}
	d, err = try(pod, time.Minute, map[string]any{"hook": []any{"-exit", "0"}})
	if err != nil || len(d.Objects) != 4 {
		t.Errorf("%v, %v", d, err)
	}
}
