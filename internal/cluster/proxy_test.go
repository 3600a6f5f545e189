package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"catalyst.dev/catalyst/internal/cluster/clustertest"
	"catalyst.dev/catalyst/internal/preview"
)

// refused is an answer of the API server's that says no.
func refused(req *http.Request, code int, reason string, header http.Header) *http.Response {
	text := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"refused by the test"}`, reason, code)
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(bytes.NewBufferString(text)), Request: req}
}

// throughProxy puts an HTTP proxy between the Cluster of b and the API server. rule sees every request: it answers it and returns true, or
// lets it through.
func (b *bundle) throughProxy(rule func(http.ResponseWriter, *http.Request) bool) {
	b.t.Helper()
	config, err := restConfig(clustertest.Kubeconfig(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	config.QPS = -1
	server, err := url.Parse(config.Host)
	if err != nil {
		b.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(server)
	proxy.FlushInterval = -1 // a watch is passed on as it comes
	if proxy.Transport, err = rest.TransportFor(config); err != nil {
		b.t.Fatal(err)
	}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !rule(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	b.t.Cleanup(listener.Close)
	kubeconfig := filepath.Join(b.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: c}}], users: [{name: c}],
  clusters: [{name: c, cluster: {server: %q}}]}`, listener.URL)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if b.c, err = New(b.t.Context(), Options{Kubeconfig: kubeconfig, InstanceID: "test", Log: b.c.log}); err != nil {
		b.t.Fatal(err)
	}
}

// counter counts, for a rule that holds for the first few requests only.
type counter struct {
	mu sync.Mutex
	n  int
}

// next returns the number of this request, from 1.
func (c *counter) next() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}

func isWatch(r *http.Request) bool { return r.URL.Query().Get("watch") == "true" }

// refuse answers a request of the proxy as refused does.
func refuse(w http.ResponseWriter, code int, reason string, header http.Header) {
	answer := refused(nil, code, reason, header)
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// TestWatchesFail: whatever becomes of the watches on their way, what they should have told is learnt all the same.
func TestWatchesFail(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(http.ResponseWriter, *http.Request){
		"silent": func(w http.ResponseWriter, r *http.Request) { // open for ever, and nothing comes
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"unanswered": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"gone":       func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusGone, "Expired", nil) },
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"type":"MODIFIED","object":{"kind":"Pod","apiV`)
			panic(http.ErrAbortHandler)
		},
		"throttled": func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusTooManyRequests, "TooManyRequests", http.Header{"Retry-After": {"1"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connect(t)
			b.namespace()
			var failed counter
			b.throughProxy(func(w http.ResponseWriter, r *http.Request) bool {
				if isWatch(r) {
					failed.next()
					fail(w, r)
				}
				return isWatch(r)
			})
			if err := b.ready(b.deploy(web(), map[string]any{"args": []any{"-startup", "2s"}})); err != nil {
				t.Fatal(err)
			}
			if failed.next() == 1 {
				t.Error("no watch was tried")
			}
			// The end of a namespace is learnt in the same way.
			if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
				t.Fatal(err)
			}
			if err := b.c.WaitGone(t.Context(), b.id, time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestThrottledWrites: a write that the API server wants later is made later, and not before.
func TestThrottledWrites(t *testing.T) {
	t.Parallel()
	b := connect(t)
	const each = 3 // refusals for every kind of step
	var mu sync.Mutex
	waiting := map[string]time.Time{} // when a refused write may come again
	counts := map[string]int{}
	b.throughProxy(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		line, now := r.Method+" "+r.URL.Path, time.Now()
		if until, refusedBefore := waiting[line]; refusedBefore {
			if now.Before(until) {
				t.Errorf("%s came %s too early", line, until.Sub(now))
			}
			delete(waiting, line)
			return false
		}
		if counts[r.Method]++; counts[r.Method] > each {
			return false
		}
		waiting[line] = now.Add(900 * time.Millisecond) // a second, less what the clocks' grain may cost
		refuse(w, http.StatusTooManyRequests, "TooManyRequests", http.Header{"Retry-After": {"1"}})
		return true
	})
	b.namespace()
	if err := b.ready(b.deploy(web(), nil)); err != nil {
		t.Fatal(err)
	}
	if err := b.c.DeleteNamespace(t.Context(), b.id); err != nil {
		t.Fatal(err)
	}
	if err := b.c.WaitGone(t.Context(), b.id, time.Minute); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete} {
		if counts[method] == 0 {
			t.Errorf("no %s was refused", method)
		}
	}
	if len(waiting) > 0 {
		t.Errorf("refused and never tried again: %v", waiting)
	}
}

// TestThrottledForGood: an API server that goes on refusing is an outage, not the release's fault.
func TestThrottledForGood(t *testing.T) {
	t.Parallel()
	b := connect(t)
	b.namespace()
	b.throughProxy(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			refuse(w, http.StatusTooManyRequests, "TooManyRequests", nil)
		}
		return r.Method == http.MethodPost
	})
	_, err := b.c.Deploy(t.Context(), DeployRequest{Identity: b.id, Files: web(), Values: b.values(nil)})
	if err == nil {
		t.Fatal("deployed")
	}
	var failure *preview.Failure
	if errors.As(err, &failure) {
		t.Errorf("blamed on the release: %+v", failure.Diagnosis)
	}
}
