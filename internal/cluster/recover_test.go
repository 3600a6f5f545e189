package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

// plant changes the state of a revision in the cluster, as a process that died would have left it.
func (b *bundle) plant(revision int, status rcommon.Status, change func(*release.Release)) {
	b.t.Helper()
	d := driver.NewSecrets(b.admin.CoreV1().Secrets(b.id.Namespace))
	key := recordKey(&release.Release{Name: preview.Release, Version: revision})
	found, err := d.Get(key)
	if err != nil {
		b.t.Fatal(err)
	}
	rel := found.(*release.Release)
	rel.Info.Status = status
	if change != nil {
		change(rel)
	}
	if err := d.Update(key, rel); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) statuses() map[string]string {
	b.t.Helper()
	list, err := b.admin.CoreV1().Secrets(b.id.Namespace).List(b.t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		b.t.Fatal(err)
	}
	statuses := map[string]string{}
	for _, s := range list.Items {
		statuses[strings.TrimPrefix(s.Name, "sh.helm.release.v1.preview.")] = s.Labels["status"]
	}
	return statuses
}

// hooked is the chart with a ConfigMap that only the hook of the named event makes.
func hooked(event string) []File {
	return append(web(), File{Name: "templates/hook.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + event + ", annotations: {helm.sh/hook: " + event + "}}\n")})
}

// TestDeadInInstall: the process died in the first install, when some of the objects were there and others not.
func TestDeadInInstall(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(append(web(), File{Name: "templates/old.yaml", Data: []byte(strings.ReplaceAll(configTemplate, "settings", "old-settings"))}), nil)
	if err := b.admin.CoreV1().Services(b.id.Namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.plant(1, rcommon.StatusPendingInstall, nil)

	if d := b.deploy(hooked("pre-install"), map[string]any{"commit": "two"}); d.Revision != 2 {
		t.Errorf("revision %d", d.Revision)
	}
	names := b.configMaps()
	if !slices.Contains(names, "pre-install") || slices.Contains(names, "old-settings") {
		t.Errorf("want the install hook to have run and the old object gone: %v", names)
	}
	if _, err := b.admin.CoreV1().Services(b.id.Namespace).Get(t.Context(), "web", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if s := b.statuses(); s["v1"] != "failed" || s["v2"] != "deployed" {
		t.Errorf("statuses %v", s)
	}
}

// TestDeadInUpgrade: the process died in an upgrade that had added an object.
func TestDeadInUpgrade(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), nil)
	b.deploy(append(web(), File{Name: "templates/new.yaml", Data: []byte(strings.ReplaceAll(configTemplate, "settings", "new-settings"))}), map[string]any{"commit": "two"})
	b.plant(1, rcommon.StatusDeployed, nil)
	b.plant(2, rcommon.StatusPendingUpgrade, nil)

	if d := b.deploy(hooked("pre-upgrade"), map[string]any{"commit": "three"}); d.Revision != 3 {
		t.Errorf("revision %d", d.Revision)
	}
	names := b.configMaps()
	if !slices.Contains(names, "pre-upgrade") || slices.Contains(names, "new-settings") {
		t.Errorf("want the upgrade hook to have run and the dead upgrade's object gone: %v", names)
	}
	if s := b.statuses(); s["v1"] != "superseded" || s["v2"] != "failed" || s["v3"] != "deployed" {
		t.Errorf("statuses %v", s)
	}
}

// TestDeadAtTheEndOfUpgrade: between the two last records: the old revision superseded, the new one not deployed yet.
func TestDeadAtTheEndOfUpgrade(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), nil)
	b.deploy(web(), map[string]any{"commit": "two"})
	b.plant(2, rcommon.StatusPendingUpgrade, nil)
	if d := b.deploy(hooked("pre-upgrade"), map[string]any{"commit": "three"}); d.Revision != 3 || !slices.Contains(b.configMaps(), "pre-upgrade") {
		t.Errorf("revision %d, %v", d.Revision, b.configMaps())
	}
}

