package ghapp_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

const getPull = "GET /repos/{owner}/{repo}/pulls/{pull_number}"

// TestLimits (T24): every way in which GitHub says "later" becomes one error with a time.
func TestLimits(t *testing.T) {
	t.Parallel()
	reset := time.Now().Add(20 * time.Minute).Truncate(time.Second)
	for _, c := range []struct {
		name  string
		fault fakegithub.Fault
		want  time.Time
	}{
		{"primary 403", fakegithub.PrimaryLimit(403, reset), reset.Add(time.Second)},
		{"primary 429", fakegithub.PrimaryLimit(429, reset), reset.Add(time.Second)},
		{"primary, reset is past", fakegithub.PrimaryLimit(403, time.Now().Add(-time.Hour)), time.Now().Add(time.Minute)},
		{"secondary with retry-after", fakegithub.SecondaryLimit(403, 90*time.Second), time.Now().Add(90 * time.Second)},
		{"secondary 429", fakegithub.SecondaryLimit(429, 5*time.Minute), time.Now().Add(5 * time.Minute)},
		{"secondary without a time", fakegithub.SecondaryLimit(403, 0), time.Now().Add(time.Minute)},
		{"primary in other words", fakegithub.Fault{Status: 403, Body: "{}", Unchecked: true, Header: map[string]string{
			"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": fmt.Sprint(reset.Unix())}}, reset.Add(time.Second)},
		{"secondary in other words", fakegithub.Fault{Status: 403, Unchecked: true,
			Body: `{"message":"Slow down.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`}, time.Now().Add(time.Minute)},
		{"429 without a word", fakegithub.Fault{Status: 429, Body: "{}", Unchecked: true}, time.Now().Add(time.Minute)},
	} {
		for _, path := range []string{"/pulls/", "/access_tokens"} {
			b := setup(t)
			b.github.Inject(c.fault.On("", path).Repeat(-1))
			_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
			limited, ok := errors.AsType[*ghapp.RateLimited](err)
			if !ok {
				t.Errorf("%s on %s: %v is not RateLimited", c.name, path, err)
				continue
			}
			if off := limited.Until.Sub(c.want).Abs(); off > 10*time.Second {
				t.Errorf("%s on %s: until %s, want %s", c.name, path, limited.Until, c.want)
			}
			if n := b.count(getPull) + b.count(mintToken); n > 2 {
				t.Errorf("%s on %s: %d requests although GitHub said later", c.name, path, n)
			}
		}
	}
}

// TestLimitOfOne: one installation's limit holds back nobody else.
func TestLimitOfOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.Inject(fakegithub.PrimaryLimit(403, time.Now().Add(time.Hour)).On("GET", "/pulls/"))
	if _, err := b.client.PullRequest(t.Context(), b.repo, b.number()); err == nil {
		t.Fatal("the fault was not hit")
	}
	b.elsewhere(t)
	b.read(t)
}

func TestForbiddenIsNoLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.Inject(fakegithub.Fault{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}.On("GET", "/pulls/").Repeat(-1))
	_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
	if _, limited := errors.AsType[*ghapp.RateLimited](err); limited || !errors.Is(err, preview.ErrForbidden) {
		t.Errorf("err = %v, want ErrForbidden", err)
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	for _, fault := range []fakegithub.Fault{fakegithub.ServerError(500), fakegithub.ServerError(502), fakegithub.BrokenConnection()} {
		for _, path := range []string{"/pulls/", "/access_tokens"} {
			b := setup(t)
			b.github.Inject(fault.On("", path).Repeat(-1))
			_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
			for _, kind := range []error{preview.ErrNotFound, preview.ErrGone, preview.ErrForbidden, preview.ErrInvalid} {
				if err == nil || errors.Is(err, kind) {
					t.Errorf("%+v on %s: %v, want an outage", fault, path, err)
				}
			}
		}
	}
}
