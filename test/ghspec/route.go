package ghspec

import (
	"net/url"
	"strings"
)

// Route is the operation of GitHub's REST API that a request means.
type Route struct {
	Operation string            // method and path template, for example "GET /repos/{owner}/{repo}"
	Method    string            // upper case
	Template  string            // the path template
	Params    map[string]string // the template's parameters, unescaped
}

type template struct {
	path     string
	segments []string
	methods  []string
}

// Route finds the operation for a method and an escaped path without a base ("/repos/acme/web"). It reports false when
// the trimmed description has none. The parameters path and ref may hold slashes when nothing follows them.
func (s *Spec) Route(method, path string) (Route, bool) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for _, t := range s.templates {
		params, ok := t.match(segments)
		if !ok {
			continue
		}
		for _, m := range t.methods {
			if m == method {
				return Route{Operation: m + " " + t.path, Method: m, Template: t.path, Params: params}, true
			}
		}
	}
	return Route{}, false
}

// Operations returns every operation of the trimmed description as "METHOD /template", sorted.
func (s *Spec) Operations() []string { return s.operations }

func (t template) match(segments []string) (map[string]string, bool) {
	params := map[string]string{}
	for i, want := range t.segments {
		if i == len(segments) && want == "{path}" { // the root directory
			params["path"] = ""
			return params, true
		}
		if i >= len(segments) {
			return nil, false
		}
		if !strings.HasPrefix(want, "{") {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		name := strings.Trim(want, "{}")
		got := segments[i]
		last := i == len(t.segments)-1
		if last && (name == "path" || name == "ref") {
			got = strings.Join(segments[i:], "/")
			segments = segments[:i+1]
		}
		value, err := url.PathUnescape(got)
		if err != nil || value == "" {
			return nil, false
		}
		params[name] = value
	}
	return params, len(segments) == len(t.segments)
}
