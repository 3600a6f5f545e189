package worker_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/worker"
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

// TestOrphanIsRemoved: the sweep has a namespace of ours removed whose preview was called deleted, and makes one known that belongs to a
// pull request of which this database never heard.
func TestOrphanIsRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *worker.Options) { o.SweepEvery = 50 * time.Millisecond })
	known := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "topic", Files: evil(1)})
	p := b.becomes(known, preview.StatusRunning)
	known.Close(false)
	b.becomes(known, preview.StatusDeleted)

	stranger := preview.Key{RepositoryID: b.web.ID(), Number: 4711}
	b.ground.mu.Lock()
	for _, id := range []cluster.Identity{
		{Namespace: p.Namespace, UID: "returned", Key: p.Key, Repository: "acme/web"},
		{Namespace: "pr-web-4711", UID: "unknown", Key: stranger, Repository: "acme/web"},
	} {
		b.ground.namespaces[id.Namespace] = id.UID
		b.ground.orphans = append(b.ground.orphans, id)
	}
	b.ground.mu.Unlock()
	b.until("the namespace that came back is removed", func() bool { return slices.Contains(b.ground.heard()[3:], "remove "+p.Namespace) })
	b.until("the unknown pull request is looked at", func() bool {
		_, err := b.store.PreviewOf(t.Context(), stranger)
		if err != nil && !errors.Is(err, preview.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// TestReopenedWhileStuck: a pull request that is reopened while its old namespace does not go away waits for that, and is deployed when
// the way is free.
func TestReopenedWhileStuck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var free atomic.Bool
	b.ground.onEnsure = func() error {
		if free.Load() {
			return nil
		}
		return preview.Fail(nil, preview.Diagnosis{Code: preview.CodeStuckDelete, Cause: "a finalizer holds it", Blame: preview.BlameCluster})
	}
	pull := b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: "topic", Files: evil(1)})
	b.until("people are told", func() bool { return strings.Contains(b.comment(pull), "a finalizer holds it") })
	b.until("it waits to be tried again", func() bool {
		p := b.preview(pull)
		return p.Status == preview.StatusPending && p.Due()
	})
	free.Store(true)
	b.until("it was deployed", func() bool { p := b.preview(pull); return !p.Due() })
}
