package notify_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/notify"
	"catalyst.dev/catalyst/internal/preview"
)

var failed = preview.Notification{
	ID: "n1", Receiver: "ops", Kind: preview.NotifyStatus, At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Repository: "acme/web", Number: 7,
	Status: preview.StatusFailed, Text: "acme/web#7 is failed:\nno <!channel> & <https://evil.example.com|image>", Fix: "Push the image.",
}

// receive answers with the handler and gives what came.
func receive(t *testing.T, handler http.HandlerFunc) (address string, came chan *http.Request, bodies chan []byte) {
	t.Helper()
	came, bodies = make(chan *http.Request, 8), make(chan []byte, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		came <- r
		bodies <- body
		if handler != nil {
			handler(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, came, bodies
}

func sender(t *testing.T, r notify.Receiver) *notify.Sender {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return notify.New([]notify.Receiver{r}, "catalyst/test", transport)
}

// TestSigned shows that the receiver can tell who sent it, what, and when, as docs/notifications.md says.
func TestSigned(t *testing.T) {
	t.Parallel()
	address, came, bodies := receive(t, nil)
	if err := sender(t, notify.Receiver{Name: "ops", URL: address, Secret: "hush"}).Send(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	r, body := <-came, <-bodies
	const want = `{"id":"n1","kind":"status","at":"2026-03-01T12:00:00Z","repository":"acme/web","number":7,"status":"failed","fix":"Push the image.","text":"acme/web#7 is failed:\nno \u003c!channel\u003e \u0026 \u003chttps://evil.example.com|image\u003e"}`
	if string(body) != want || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s: %s", r.Method, r.Header, body)
	}
	if r.Header.Get("Catalyst-Id") != "n1" || r.Header.Get("Catalyst-Signature") != notify.Sign("hush", r.Header.Get("Catalyst-Timestamp"), body) {
		t.Errorf("%s", r.Header)
	}
	// printf '1772366400.{"a":1}' | openssl dgst -sha256 -hmac hush
	if got := notify.Sign("hush", "1772366400", []byte(`{"a":1}`)); got != "sha256=67159e45c121e6b08f351a6bb7bb82a56d844f799e011b0e907a4fe3514dabe4" {
		t.Errorf("signature %s", got)
	}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	address, came, bodies := receive(t, nil)
	if err := sender(t, notify.Receiver{Name: "ops", URL: address + "/services/T/B/x", Format: notify.Slack}).Send(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	r, body := <-came, <-bodies
	const want = `{"text":":x: acme/web#7 is failed: no \u0026lt;!channel\u0026gt; \u0026amp; \u0026lt;https://evil.example.com|image\u0026gt; Fix: Push the image."}`
	if string(body) != want || r.Header.Get("Catalyst-Signature") != "" {
		t.Errorf("%s\n%s", r.Header, body)
	}
}

// TestNoOtherAddress shows that neither a redirect nor an error leads anywhere else, or tells the address.
func TestNoOtherAddress(t *testing.T) {
	t.Parallel()
	elsewhere, came, _ := receive(t, nil)
	address, _, _ := receive(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
	})
	if err := sender(t, notify.Receiver{Name: "ops", URL: address}).Send(t.Context(), failed); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("a redirect: %v", err)
	}
	if len(came) != 0 {
		t.Error("the redirect was followed")
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	if err := sender(t, notify.Receiver{Name: "ops", URL: gone.URL + "/token-4711"}).Send(t.Context(), failed); err == nil || strings.Contains(err.Error(), "token-4711") {
		t.Errorf("nobody there: %v", err)
	}
	other := failed
	other.Receiver = "nobody"
	if err := sender(t, notify.Receiver{Name: "ops", URL: address}).Send(t.Context(), other); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("a receiver that is not configured: %v", err)
	}
}
