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
  tls: [{hosts: [secure.{{ .Values.host }}], secretName: cert}]
  rules:
  - host: {{ .Values.host }}
    http: &http {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
  - {host: secure.{{ .Values.host }}, http: *http}
`, "b.yaml": `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: b}
spec:
  rules:
  - host: second.{{ .Values.host }}
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`}), nil)
	own := b.guards.Host
	for host, want := range map[string]string{
		"secure." + own: "https://secure." + own,
		"second." + own: "http://second." + own,
		"other." + own:  "http://" + own,
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
	if got, err := b.c.URL(t.Context(), b.id, others, "secure."+own); got != "" || !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("without an Ingress: %q, %v", got, err)
	}
}
