package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"catalyst.dev/catalyst/internal/preview"
)

func diagnosis(t *testing.T, err error) preview.Diagnosis {
	t.Helper()
	var failure *preview.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("no diagnosis but: %v", err)
	}
	t.Logf("%+v", failure.Diagnosis)
	if failure.Diagnosis.Fix == "" || failure.Diagnosis.Blame == "" {
		t.Errorf("diagnosis without fix or blame: %+v", failure.Diagnosis)
	}
	return failure.Diagnosis
}

// wantText expects a code, and words somewhere in cause or evidence.
func wantText(t *testing.T, d preview.Diagnosis, code string, words ...string) {
	t.Helper()
	if d.Code != code {
		t.Errorf("code %s, want %s: %+v", d.Code, code, d)
	}
	text := d.Cause + "\n" + strings.Join(d.Evidence, "\n")
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not in: %s", word, text)
		}
	}
}

func TestDeployInstallsAndUpgrades(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), nil) // learns what kinds the cluster has
	b.traffic.take()
	d := b.deploy(web(), map[string]any{"commit": "two"})
	upgrade := b.traffic.take()
	ns := b.id.Namespace
	want := Deployed{Revision: 2, Objects: []ObjectRef{
		{Version: "v1", Kind: "ConfigMap", Namespace: ns, Name: "settings"},
		{Version: "v1", Kind: "Service", Namespace: ns, Name: "web"},
		{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: ns, Name: "web"},
		{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress", Namespace: ns, Name: "web"},
	}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("deployed (-want +got):\n%s", diff)
	}
	// 3 reads (the namespace, the records, pods that are stuck), 8 for the deployer, 2 for each object, 3 of the release's record: more is a regression that every preview pays for.
	if upgrade = askedOnce(upgrade); len(upgrade) > 3+8+2*len(want.Objects)+3 {
		t.Errorf("an upgrade made %d requests:\n%s", len(upgrade), strings.Join(upgrade, "\n"))
	}
	settings, err := b.admin.CoreV1().ConfigMaps(ns).Get(t.Context(), "settings", metav1.GetOptions{})
	if err != nil || settings.Data["commit"] != "two" {
		t.Errorf("settings %v, %v", settings.Data, err)
	}
	record, err := b.admin.CoreV1().Secrets(ns).Get(t.Context(), "sh.helm.release.v1.preview.v2", metav1.GetOptions{})
	if err != nil || record.Labels[LabelVersion] != strings.Repeat("a", 40) || record.Labels["status"] != "deployed" {
		t.Errorf("record labels %v, %v", record.Labels, err)
	}

	before, err := b.admin.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Nothing changed: a revision is recorded, the objects stay as they are.
	if d = b.deploy(web(), map[string]any{"commit": "two"}); d.Revision != 3 {
		t.Errorf("revision %d", d.Revision)
	}
	after, err := b.admin.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || after.Generation != before.Generation {
		t.Errorf("generation %d became %d, %v", before.Generation, after.Generation, err)
	}

	// What the chart no longer has goes, and no more than three revisions are kept.
	smaller := makeChart(map[string]string{"service.yaml": serviceTemplate, "config.yaml": configTemplate})
	b.deploy(smaller, nil)
	b.eventually(func() error {
		if _, err := b.admin.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{}); err == nil {
			return errors.New("the Deployment that left the chart is still there")
		}
		return nil
	})
	records, err := b.admin.CoreV1().Secrets(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil || len(records.Items) != keptRevisions {
		t.Errorf("%d records, %v", len(records.Items), err)
	}
}

func TestDeployInstallRequests(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(web(), nil)
	b.id = b.identity("-two")
	b.guards = guardsOf(b.id)
	b.namespace()
	b.traffic.take()
	d := b.deploy(web(), nil)
	if install := askedOnce(b.traffic.take()); len(install) > 2+8+2*len(d.Objects)+2 {
		t.Errorf("an install made %d requests:\n%s", len(install), strings.Join(install, "\n"))
	}
}

