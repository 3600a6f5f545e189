package worker_test

import (
	"errors"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/worker"
)

// guarded counts how often the guards of a namespace were looked after.
func (b *bundle) guarded(namespace string) int {
	n := 0
	for _, call := range b.ground.heard() {
		if call == "guard "+namespace {
			n++
		}
	}
	return n
}

// TestSweepKeepsGuards: each sweep looks after the guards of every preview that has a namespace, as its plan has them now, and one that
// cannot be looked after does not keep the others from it.
func TestSweepKeepsGuards(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *worker.Options) { o.SweepEvery = 50 * time.Millisecond })
	first, second := b.own("one"), b.own("two")
	one, two := b.becomes(first, preview.StatusRunning), b.becomes(second, preview.StatusRunning)
	waiting := b.becomes(b.open(), preview.StatusBlocked)
	closed := b.own("three")
	gone := b.becomes(closed, preview.StatusRunning)
	closed.Close(false)
	b.becomes(closed, preview.StatusDeleted)

	b.ground.mu.Lock()
	b.ground.onGuard = func(namespace string) error {
		if namespace == one.Namespace {
			return errors.New("the API server does not answer")
		}
		return nil
	}
	b.ground.calls, b.ground.guards = nil, map[string]cluster.Guards{}
	b.ground.mu.Unlock()
	b.until("both are looked after twice", func() bool { return b.guarded(one.Namespace) >= 2 && b.guarded(two.Namespace) >= 2 })
	for _, none := range []string{waiting.Namespace, gone.Namespace} {
		if n := b.guarded(none); n > 0 {
			t.Errorf("%s, which is not there, is looked after %d times", none, n)
		}
	}
	b.ground.mu.Lock()
	defer b.ground.mu.Unlock()
	for _, id := range []preview.Preview{one, two} {
		if got := b.ground.guards[id.Namespace]; got.Host != id.Host || b.ground.namespaces[id.Namespace] != id.NamespaceUID {
			t.Errorf("%s is guarded for the host %q, want %q", id.Namespace, got.Host, id.Host)
		}
	}
}
