package ghapp_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
)

func TestObserve(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var mu sync.Mutex
	var seen []string
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM(), Observe: func(method, route string, status int, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(method, " ", route, " ", status))
		if took <= 0 {
			t.Errorf("%s took %s", route, took)
		}
	}})
	b.comment(t, ghapp.CommentRequest{Body: text("x")})
	b.tarball(t)
	want := []string{
		"POST /app/installations/{installation}/access_tokens 201", "POST /repos/{owner}/{repo}/issues/{number}/comments 201",
		"GET /repos/{owner}/{repo}/tarball/{ref} 302", "GET other host 200",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ghapp.Options{
		"nothing": {}, "App without key": {AppID: 1}, "both": {AppID: 1, PrivateKey: []byte("x"), Token: "x"},
		"bad key": {AppID: 1, PrivateKey: []byte("x")}, "bad URL": {Token: "x", APIURL: "github"},
	} {
		if _, err := ghapp.New(o); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := ghapp.New(ghapp.Options{Token: "x", APIURL: "https://github.example.com/api/v3", HTTP: &http.Client{}}); err != nil {
		t.Error(err)
	}
}
