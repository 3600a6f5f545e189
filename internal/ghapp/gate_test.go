package ghapp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// retryAt returns when an error says to try again: what a caller looks at, whichever of the two it is.
func retryAt(t *testing.T, err error) time.Time {
	t.Helper()
	var later interface{ RetryAt() time.Time }
	if !errors.As(err, &later) {
		t.Fatalf("err = %v, want one that says when to try again", err)
	}
	return later.RetryAt()
}

// near reports whether two times differ by less than a test takes.
func near(a, b time.Time) bool { return a.Sub(b).Abs() < 5*time.Second }

// calls are one call of each kind about the bundle's repository.
func (b *bundle) calls() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"read": func(ctx context.Context) error { _, err := b.client.PullRequest(ctx, b.repo, b.number()); return err },
		"list": func(ctx context.Context) error { _, err := b.client.OpenPullRequests(ctx, b.repo); return err },
		"comment": func(ctx context.Context) error {
			_, err := b.client.Comment(ctx, b.repo, b.number(), ghapp.CommentRequest{MayExist: true, Body: text("x")})
			return err
		},
		"archive": func(ctx context.Context) error {
			body, err := b.client.Tarball(ctx, b.repo, b.pull.HeadSHA())
			if err == nil {
				_ = body.Close()
			}
			return err
		},
	}
}

// TestNothingBeforeUntil (T24): after a limit not one request of the installation leaves before its end, and then they do.
func TestNothingBeforeUntil(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func() fakegithub.Fault{
		"primary":   func() fakegithub.Fault { return fakegithub.PrimaryLimit(403, time.Now().Add(10*time.Minute)) },
		"secondary": func() fakegithub.Fault { return fakegithub.SecondaryLimit(429, 10*time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := oneClock(t)
			b.read(t)
			b.github.Inject(fault().On("GET", "/pulls/"))
			_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
			if until := retryAt(t, err); !near(until, time.Now().Add(10*time.Minute)) {
				t.Errorf("until %s, want in 10 minutes", until)
			}
			before := b.wire.count()
			for _, ahead := range []time.Duration{0, 9*time.Minute + 50*time.Second} {
				b.clock.add(ahead)
				for name, call := range b.calls() {
					err := call(t.Context())
					if _, ok := errors.AsType[*ghapp.RateLimited](err); !ok || strings.Contains(err.Error(), "http://") {
						t.Errorf("%s after %s: %v, want RateLimited and no address that was not asked", name, ahead, err)
					}
				}
			}
			api := b.org.CreateRepo(fakegithub.RepoOptions{Name: "api"}) // which there is no token for yet
			if _, err := b.client.OpenPullRequests(t.Context(), ghapp.Repo{InstallationID: b.install.ID(), ID: api.ID(), FullName: "acme/api"}); err == nil {
				t.Error("another repository of the installation was read")
			}
			if n := b.wire.count() - before; n != 0 {
				t.Errorf("%d requests left before GitHub wanted any", n)
			}
			b.clock.add(15 * time.Second)
			for name, call := range b.calls() {
				if err := call(t.Context()); err != nil {
					t.Errorf("%s after the limit: %v", name, err)
				}
			}
		})
	}
}

// TestAppLimit: the limit of the App itself stops new tokens, and no installation that has one.
func TestAppLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	first := *b
	b.github.Inject(fakegithub.SecondaryLimit(403, time.Minute).On("POST", "/access_tokens"))
	b.elsewhere(t)
	for range 3 {
		_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
		retryAt(t, err)
	}
	if n := b.count(mintToken); n != 2 {
		t.Errorf("%d tokens were asked for, want 2: the second was refused", n)
	}
	first.read(t)
}

// TestInstallationUnknown: the gate is the installation's although the caller does not know which one it is.
func TestInstallationUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	id := b.repo.InstallationID
	b.repo.InstallationID = 0
	b.read(t)
	b.github.Inject(fakegithub.SecondaryLimit(403, time.Minute).On("GET", "/pulls/"))
	_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
	retryAt(t, err)
	before := b.wire.count()
	for _, b.repo.InstallationID = range []int64{0, id} {
		_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
		retryAt(t, err)
	}
	if n := b.wire.count() - before; n != 0 {
		t.Errorf("%d requests left", n)
	}
}

