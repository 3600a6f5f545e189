package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	kubewait "k8s.io/apimachinery/pkg/util/wait"

	"catalyst.dev/catalyst/internal/preview"
)

// linger is how long a write that was under way when its operation ended may still wait for its answer.
const linger = 5 * time.Second

// gate is the transport of one operation. Helm makes its requests without a context; the gate ties them to the operation's:
// once that is done, reads are cut off and no write goes out any more, except the updates of the release's own record, so
// that it says "failed". Once the gate is closed nothing passes at all.
type gate struct {
	ctx  context.Context
	next http.RoundTripper

	mu     sync.Mutex
	closed bool
	writes sync.WaitGroup // under way; grows only under mu and while not closed
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	write := req.Method != http.MethodGet && req.Method != http.MethodHead
	if err := g.enter(req, write); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	if write {
		defer g.writes.Done()
	}
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(g.ctx, func() {
		if !write {
			cancel()
			return
		}
		// Cutting a write off leaves it unknown whether it happened.
		time.AfterFunc(linger, cancel)
	})
	resp, err := g.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, done: func() { stop(); cancel() }}
	return resp, nil
}

func (g *gate) enter(req *http.Request, write bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return fmt.Errorf("%s %s after the end of its operation: %w", req.Method, req.URL.Path, context.Canceled)
	}
	record := req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/secrets/sh.helm.release.v1.")
	if err := g.ctx.Err(); err != nil && !record {
		return fmt.Errorf("%s %s not sent: %w", req.Method, req.URL.Path, err)
	}
	if write && !preview.LeaseHeld(g.ctx) {
		return leaseOver(req)
	}
	if write {
		g.writes.Add(1)
	}
	return nil
}

// close lets nothing more through and returns when no write is under way.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.writes.Wait()
}

// body frees the request's context when it has been read.
type body struct {
	io.ReadCloser
	done func()
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// leased is the transport under all others: it refuses a write whose context carries a lease that is over. A process that was paused
// wakes up in the middle of what it was doing, with another one long at work in its place. A write that is under way when its context
// ends may linger: cut off, it would be unknown whether it happened, and it might still arrive after the next one's.
type leased struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l leased) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		return l.next.RoundTrip(req)
	}
	err := req.Context().Err()
	if err == nil && !preview.LeaseHeld(req.Context()) {
		err = leaseOver(req)
	}
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	ctx, cancel := preview.Linger(req.Context(), linger)
	resp, err := l.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, done: cancel}
	return resp, nil
}

func leaseOver(req *http.Request) error {
	return fmt.Errorf("%s %s not sent, the lease is over: %w", req.Method, req.URL.Path, preview.ErrStale)
}

// counted is the transport under all that makes objects: it asks again where the API server refused to make one because too many were being
// counted against the namespace's quota at the same moment (409, after three attempts of its own). Nothing was stored, and nobody is told
// of it otherwise: Helm takes the answer for the end of the release.
type counted struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (c counted) RoundTrip(req *http.Request) (*http.Response, error) {
	pause := kubewait.Backoff{Steps: 6, Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.5}
	for {
		resp, err := c.next.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusConflict || req.GetBody == nil || pause.Steps == 0 || !crowded(resp) {
			return resp, err
		}
		_ = resp.Body.Close()
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(pause.Step()):
		}
		again := req.Clone(req.Context())
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
		req = again
	}
}

// crowded reports whether a conflict is about a quota. The answer can be read afterwards as if nobody had.
func crowded(resp *http.Response) bool {
	start, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	resp.Body = &body{ReadCloser: io.NopCloser(io.MultiReader(bytes.NewReader(start), resp.Body)), done: closer(resp.Body)}
	return err == nil && bytes.Contains(start, []byte("cannot be fulfilled on resourcequotas "))
}

func closer(c io.Closer) func() { return func() { _ = c.Close() } }