// askedOnce are the requests, with the question whether the deployer's rights are in force counted once, however often it was asked.
func askedOnce(requests []string) []string {
	asked := false
	return slices.DeleteFunc(requests, func(r string) bool {
		if !strings.HasPrefix(r, "GET ") || !strings.HasSuffix(r, "/configmaps") {
			return false
		}
		again := asked
		asked = true
		return again
	})
}

func TestMistakesOfTheUser(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	ns := b.id.Namespace
	for name, c := range map[string]struct {
		files  []File
		values map[string]any
		code   string
		words  []string
	}{
		"no chart":     {[]File{{Name: "values.yaml", Data: []byte("a: b\n")}}, nil, preview.CodeChartInvalid, []string{"Chart.yaml"}},
		"chart.yaml":   {[]File{{Name: "Chart.yaml", Data: []byte("name: [\n")}}, nil, preview.CodeChartInvalid, []string{"Chart.yaml"}},
		"library":      {[]File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\ntype: library\n")}}, nil, preview.CodeChartInvalid, []string{"library"}},
		"dependency":   {[]File{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: db, version: 1.0.0, repository: 'http://127.0.0.1:1'}]\n")}}, nil, preview.CodeChartInvalid, []string{"db"}},
		"parse":        {makeChart(map[string]string{"a.yaml": "a: b\nc: {{ if }}\n"}), nil, preview.CodeRender, []string{"web/templates/a.yaml:2"}},
		"nil":          {makeChart(map[string]string{"a.yaml": "a: b\nc: {{ .Values.deep.er.tag }}\n"}), nil, preview.CodeRender, []string{"web/templates/a.yaml:2", `"er" is read from a value that is not set`}},
		"required":     {makeChart(map[string]string{"a.yaml": "a: {{ required \"give image.tag\" .Values.tag }}\n"}), nil, preview.CodeRender, []string{"web/templates/a.yaml:1", "give image.tag"}},
		"yaml":         {makeChart(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n"}), nil, preview.CodeRender, []string{"web/templates/a.yaml"}},
		"no kind":      {makeChart(map[string]string{"a.yaml": "hello: world\n"}), nil, preview.CodeRender, nil},
		"unknown kind": {makeChart(map[string]string{"a.yaml": "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: a}\n"}), nil, preview.CodeApply, []string{"Gadget", "example.com/v1"}},
		"schema": {
			append(makeChart(nil), File{Name: "values.schema.json", Data: []byte(`{"properties": {"replicas": {"type": "integer"}}}`)}),
			map[string]any{"replicas": "many"}, preview.CodeValues, []string{"replicas", "integer"},
		},
		"invalid": {
			makeChart(map[string]string{"a.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {ports: [{port: 99999}]}\n"}), nil,
			preview.CodeApply, []string{`Service "shop"`, "spec.ports[0].port"},
		},
		"unknown field": {
			makeChart(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\nstuff: {a: b}\n"}), nil,
			preview.CodeApply, []string{`ConfigMap "shop"`, "stuff"},
		},
		"bad name": {
			makeChart(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Shop_1}\n"}), nil,
			preview.CodeApply, []string{`ConfigMap "Shop_1"`, "metadata.name"},
		},
		"other namespace": {
			makeChart(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n"}), nil,
			preview.CodeApply, []string{`ConfigMap "a"`, `"default"`, ns},
		},
		"other namespace in a list": {
			makeChart(map[string]string{"a.yaml": "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default}}]\n"}), nil,
			preview.CodeApply, []string{`ConfigMap "a"`, `"default"`},
		},
		"whole cluster": {
			makeChart(map[string]string{"a.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: ct-mistake}\n"}), nil,
			preview.CodeApply, []string{`ClusterRole "ct-mistake"`, "whole cluster"},
		},
		"hook elsewhere": {
			makeChart(map[string]string{
				"a.yaml": configTemplate,
				"b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default, annotations: {helm.sh/hook: post-install}}\n",
			}), nil,
			preview.CodeApply, []string{`ConfigMap "a"`, `"default"`},
		},
	} {
		_, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: c.files, Values: c.values})
		t.Run(name, func(t *testing.T) { wantText(t, diagnosis(t, err), c.code, c.words...) })
		for _, left := range b.configMaps() {
			if left != "kube-root-ca.crt" {
				t.Errorf("%s: refused, and left ConfigMap %s", name, left)
			}
		}
	}
	for range keptRevisions {
		refused := makeChart(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Shop_1}\n"})
		if _, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: refused}); err == nil {
			t.Error("a bad name was applied")
		}
	}
	if s := b.statuses(); len(s) != keptRevisions {
		t.Errorf("records of failures are kept: %v", s)
	}
	// After all those failures a good chart goes in, as an install.
	if d := b.deploy(web(), nil); len(d.Objects) != 4 {
		t.Errorf("objects %v", d.Objects)
	}
}

func TestTemplatesSeeNothingOfTheCluster(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(makeChart(map[string]string{"a.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: seen}
data:
  lookup: {{ lookup "v1" "Namespace" "" "" | toJson | quote }}
  host: {{ getHostByName "localhost" | quote }}
  version: {{ .Capabilities.KubeVersion.Version | quote }}
  ingress: {{ .Capabilities.APIVersions.Has "networking.k8s.io/v1/Ingress" | quote }}
`}), nil)
	seen, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).Get(t.Context(), "seen", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	version, err := b.admin.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"lookup": "{}", "host": "", "version": version.GitVersion, "ingress": "true"}
	if d := cmp.Diff(want, seen.Data); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// manyConfigMaps is a chart of n objects.
func manyConfigMaps(n int) []File {
	return makeChart(map[string]string{"many.yaml": fmt.Sprintf("{{ range until %d }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-{{ . }}}\ndata: {commit: {{ $.Values.commit | quote }}}\n{{ end }}", n)})
}

// TestCancelStopsWrites cancels an upgrade in the middle: one write is under way, and none may follow it.
func TestCancelStopsWrites(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.deploy(manyConfigMaps(30), nil)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var patches, under, afterReturn atomic.Int32
	var returned atomic.Bool
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet {
			return nil, nil
		}
		if returned.Load() {
			afterReturn.Add(1)
		}
		if req.Method != http.MethodPatch {
			return nil, nil
		}
		under.Add(1)
		defer under.Add(-1)
		if patches.Add(1) == 5 {
			cancel()
			// The request is on its way while its operation ends: Deploy has to wait for its answer.
			<-time.After(200 * time.Millisecond)
		}
		return nil, nil
	})
	_, err := b.c.Deploy(ctx, DeployRequest{Identity: b.id, Files: manyConfigMaps(30), Values: map[string]any{"commit": "two"}})
	returned.Store(true)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("deploy: %v", err)
	}
	if n := under.Load(); n != 0 {
		t.Errorf("%d writes under way at the return", n)
	}
	if n := patches.Load(); n != 5 {
		t.Errorf("%d objects written, want the 5 until the cancellation", n)
	}
	count := func(commit string) (n int) {
		list, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range list.Items {
			if item.Data["commit"] == commit {
				n++
			}
		}
		return n
	}
	if n := count("two"); n != 5 {
		t.Errorf("%d objects of the cancelled commit", n)
	}
	record, err := b.admin.CoreV1().Secrets(b.id.Namespace).Get(t.Context(), "sh.helm.release.v1.preview.v2", metav1.GetOptions{})
	if err != nil || record.Labels["status"] != "failed" {
		t.Errorf("status of the cancelled revision: %v, %v", record.Labels, err)
	}
	b.traffic.intercept(nil)
	if d := b.deploy(manyConfigMaps(30), map[string]any{"commit": "three"}); d.Revision != 3 || count("three") != 30 {
		t.Errorf("after the cancellation: revision %d, %d objects", d.Revision, count("three"))
	}
	if n := afterReturn.Load(); n != 0 {
		t.Errorf("%d writes after the return", n)
	}
}

func TestCancelledFirstInstallIsInstalledAnew(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPatch && strings.HasSuffix(req.URL.Path, "/services/web") {
			cancel()
		}
		return nil, nil
	})
	old := strings.ReplaceAll(configTemplate, "settings", "old-settings")
	first := makeChart(map[string]string{"config.yaml": old, "service.yaml": serviceTemplate, "deployment.yaml": deploymentTemplate})
	if _, err := b.c.Deploy(ctx, DeployRequest{Identity: b.id, Files: first, Values: b.values(nil)}); !errors.Is(err, context.Canceled) {
		t.Fatalf("deploy: %v", err)
	}
	b.traffic.intercept(nil)
	// The second commit has a hook for the first install, which has not happened yet, and no old settings any more.
	second := append(web(), File{Name: "templates/hook.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seed, annotations: {helm.sh/hook: pre-install}}\n")})
	if d := b.deploy(second, nil); d.Revision != 2 {
		t.Errorf("revision %d", d.Revision)
	}
	names := b.configMaps()
	if !slices.Contains(names, "seed") {
		t.Errorf("the install hook did not run: %v", names)
	}
	if slices.Contains(names, "old-settings") {
		t.Errorf("the cancelled commit's object is still there: %v", names)
	}
	// A successful install was the last of the installs.
	third := append(web(), File{Name: "templates/hook.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: never, annotations: {helm.sh/hook: pre-install}}\n")})
	b.deploy(third, nil)
	if names := b.configMaps(); slices.Contains(names, "never") {
		t.Errorf("an install hook ran in an upgrade: %v", names)
	}
}

func (b *bundle) configMaps() []string {
	b.t.Helper()
	list, err := b.admin.CoreV1().ConfigMaps(b.id.Namespace).List(b.t.Context(), metav1.ListOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	var names []string
	for _, item := range list.Items {
		names = append(names, item.Name)
	}
	return names
}

func TestOutageIsNoDiagnosis(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	refused := errors.New("connection refused")
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch} {
		b.traffic.intercept(func(req *http.Request) (*http.Response, error) {
			if req.Method == method {
				return nil, refused
			}
			return nil, nil
		})
		_, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: web(), Values: b.values(nil)})
		var failure *preview.Failure
		if !errors.Is(err, refused) || errors.As(err, &failure) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestManyAtOnce: operations share what the Cluster knows and nothing else.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := connect(t)
	var running errgroup.Group
	for i := range 16 {
		id := b.identity(fmt.Sprintf("-%d", i))
		running.Go(func() error {
			var err error
			if id.UID, err = ensure(t.Context(), b.c, id, guardsOf(id)); err != nil {
				return err
			}
			for revision := 1; revision <= 3; revision++ {
				commit := fmt.Sprintf("%d of %s", revision, id.Namespace)
				d, err := b.c.Deploy(t.Context(), DeployRequest{Identity: id, Files: manyConfigMaps(5), Values: map[string]any{"commit": commit}})
				if err != nil {
					return err
				}
				if d.Revision != revision || len(d.Objects) != 5 || d.Objects[0].Namespace != id.Namespace {
					return fmt.Errorf("revision %d of %s: %+v", revision, id.Namespace, d)
				}
				if err := b.c.WaitReady(t.Context(), id, d.Objects, time.Minute, nil); err != nil {
					return err
				}
				made, err := b.admin.CoreV1().ConfigMaps(id.Namespace).Get(t.Context(), "many-4", metav1.GetOptions{})
				if err != nil || made.Data["commit"] != commit {
					return fmt.Errorf("%s has %v, %w", commit, made.Data, err)
				}
			}
			return nil
		})
	}
	if err := running.Wait(); err != nil {
		t.Error(err)
	}
}