// TestPausesGrow (T24): a secondary limit without a time means a minute, then two, up to 15, until GitHub answers.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	b.read(t)
	fault := fakegithub.SecondaryLimit(403, 0)
	fault.Header["X-Ratelimit-Remaining"] = "4000"
	for _, minutes := range []time.Duration{1, 2, 4, 8, 15, 15, 1} {
		if minutes == 1 {
			b.read(t)
		}
		b.github.Inject(fault.On("GET", "/pulls/"))
		_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
		until := retryAt(t, err)
		if !near(until, b.clock.now().Add(minutes*time.Minute)) {
			t.Errorf("a pause of %s, want %d minutes", until.Sub(b.clock.now()), minutes)
		}
		b.clock.add(until.Sub(b.clock.now()) + time.Second)
	}
}

// TestLimitedTogether: requests that were under way at once and are refused together are no repetition.
func TestLimitedTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	const many = 8
	var all sync.WaitGroup
	all.Add(many)
	b.wire.hook(func(*http.Request) {
		all.Done()
		all.Wait()
	})
	b.github.Inject(fakegithub.SecondaryLimit(403, 0).On("GET", "/pulls/").Repeat(-1))
	var callers sync.WaitGroup
	errs := make([]error, many)
	for i := range many {
		callers.Go(func() { _, errs[i] = b.client.PullRequest(t.Context(), b.repo, b.number()) })
	}
	callers.Wait()
	for _, err := range errs {
		if until := retryAt(t, err); !near(until, time.Now().Add(time.Minute)) {
			t.Errorf("until %s, want in a minute", until)
		}
	}
}

// TestAbsurdLimit: a time far away comes from a broken clock or a proxy.
func TestAbsurdLimit(t *testing.T) {
	t.Parallel()
	for _, fault := range []fakegithub.Fault{
		fakegithub.PrimaryLimit(403, time.Now().AddDate(50, 0, 0)),
		fakegithub.SecondaryLimit(429, 1<<33*time.Second),
		{Status: 429, Header: map[string]string{"Retry-After": "99999999999999999999"}, Body: "{}", Unchecked: true},
	} {
		b := setup(t)
		b.github.Inject(fault.On("GET", "/pulls/"))
		_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
		if until := retryAt(t, err); until.After(time.Now().Add(3*time.Hour)) || until.Before(time.Now()) {
			t.Errorf("%+v: until %s", fault, until)
		}
	}
}

// paced gives the bundle a client that writes at the given pace.
func (b *bundle) paced(t *testing.T, perMinute float64, burst int) {
	t.Helper()
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM(), WritesPerMinute: perMinute, WriteBurst: burst})
	b.read(t) // so that there is a token
}

// TestWritesSpaced: many callers at once write one after another, no faster than the pace.
func TestWritesSpaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.paced(t, 1200, 2) // one in 50 ms
	const many = 8
	b.github.Inject(fakegithub.Slow(30*time.Millisecond).On("POST", "/comments$").Repeat(-1))
	start := time.Now()
	var callers sync.WaitGroup
	for range many {
		callers.Go(func() {
			if _, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{Body: text("x")}); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	var at []time.Duration
	for _, r := range b.github.Requests() {
		if r.Operation == createComment {
			at = append(at, r.Start.Sub(start))
		}
	}
	slices.Sort(at)
	if len(at) != many {
		t.Fatalf("%d comments, want %d", len(at), many)
	}
	for i, got := range at {
		if earliest := time.Duration(i-1) * 50 * time.Millisecond; got < earliest {
			t.Errorf("write %d after %s, want not before %s", i, got, earliest)
		}
	}
	if b.wire.most != 1 {
		t.Errorf("%d writes at once, want 1", b.wire.most)
	}
}

// TestLimitedInLine: a limit for one write stops those that wait behind it.
func TestLimitedInLine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	fault := fakegithub.SecondaryLimit(403, time.Minute)
	fault.Delay = 300 * time.Millisecond
	b.github.Inject(fault.On("POST", "/comments$"))
	sent := make(chan struct{})
	var once sync.Once
	b.wire.hook(func(*http.Request) { once.Do(func() { close(sent) }) })
	write := func() {
		_, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{Body: text("x")})
		if _, ok := errors.AsType[*ghapp.RateLimited](err); !ok {
			t.Errorf("err = %v, want RateLimited", err)
		}
	}
	var callers sync.WaitGroup
	callers.Go(write)
	<-sent
	for range 3 {
		callers.Go(write)
	}
	callers.Wait()
	if n := b.count(createComment); n != 1 {
		t.Errorf("%d writes were sent, want 1", n)
	}
}

