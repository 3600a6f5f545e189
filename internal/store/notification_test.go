package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// TestNotifications: they are stored whole, listed by their preview in the order in which things happened, and go when they were delivered;
// those of no preview too. So is what was written on GitHub.
func TestNotifications(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p := create(t, s, 1, 7)
		at := time.UnixMilli(1_700_000_000_123).UTC()
		apply := func(k preview.Key, d preview.Decision) {
			t.Helper()
			if _, _, err := s.Apply(t.Context(), preview.Event{Key: k}, func(preview.State) (preview.Decision, error) { return d, nil }); err != nil {
				t.Fatal(err)
			}
		}
		list := func(id string) []preview.Notification {
			t.Helper()
			got, err := s.Notifications(t.Context(), id, 10)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		first := preview.Notification{Receiver: "ops", Kind: preview.NotifyStatus, At: at, Status: preview.StatusFailed, Cause: "é", Text: "one"}
		second := preview.Notification{Receiver: "chat", Kind: preview.NotifyRemovalStuck, At: at, Text: "two"}
		apply(p.Key, preview.Decision{Notifications: []preview.Notification{first, second}})
		apply(preview.Key{}, preview.Decision{Notifications: []preview.Notification{{Receiver: "ops", Kind: preview.NotifySweepStopped, At: at, Text: "three"}}})
		first.PreviewID, second.PreviewID = p.ID, p.ID
		got := list(p.ID)
		if diff := cmp.Diff([]preview.Notification{first, second}, got, cmpopts.IgnoreFields(preview.Notification{}, "ID")); diff != "" {
			t.Fatalf("stored and read differ (-want +got):\n%s", diff)
		}
		if none := list(""); len(none) != 1 || none[0].Text != "three" {
			t.Errorf("of no preview: %+v", none)
		}
		apply(preview.Key{}, preview.Decision{Delivered: []string{got[0].ID, "never was"}})
		if left := list(p.ID); len(left) != 1 || left[0].ID != got[1].ID {
			t.Errorf("left: %+v", left)
		}

		p.Channels = preview.Channels{
			Check:       preview.Check{SHA: sha, ID: 4, Attempted: true, Open: true, Hash: "h"},
			Environment: preview.Environment{Name: "preview/pr-7", Next: preview.Listed{SHA: sha, ID: 5, State: preview.ListedSuccess, URL: "https://x.example.com"}},
		}
		apply(p.Key, preview.Decision{Preview: &p})
		if read, err := s.Preview(t.Context(), p.ID); err != nil || read.Channels != p.Channels {
			t.Errorf("%+v, %v", read.Channels, err)
		}
	})
}
