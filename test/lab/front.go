package lab

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
)

// front is what stands before the replicas, as a Service does: it sends each delivery to the next one that is up.
type front struct {
	server *httptest.Server

	mu   sync.Mutex
	ever bool // somebody has been up
	up   []*url.URL
	turn int
}

func newFront() *front {
	f := &front{}
	f.server = httptest.NewServer(f)
	return f
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, ever := f.next()
	switch {
	case to == nil && !ever:
		return // what GitHub says to the App when it is made: to miss it would only be asked for again
	case to == nil:
		http.Error(w, "nobody is up", http.StatusServiceUnavailable)
		return
	}
	proxy := httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	proxy.ServeHTTP(w, r)
}

// next is whose turn it is, nil when nobody is up; ever says whether somebody has been.
func (f *front) next() (to *url.URL, ever bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.up) == 0 {
		return nil, f.ever
	}
	f.turn++
	return f.up[f.turn%len(f.up)], true
}

// set says who is up.
func (f *front) set(up []*url.URL) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up, f.ever = up, f.ever || len(up) > 0
}