// TestReadsNotSpaced: only writes wait, and only those of the same installation.
func TestReadsNotSpaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.paced(t, 1, 1)
	b.comment(t, ghapp.CommentRequest{Body: text("one")})
	for range 20 {
		b.read(t)
	}
	b.elsewhere(t)
	b.comment(t, ghapp.CommentRequest{Body: text("one")})
}

// TestLongWait: a write that would wait too long is not waited for, and costs no place in the line.
func TestLongWait(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	b.paced(t, 1, 1)
	b.comment(t, ghapp.CommentRequest{Body: text("one")})
	before := b.wire.count()
	for range 10 {
		_, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{Body: text("two")})
		if until := retryAt(t, err); !near(until, b.clock.now().Add(time.Minute)) {
			t.Errorf("again in %s, want in a minute", until.Sub(b.clock.now()))
		}
	}
	if n := b.wire.count() - before; n != 0 {
		t.Errorf("%d requests left", n)
	}
	b.clock.add(61 * time.Second)
	b.comment(t, ghapp.CommentRequest{Body: text("two")})
}

// TestWaitEnds: who waits for a turn goes when its context ends.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.paced(t, 6, 1) // one in 10 s
	b.comment(t, ghapp.CommentRequest{Body: text("one")})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := b.client.Comment(ctx, b.repo, b.number(), ghapp.CommentRequest{Body: text("two")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the context's", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if n := b.count(createComment); n != 1 {
		t.Errorf("%d comments were written, want 1", n)
	}
}

// TestState: what people and metrics are told.
func TestState(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	var mu sync.Mutex
	var seen []string
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM(), ObserveGate: func(name, state string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, name+" "+state)
	}})
	b.read(t)
	installation := fmt.Sprintf("installation %d", b.install.ID())
	want := []ghapp.GateState{{Name: "api", State: ghapp.GateOpen}, {Name: "app", State: ghapp.GateOpen}, {Name: installation, State: ghapp.GateOpen}}
	if diff := cmp.Diff(want, b.client.State()); diff != "" {
		t.Errorf("all open (-want +got):\n%s", diff)
	}
	b.github.Inject(fakegithub.SecondaryLimit(403, 90*time.Second).On("GET", "/pulls/"))
	_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
	until := retryAt(t, err)
	want[2] = ghapp.GateState{Name: installation, State: ghapp.GateLimited, Until: until, Reason: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
	if diff := cmp.Diff(want, b.client.State()); diff != "" {
		t.Errorf("limited (-want +got):\n%s", diff)
	}
	b.clock.add(2 * time.Minute)
	b.read(t)
	b.github.Inject(fakegithub.ServerError(503).Repeat(5))
	for range 5 {
		_, err = b.client.PullRequest(t.Context(), b.repo, b.number())
	}
	want[0] = ghapp.GateState{Name: "api", State: ghapp.GateDown, Reason: "503 Service Unavailable"}
	want[2] = ghapp.GateState{Name: installation, State: ghapp.GateOpen}
	got := b.client.State()
	want[0].Until, got[0].Until = time.Time{}, time.Time{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("down (-want +got):\n%s\n%v", diff, err)
	}
	b.clock.add(11 * time.Second)
	b.read(t)
	events := []string{installation + " limited", installation + " open", "api down", "api open"}
	if diff := cmp.Diff(events, seen); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// fails reads and wants an outage, of the one kind or the other.
func (b *bundle) fails(t *testing.T, unavailable bool) time.Time {
	t.Helper()
	_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
	down, ok := errors.AsType[*ghapp.Unavailable](err)
	if err == nil || ok != unavailable || errors.Is(err, preview.ErrGone) || errors.Is(err, preview.ErrNotFound) {
		t.Fatalf("err = %v, want Unavailable: %v", err, unavailable)
	}
	if !ok {
		return time.Time{}
	}
	return down.RetryAt()
}