// TestRecordInsists: an API server that refuses for a moment to have the old revision recorded as superseded does not leave two that are
// called deployed.
func TestRecordInsists(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), nil)
	var refusals atomic.Int64
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, ".v1") && refusals.Add(1) <= 2 {
			return refused(req, http.StatusConflict, "Conflict", nil), nil
		}
		return nil, nil
	})
	b.deploy(web(), map[string]any{"commit": "two"})
	if s := b.statuses(); s["v1"] != "superseded" || s["v2"] != "deployed" {
		t.Errorf("statuses %v", s)
	}
	if refusals.Load() <= 2 {
		t.Error("void: the record was not refused")
	}
}

// TestRecordLost: a way to the API server that breaks in the same place is no other matter, and an upgrade whose old revision could not
// be recorded at all is not called done: the next try leaves one revision that is deployed.
func TestRecordLost(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]int64{"for a moment": 2, "for long": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connect(t)
			b.namespace()
			b.deploy(web(), nil)
			var met atomic.Int64
			b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, ".v1") && met.Add(1) <= breaks {
					return nil, errors.New("stream error: stream ID 1; INTERNAL_ERROR; received from peer")
				}
				return nil, nil
			})
			request := DeployRequest{Identity: b.id, Files: web(), Values: b.values(map[string]any{"commit": "two"})}
			newest := 2
			if _, err := b.c.Deploy(t.Context(), request); breaks < 5 && err != nil {
				t.Fatal(err)
			} else if breaks >= 5 {
				if err == nil || !strings.Contains(err.Error(), "record the end of revision") {
					t.Fatalf("want the deployment to fail for its record: %v", err)
				}
				if _, err := b.c.Deploy(t.Context(), request); err != nil {
					t.Fatal(err)
				}
				newest = 3
			}
			s := b.statuses()
			for v := 1; v <= newest; v++ {
				want := "superseded"
				if v == newest {
					want = "deployed"
				}
				if got := s[fmt.Sprintf("v%d", v)]; got != want {
					t.Errorf("revision %d is %q, want %q", v, got, want)
				}
			}
			if met.Load() < breaks {
				t.Error("void: the record was not lost")
			}
		})
	}
}

func TestDeadInRollback(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), nil)
	b.deploy(web(), map[string]any{"commit": "two"})
	b.plant(2, rcommon.StatusPendingRollback, nil)
	if d := b.deploy(web(), map[string]any{"commit": "three"}); d.Revision != 3 {
		t.Errorf("revision %d", d.Revision)
	}
}

func TestDeadInUninstall(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(append(web(), File{Name: "templates/old.yaml", Data: []byte(strings.ReplaceAll(configTemplate, "settings", "old-settings"))}), nil)
	b.plant(1, rcommon.StatusUninstalling, nil)
	if d := b.deploy(hooked("pre-install"), map[string]any{"commit": "two"}); d.Revision != 1 {
		t.Errorf("revision %d", d.Revision)
	}
	names := b.configMaps()
	if !slices.Contains(names, "pre-install") || slices.Contains(names, "old-settings") || !slices.Contains(names, "settings") {
		t.Errorf("config maps %v", names)
	}
}

// TestLeftoversOfOthersStay: what a failed revision wanted to make and somebody else has made is not the release's to delete.
func TestLeftoversOfOthersStay(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	theirs := strings.ReplaceAll(configTemplate, "settings", "theirs")
	b.deploy(append(web(), File{Name: "templates/theirs.yaml", Data: []byte(theirs)}), nil)
	b.plant(1, rcommon.StatusFailed, nil)
	if _, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).Patch(t.Context(), "theirs", "application/merge-patch+json", []byte(`{"metadata":{"annotations":null,"labels":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	b.deploy(web(), nil)
	if _, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).Get(t.Context(), "theirs", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	// And a chart that wants to make it again is told.
	_, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: append(web(), File{Name: "templates/theirs.yaml", Data: []byte(theirs)}), Values: b.values(nil)})
	wantText(t, diagnosis(t, err), preview.CodeApply, `"theirs"`, "exists already")
	if apierrors.IsNotFound(err) {
		t.Error(err)
	}
}
