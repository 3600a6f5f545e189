package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// witness notes what a watcher sees.
type witness struct {
	Rules

	mu  sync.Mutex
	saw []string
}

func (w *witness) note(what string, r *Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saw = append(w.saw, what+" "+r.URL.Path)
}

func (w *witness) Before(r *Request) (*Answer, error) {
	w.note("before", r)
	return w.Rules.Before(r)
}

func (w *witness) After(r *Request, status int) error {
	w.note("after", r)
	return w.Rules.After(r, status)
}

func (w *witness) Told(r *Request) { w.note("told", r) }

func path(p string) func(*Request) bool {
	return func(r *Request) bool { return r.URL.Path == p }
}

// TestHTTP: a request passes or is spoilt as the rules say, over HTTP/2, and the watcher sees each step.
func TestHTTP(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var served []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		served = append(served, r.URL.Path)
		mu.Unlock()
		_, _ = fmt.Fprintf(w, "%s says %s", r.URL.Path, body)
	}))
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	w.Add(
		&Rule{Match: path("/broken"), Times: -1, Break: true},
		&Rule{Match: path("/lost"), Times: -1, Lose: true},
		&Rule{Match: path("/refused"), Times: 1, Answer: &Answer{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "1"}, Body: "later"}},
	)
	e := NewHTTP(target, http.DefaultTransport, true, w)
	t.Cleanup(e.Close)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(e.CA()) {
		t.Fatal("the edge's certificate is none")
	}
	client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	post := func(path string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://"+e.Address()+path, strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			return "broken"
		}
		defer func() { _ = response.Body.Close() }()
		if response.ProtoMajor != 2 {
			t.Errorf("spoken over %s", response.Proto)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return "broken"
		}
		return fmt.Sprintf("%d %s", response.StatusCode, body)
	}
	for _, test := range []struct{ path, want string }{
		{"/well", "200 /well says hello"}, {"/broken", "broken"}, {"/lost", "broken"}, {"/refused", "429 later"}, {"/refused", "200 /refused says hello"},
	} {
		if got := post(test.path); got != test.want {
			t.Errorf("%s: %q, want %q", test.path, got, test.want)
		}
	}
	mu.Lock()
	if got := strings.Join(served, " "); got != "/well /lost /refused" {
		t.Errorf("the server had %s", got)
	}
	mu.Unlock()
	e.Close()
	if got := post("/late"); got != "broken" {
		t.Errorf("after its end the edge answers %q", got)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	want := []string{ // sorted: what is told last the caller may know first
		"after /lost", "after /refused", "after /well", "before /broken", "before /lost", "before /refused", "before /refused", "before /well",
		"told /refused", "told /well",
	}
	slices.Sort(w.saw)
	if diff := cmp.Diff(want, w.saw); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}
