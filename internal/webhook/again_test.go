package webhook_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/lifecycle"
	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/webhook"
)

// TestReplayOfTheIgnored: a delivery that was ignored because nobody had configured its repository says so, and handed in again once
// somebody has, it is obeyed. A second time it changes nothing more.
func TestReplayOfTheIgnored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	foreign := []byte(strings.ReplaceAll(string(recorded(t, "pull_request", "opened")), "Codertocat/Hello-World", "acme/web"))
	if status, answer := b.signed(foreign, nil); status != http.StatusOK || !strings.Contains(answer, `"ignored"`) {
		t.Fatalf("%d %s", status, answer)
	}
	list := b.deliveries()
	if len(list) != 1 || !strings.Contains(list[0].Reason, "acme/web") {
		t.Fatalf("deliveries %+v", list)
	}
	stored, err := b.store.Delivery(t.Context(), list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	door := lifecycle.New(b.store, policy.Rules{GitHubHost: "github.com", Repositories: []string{"acme/web"}}, slog.New(slog.DiscardHandler), nil)
	var known preview.Preview
	for range 2 {
		d, err := webhook.Replay(t.Context(), door, stored)
		if err != nil || d.Outcome != preview.DeliveryAccepted {
			t.Fatalf("%+v, %v", d, err)
		}
		previews, err := b.store.Previews(t.Context(), 10)
		if err != nil || len(previews) != 1 || known != (preview.Preview{}) && previews[0] != known {
			t.Fatalf("previews %+v after %+v, %v", previews, known, err)
		}
		known = previews[0]
	}
	if list = b.deliveries(); len(list) != 3 || list[2].Outcome != preview.DeliveryIgnored {
		t.Errorf("the replays are not stored as deliveries of their own: %+v", list)
	}
}
