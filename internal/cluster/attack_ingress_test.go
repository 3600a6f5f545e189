package cluster

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const ownService = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}\n"

const ownIngress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: local
  rules:
  - host: '{{ .Values.host }}'
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`

// rule is one rule of an Ingress.
func rule(host, path string) string {
	if host != "" {
		host = "host: '" + host + "', "
	}
	return "{" + host + "http: {paths: [{path: '" + path + "', pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}]}}"
}

// TestServicesStayInside (K5): each variant when it is made, and when a Service that was allowed is changed.
func TestServicesStayInside(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	attacks := map[string]attack{}
	for name, change := range map[string]string{
		"NodePort":                "spec: {type: NodePort}",
		"LoadBalancer":            "spec: {type: LoadBalancer}",
		"ExternalName":            "spec: {type: ExternalName, externalName: production.example.com}",
		"external address":        "spec: {externalIPs: [10.0.0.1]}",
		"load balancer class":     "spec: {type: LoadBalancer, loadBalancerClass: example.com/internal}",
		"load balancer's address": "spec: {type: LoadBalancer, loadBalancerIP: 10.0.0.1}",
		"DNS of another host":     "metadata: {annotations: {external-dns.alpha.kubernetes.io/hostname: www.example.com}}",
		"cloud's load balancer":   "metadata: {annotations: {service.beta.kubernetes.io/aws-load-balancer-type: nlb}}",
	} {
		attacks[name] = attack{altered(ownService, "metadata: {name: attack}", change), "catalyst-previews-services"}
		attacks[name+" afterwards"] = attack{altered(ownService, change), "catalyst-previews-services"}
	}
	if err := f.try(f.c, ownService); !letIn(err) {
		t.Fatal(err)
	}
	f.repel(attacks)
	for name, change := range map[string]string{
		"headless":         "{metadata: {name: headless}, spec: {clusterIP: None}}",
		"without selector": "{metadata: {name: bare}, spec: {selector: null}}",
	} {
		if err := f.try(f.c, altered(ownService, change)); !letIn(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIngressAnswersForItsOwnHost (K6).
func TestIngressAnswersForItsOwnHost(t *testing.T) {
	t.Parallel()
	f := fence(t, nil)
	own := "{{ .Values.host }}"
	for name, manifest := range map[string]string{
		"own host":         ownService + "---\n" + ownIngress,
		"below it":         altered(ownIngress, "spec: {rules: ["+rule("api."+own, "/")+", "+rule(own, "/v1/a-b_c.~d")+"]}"),
		"TLS":              altered(ownIngress, "spec: {tls: [{hosts: ['"+own+"'], secretName: a}]}"),
		"an issuer":        altered(ownIngress, "metadata: {annotations: {cert-manager.io/cluster-issuer: letsencrypt}}"),
		"class by default": altered(ownIngress, "{metadata: {name: by-default}, spec: {ingressClassName: null}}"),
	} {
		if err := f.try(f.c, manifest); !letIn(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	attacks := map[string]attack{}
	for name, change := range map[string]string{
		"production's host":           "spec: {rules: [" + rule("www.example.com", "/") + "]}",
		"a sibling's host":            "spec: {rules: [" + rule("pr-web-7.preview.localhost", "/") + "]}",
		"a host below a sibling's":    "spec: {rules: [" + rule("a.pr-web-7.preview.localhost", "/") + "]}",
		"the domain of previews":      "spec: {rules: [" + rule("preview.localhost", "/") + "]}",
		"own host as an ending":       "spec: {rules: [" + rule("evil-"+own, "/") + "]}",
		"own host as a beginning":     "spec: {rules: [" + rule(own+".example.com", "/") + "]}",
		"every host":                  "spec: {rules: [" + rule("", "/") + "]}",
		"a wildcard":                  "spec: {rules: [" + rule("*.preview.localhost", "/") + "]}",
		"a wildcard below its own":    "spec: {rules: [" + rule("*."+own, "/") + "]}",
		"a second rule":               "spec: {rules: [" + rule(own, "/") + ", " + rule("www.example.com", "/") + "]}",
		"a default backend":           "spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}",
		"only a default backend":      "spec: {rules: null, defaultBackend: {service: {name: web, port: {number: 80}}}}",
		"a certificate for another":   "spec: {tls: [{hosts: [www.example.com], secretName: a}]}",
		"a certificate for all":       "spec: {tls: [{secretName: a}]}",
		"a certificate too many":      "spec: {tls: [{hosts: ['" + own + "', www.example.com], secretName: a}]}",
		"another class":               "spec: {ingressClassName: production}",
		"another class by annotation": "{metadata: {annotations: {kubernetes.io/ingress.class: production}}, spec: {ingressClassName: null}}",
		"a resource as backend":       "spec: {rules: [{host: '" + own + "', http: {paths: [{path: /, pathType: Prefix, backend: {resource: {apiGroup: example.com, kind: Bucket, name: a}}}]}}]}",
		"a snippet of the server":     "metadata: {annotations: {nginx.ingress.kubernetes.io/server-snippet: 'return 200;'}}",
		"a snippet of configuration":  "metadata: {annotations: {nginx.ingress.kubernetes.io/configuration-snippet: 'lua_package_path /;'}}",
		"authentication elsewhere":    "metadata: {annotations: {nginx.ingress.kubernetes.io/auth-url: 'http://a/#;}'}}",
		"a mirror":                    "metadata: {annotations: {nginx.ingress.kubernetes.io/mirror-target: 'http://a'}}",
		"another upstream":            "metadata: {annotations: {nginx.ingress.kubernetes.io/upstream-vhost: www.example.com}}",
		"aliases":                     "metadata: {annotations: {nginx.ingress.kubernetes.io/server-alias: www.example.com}}",
		"Traefik's middleware":        "metadata: {annotations: {traefik.ingress.kubernetes.io/router.middlewares: kube-system-a@kubernetescrd}}",
		"HAProxy's backend":           "metadata: {annotations: {haproxy.org/backend-config-snippet: 'a'}}",
		"a cloud's load balancer":     "metadata: {annotations: {alb.ingress.kubernetes.io/group.name: production}}",
		"DNS of another host":         "metadata: {annotations: {external-dns.alpha.kubernetes.io/hostname: www.example.com}}",
		"a certificate's other name":  "metadata: {annotations: {cert-manager.io/common-name: www.example.com}}",
		"configuration in a path":     "spec: {rules: [" + rule(own, "/a;} location /b { return 200; ") + "]}",
		"quotes in a path":            "spec: {rules: [" + rule(own, `/a"b`) + "]}",
		"a comment in a path":         "spec: {rules: [" + rule(own, "/a#b") + "]}",
	} {
		attacks[name] = attack{altered(ownIngress, "metadata: {name: attack}", change), "catalyst-previews-ingresses"}
		attacks[name+", afterwards"] = attack{altered(ownIngress, change), "catalyst-previews-ingresses"}
	}
	f.repel(attacks)
	list, err := f.admin.NetworkingV1().Ingresses(f.id.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list.Items {
		for _, r := range i.Spec.Rules {
			if host := f.id.Namespace + ".preview.localhost"; r.Host != host && !strings.HasSuffix(r.Host, "."+host) {
				t.Errorf("Ingress %s answers for %q", i.Name, r.Host)
			}
		}
	}
}
