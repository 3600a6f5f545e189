package metrics

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	authv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// obj is a Kubernetes object, or part of one.
type obj = map[string]any

// request is what is asked for.
type request struct {
	namespace string          // empty: all
	name      string          // empty: all
	labels    labels.Selector // of those wanted
}

// errNone says that there is nothing of that name, or nothing known of it yet.
var errNone = errors.New("not found")

// serve returns what answers one of the routes: to who the API server says may read that.
func (s *Server) serve(resource string, read func(*http.Request, request) ([]obj, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := request{namespace: r.PathValue("namespace"), name: r.PathValue("name")}
		var err error
		if asked.labels, err = labels.Parse(r.URL.Query().Get("labelSelector")); err != nil {
			fail(w, apierrors.NewBadRequest("the label selector cannot be read: "+err.Error()))
			return
		}
		if err := s.allowed(r, resource, asked); err != nil {
			fail(w, err)
			return
		}
		items, err := read(r, asked)
		switch {
		case errors.Is(err, errNone):
			fail(w, apierrors.NewNotFound(schema.GroupResource{Group: group, Resource: resource}, asked.name))
		case err != nil:
			fail(w, apierrors.NewServiceUnavailable("the kubelet does not answer: "+err.Error()))
		case asked.name != "":
			answer(w, http.StatusOK, items[0])
		default:
			kind := map[string]string{"pods": "PodMetricsList", "nodes": "NodeMetricsList"}[resource]
			answer(w, http.StatusOK, obj{"kind": kind, "apiVersion": version, "metadata": obj{}, "items": items})
		}
	}
}

// allowed asks the API server whether whom it has let through may read this. Only the API server itself may say who that is.
func (s *Server) allowed(r *http.Request, resource string, asked request) error {
	sent := r.TLS != nil && slices.ContainsFunc(r.TLS.VerifiedChains, func(c []*x509.Certificate) bool { return c[0].Subject.CommonName == s.proxy })
	if !sent {
		return apierrors.NewUnauthorized("only the API server is answered")
	}
	verb := "list"
	if asked.name != "" {
		verb = "get"
	}
	review, err := s.client.AuthorizationV1().SubjectAccessReviews().Create(r.Context(), &authv1.SubjectAccessReview{Spec: authv1.SubjectAccessReviewSpec{
		User: r.Header.Get("X-Remote-User"), Groups: r.Header.Values("X-Remote-Group"),
		ResourceAttributes: &authv1.ResourceAttributes{Group: group, Version: "v1beta1", Resource: resource, Verb: verb, Namespace: asked.namespace, Name: asked.name},
	}}, metav1.CreateOptions{})
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	if !review.Status.Allowed {
		return apierrors.NewForbidden(schema.GroupResource{Group: group, Resource: resource}, asked.name, fmt.Errorf("%s may not %s it", r.Header.Get("X-Remote-User"), verb))
	}
	return nil
}

func fail(w http.ResponseWriter, err error) {
	var status apierrors.APIStatus
	errors.As(err, &status)
	answer(w, int(status.Status().Code), status.Status())
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // who asked may have gone
}

func discovery(v obj) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, v) }
}

func groupOf() obj {
	served := obj{"groupVersion": version, "version": "v1beta1"}
	return obj{"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": []obj{served}, "preferredVersion": served}
}

func resources() obj {
	verbs := []string{"get", "list"}
	return obj{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": []obj{
		{"name": "nodes", "singularName": "", "namespaced": false, "kind": "NodeMetrics", "verbs": verbs},
		{"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": verbs},
	}}
}
