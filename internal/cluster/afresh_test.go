package cluster

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/diagnose"
)

// TestTriedAgain: what a preview lacked is put there, and the same commit deployed again. Pods that had failed over and over start afresh, at
// once and with nothing held against them; one that was well is left alone.
func TestTriedAgain(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	const container = `automountServiceAccountToken: false, terminationGracePeriodSeconds: 1, securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}},
      containers: [{name: a, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}, image: "{{ .Values.image }}", args: ["-crash=%s"], env: [{name: CRASH, valueFrom: {configMapKeyRef: {name: switch, key: crash, optional: true}}}],
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}}]`
	const workload = `apiVersion: apps/v1
kind: %s
metadata: {name: %s}
spec:
  selector: {matchLabels: {app: %[2]s}}
  template: {metadata: {labels: {app: %[2]s}}, spec: {%s}}
`
	chart := makeChart(map[string]string{
		"deployment.yaml": fmt.Sprintf(workload, "Deployment", "deployment", fmt.Sprintf(container, "$(CRASH)")),
		"set.yaml":        fmt.Sprintf(workload, "StatefulSet", "set", fmt.Sprintf(container, "$(CRASH)")),
		"well.yaml":       fmt.Sprintf(workload, "Deployment", "well", fmt.Sprintf(container, "-1s")),
	})
	wantText(t, diagnosis(t, b.ready(b.deploy(chart, nil))), diagnose.CodeCrashLoop, "exit code 2")
	pods := func() map[string]string {
		t.Helper()
		list, err := b.admin.CoreV1().Pods(b.id.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		uids := map[string]string{}
		for _, pod := range list.Items {
			uids[pod.Labels["app"]] = string(pod.UID)
		}
		return uids
	}
	before := pods()
	_, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "switch"}, Data: map[string]string{"crash": "-1s"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := b.ready(b.deploy(chart, nil)); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready again after %s", time.Since(started))
	after := pods()
	if before["well"] != after["well"] {
		t.Error("a pod that was well was made anew")
	}
	if before["set"] == after["set"] {
		t.Error("the StatefulSet's pod is the old one")
	}
}
