package worker_test

import (
	"fmt"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// TestLeaseLate: a lease that only seemed to be over, because its renewal came late, stops the work on the cluster. Nobody has
// overtaken it: the same deployment is taken up again, and no second one is made.
func TestLeaseLate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stopped := 0
	b.ground.onDeploy = func() error {
		if stopped++; stopped == 1 {
			return fmt.Errorf("the right to write is over: %w", preview.ErrStale)
		}
		return nil
	}
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "topic", Files: evil(1)})
	p := b.becomes(pull, preview.StatusRunning)
	list, err := b.store.Deployments(t.Context(), p.ID, 10)
	if err != nil {
		t.Fatal(err)
	}
	if stopped != 2 || len(list) != 1 || list[0].Status != preview.DeploymentSucceeded {
		t.Errorf("deployed %d times; the deployments are %+v", stopped, list)
	}
}
