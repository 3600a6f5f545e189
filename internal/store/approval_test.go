package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store"
	"catalyst.dev/catalyst/internal/store/storetest"
)

// decided applies an event of the kind and returns what it was decided on.
func decided(t *testing.T, s *store.Store, k preview.Key, kind preview.EventKind, changed ...preview.Approval) preview.State {
	t.Helper()
	var seen preview.State
	_, _, err := s.Apply(t.Context(), preview.Event{Kind: kind, Key: k}, func(st preview.State) (preview.Decision, error) {
		seen = st
		return preview.Decision{Approvals: changed}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestApprovals: they are stored whole, read in the transaction that acts on them, of one preview only, and nothing but their end changes.
func TestApprovals(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		p, other := create(t, s, 1, 7), create(t, s, 1, 8)
		at := time.UnixMilli(1_700_000_000_123).UTC()
		want := preview.Approval{
			Key: p.Key, SHA: sha, HeadRepositoryID: 99, BaseBranch: "main", Approver: "dora", ApproverID: 5, CommentID: 9_000_000_001, ApprovedAt: at,
		}
		decided(t, s, p.Key, preview.EventRedeploy, want)
		decided(t, s, other.Key, preview.EventRedeploy, preview.Approval{Key: other.Key, SHA: sha, ApprovedAt: at})
		for _, kind := range []preview.EventKind{preview.EventStarted, preview.EventProceed} {
			got := decided(t, s, p.Key, kind).Approvals
			if len(got) != 1 || got[0].ID == "" {
				t.Fatalf("%s sees the approvals %+v, want one", kind, got)
			}
			want.ID, want.PreviewID = got[0].ID, p.ID
			if d := cmp.Diff(want, got[0]); d != "" {
				t.Errorf("%s (-want +got):\n%s", kind, d)
			}
		}
		if got := decided(t, s, p.Key, preview.EventObserved).Approvals; got != nil {
			t.Errorf("%s reads %d approvals for nothing", preview.EventObserved, len(got))
		}

		forged := want
		forged.SHA, forged.Approver, forged.WithdrawnAt = "else", "mallory", at.Add(time.Hour)
		decided(t, s, p.Key, preview.EventRedeploy, forged)
		want.WithdrawnAt = forged.WithdrawnAt
		got, err := s.Approvals(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]preview.Approval{want}, got); d != "" {
			t.Errorf("withdrawn (-want +got):\n%s", d)
		}
	})
}
