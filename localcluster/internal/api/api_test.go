package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestApplyInsists: an API server that has only just begun may not answer the first request in time; what it refuses is not asked again.
func TestApplyInsists(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late  int64 // requests that are not answered
		code  int
		asked int64
		fails bool
	}{
		"late twice": {2, http.StatusOK, 3, false},
		"for ever":   {100, http.StatusOK, 5, true},
		"refused":    {0, http.StatusForbidden, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client has gone
				if asked.Add(1) <= c.late {
					<-r.Context().Done()
					return
				}
				w.WriteHeader(c.code)
			}))
			defer server.Close()
			client := &Client{server.URL, &http.Client{Timeout: 100 * time.Millisecond}}
			if err := client.Apply(t.Context(), "/x", map[string]any{}); (err != nil) != c.fails || asked.Load() != c.asked {
				t.Errorf("asked %d times, %v", asked.Load(), err)
			}
		})
	}
}
