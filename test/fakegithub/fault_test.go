package fakegithub_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"github.com/google/go-github/v92/github"
)

// witness is a testing.TB that remembers what it was told.
type witness struct {
	testing.TB
	errors  []string
	cleanup []func()
}

func (w *witness) Helper()                           {}
func (w *witness) Cleanup(f func())                  { w.cleanup = append(w.cleanup, f) }
func (w *witness) Errorf(format string, args ...any) { w.errors = append(w.errors, format) }

// The checker bites: a wrong answer, an unknown query parameter and an unknown operation each fail the test that
// started the server, unless it takes the violation.
func TestCheckerBites(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		do    func(b *bundle)
		wrong string // part of the violation, empty for none
	}{
		{"good", func(b *bundle) { b.ask(b.token, "GET", "/repos/acme/web", nil) }, ""},
		{"wrong answer", func(b *bundle) {
			b.Inject(fakegithub.Forged(200, `{"id":"seven"}`).On("GET", "^/repos/acme/web$"))
			b.ask(b.token, "GET", "/repos/acme/web", nil)
		}, "answer of GET /repos/{owner}/{repo}"},
		{"wrong answer on purpose", func(b *bundle) {
			f := fakegithub.Forged(200, `{"id":"seven"}`).On("GET", "^/repos/acme/web$")
			f.Unchecked = true
			b.Inject(f)
			b.ask(b.token, "GET", "/repos/acme/web", nil)
		}, ""},
		{"undocumented status", func(b *bundle) {
			b.Inject(fakegithub.Forged(418, `{"message":"teapot"}`))
			b.ask(b.token, "GET", "/repos/acme/web", nil)
		}, "status 418"},
		{"unknown query parameter", func(b *bundle) {
			b.ask(b.token, "GET", "/repos/acme/web/issues/1/comments?perPage=100", nil)
		}, `unknown query parameter "perPage"`},
		{"unknown query parameter by number", func(b *bundle) {
			_, _, body := b.ask(b.token, "GET", "/repos/acme/web", nil)
			var repo struct{ ID json.Number }
			_ = json.Unmarshal(body, &repo)
			b.ask(b.token, "GET", "/repositories/"+repo.ID.String()+"/pulls?stat=open", nil)
		}, `unknown query parameter "stat"`},
		{"unknown operation", func(b *bundle) { b.ask(b.token, "GET", "/repos/acme/web/stargazers", nil) }, "no such operation"},
		{"bad body", func(b *bundle) {
			b.ask(b.token, "POST", "/repos/acme/web/issues/1/comments", map[string]any{"text": "x"})
		}, `"body" is missing`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.do(b)
			violations := b.TakeViolations()
			switch {
			case test.wrong == "" && len(violations) > 0:
				t.Errorf("violations: %v", violations)
			case test.wrong != "" && (len(violations) != 1 || !strings.Contains(violations[0].String(), test.wrong)):
				t.Errorf("violations: %v, want one about %q", violations, test.wrong)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	w := &witness{TB: t}
	b := &bundle{Server: fakegithub.Start(w), t: t, transport: newTransport(t)}
	b.ask("", "GET", "/meta?x=1", nil)
	for _, f := range w.cleanup {
		f()
	}
	if len(w.errors) != 1 {
		t.Errorf("a test with one violation was failed %d times", len(w.errors))
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	comment := map[string]any{"body": "x"}
	const path = "/repos/acme/web/issues/1/comments"
	post := func() (int, int) {
		t.Helper()
		before := len(b.pull.Comments())
		status, _, _ := b.ask(b.token, "POST", path, comment)
		return status, len(b.pull.Comments()) - before
	}
	broken := fakegithub.BrokenConnection()
	lost := broken
	lost.After = true
	for _, test := range []struct {
		name         string
		fault        fakegithub.Fault
		status, made int
	}{
		{"500", fakegithub.ServerError(500), 500, 0},
		{"502 after success", fakegithub.LostAnswer(), 502, 1},
		{"broken connection", broken, 0, 0},
		{"broken connection after success", lost, 0, 1},
		{"slow", fakegithub.Slow(50 * time.Millisecond), 201, 1},
		{"expired token", fakegithub.ExpiredToken(), 401, 0},
		{"primary limit", fakegithub.PrimaryLimit(429, time.Now().Add(time.Minute)), 429, 0},
		{"secondary limit", fakegithub.SecondaryLimit(403, 0), 403, 0},
	} {
		b.Inject(test.fault.On("POST", "/issues/1/comments$"))
		if status, made := post(); status != test.status || made != test.made {
			t.Errorf("%s: status %d and %d comments, want %d and %d", test.name, status, made, test.status, test.made)
		}
		if status, made := post(); status != 201 || made != 1 {
			t.Errorf("after %s: status %d and %d comments, want 201 and 1", test.name, status, made)
		}
	}
	f := fakegithub.ServerError(503).On("GET", "/pulls/1$").Repeat(2)
	f.Skip = 1
	b.Inject(f)
	for i, want := range []int{200, 503, 503, 200} {
		if n := b.PendingFaults(); (n > 0) != (i < 3) {
			t.Errorf("request %d: %d faults pending", i, n)
		}
		if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web/pulls/1", nil); status != want {
			t.Errorf("request %d: status %d, want %d", i, status, want)
		}
	}
	b.Inject(fakegithub.ServerError(500).Repeat(-1))
	b.ask(b.token, "GET", "/meta", nil)
	b.ClearFaults()
	if status, _, _ := b.ask(b.token, "GET", "/meta", nil); status != 200 {
		t.Errorf("after ClearFaults: %d", status)
	}
}

// go-github reads the limits as it reads GitHub's.
func TestLimitErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	reset := time.Now().Add(time.Hour).Truncate(time.Second)
	b.Inject(fakegithub.PrimaryLimit(403, reset).On("GET", "/pulls/1$"))
	_, _, err := b.client(b.token).PullRequests.Get(t.Context(), "acme", "web", 1)
	var primary *github.RateLimitError
	if !errors.As(err, &primary) || !primary.Rate.Reset.Equal(github.Timestamp{Time: reset}) {
		t.Errorf("primary limit: %v", err)
	}
	b.Inject(fakegithub.SecondaryLimit(403, 7*time.Second).On("GET", "/pulls/1$"))
	_, _, err = b.client(b.token).PullRequests.Get(t.Context(), "acme", "web", 1)
	var secondary *github.AbuseRateLimitError
	if !errors.As(err, &secondary) || secondary.GetRetryAfter() != 7*time.Second {
		t.Errorf("secondary limit: %v", err)
	}
}

// A slow answer ends when its caller gives up.
func TestSlowCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Inject(fakegithub.Slow(time.Hour).On("GET", "/pulls/1$"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := b.client(b.token).PullRequests.Get(ctx, "acme", "web", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline", err)
	}
}
