package ghapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// call is what the transport must know about the call a request belongs to; it travels in the request's context.
type call struct {
	route string
	auth  credential
}

type callKey struct{}

func with(ctx context.Context, route string, auth credential) context.Context {
	return context.WithValue(ctx, callKey{}, call{route: route, auth: auth})
}

// credential gives the token for a request, and the gate of the identity it is counted for: which one that is may turn out only
// with the token. renew is called after GitHub refused a token; nil: there is no other one.
type credential struct {
	aside bool // what is written with it is worth less than anything else: it waits for its turn apart, and its failures count for nothing
	token func(ctx context.Context) (string, error)
	gate  func() *gate
	renew func(refused string)
}

// transport signs, holds back and counts requests. The token is put in here, below http.Client, and only for the API's own scheme,
// host and port: whatever a redirect says, no other server ever sees it.
type transport struct {
	client *Client
	under  http.RoundTripper
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	at, _ := req.Context().Value(callKey{}).(call)
	base := t.client.base
	if req.URL.Scheme != base.Scheme || req.URL.Host != base.Host {
		return t.elsewhere(req)
	}
	resp, err := t.signed(req, at)
	if err != nil && req.Body != nil {
		_ = req.Body.Close() // what was held back was not closed by anybody else
	}
	return resp, err
}

// signed sends a request to the API when its gate lets it pass.
func (t *transport) signed(req *http.Request, at call) (*http.Response, error) {
	if at.auth.token == nil {
		return nil, fmt.Errorf("%s %s has no credential", req.Method, req.URL.Path)
	}
	// Nothing is prepared for a request that cannot be sent.
	if err := t.client.check(at.auth.gate()); err != nil {
		return nil, err
	}
	token, err := at.auth.token(req.Context())
	if err != nil {
		return nil, err
	}
	if isWrite(req, at.route) {
		done, err := at.auth.gate().write(req.Context(), t.client.now, at.auth.aside)
		if err != nil {
			return nil, err
		}
		defer done()
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
		if !preview.LeaseHeld(req.Context()) { // it was paused, or waited for its turn too long; somebody else may have written meanwhile
			return nil, fmt.Errorf("%s %s not sent, the lease is over: %w", req.Method, req.URL.Path, preview.ErrStale)
		}
	}
	resp, err := t.gated(req, at, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || at.auth.renew == nil || req.Body != nil && req.GetBody == nil {
		return resp, err
	}
	// The token was revoked before its time; nothing was done with the request, so it may be sent again.
	at.auth.renew(token)
	again, err := at.auth.token(req.Context())
	if err != nil || again == token {
		return resp, nil
	}
	second := req.Clone(req.Context())
	if req.GetBody != nil {
		if second.Body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxRefusal))
	_ = resp.Body.Close()
	return t.gated(second, at, again)
}

// gated sends a request through the gate and the breaker, and tells both how it went.
func (t *transport) gated(req *http.Request, at call, token string) (*http.Response, error) {
	c, gate := t.client, at.auth.gate()
	sent := c.now()
	if err := gate.check(sent); err != nil {
		return nil, err
	}
	trial, err := c.breaker.enter(sent)
	if err != nil {
		return nil, err
	}
	resp, err := t.send(req, at.route, token)
	v, reason := judge(req.Context(), resp, err)
	counts := v
	if at.auth.aside && v == outage {
		counts = unknown // one part of GitHub may be down while the others work
	}
	if c.breaker.leave(c.now(), trial, counts, reason) {
		state := c.breaker.state()
		c.log.Warn("GitHub's API", "state", state.State, "until", state.Until, "reason", state.Reason)
		c.observeGate(state.Name, state.State)
	}
	if err != nil || v != alive {
		return resp, err
	}
	message, refused := limited(resp)
	if refused {
		limit := gate.limit(c.now(), sent, limitedUntil(resp.Header, c.now()), message)
		c.gateChanged(gate)
		return nil, limit
	}
	gate.passed(sent)
	c.gateChanged(gate)
	return resp, nil
}

// check says why a request behind the gate would not be sent now.
func (c *Client) check(g *gate) error {
	now := c.now()
	if err := g.check(now); err != nil {
		return err
	}
	return c.breaker.check(now)
}

func (c *Client) gateChanged(g *gate) {
	state, changed := g.changed(c.now())
	if !changed {
		return
	}
	now := g.state(c.now())
	c.log.Warn("GitHub's limit", "gate", g.name, "state", state, "until", now.Until, "reason", now.Reason)
	c.observeGate(g.name, state)
}

// judge says what the end of a request means for GitHub's health, and how it ended.
func judge(ctx context.Context, resp *http.Response, err error) (verdict, string) {
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return unknown, ""
	case err != nil:
		return outage, err.Error()
	case resp.StatusCode >= 500:
		return outage, resp.Status
	}
	return alive, ""
}

// elsewhere sends a request to where a redirect led: without a token, and of no concern to the API's gates.
func (t *transport) elsewhere(req *http.Request) (*http.Response, error) {
	resp, err := t.send(req, "other host", "")
	if err != nil {
		return nil, err
	}
	if message, refused := limited(resp); refused {
		now := t.client.now()
		until := limitedUntil(resp.Header, now)
		if until.IsZero() {
			until = now.Add(secondaryPause)
		}
		return nil, &RateLimited{Until: until, Message: message}
	}
	return resp, nil
}

func (t *transport) send(req *http.Request, route, token string) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.Header.Del("Authorization")
	if token != "" {
		out.Header.Set("Authorization", "Bearer "+token)
	}
	done := func() {}
	if isWrite(req, route) {
		var ctx context.Context
		ctx, done = preview.Linger(req.Context(), linger)
		out = out.WithContext(ctx)
	}
	start := time.Now()
	resp, err := t.under.RoundTrip(out)
	status := 0
	if err == nil {
		status = resp.StatusCode
		resp.Body = &body{ReadCloser: resp.Body, done: done}
	} else {
		done()
	}
	t.client.observe(req.Method, route, status, time.Since(start))
	return resp, err
}

// linger is how long a write that is under way when its work is stopped may still wait for its answer: as long as GitHub works on a
// request.
const linger = 10 * time.Second

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

const maxRedirects = 5

// checkRedirect lets reads be redirected anywhere but from https to http. A write goes on only where it stays that write at
// the same host (307, 308): for 301 and 302 net/http would send a GET instead, which succeeds and does nothing.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case first.URL.Scheme == "https" && req.URL.Scheme != "https":
		return errors.New("redirect from https to http")
	case first.Method == http.MethodGet || first.Method == http.MethodHead:
		return nil
	case req.Method != first.Method || req.URL.Host != first.URL.Host:
		return http.ErrUseLastResponse
	}
	return nil
}

func defaultTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   16,
	}
}
