package cluster

import (
	"errors"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
)

func TestURL(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	d := b.deploy(makeChart(map[string]string{"service.yaml": serviceTemplate, "a.yaml": `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec:
  tls: [{hosts: [secure.example.com], secretName: cert}]
  rules:
  - http: &http {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
  - {host: first.example.com, http: *http}
  - {host: secure.example.com, http: *http}
`, "b.yaml": `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: b}
spec:
  rules:
  - host: second.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`}), nil)
	for host, want := range map[string]string{
		"secure.example.com": "https://secure.example.com",
		"second.example.com": "http://second.example.com",
		"other.example.com":  "http://first.example.com",
	} {
		if got, err := b.c.URL(t.Context(), b.id, d.Objects, host); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", host, got, err, want)
		}
	}
	var others []ObjectRef
	for _, ref := range d.Objects {
		if ref.Kind != "Ingress" {
			others = append(others, ref)
		}
	}
	if got, err := b.c.URL(t.Context(), b.id, others, "secure.example.com"); got != "" || !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("without an Ingress: %q, %v", got, err)
	}
}
