package worker_test

import (
	"context"
	"errors"
	"testing"

	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/preview"
)

// keptOf says why something was kept of the pull request's preview, the newest first.
func (b *bundle) keptOf(id string) (reasons []kept.Reason) {
	b.Helper()
	entries, err := b.kept.List(id)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}

// TestLastLogsAreKept shows that the last logs are kept when a deployment fails, and once more before its preview is removed.
func TestLastLogsAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ground.onReady = func(context.Context) error {
		return preview.Fail(nil, preview.Diagnosis{Code: "CRASH_LOOP", Cause: "It ends.", Blame: preview.BlameChange})
	}
	pull := b.own("gift")
	p := b.becomes(pull, preview.StatusFailed)
	b.until("the logs of the failure are kept", func() bool { return len(b.keptOf(p.ID)) == 1 })
	pull.Close(false)
	b.becomes(pull, preview.StatusDeleted)
	reasons := b.keptOf(p.ID)
	if len(reasons) != 2 || reasons[0] != kept.Deleted || reasons[1] != kept.Failed {
		t.Errorf("kept: %v", reasons)
	}
}

// TestRemovalDoesNotWaitForLogs shows that a cluster which does not give its logs holds no removal up, and that one which refuses does not either.
func TestRemovalDoesNotWaitForLogs(t *testing.T) {
	t.Parallel()
	for name, collect := range map[string]func(context.Context) error{
		"silent":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"refuses": func(context.Context) error { return errors.New("no") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.ground.onCollect = collect
			pull := b.own("gift")
			p := b.becomes(pull, preview.StatusRunning)
			pull.Close(false)
			b.becomes(pull, preview.StatusDeleted)
			if n := b.ground.left(); n != 0 || len(b.keptOf(p.ID)) != 0 {
				t.Errorf("%d namespaces left, kept %v", n, b.keptOf(p.ID))
			}
		})
	}
}
