package access

import (
	"net/http"
	"slices"
)

// Mux is a http.ServeMux whose every route stands behind the guard. Routes are registered before it serves.
type Mux struct {
	mux      *http.ServeMux
	guard    *Guard
	patterns []string
}

// NewMux returns a Mux without routes.
func NewMux(g *Guard) *Mux { return &Mux{mux: http.NewServeMux(), guard: g} }

// Handle registers a route. Its rule is in the table of routes; without one it answers nobody.
func (m *Mux) Handle(pattern string, h http.Handler) {
	m.patterns = append(m.patterns, pattern)
	m.mux.Handle(pattern, m.guard.wrap(pattern, h))
}

// HandleFunc is Handle for a function.
func (m *Mux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(h))
}

// Patterns returns the routes in the order in which they were registered.
func (m *Mux) Patterns() []string { return slices.Clone(m.patterns) }

// ServeHTTP implements http.Handler. A request that a page of another site has a browser make changes nothing.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.guard.cross.Handler(m.mux).ServeHTTP(w, r)
}
