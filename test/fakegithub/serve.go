package fakegithub

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"catalyst.dev/catalyst/test/ghspec"
)

// endpoint is one operation of the API.
type endpoint struct {
	// auth is who may ask: "app" (JWT), "installation", "user", "either" (JWT or token), "any", or "" for whoever may
	// see the repository.
	auth        string
	permissions []string // of an App, any of which is enough; writing needs write
	writeRole   string   // of a person who writes, "write" when empty
	handle      func(c *call) *answer
}

// call is one request to an endpoint, made while the server is locked.
type call struct {
	s    *Server
	r    *http.Request
	path ghspec.Route
	body object
	who  *caller
	repo *Repo
}

// answer is what an endpoint says; body is JSON-encoded unless raw is set.
type answer struct {
	status int
	body   any
	raw    []byte
	header http.Header
}

func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }

func fail(status int, message string) *answer {
	return &answer{status: status, body: object{"message": message, "documentation_url": "https://docs.github.com/rest",
		"status": strconv.Itoa(status)}}
}

func notFound() *answer { return fail(http.StatusNotFound, "Not Found") }

// invalid is GitHub's 422 about one field.
func invalid(resource, code, field, message string) *answer {
	a := fail(http.StatusUnprocessableEntity, "Validation Failed")
	problem := object{"resource": resource, "code": code, "field": field}
	if message != "" {
		problem["message"] = message
	}
	a.body.(object)["errors"] = []any{problem}
	return a
}

func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.path.Params[name], 10, 64)
	return n
}

func (c *call) text(name string) string { return text(c.body[name]) }

// serveAPI answers one request to the REST API: check it, let a fault have it, answer it, check the answer.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 25<<20))
	if err != nil {
		http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3")
	s.mu.Lock()
	canonical, known := s.canonical(path)
	route, found := s.spec.Route(r.Method, canonical)
	record := Request{Method: r.Method, Path: canonical, Operation: route.Operation, Token: tokenKind(r.Header.Get("Authorization"))}
	fault := s.fault(r.Method, canonical)
	s.mu.Unlock()
	done := func(status int) {
		record.Status, record.Duration, record.Start = status, time.Since(start), start
		s.mu.Lock()
		s.requests = append(s.requests, record)
		s.mu.Unlock()
	}
	var a *answer
	var broken error
	switch {
	case !known:
		a = notFound()
	case !found:
		s.mu.Lock()
		s.violate("request", r.Method+" "+canonical, errors.New("no such operation in the trimmed description; add it to ghspec/gen/operations.go when GitHub has it"))
		s.mu.Unlock()
		a = notFound()
	default:
		broken = s.spec.Request(route, r, body)
	}
	if fault != nil {
		if !fault.before(w, r) {
			done(0)
			return
		}
		if fault.Status != 0 && !fault.After {
			s.writeFault(w, r, route, found, fault, nil)
			done(fault.Status)
			return
		}
	}
	a, header, data := s.do(r, route, body, a, broken, path)
	if fault != nil && fault.After {
		done(fault.Status)
		if fault.Reset {
			reset(w)
			return
		}
		s.writeFault(w, r, route, found, fault, header)
		return
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(a.status)
	_, _ = w.Write(data) // a client that went away is no concern of GitHub's
	done(a.status)
}

// do makes the answer, unless there is one, and checks it.
func (s *Server) do(r *http.Request, route ghspec.Route, body []byte, a *answer, broken error, path string) (*answer, http.Header, []byte) {
	a, header, data := s.made(r, route, body, a, broken, path)
	if route.Operation == "" {
		return a, header, data
	}
	// Checking takes longer than answering, so the server is not locked meanwhile.
	problem := s.checkAnswer(route, r, a, header, data)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violate("request", route.Operation, broken)
	s.violate("answer", route.Operation, problem)
	return a, header, data
}

func (s *Server) made(r *http.Request, route ghspec.Route, body []byte, a *answer, broken error, path string) (*answer, http.Header, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var who *caller
	if a == nil {
		a, who = s.answer(r, route, body, broken)
	}
	header, data := s.encode(r, who, a, path)
	return a, header, data
}

// canonical turns /repositories/{id}/… into /repos/{owner}/{repo}/…; false when there is no such repository.
func (s *Server) canonical(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/repositories/")
	if !ok {
		return path, true
	}
	number, tail, _ := strings.Cut(rest, "/")
	id, _ := strconv.ParseInt(number, 10, 64)
	r := s.repos[id]
	if r == nil || r.deleted {
		return path, false
	}
	if tail != "" {
		tail = "/" + tail
	}
	return "/repos/" + url.PathEscape(r.owner.login) + "/" + url.PathEscape(r.name) + tail, true
}

// answer does the request.
func (s *Server) answer(r *http.Request, route ghspec.Route, body []byte, broken error) (*answer, *caller) {
	who, refusal := s.authenticate(r)
	if refusal != nil {
		return refusal, nil
	}
	if route.Operation != "GET /rate_limit" { // asking is free
		if refusal := s.spend(who); refusal != nil {
			return refusal, who
		}
	}
	if r.UserAgent() == "" {
		return fail(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"), who
	}
	e, served := s.endpoints[route.Operation]
	if !served {
		s.violate("request", route.Operation, errors.New("the fake does not serve this operation"))
		return fail(http.StatusNotImplemented, "the fake does not serve "+route.Operation), who
	}
	c := &call{s: s, r: r, path: route, who: who}
	if len(body) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&c.body); err != nil {
			return fail(http.StatusBadRequest, "Problems parsing JSON"), who
		}
	}
	if name, inRepo := route.Params["repo"]; inRepo {
		c.repo = s.repos[s.names[strings.ToLower(route.Params["owner"]+"/"+name)]]
		if c.repo == nil || c.repo.deleted {
			return notFound(), who
		}
	}
	read := r.Method == http.MethodGet
	if refusal := e.permit(who, c.repo, read); refusal != nil {
		return refusal, who
	}
	if c.repo != nil && c.repo.key() != strings.ToLower(route.Params["owner"]+"/"+route.Params["repo"]) {
		return s.moved(r, c.repo), who
	}
	if broken != nil && r.Method != http.MethodGet {
		return fail(http.StatusUnprocessableEntity, "Invalid request.\n\n"+broken.Error()), who
	}
	return e.handle(c), who
}

