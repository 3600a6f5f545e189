package ghspec

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Spec checks requests and answers against GitHub's REST description. It is safe for concurrent use.
type Spec struct {
	doc        *openapi3.T
	templates  []template
	operations []string
}

// Loading costs a tenth of a second, and every test starts a server of its own.
var shared = sync.OnceValues(load)

// Load returns the trimmed description, parsed once for the process.
func Load() (*Spec, error) { return shared() }

func load() (*Spec, error) {
	data, err := unzip("rest.json.gz")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("parse GitHub's REST description: %w", err)
	}
	spec := &Spec{doc: doc}
	for path, item := range doc.Paths.Map() {
		t := template{path: path, segments: strings.Split(strings.Trim(path, "/"), "/")}
		for method := range item.Operations() {
			t.methods = append(t.methods, method)
			spec.operations = append(spec.operations, method+" "+path)
		}
		spec.templates = append(spec.templates, t)
	}
	// The longer template wins over one that ends in a reference with slashes, and a literal segment over a parameter:
	// /issues/comments/1 is not /issues/{issue_number}/….
	slices.SortFunc(spec.templates, func(a, b template) int {
		return cmp.Or(cmp.Compare(len(b.segments), len(a.segments)),
			strings.Compare(strings.ReplaceAll(a.path, "{", "~"), strings.ReplaceAll(b.path, "{", "~")))
	})
	slices.Sort(spec.operations)
	return spec, nil
}

// Request returns what is wrong with a request, nil when GitHub's description allows it: path parameters, query
// parameters (unknown ones too), content type, body, Accept and User-Agent.
func (s *Spec) Request(route Route, r *http.Request, body []byte) error {
	errs := []error{s.query(route, r), accept(r)}
	if r.Header.Get("User-Agent") == "" {
		errs = append(errs, errors.New("no User-Agent header: GitHub refuses such requests"))
	}
	if len(body) > 0 {
		if s.item(route).GetOperation(route.Method).RequestBody == nil {
			errs = append(errs, errors.New("a body where GitHub takes none"))
		} else if mime, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mime != "application/json" {
			errs = append(errs, fmt.Errorf("Content-Type is %q, want application/json", r.Header.Get("Content-Type")))
		}
	}
	if err := openapi3filter.ValidateRequest(context.Background(), s.input(route, r, body)); err != nil {
		errs = append(errs, short(err))
	}
	return errors.Join(errs...)
}

