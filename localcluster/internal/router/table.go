package router

import (
	"slices"
	"strings"

	netv1 "k8s.io/api/networking/v1"
)

// Class is the IngressClass the router serves.
const Class = "local"

// A backend is the Service behind a route.
type backend struct {
	namespace string
	service   netv1.IngressServiceBackend
}

type route struct {
	path    string
	exact   bool
	backend backend
}

// routes are what is known of the hosts: exact ones, "*." wildcards by what follows the star, and "" for any host.
type routes map[string][]route

// tableOf orders the routes of all Ingresses of the class so that the first match is the right one. Of two Ingresses that
// claim the same path of the same host the older one has it.
func tableOf(ingresses []*netv1.Ingress) routes {
	t := routes{}
	own := slices.DeleteFunc(slices.Clone(ingresses), func(i *netv1.Ingress) bool { return !served(i) })
	slices.SortFunc(own, func(a, b *netv1.Ingress) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	for _, i := range own {
		for _, r := range i.Spec.Rules {
			host := strings.ToLower(strings.TrimPrefix(r.Host, "*"))
			if r.HTTP == nil {
				continue
			}
			for _, p := range r.HTTP.Paths {
				if p.Backend.Service != nil {
					exact := p.PathType != nil && *p.PathType == netv1.PathTypeExact
					t[host] = append(t[host], route{p.Path, exact, backend{i.Namespace, *p.Backend.Service}})
				}
			}
		}
		if d := i.Spec.DefaultBackend; d != nil && d.Service != nil {
			t[""] = append(t[""], route{"/", false, backend{i.Namespace, *d.Service}})
		}
	}
	for _, list := range t {
		slices.SortStableFunc(list, func(a, b route) int {
			if a.exact != b.exact && a.path == b.path {
				if a.exact {
					return -1
				}
				return 1
			}
			return len(b.path) - len(a.path)
		})
	}
	return t
}

func served(i *netv1.Ingress) bool {
	return i.Spec.IngressClassName != nil && *i.Spec.IngressClassName == Class
}

// find gives the backend for a request. The most specific host that any route is for decides, even if its paths do not match.
func (t routes) find(host, path string) (backend, bool) {
	host = strings.ToLower(host)
	list, ok := t[host]
	if !ok {
		// A star stands for exactly one label.
		if _, rest, cut := strings.Cut(host, "."); cut {
			list, ok = t["."+rest]
		}
	}
	if !ok {
		list = t[""]
	}
	for _, r := range list {
		if r.matches(path) {
			return r.backend, true
		}
	}
	return backend{}, false
}

func (r route) matches(path string) bool {
	if r.exact {
		return path == r.path
	}
	prefix := strings.TrimSuffix(r.path, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}
