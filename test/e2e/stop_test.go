package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

// longLease makes a lease that is not given back outlast the test.
func longLease(config map[string]any) { config["worker"] = map[string]any{"lease": "10m"} }

// slowStart is the sample's Deployment, ready only after a while.
func slowStart(t *testing.T) map[string]string {
	t.Helper()
	deployment, err := sampleFile("chart/templates/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"chart/templates/deployment.yaml": strings.Replace(deployment, "periodSeconds: 1", "initialDelaySeconds: 10", 1)}
}

// until waits for something in the preview's namespace.
func (b *bench) until(pull *fakegithub.Pull, what string, args ...string) {
	b.Helper()
	namespace := fmt.Sprintf("pr-%s-%d", strings.ToLower(b.Name()), pull.Number())
	if err := rig.Until(b.Context(), limit, what, func() (bool, error) {
		out, err := b.cluster.Kubectl(b.Context(), append([]string{"get", "-n", namespace, "-o", "name"}, args...)...)
		return err == nil && out != "", nil
	}); err != nil {
		b.Fatalf("%v\n%s", err, b.server.Log())
	}
}

// TestStopWhileWaiting: a server that is stopped while a deployment gets ready hands it back, and the next one goes on at once.
func TestStopWhileWaiting(t *testing.T) {
	t.Parallel()
	b := setup(t, longLease)
	pull := b.open("Stopped", slowStart(t))
	b.until(pull, "the Deployment is applied", "deployment", "hello")
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.comment(pull, "| success |")
	b.serves(pull, pull.HeadSHA())
}

// hookJob is a hook that never gets a node.
const hookJob = `apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}
spec:
  template:
    spec:
      restartPolicy: Never
      nodeSelector: {no: where}
      containers: [{name: migrate, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}", resources: {{ toJson .Values.resources }}}]
`

// TestStopInsideHelm: a server that is stopped in the middle of a Helm operation ends it in order: the release is called failed, not
// pending, and nothing has to be recovered.
func TestStopInsideHelm(t *testing.T) {
	t.Parallel()
	b := setup(t, longLease)
	pull := b.open("Stopped in a hook", map[string]string{"chart/templates/job.yaml": hookJob})
	b.until(pull, "the hook is under way", "job", "migrate")
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	status, err := b.cluster.Kubectl(t.Context(), "get", "secrets", "-n", "pr-teststopinsidehelm-1", "-l", "owner=helm", "-o", "jsonpath={.items[*].metadata.labels.status}")
	if err != nil || status != "failed" {
		t.Errorf("the release is left %q, %v", status, err)
	}
	b.start()
	b.push(pull, map[string]string{"chart/templates/job.yaml": ""})
	b.comment(pull, "| success |")
	b.serves(pull, pull.HeadSHA())
}

// TestStopHandsOver: what a process that is stopped was doing, another one on the same database goes on with at once.
func TestStopHandsOver(t *testing.T) {
	t.Parallel()
	b := setup(t, func(config map[string]any) {
		longLease(config)
		config["database"] = storetest.PostgresDSN(t)
	})
	pull := b.open("Handed over", slowStart(t))
	b.until(pull, "the Deployment is applied", "deployment", "hello")
	config := maps.Clone(b.config)
	listen, err := rig.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	config["listen"] = listen
	other, err := rig.StartCatalyst(t.Context(), b.binary, t.TempDir(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := other.Stop(); err != nil {
			t.Errorf("stop the other: %v", err)
		}
	})
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	b.comment(pull, "| success |")
	b.serves(pull, pull.HeadSHA())
}

// TestStopLosesNoDelivery: whatever was answered with 200 while the server stopped is in the database.
func TestStopLosesNoDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	const pulls = 50
	for i := range pulls {
		b.github.Repo.OpenPull(fakegithub.PullOptions{Title: fmt.Sprint("Change ", i), Author: b.github.Author, Files: fakegithub.Text(map[string]string{"NOTES.md": fmt.Sprint(i)})})
	}
	if err := rig.Until(t.Context(), limit, "some deliveries are taken", func() (bool, error) {
		taken := 0
		for _, d := range b.github.Deliveries() {
			if d.Code == 200 && d.Event == "pull_request" {
				taken++
			}
		}
		return taken >= 5, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.github.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(b.server.Dir, "catalyst.db"))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := s.Deliveries(t.Context(), 10*pulls)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, d := range stored {
		known[d.GUID] = true
	}
	answered, refused := 0, 0
	for _, d := range b.github.Deliveries() {
		switch {
		case d.Code != 200:
			refused++
		case known[d.GUID]:
			answered++
		default:
			t.Errorf("delivery %s was answered with 200 and is lost", d.GUID)
		}
	}
	t.Logf("%d answered, %d not taken any more", answered, refused)
	if answered == 0 || refused == 0 {
		t.Errorf("%d answered and %d not: the stop did not fall among them", answered, refused)
	}
	b.start() // to be stopped by the end of the test
}
