package ghapp_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// TestBreaker: after five outages nothing is sent for ten seconds, then one request finds out, and so on at longer and longer
// intervals, until GitHub is back.
func TestBreaker(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fakegithub.Fault{"503": fakegithub.ServerError(503), "broken": fakegithub.BrokenConnection()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := oneClock(t)
			b.read(t)
			b.github.Inject(fault.Repeat(-1))
			for range 5 {
				b.fails(t, false)
			}
			for _, pause := range []time.Duration{10, 20, 40, 80, 120, 120} {
				before := b.wire.count()
				until := b.fails(t, true)
				if !near(until, b.clock.now().Add(pause*time.Second)) {
					t.Errorf("a pause of %s, want %d s", until.Sub(b.clock.now()), pause)
				}
				for name, call := range b.calls() {
					if err := call(t.Context()); !near(retryAt(t, err), until) {
						t.Errorf("%s while GitHub is away: %v", name, err)
					}
				}
				if n := b.wire.count() - before; n != 0 {
					t.Errorf("%d requests left while GitHub is away", n)
				}
				b.clock.add(until.Sub(b.clock.now()))
				b.fails(t, false)
			}
			b.github.ClearFaults()
			b.clock.add(2 * time.Minute)
			for range 3 {
				b.read(t)
			}
			b.github.Inject(fault.Repeat(-1))
			for range 5 {
				b.fails(t, false)
			}
			if until := b.fails(t, true); !near(until, b.clock.now().Add(10*time.Second)) {
				t.Errorf("a pause of %s after GitHub was back, want 10 s", until.Sub(b.clock.now()))
			}
		})
	}
}

// TestOutagesTogether: answers to what was sent before count no more once the breaker is open.
func TestOutagesTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	const many = 20
	var all, callers sync.WaitGroup
	all.Add(many)
	b.wire.hook(func(*http.Request) {
		all.Done()
		all.Wait()
	})
	b.github.Inject(fakegithub.ServerError(503).Repeat(-1))
	for range many {
		callers.Go(func() {
			if _, err := b.client.PullRequest(t.Context(), b.repo, b.number()); err == nil {
				t.Error("read while GitHub is away")
			}
		})
	}
	callers.Wait()
	if until := b.fails(t, true); !near(until, time.Now().Add(10*time.Second)) {
		t.Errorf("a pause of %s, want 10 s", time.Until(until))
	}
}

// TestOneTrial: while one request finds out whether GitHub is back, no other is sent.
func TestOneTrial(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	b.read(t)
	b.github.Inject(fakegithub.ServerError(502).Repeat(5))
	for range 5 {
		b.fails(t, false)
	}
	b.clock.add(11 * time.Second)
	gone, back := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.wire.hook(func(*http.Request) {
		once.Do(func() { close(gone) })
		<-back
	})
	var trial sync.WaitGroup
	trial.Go(func() {
		if _, err := b.client.PullRequest(t.Context(), b.repo, b.number()); err != nil {
			t.Errorf("the trial: %v", err)
		}
	})
	<-gone
	before := b.wire.count()
	for range 10 {
		if until := b.fails(t, true); !until.After(b.clock.now()) {
			t.Errorf("again at %s, which is past", until)
		}
	}
	if n := b.wire.count() - before; n != 0 {
		t.Errorf("%d requests left during the trial", n)
	}
	close(back)
	trial.Wait()
	b.read(t)
}

// TestTrialCalledOff: a caller that goes away in the middle of the trial leaves it to the next one.
func TestTrialCalledOff(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	b.read(t)
	b.github.Inject(fakegithub.ServerError(502).Repeat(5))
	for range 5 {
		b.fails(t, false)
	}
	b.clock.add(11 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	b.wire.hook(func(*http.Request) { cancel() })
	if _, err := b.client.PullRequest(ctx, b.repo, b.number()); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v, want context.Canceled", err)
	}
	b.wire.hook(nil)
	b.read(t)
}

// TestRefusalsAreLife: however many things are not there or not allowed, and however many callers go away, GitHub is not down.
func TestRefusalsAreLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	for range 20 {
		if _, err := b.client.PullRequest(t.Context(), b.repo, 999); !errors.Is(err, preview.ErrNotFound) {
			t.Fatalf("err = %v, want ErrNotFound", err)
		}
	}
	for _, status := range []int{401, 403, 409, 410, 422, 451} {
		b.github.Inject(fakegithub.Fault{Status: status, Unchecked: true}.On("GET", "/pulls/").Repeat(-1))
		for range 6 {
			_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
			if _, down := errors.AsType[*ghapp.Unavailable](err); err == nil || down {
				t.Fatalf("%d: %v", status, err)
			}
		}
		b.github.ClearFaults()
	}
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		b.wire.hook(func(*http.Request) { cancel() })
		if _, err := b.client.PullRequest(ctx, b.repo, b.number()); !errors.Is(err, context.Canceled) {
			t.Fatalf("err = %v, want context.Canceled", err)
		}
	}
	b.wire.hook(nil)
	b.read(t)
}

// TestOutagesInARow: an answer in between starts the count again.
func TestOutagesInARow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	for range 3 {
		b.github.Inject(fakegithub.ServerError(500).Repeat(4))
		for range 4 {
			b.fails(t, false)
		}
		b.read(t)
	}
}

// TestHungGitHub: a call that ends for want of an answer is an outage too.
func TestHungGitHub(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	b.github.Inject(fakegithub.Slow(time.Minute).Repeat(-1))
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := b.client.PullRequest(ctx, b.repo, b.number()); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("err = %v, want the deadline's", err)
		}
		cancel()
	}
	b.fails(t, true)
}
