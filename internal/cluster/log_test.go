package cluster

import (
	"bytes"
	"log/slog"
	"testing"
)

// TestBodiesAreNotLogged: client-go tells the bodies of requests at verbosity 8 and more, which slog knows as levels below debug.
func TestBodiesAreNotLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(quiet{slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})})
	for _, verbosity := range []int{8, 9, 10} {
		if level := slog.Level(-verbosity); log.Enabled(t.Context(), level) {
			t.Errorf("verbosity %d is logged", verbosity)
		}
		log.Log(t.Context(), slog.Level(-verbosity), "Request Body", "body", "the secret")
	}
	log.Info("connection lost")
	if bytes.Contains(out.Bytes(), []byte("secret")) || !bytes.Contains(out.Bytes(), []byte("level=DEBUG msg=\"connection lost\"")) {
		t.Errorf("logged:\n%s", out.Bytes())
	}
}
