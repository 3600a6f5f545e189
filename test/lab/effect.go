package lab

import (
	"net/http"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes/scheme"

	"catalyst.dev/catalyst/test/edge"
)

// Effect names a request that changes something: "create namespaces/NS", "edit comment". Empty: it changes nothing. Names that differ
// from run to run are replaced.
func Effect(r *edge.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return ""
	}
	if isHub(r) {
		return hubEffect(r.Method, strings.TrimPrefix(r.URL.Path, hubPrefix))
	}
	return kubeEffect(r)
}

// hubPrefix is where GitHub's API is on a server of its own; Kubernetes has nothing there.
const hubPrefix = "/api/v3"

func isHub(r *edge.Request) bool { return strings.HasPrefix(r.URL.Path, hubPrefix+"/") }

var (
	digits   = regexp.MustCompile(`/\d+`)
	hubNames = strings.NewReplacer("POST /repos/O/R/issues/N/comments", "create comment", "PATCH /repos/O/R/issues/comments/N", "edit comment")
	repoPath = regexp.MustCompile(`^/repos/[^/]+/[^/]+`)
)

func hubEffect(method, path string) string {
	if strings.HasSuffix(path, "/access_tokens") {
		return "" // a token to speak with: nobody else ever sees it
	}
	path = repoPath.ReplaceAllString(path, "/repos/O/R")
	return hubNames.Replace(method + " " + digits.ReplaceAllString(path, "/N"))
}

// object is where a path of the Kubernetes API leads.
type object struct{ namespace, resource, name, part string }

// split reads "/api/v1/namespaces/x/secrets/y" and "/apis/apps/v1/namespaces/x/deployments/y".
func split(path string) object {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 0 && parts[0] == "api":
		parts = parts[min(2, len(parts)):]
	case len(parts) > 0:
		parts = parts[min(3, len(parts)):]
	}
	var o object
	if len(parts) > 2 && parts[0] == "namespaces" {
		o.namespace, parts = parts[1], parts[2:]
	}
	for i, to := range []*string{&o.resource, &o.name, &o.part} {
		if i < len(parts) {
			*to = parts[i]
		}
	}
	return o
}

func kubeEffect(r *edge.Request) string {
	o := split(r.URL.Path)
	if strings.HasPrefix(o.resource, "selfsubject") || r.URL.Query().Has("dryRun") {
		return "" // a question
	}
	verb := map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	if strings.Contains(r.Header.Get("Content-Type"), "apply-patch") {
		verb = "apply"
	}
	if o.name == "" {
		o.name = nameIn(r.Text)
	}
	if o.resource == "namespaces" {
		o.name = "NS"
	}
	return strings.TrimSuffix(verb+" "+o.resource+"/"+o.name+"/"+o.part, "/")
}

// nameIn is the name of the object in a request's body, in whatever form client-go sends it.
func nameIn(text []byte) string {
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return "?"
	}
	it, err := meta.Accessor(object)
	if err != nil {
		return "?"
	}
	return it.GetName()
}

// target is the namespace a request to the Kubernetes API writes to or about; empty for one about none.
func target(r *edge.Request) string {
	o := split(r.URL.Path)
	switch {
	case o.namespace != "":
		return o.namespace
	case o.resource == "namespaces" && o.name != "":
		return o.name
	case o.resource == "namespaces":
		return nameIn(r.Text)
	}
	return ""
}
