package worker_test

import (
	"context"
	"testing"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
)

// TestWaitIsAStep: the time in line stands in the timeline of the deployment that came of it, before the steps of its own, at its end too.
func TestWaitIsAStep(t *testing.T) {
	t.Parallel()
	b := limited(t, policy.Limits{Deployments: 1})
	free := make(chan struct{})
	b.ground.onReady = func(ctx context.Context) error {
		select {
		case <-free:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	first := b.own("first")
	b.until("the first one has the place", func() bool { return b.preview(first).Status == preview.StatusDeploying })
	second := b.own("second")
	b.until("the second one waits in line", func() bool { return b.preview(second).Status == preview.StatusQueued })
	close(free)
	b.becomes(first, preview.StatusRunning)
	b.becomes(second, preview.StatusRunning)
	list, err := b.store.Deployments(t.Context(), b.preview(second).ID, 5)
	if err != nil || len(list) != 1 {
		t.Fatalf("deployments %+v, %v", list, err)
	}
	steps := list[0].Steps
	if len(steps) < 2 || steps[0].Name != preview.StepQueue || steps[0].Outcome != preview.StepDone || steps[0].Start >= 0 || steps[0].Took != -steps[0].Start {
		t.Fatalf("the wait is not the first step: %+v", steps)
	}
	for _, s := range steps[1:] {
		if s.Start < 0 || s.Outcome != preview.StepDone || s.Attempts != 1 {
			t.Errorf("%+v", s)
		}
	}
	if list, err = b.store.Deployments(t.Context(), b.preview(first).ID, 5); err != nil || len(list) != 1 || list[0].Steps[0].Name == preview.StepQueue {
		t.Errorf("the first one did not wait: %+v, %v", list, err)
	}
}
