package edge

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Request is one request on its way through an HTTP edge.
type Request struct {
	*http.Request
	Text  []byte    // its body
	Start time.Time // when it came

	// Tag is the watcher's own.
	Tag any
}

// Answer is what an edge says instead of the server.
type Answer struct {
	Status int
	Header map[string]string
	Body   string
	Open   <-chan struct{} // when not nil the answer does not end before this is closed or the caller has gone
}

// ErrBreak breaks the connection a request came over, without an answer.
var ErrBreak = errors.New("connection broken by the edge")

// Watcher sees every request that passes an HTTP edge, from many goroutines. It may take its time: the request waits.
type Watcher interface {
	// Before comes first. The request goes no further when there is an answer, or an error, which breaks the connection.
	Before(*Request) (*Answer, error)
	// After comes when the server has answered, of a stream when its answer begins. An error loses the answer and breaks the connection.
	After(r *Request, status int) error
	// Told comes when the whole answer has been sent back.
	Told(*Request)
}

// HTTP is a reverse proxy that shows what passes to watchers: the first stands nearest to the caller, the last nearest to the server.
// Nothing passes any more once it is closed.
type HTTP struct {
	server   *httptest.Server
	proxy    *httputil.ReverseProxy
	watchers []Watcher

	unanswered atomic.Int64

	mu     sync.Mutex
	closed bool
}

type requestKey struct{}

// NewHTTP starts an edge before the server at target, reached over transport. With secure set it speaks TLS and HTTP/2, as an API
// server does, with a certificate of its own (see CA).
func NewHTTP(target *url.URL, transport http.RoundTripper, secure bool, watchers ...Watcher) *HTTP {
	e := &HTTP{watchers: watchers}
	e.proxy = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = target.Host },
		Transport:     roundTrip(func(r *http.Request) (*http.Response, error) { return e.forward(transport, r) }),
		FlushInterval: -1, // a watch is told at once
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	e.server = httptest.NewUnstartedServer(e)
	e.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	if secure {
		e.server.EnableHTTP2 = true
		e.server.StartTLS()
	} else {
		e.server.Start()
	}
	return e
}

// Address is where the edge listens.
func (e *HTTP) Address() string { return e.server.Listener.Addr().String() }

// CA is the certificate that a secure edge's own can be checked by, as PEM.
func (e *HTTP) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.server.Certificate().Raw})
}

// Unanswered is how many requests the server gave no answer to, while the caller waited for one.
func (e *HTTP) Unanswered() int { return int(e.unanswered.Load()) }

// Close ends the edge and what is under way.
func (e *HTTP) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.server.CloseClientConnections()
	_ = e.server.Listener.Close()
}

func (e *HTTP) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// ServeHTTP implements http.Handler.
func (e *HTTP) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	text, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Body = io.NopCloser(bytes.NewReader(text))
	r := &Request{Request: req, Text: text, Start: time.Now()}
	for _, watcher := range e.watchers {
		answer, err := watcher.Before(r)
		if err != nil || e.isClosed() { // it may have been held up for long
			panic(http.ErrAbortHandler)
		}
		if answer != nil {
			answer.write(w, req)
			return
		}
	}
	if e.isClosed() {
		panic(http.ErrAbortHandler)
	}
	e.proxy.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), requestKey{}, r)))
	_ = http.NewResponseController(w).Flush()
	for _, watcher := range slices.Backward(e.watchers) {
		watcher.Told(r)
	}
}

// forward sends the request on and shows that it was answered.
func (e *HTTP) forward(transport http.RoundTripper, req *http.Request) (*http.Response, error) {
	r := req.Context().Value(requestKey{}).(*Request)
	response, err := transport.RoundTrip(req)
	if err != nil {
		if req.Context().Err() == nil {
			e.unanswered.Add(1)
		}
		return nil, fmt.Errorf("pass on: %w", err)
	}
	for _, watcher := range slices.Backward(e.watchers) {
		if err := watcher.After(r, response.StatusCode); err != nil {
			_ = response.Body.Close()
			return nil, err
		}
	}
	return response, nil
}

func (a *Answer) write(w http.ResponseWriter, req *http.Request) {
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
	if a.Open == nil {
		return
	}
	_ = http.NewResponseController(w).Flush()
	select {
	case <-a.Open:
	case <-req.Context().Done():
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
