package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
)

func number(s string) json.Number { return json.Number(s) }

func parsed(t testing.TB, text string) map[string]any {
	t.Helper()
	values, err := parseValues([]byte(text))
	must(t, err)
	return values
}

// values is Values of what can be read.
func values(t testing.TB, in ValuesInput) map[string]any {
	t.Helper()
	v, err := Values(in)
	must(t, err)
	return v
}

// charted is a chart with these two values files; an empty one is not there.
func charted(own, repository string) *Chart {
	c := &Chart{Path: "chart"}
	if own != "" {
		c.Files = []File{{"Chart.yaml", nil}, {"values.yaml", []byte(own)}}
	}
	if repository != "" {
		c.Values = &File{"deploy/preview.yaml", []byte(repository)}
	}
	return c
}

// created is what `helm create` puts into values.yaml, as far as it matters.
const created = `
replicaCount: 1
image: {repository: nginx, pullPolicy: IfNotPresent, tag: ""}
ingress:
  enabled: false
  className: ""
  annotations: {}
  hosts:
    - host: chart-example.local
      paths: [{path: /, pathType: ImplementationSpecific}]
  tls: []
resources: {}
autoscaling: {enabled: false, minReplicas: 1, maxReplicas: 100}
`

func TestValues(t *testing.T) {
	t.Parallel()
	got := values(t, ValuesInput{
		Base: parsed(t, `
nodeSelector: {pool: previews}
team: base
resources: {limits: {cpu: "8", ephemeral-storage: 1Gi}}
args: [base]
`),
		Chart: charted(created, `
team: repository
replicaCount: 5
args: [repository]
resources: {limits: {cpu: "16"}}
ingress: {annotations: {a: b}, tls: [{secretName: production}]}
autoscaling: {enabled: true, minReplicas: 3}
environment: production
`),
		ImageRepository: "ghcr.io/acme/web", ImageTag: "abc", Host: "pr-web-7.example.com", IngressClass: "nginx", Issuer: "letsencrypt",
		TLSSecret: "preview-tls", Number: 7, Branch: "feature/x",
	})
	want := map[string]any{
		"nodeSelector": map[string]any{"pool": "previews"},
		"team":         "repository",
		"args":         []any{"repository"},
		"image":        map[string]any{"repository": "ghcr.io/acme/web", "tag": "abc"},
		"ingress": map[string]any{
			"enabled":     true,
			"className":   "nginx",
			"annotations": map[string]any{"a": "b", "cert-manager.io/cluster-issuer": "letsencrypt"},
			"hosts": []any{map[string]any{
				"host":  "pr-web-7.example.com",
				"paths": []any{map[string]any{"path": "/", "pathType": "ImplementationSpecific"}},
			}},
			"tls": []any{map[string]any{"secretName": "preview-tls", "hosts": []any{"pr-web-7.example.com"}}},
		},
		"resources": map[string]any{
			"limits":   map[string]any{"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "1Gi"},
			"requests": map[string]any{"cpu": "100m", "memory": "128Mi"},
		},
		"replicaCount": 1,
		"environment":  "preview",
		"pullRequest":  map[string]any{"number": 7, "branch": "feature/x"},
		"autoScaling":  map[string]any{"enabled": false},
		"autoscaling":  map[string]any{"enabled": false, "minReplicas": number("3")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestValuesLeast: nothing configured, no chart defaults.
func TestValuesLeast(t *testing.T) {
	t.Parallel()
	got := values(t, ValuesInput{ImageTag: "abc", Host: "h.example.com", Number: 7})
	ingress := map[string]any{
		"enabled": true,
		"hosts":   []any{map[string]any{"host": "h.example.com", "paths": []any{map[string]any{"path": "/", "pathType": "Prefix"}}}},
		"tls":     []any{},
	}
	if diff := cmp.Diff(ingress, got["ingress"]); diff != "" {
		t.Errorf("ingress (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"tag": "abc"}, got["image"]); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
}

// TestNoToken: the charts of `helm create` mount a token unless they are told otherwise; a chart that knows no such value gets none.
func TestNoToken(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"serviceAccount: {create: true, automount: true}": map[string]any{"automount": false},
		"serviceAccount: {create: true}":                  nil,
		"replicaCount: 1":                                 nil,
	} {
		got := values(t, ValuesInput{Chart: &Chart{Files: []File{{Name: "values.yaml", Data: []byte(text)}}}})["serviceAccount"]
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, chart, base, repository, want string }{
		{"of the chart", `[{host: a, paths: [/x]}]`, "", "", `{host: H, paths: [/x]}`},
		{"the repository's paths win", `[{host: a, paths: [/x], tls: true}]`, "", `[{host: b, paths: [/y]}]`, `{host: H, paths: [/y], tls: true}`},
		{"a host without paths keeps the chart's", `[{host: a, paths: [/x]}]`, "", `[{host: b}]`, `{host: H, paths: [/x]}`},
		{"base below repository", `[]`, `[{paths: [/base]}]`, `[{paths: [/repository]}]`, `{host: H, paths: [/repository]}`},
		{"further hosts are dropped", `[{host: a, paths: [/x]}, {host: production, paths: [/]}]`, "", "", `{host: H, paths: [/x]}`},
		{"plain strings stay plain", `[chart.local]`, "", "", `H`},
		{"plain below, maps above", `[chart.local]`, "", `[{host: b, paths: [/x]}]`, `{host: H, paths: [/x]}`},
		{"no list at all", `true`, "", "", `{host: H, paths: [{path: /, pathType: Prefix}]}`},
	} {
		layer := func(hosts string) string {
			if hosts == "" {
				return ""
			}
			return "ingress: {hosts: " + hosts + "}"
		}
		got := values(t, ValuesInput{Chart: charted(layer(c.chart), layer(c.repository)), Base: parsed(t, layer(c.base)), Host: "H"})
		want := parsed(t, "want: ["+c.want+"]")["want"]
		if diff := cmp.Diff(want, got["ingress"].(map[string]any)["hosts"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestBranchIsData: with --set strings these would be values of their own, or templates.
func TestBranchIsData(t *testing.T) {
	t.Parallel()
	for _, branch := range []string{"a,b=c", "{{ .Values }}", "a.b[0]=c", `x"y`, "null"} {
		got := values(t, ValuesInput{Branch: branch, Host: "h"})
		if diff := cmp.Diff(map[string]any{"number": 0, "branch": branch}, got["pullRequest"]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if _, injected := got["b"]; injected {
			t.Errorf("%q made a value of its own", branch)
		}
	}
}

// TestValuesPure: the input stays as it is, whatever is done with the result.
func TestValuesPure(t *testing.T) {
	t.Parallel()
	base := func() map[string]any {
		return map[string]any{"list": []any{map[string]any{"a": 1}}, "ingress": map[string]any{"hosts": []any{map[string]any{"paths": []any{"/"}}}}}
	}
	in := ValuesInput{Base: base(), Host: "h"}
	got := values(t, in)
	got["list"].([]any)[0].(map[string]any)["a"] = 2
	got["ingress"].(map[string]any)["hosts"].([]any)[0].(map[string]any)["paths"].([]any)[0] = "/changed"
	if diff := cmp.Diff(base(), in.Base); diff != "" {
		t.Errorf("the base changed (-want +got):\n%s", diff)
	}
}

// TestValuesFails: a values file that cannot be read is the failure of whoever wrote it.
func TestValuesFails(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 10))
	}
	for _, c := range []struct {
		name, own, repository string
		code, cause           string
	}{
		{"defaults broken", "a: [", "", preview.CodeChartInvalid, "chart/values.yaml, cannot be read"},
		{"values broken", "", "a: [", preview.CodeValues, "deploy/preview.yaml cannot be read"},
		{"values no map", "", "- a\n", preview.CodeValues, "deploy/preview.yaml cannot be read"},
		{"aliases", "", bomb, preview.CodeValues, "excessive aliasing"},
	} {
		_, err := Values(ValuesInput{Chart: charted(c.own, c.repository)})
		failure, ok := errors.AsType[*preview.Failure](err)
		if !ok || failure.Diagnosis.Code != c.code || !strings.Contains(failure.Diagnosis.Cause, c.cause) {
			t.Errorf("%s: %v, want %s with %q", c.name, err, c.code, c.cause)
		}
	}
}