// moved sends the caller of an old name to the address that does not change, as recorded: 301 to readers, 307 to writers.
func (s *Server) moved(r *http.Request, repo *Repo) *answer {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3/repos/"), "/", 3)
	location := s.api(fmt.Sprintf("/repositories/%d", repo.id))
	if len(parts) == 3 {
		location += "/" + parts[2]
	}
	if r.URL.RawQuery != "" {
		location += "?" + r.URL.RawQuery
	}
	status := http.StatusMovedPermanently
	if r.Method != http.MethodGet {
		status = http.StatusTemporaryRedirect
	}
	return &answer{status: status, header: http.Header{"Location": {location}},
		body: object{"message": "Moved Permanently", "url": location, "documentation_url": "https://docs.github.com/v3/#http-redirects"}}
}

// encode makes the headers and the bytes of an answer, and turns it into 304 when the caller has it already.
func (s *Server) encode(r *http.Request, who *caller, a *answer, path string) (http.Header, []byte) {
	header := http.Header{
		"X-Github-Request-Id":           {strings.ToUpper(randomHex(2) + ":" + randomHex(3) + ":" + randomHex(4))},
		"X-Github-Media-Type":           {"github.v3; format=json"},
		"X-Github-Api-Version-Selected": {"2022-11-28"},
		"Date":                          {s.options.Now().UTC().Format(http.TimeFormat)},
		"Vary":                          {"Accept, Authorization, Accept-Encoding, X-Requested-With"},
	}
	s.limitHeaders(header, who)
	maps.Copy(header, a.header)
	data := a.raw
	if data == nil && a.body != nil {
		var err error
		if data, err = json.Marshal(a.body); err != nil {
			panic(err) // answers are made of plain values
		}
		header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if r.Method == http.MethodGet && a.status == http.StatusOK {
		// An ETag holds for one address and one token.
		about := path + "?" + r.URL.RawQuery + "\x00" + r.Header.Get("Authorization") + "\x00"
		sum := sha256.Sum256(append([]byte(about), data...))
		tag := `"` + hex.EncodeToString(sum[:]) + `"`
		header.Set("Etag", tag)
		header.Set("Cache-Control", "private, max-age=60, s-maxage=60")
		if given := strings.TrimPrefix(r.Header.Get("If-None-Match"), "W/"); given == tag {
			a.status, data = http.StatusNotModified, nil
			header.Del("Content-Type")
			s.refund(who)
			s.limitHeaders(header, who)
		}
	}
	return header, data
}

// checkAnswer checks an answer of the fake's own; raw content and the fake's own gaps are not GitHub's description's.
func (s *Server) checkAnswer(route ghspec.Route, r *http.Request, a *answer, header http.Header, data []byte) error {
	if a.raw != nil || a.status == http.StatusNotImplemented {
		return nil
	}
	return s.spec.Response(route, r, a.status, header, data)
}
