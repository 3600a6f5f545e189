package worker_test

import (
	"errors"
	"testing"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// TestRemovalWithoutGitHub: a removal that was begun on what GitHub said comes to its end although the installation is suspended
// meanwhile and GitHub tells nothing more.
func TestRemovalWithoutGitHub(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "topic", Files: evil(1)})
	b.becomes(pull, preview.StatusRunning)
	suspended := false
	b.ground.onRemove = func() error {
		if suspended {
			return nil
		}
		suspended = true
		b.installation.Suspend()
		return errors.New("the cluster does not answer")
	}
	pull.Close(false)
	b.until("the namespace is removed", func() bool { return b.ground.left() == 0 })
	b.until("the removal is at its end", func() bool { p := b.preview(pull); return p.Status == preview.StatusDeleted && !p.Due() })
	if !suspended {
		t.Error("void: the installation was not suspended")
	}
}