// Response returns what is wrong with an answer, nil when GitHub's description allows it. Statuses that GitHub gives
// everywhere and documents rarely (401, 403, 404, 410, 422, 429, 5xx, redirects) need only a body of GitHub's error shape.
func (s *Spec) Response(route Route, r *http.Request, status int, header http.Header, body []byte) error {
	operation := s.item(route).GetOperation(route.Method)
	if operation.Responses.Status(status) == nil {
		if !anywhere(status) {
			return fmt.Errorf("status %d is not one that GitHub documents for %s", status, route.Operation)
		}
		return errorShape(status, header, body)
	}
	if len(body) > 0 && (status == http.StatusNoContent || status == http.StatusNotModified) {
		return fmt.Errorf("a body of %d bytes in an answer with status %d", len(body), status)
	}
	if status == http.StatusMovedPermanently || status == http.StatusFound || status == http.StatusTemporaryRedirect {
		if header.Get("Location") == "" {
			return fmt.Errorf("status %d without Location", status)
		}
	}
	// The description knows one media type for each answer, GitHub answers with the charset added.
	plain := header.Clone()
	if mime, _, cut := strings.Cut(header.Get("Content-Type"), ";"); cut {
		plain.Set("Content-Type", mime)
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: s.input(route, r, nil), Status: status, Header: plain,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	input.SetBodyBytes(body)
	return short(openapi3filter.ValidateResponse(context.Background(), input))
}

func (s *Spec) item(route Route) *openapi3.PathItem { return s.doc.Paths.Value(route.Template) }

func (s *Spec) input(route Route, r *http.Request, body []byte) *openapi3filter.RequestValidationInput {
	// The checker sets defaults in the query and reads the body, so it gets a request of its own.
	clone := r.Clone(context.Background())
	clone.Body, clone.ContentLength = http.NoBody, int64(len(body))
	if len(body) > 0 {
		clone.Body = readCloser{bytes.NewReader(body)}
	}
	params := maps.Clone(route.Params)
	if path, ok := params["path"]; ok && path == "" {
		params["path"] = "/" // the root directory, which the checker takes for a missing parameter
	}
	item := s.item(route)
	return &openapi3filter.RequestValidationInput{
		Request: clone, PathParams: params, QueryParams: clone.URL.Query(),
		Route: &routers.Route{Spec: s.doc, Path: route.Template, PathItem: item, Method: route.Method,
			Operation: item.GetOperation(route.Method)},
		Options: &openapi3filter.Options{SkipSettingDefaults: true},
	}
}

// query refuses the unknown query parameters, which kin-openapi lets pass and GitHub ignores: a misspelled per_page is
// a client that silently reads one page. It also bounds per_page, which the description does only in prose.
func (s *Spec) query(route Route, r *http.Request) error {
	operation := s.item(route).GetOperation(route.Method)
	var errs []error
	for name, values := range r.URL.Query() {
		if operation.Parameters.GetByInAndName("query", name) == nil {
			errs = append(errs, fmt.Errorf("unknown query parameter %q of %s", name, route.Operation))
		}
		if len(values) > 1 {
			errs = append(errs, fmt.Errorf("query parameter %q given %d times", name, len(values)))
		}
		if name == "per_page" && !perPage.MatchString(values[0]) {
			errs = append(errs, fmt.Errorf("per_page=%s is not between 1 and 100", values[0]))
		}
	}
	return errors.Join(errs...)
}

var (
	perPage = regexp.MustCompile(`^([1-9][0-9]?|100)$`)
	media   = regexp.MustCompile(`^(\*/\*|application/(\*|json|vnd\.github[a-z0-9.+-]*)(;.*)?)$`)
)

func accept(r *http.Request) error {
	for _, value := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if value = strings.TrimSpace(value); value != "" && !media.MatchString(value) {
			return fmt.Errorf("the Accept header %q is no media type of GitHub's API", value)
		}
	}
	return nil
}

func anywhere(status int) bool {
	return status >= 500 || slices.Contains([]int{301, 304, 307, 400, 401, 403, 404, 410, 422, 429}, status)
}

func errorShape(status int, header http.Header, body []byte) error {
	if status >= 500 || status == http.StatusNotModified {
		return nil
	}
	if status < 400 && header.Get("Location") == "" {
		return fmt.Errorf("status %d without Location", status)
	}
	var v struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &v); err != nil || v.Message == "" {
		return fmt.Errorf("status %d with a body that is not GitHub's error object: %.80s", status, body)
	}
	return nil
}

// short drops the schema and the value, pages long, from the checker's messages.
func short(err error) error {
	if err == nil {
		return nil
	}
	var schema *openapi3.SchemaError
	if errors.As(err, &schema) {
		return fmt.Errorf("at /%s: %s", strings.Join(schema.JSONPointer(), "/"), reason(schema))
	}
	text, _, _ := strings.Cut(err.Error(), "\nSchema:")
	return errors.New(text)
}

// reason follows oneOf and anyOf failures to the innermost cause, which names the field.
func reason(schema *openapi3.SchemaError) string {
	text, _, _ := strings.Cut(schema.Reason, "\n")
	var inner openapi3.MultiError
	if errors.As(schema.Origin, &inner) && len(inner) > 0 {
		for _, err := range inner {
			text += "; " + short(err).Error()
		}
	}
	return text
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
