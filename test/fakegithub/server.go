// Package fakegithub is a GitHub for tests and demonstrations: a stateful server with repositories, pull requests,
// comments, Apps and signed webhooks, spoken to over real HTTP. Every request and every answer of its own is checked
// against GitHub's OpenAPI description. It is test code: nothing of the product may import it.
//
// Tests play the people through methods (Repo.OpenPull, Pull.Push, …) and the product plays itself over HTTP. A method
// given something impossible panics with a Misuse, as a test that does so is wrong.
package fakegithub

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/ghspec"
)

// Options say how a Server behaves; the zero value is good.
type Options struct {
	// URL is where Handler is reached, without a path, for example "http://127.0.0.1:8081". The API is under /api/v3.
	URL string
	// ArchiveURL is where ArchiveHandler is reached. It should be another host name, as GitHub's is.
	ArchiveURL string
	// Now is the server's clock, time.Now when nil.
	Now func() time.Time
	// RateLimit is the number of requests an hour for each token owner, 5000 when zero.
	RateLimit int
	// DeliveryTimeout bounds one webhook delivery, 10 s as GitHub's when zero.
	DeliveryTimeout time.Duration
	// Log gets one line for each webhook delivery that fails; nothing is logged when nil.
	Log *slog.Logger
}

// Server is the fake GitHub. Make one with New or Start. All its methods, and those of the things it hands out, may be
// called from several goroutines.
type Server struct {
	options   Options
	spec      *ghspec.Spec
	hooks     *ghspec.Webhooks
	endpoints map[string]endpoint
	mux       *http.ServeMux

	mu         sync.Mutex // guards everything below and all that hangs on it
	lastID     int64
	lastTime   time.Time
	accounts   map[string]*Account // by lower-case login
	apps       []*App
	repos      map[int64]*Repo
	names      map[string]int64 // lower-case "owner/name", old ones too, to repository id
	installs   map[int64]*Installation
	tokens     map[string]*token
	grants     map[string]grant
	tickets    map[string]time.Time // archive tickets of private repositories, and when they end
	limits     map[string]*limit
	faults     []*Fault
	violations []Violation
	requests   []Request

	deliverer deliverer
}

// Misuse is what a method panics with when a test asks for something impossible.
type Misuse string

func (m Misuse) Error() string { return string(m) }

func misuse(format string, args ...any) { panic(Misuse(fmt.Sprintf(format, args...))) }

// New returns a server without accounts or repositories. The caller serves Handler at options.URL and ArchiveHandler at
// options.ArchiveURL, and calls Close at the end.
func New(options Options) (*Server, error) {
	options.Now = cmpFunc(options.Now, time.Now)
	options.RateLimit = cmp.Or(options.RateLimit, 5000)
	options.DeliveryTimeout = cmp.Or(options.DeliveryTimeout, 10*time.Second)
	options.URL = strings.TrimRight(options.URL, "/")
	options.ArchiveURL = strings.TrimRight(cmp.Or(options.ArchiveURL, options.URL+"/_codeload"), "/")
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	spec, err := ghspec.Load()
	if err != nil {
		return nil, err
	}
	hooks, err := ghspec.LoadWebhooks()
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: options, spec: spec, hooks: hooks, endpoints: endpoints(),
		lastID:   9_000_000_000, // above 32 bits, as GitHub's ids are
		accounts: map[string]*Account{}, repos: map[int64]*Repo{}, names: map[string]int64{},
		installs: map[int64]*Installation{}, tokens: map[string]*token{}, grants: map[string]grant{}, tickets: map[string]time.Time{},
		limits: map[string]*limit{},
	}
	s.deliverer.start(s)
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("/api/v3/", s.serveAPI)
	s.mux.Handle("/_codeload/", http.StripPrefix("/_codeload", s.ArchiveHandler()))
	s.mux.HandleFunc("/_fake/", s.serveAdmin)
	pages := http.NewServeMux() // its own, as /{owner}/… overlaps with the others
	pages.HandleFunc("GET /{$}", s.serveIndex)
	pages.HandleFunc("GET /{owner}/{repo}/pull/{number}", s.servePull)
	s.mux.HandleFunc("GET /login/oauth/authorize", s.serveAuthorize)
	s.mux.HandleFunc("POST /login/oauth/authorize", s.authorize)
	s.mux.HandleFunc("POST /login/oauth/access_token", s.serveExchange)
	s.mux.Handle("/", pages)
	return s, nil
}

func cmpFunc[T any](f, otherwise func() T) func() T {
	if f == nil {
		return otherwise
	}
	return f
}

// Start serves a new server on loopback until the test ends, and then fails the test for every violation that
// TakeViolations has not taken.
func Start(t testing.TB) *Server { return StartWith(t, Options{}) }

// StartWith is Start with options; their URLs are set here.
func StartWith(t testing.TB, options Options) *Server {
	t.Helper()
	var s *Server
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.Handler().ServeHTTP(w, r) }))
	archive := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ArchiveHandler().ServeHTTP(w, r)
	}))
	options.URL = "http://" + api.Listener.Addr().String()
	// Another host name, not only another port: net/http keeps the Authorization header between ports of one host.
	_, port, _ := strings.Cut(archive.Listener.Addr().String(), ":")
	options.ArchiveURL = "http://localhost:" + port
	s, err := New(options)
	if err != nil {
		t.Fatalf("start the fake GitHub: %v", err)
	}
	api.Start()
	archive.Start()
	t.Cleanup(func() {
		s.Close()
		api.Close()
		archive.Close()
		for _, v := range s.Violations() {
			t.Errorf("fake GitHub: %s", v)
		}
	})
	return s
}

// Close stops the webhook deliveries, the one under way too. It is safe to call twice.
func (s *Server) Close() { s.deliverer.stop() }

// Handler serves the API under /api/v3/, the pages for people, and the administration routes under /_fake/.
func (s *Server) Handler() http.Handler { return s.mux }

// URL is the address of the pages, without a slash at the end.
func (s *Server) URL() string { return s.options.URL }

// APIURL is the base address of the REST API, with the slash at the end that go-github wants.
func (s *Server) APIURL() string { return s.options.URL + "/api/v3/" }

// Violation is one thing said over HTTP that GitHub's description does not allow.
type Violation struct {
	Side      string `json:"side"` // "request", "answer", "webhook" or "archive"
	Operation string `json:"operation"`
	Detail    string `json:"detail"`
}

func (v Violation) String() string { return v.Side + " of " + v.Operation + ": " + v.Detail }

// Violations returns what was found wrong until now.
func (s *Server) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// TakeViolations returns what was found wrong until now and forgets it, for a test that provoked it.
func (s *Server) TakeViolations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.violations
	s.violations = nil
	return taken
}

func (s *Server) violate(side, operation string, err error) {
	if err != nil {
		s.violations = append(s.violations, Violation{Side: side, Operation: operation, Detail: err.Error()})
	}
}

func (s *Server) id() int64 { s.lastID++; return s.lastID }

// now never repeats a second backwards, so that lists sorted by time stay in order under a test's clock.
func (s *Server) now() time.Time {
	if now := s.options.Now(); now.After(s.lastTime) {
		s.lastTime = now
	}
	return s.lastTime
}
