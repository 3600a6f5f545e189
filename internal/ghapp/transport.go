package ghapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
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

// credential gives the token for a request. renew is called after GitHub refused a token; nil: there is no other one.
type credential struct {
	token func(ctx context.Context) (string, error)
	renew func(refused string)
}

// transport signs and counts requests. The token is put in here, below http.Client, and only for the API's own scheme, host and
// port: whatever a redirect says, no other server ever sees it.
type transport struct {
	client *Client
	under  http.RoundTripper
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	at, _ := req.Context().Value(callKey{}).(call)
	base := t.client.base
	if req.URL.Scheme != base.Scheme || req.URL.Host != base.Host {
		return t.send(req, "other host", "")
	}
	if at.auth.token == nil {
		return t.send(req, at.route, "")
	}
	token, err := at.auth.token(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.send(req, at.route, token)
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
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	return t.send(second, at.route, again)
}

func (t *transport) send(req *http.Request, route, token string) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.Header.Del("Authorization")
	if token != "" {
		out.Header.Set("Authorization", "Bearer "+token)
	}
	start := time.Now()
	resp, err := t.under.RoundTrip(out)
	status := 0
	if err == nil {
		status = resp.StatusCode
	}
	t.client.observe(req.Method, route, status, time.Since(start))
	return resp, err
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
