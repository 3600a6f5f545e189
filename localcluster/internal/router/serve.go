package router

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ServeHTTP leads the request to a ready pod of the Service its Host and path mean.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	host := req.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	var table routes
	if t := r.table.Load(); t != nil {
		table = *t
	}
	to, ok := table.find(host, req.URL.Path)
	if !ok {
		// Nothing about other hosts: whoever asks may not be allowed to know them.
		say(w, http.StatusNotFound, "Nothing is served at this address.")
		return
	}
	target, complaint := r.target(to)
	if complaint != "" {
		say(w, http.StatusServiceUnavailable, complaint)
		return
	}
	proxy := httputil.ReverseProxy{
		Transport:     r.transport,
		FlushInterval: -1, // streams must not wait
		ErrorLog:      slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: target})
			p.Out.Host = p.In.Host
			p.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			say(w, http.StatusBadGateway, fmt.Sprintf("Service %s/%s does not answer at %s: %v.", to.namespace, to.service.Name, target, err))
		},
	}
	proxy.ServeHTTP(w, req)
}

// target picks a ready address of the backend, or says why there is none.
func (r *Router) target(b backend) (address, complaint string) {
	name := b.namespace + "/" + b.service.Name
	service, err := r.services.Services(b.namespace).Get(b.service.Name)
	if err != nil {
		return "", fmt.Sprintf("Service %s does not exist.", name)
	}
	port, ok := portOf(service, b)
	if !ok {
		return "", fmt.Sprintf("Service %s has no port %s.", name, b.service.Port.Name+strconv.Itoa(int(b.service.Port.Number)))
	}
	slices, _ := r.slices.EndpointSlices(b.namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: b.service.Name}))
	var ready []string
	for _, s := range slices {
		ready = append(ready, readyAddresses(s, port)...)
	}
	if len(ready) == 0 {
		return "", fmt.Sprintf("Service %s has no ready endpoints: its pods are still starting, or their readiness probes fail.", name)
	}
	return ready[rand.IntN(len(ready))], ""
}

// portOf gives the name of the Service's port the backend means, which is its name in the EndpointSlices too.
func portOf(s *corev1.Service, b backend) (string, bool) {
	for _, p := range s.Spec.Ports {
		if b.service.Port.Name != "" && p.Name == b.service.Port.Name || b.service.Port.Name == "" && p.Port == b.service.Port.Number {
			return p.Name, true
		}
	}
	return "", false
}

func readyAddresses(s *discoveryv1.EndpointSlice, port string) []string {
	var out []string
	for _, p := range s.Ports {
		if p.Port == nil || p.Name != nil && *p.Name != port || p.Name == nil && port != "" {
			continue
		}
		for _, e := range s.Endpoints {
			if len(e.Addresses) > 0 && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				out = append(out, net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(*p.Port))))
			}
		}
	}
	return out
}

func say(w http.ResponseWriter, code int, sentence string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprintln(w, sentence)
}
