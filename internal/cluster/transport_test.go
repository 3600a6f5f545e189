package cluster

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestGate(t *testing.T) {
	t.Parallel()
	passed := roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
	})
	const objects, records = "/api/v1/namespaces/a/configmaps/x", "/api/v1/namespaces/a/secrets/sh.helm.release.v1.preview.v2"
	for _, c := range []struct {
		method, path       string
		live, done, closed bool // does it pass?
	}{
		{http.MethodGet, objects, true, false, false},
		{http.MethodPatch, objects, true, false, false},
		{http.MethodDelete, objects, true, false, false},
		{http.MethodPost, "/api/v1/namespaces/a/secrets", true, false, false},
		{http.MethodPatch, "/api/v1/namespaces/a/secrets/mine", true, false, false},
		{http.MethodPut, records, true, true, false},
		{http.MethodDelete, records, true, false, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		g := &gate{ctx: ctx, next: passed}
		try := func(state string, want bool) {
			resp, err := g.RoundTrip(httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader("body")))
			if resp != nil {
				resp.Body.Close()
			}
			if got := err == nil; got != want {
				t.Errorf("%s %s, %s: %v", c.method, c.path, state, err)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s %s, %s: not the context's error: %v", c.method, c.path, state, err)
			}
		}
		try("live", c.live)
		cancel()
		try("done", c.done)
		g.close()
		try("closed", c.closed)
	}
}

// TestGateWaitsForWrites: at the end of an operation reads are cut off, a write gets a little time for its answer, and closing waits for it.
func TestGateWaitsForWrites(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]time.Duration{http.MethodGet: 0, http.MethodPatch: linger} {
		synctest.Test(t, func(t *testing.T) {
			silent := roundTrip(func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, req.Context().Err()
			})
			ctx, cancel := context.WithCancel(t.Context())
			g := &gate{ctx: ctx, next: silent}
			go func() {
				resp, err := g.RoundTrip(httptest.NewRequestWithContext(t.Context(), method, "/x", nil))
				if err == nil {
					resp.Body.Close()
					t.Error("an answer from a silent server")
				}
			}()
			synctest.Wait()
			started := time.Now()
			cancel()
			g.close()
			if took := time.Since(started); took != want {
				t.Errorf("%s: closed after %s, want %s", method, took, want)
			}
		})
	}
}

// TestGateWithoutLease: Helm's writes, a release that is unlocked among them, go out only while the lease is held.
func TestGateWithoutLease(t *testing.T) {
	t.Parallel()
	sent := 0
	held := true
	g := &gate{ctx: preview.WithLease(t.Context(), func() bool { return held }), next: roundTrip(func(req *http.Request) (*http.Response, error) {
		sent++
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
	})}
	for _, held = range []bool{true, false} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			resp, err := g.RoundTrip(httptest.NewRequestWithContext(t.Context(), method, "/api/v1/namespaces/a/secrets/sh.helm.release.v1.preview.v2", nil))
			if err == nil {
				resp.Body.Close()
			}
			if refused := errors.Is(err, preview.ErrStale); refused == (held || method == http.MethodGet) {
				t.Errorf("%s with the lease held %t: %v", method, held, err)
			}
		}
	}
	if sent != 6 {
		t.Errorf("%d requests were sent, want 6", sent)
	}
}

// TestLeased: a write under way when its work is stopped gets a little time for its answer; none leaves without the lease, or
// after the end of its work.
func TestLeased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		slow := leased{roundTrip(func(req *http.Request) (*http.Response, error) {
			sent++
			select {
			case <-req.Context().Done():
				return nil, req.Context().Err()
			case <-time.After(time.Second):
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
			}
		})}
		held := true
		ctx, cancel := context.WithCancel(preview.WithLease(t.Context(), func() bool { return held }))
		try := func(method string) error {
			resp, err := slow.RoundTrip(httptest.NewRequestWithContext(ctx, method, "/x", nil))
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		time.AfterFunc(time.Second/2, cancel)
		if err := try(http.MethodDelete); err != nil {
			t.Errorf("a write that was under way at the end: %v", err)
		}
		if err := try(http.MethodDelete); !errors.Is(err, context.Canceled) || sent != 1 {
			t.Errorf("a write after the end: %v, %d sent", err, sent)
		}
		ctx, held = preview.WithLease(t.Context(), func() bool { return held }), false
		if err := try(http.MethodDelete); !errors.Is(err, preview.ErrStale) || sent != 1 {
			t.Errorf("a write without the lease: %v, %d sent", err, sent)
		}
		if err := try(http.MethodGet); err != nil {
			t.Errorf("a read without the lease: %v", err)
		}
	})
}

// TestCounted: what the API server refused because others were being counted against the quota is asked again, body and all, and nothing
// else is.
func TestCounted(t *testing.T) {
	t.Parallel()
	const crowd = `{"kind":"Status","reason":"Conflict","code":409,"message":"Operation cannot be fulfilled on resourcequotas \"catalyst\": the object has been modified"}`
	const taken = `{"kind":"Status","reason":"AlreadyExists","code":409,"message":"configmaps \"a\" already exists"}`
	for _, c := range []struct {
		name    string
		answers []string // of the API server, one after another, the last one for ever; "" is 201
		ends    bool     // the operation ends after the first one
		asked   int
		code    int // 0: an error
	}{
		{"the second time", []string{crowd, ""}, false, 2, http.StatusCreated},
		{"never", []string{crowd}, false, 7, http.StatusConflict},
		{"its name is taken", []string{taken}, false, 1, http.StatusConflict},
		{"the operation ends", []string{crowd}, true, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				asked := 0
				transport := counted{roundTrip(func(req *http.Request) (*http.Response, error) {
					if sent, err := io.ReadAll(req.Body); err != nil || string(sent) != "an object" {
						t.Errorf("sent %q, %v", sent, err)
					}
					answer := c.answers[min(asked, len(c.answers)-1)]
					if asked++; c.ends {
						cancel()
					}
					resp := &http.Response{StatusCode: http.StatusConflict, Body: io.NopCloser(strings.NewReader(answer)), Request: req}
					if answer == "" {
						resp.StatusCode = http.StatusCreated
					}
					return resp, nil
				})}
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cluster/api/v1/namespaces/a/configmaps", strings.NewReader("an object"))
				if err != nil {
					t.Fatal(err)
				}
				code := 0
				if resp, err := transport.RoundTrip(req); err == nil {
					code = resp.StatusCode
					said, err := io.ReadAll(resp.Body)
					if want := c.answers[len(c.answers)-1]; err != nil || string(said) != want {
						t.Errorf("passed on %q, %v, want %q", said, err, want)
					}
					if err := resp.Body.Close(); err != nil {
						t.Error(err)
					}
				}
				if asked != c.asked || code != c.code {
					t.Errorf("asked %d times, answered %d, want %d and %d", asked, code, c.asked, c.code)
				}
			})
		})
	}
}
