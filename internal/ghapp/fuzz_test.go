package ghapp_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/ghspec"
)

// FuzzWebhook: whatever arrives, signed or not, is a hint that can be acted upon, one that says why nothing is done, or refused by name.
func FuzzWebhook(f *testing.F) {
	payloads, err := ghspec.Payloads()
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range payloads {
		f.Add(p.Event, "sha256=00", p.Body)
	}
	for _, body := range []string{
		`{"action":"opened","number":7,"pull_request":{"number":7,"state":"open","head":{"repo":null},"base":{"repo":null}},"repository":{"id":1,"full_name":"a/b"}}`,
		`{"action":"opened","number":99999999999999999999}`, `{"action":"opened","action":"closed"}`, "{\"action\":\"\xff\"}", `[]`, `null`, ``,
	} {
		f.Add("pull_request", "sha256=zz", []byte(body))
	}
	secrets := [][]byte{[]byte("hush")}
	f.Fuzz(func(t *testing.T, event, signature string, body []byte) {
		if err := ghapp.Verify(secrets, http.Header{"X-Hub-Signature-256": {signature}}, body); !errors.Is(err, preview.ErrSigned) {
			t.Errorf("a signature by chance: %v", err)
		}
		before := bytes.Clone(body)
		hint, err := ghapp.Parse(event, body)
		if !bytes.Equal(before, body) {
			t.Error("the body was changed")
		}
		switch {
		case err != nil && !errors.Is(err, preview.ErrInvalid):
			t.Errorf("%v is not ErrInvalid", err)
		case err == nil && hint.HasPullRequest:
			p := hint.PullRequest
			if p.RepositoryID <= 0 || p.Number <= 0 || p.Repository == "" || p.HeadRepositoryID < 0 || event != "pull_request" {
				t.Errorf("a hint that cannot be acted upon: %+v", hint)
			}
		case err == nil && hint.Reason == "" && event == "pull_request":
			t.Errorf("no pull request, and no reason: %+v", hint)
		}
	})
}
