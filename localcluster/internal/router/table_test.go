package router

import (
	"testing"

	netv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

const ingresses = `
- metadata: {name: a, namespace: one, creationTimestamp: "2026-01-01T00:00:00Z"}
  spec:
    ingressClassName: local
    rules:
    - host: Web.preview.localhost
      http: {paths: [
        {path: /, pathType: Prefix, backend: {service: {name: root, port: {number: 80}}}},
        {path: /api, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}},
        {path: /api/v2/, pathType: Prefix, backend: {service: {name: v2, port: {number: 80}}}},
        {path: /api/health, pathType: Exact, backend: {service: {name: health, port: {number: 80}}}}]}
    - host: "*.preview.localhost"
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: any, port: {number: 80}}}}]}
    - host: narrow.preview.localhost
      http: {paths: [{path: /only, pathType: Exact, backend: {service: {name: only, port: {number: 80}}}}]}
- metadata: {name: b, namespace: two, creationTimestamp: "2026-01-02T00:00:00Z"}
  spec:
    ingressClassName: local
    defaultBackend: {service: {name: rest, port: {number: 80}}}
    rules:
    - {host: web.preview.localhost, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: thief, port: {number: 80}}}}]}}
- metadata: {name: c, namespace: one}
  spec:
    ingressClassName: other
    rules:
    - {host: other.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: other, port: {number: 80}}}}]}}
`

func TestFind(t *testing.T) {
	t.Parallel()
	var list []*netv1.Ingress
	if err := yaml.UnmarshalStrict([]byte(ingresses), &list); err != nil {
		t.Fatal(err)
	}
	table := tableOf(list)
	for url, want := range map[[2]string]string{
		{"web.preview.localhost", "/"}:              "one/root",
		{"WEB.preview.localhost", "/x"}:             "one/root",
		{"web.preview.localhost", "/api"}:           "one/api",
		{"web.preview.localhost", "/api/"}:          "one/api",
		{"web.preview.localhost", "/apis"}:          "one/root",
		{"web.preview.localhost", "/api/v2/x"}:      "one/v2",
		{"web.preview.localhost", "/api/v2"}:        "one/v2",
		{"web.preview.localhost", "/api/health"}:    "one/health",
		{"web.preview.localhost", "/api/health/x"}:  "one/api",
		{"else.preview.localhost", "/"}:             "one/any",
		{"too.deep.preview.localhost", "/"}:         "two/rest",
		{"narrow.preview.localhost", "/only"}:       "one/only",
		{"narrow.preview.localhost", "/only/other"}: "",
		{"other.example", "/"}:                      "two/rest", // of another class
	} {
		got := ""
		if b, ok := table.find(url[0], url[1]); ok {
			got = b.namespace + "/" + b.service.Name
		}
		if got != want {
			t.Errorf("%s%s leads to %q, want %q", url[0], url[1], got, want)
		}
	}
	if _, ok := tableOf(list[:1]).find("unknown.example", "/"); ok {
		t.Error("an unknown host leads somewhere without a default backend")
	}
}
