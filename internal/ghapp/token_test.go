package ghapp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

const mintToken = "POST /app/installations/{installation_id}/access_tokens"

// TestTokenNarrowed (O15): a token is for one repository, with no more than is needed; and one is enough for many calls.
func TestTokenNarrowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	b.comment(t, ghapp.CommentRequest{Body: text("one")})
	asked := b.wire.requests("/access_tokens")
	if len(asked) != 1 {
		t.Fatalf("%d tokens were asked for, want 1", len(asked))
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(asked[0].body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"repository_ids": []any{float64(b.web.ID())},
		"permissions":    map[string]any{"metadata": "read", "contents": "read", "pull_requests": "write"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token request (-want +got):\n%s", diff)
	}
	api := b.org.CreateRepo(fakegithub.RepoOptions{Name: "api"})
	b.pull = api.OpenPull(fakegithub.PullOptions{Files: fakegithub.Text(map[string]string{"a": "b"})})
	b.repo = ghapp.Repo{InstallationID: b.install.ID(), ID: api.ID(), FullName: "acme/api"}
	b.read(t)
	if n := b.count(mintToken); n != 2 {
		t.Errorf("%d tokens for two repositories, want 2", n)
	}
}

// TestTokenShared: many callers at once make one token.
func TestTokenShared(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.Inject(fakegithub.Slow(50*time.Millisecond).On("POST", "/access_tokens"))
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if _, err := b.client.PullRequest(t.Context(), b.repo, b.number()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := b.count(mintToken); n != 1 {
		t.Errorf("%d tokens, want 1", n)
	}
}

// TestFirstCallerLeaves: the one whose request is under way may give up, the others still get the token.
func TestFirstCallerLeaves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.Inject(fakegithub.Slow(200*time.Millisecond).On("POST", "/access_tokens"))
	ctx, cancel := context.WithCancel(t.Context())
	var first, second error
	var wait sync.WaitGroup
	wait.Go(func() { _, first = b.client.PullRequest(ctx, b.repo, b.number()) })
	tick, late := time.NewTicker(time.Millisecond), time.After(5*time.Second)
	defer tick.Stop()
	for len(b.wire.requests("/access_tokens")) == 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("no token was asked for")
		}
	}
	wait.Go(func() { _, second = b.client.PullRequest(t.Context(), b.repo, b.number()) })
	cancel()
	wait.Wait()
	if !errors.Is(first, context.Canceled) || second != nil {
		t.Errorf("first: %v, want context.Canceled; second: %v, want none", first, second)
	}
	if n := len(b.wire.requests("/access_tokens")); n != 1 {
		t.Errorf("%d tokens were asked for, want 1: the first caller took its own away", n)
	}
}

// TestExpiredToken (T22): a token that ended before its time is replaced once, for reads and for writes.
func TestExpiredToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	b.github.ExpireTokens()
	b.read(t)
	b.github.ExpireTokens()
	id := b.comment(t, ghapp.CommentRequest{Body: text("one")})
	if diff := cmp.Diff([]string{text("one")}, b.comments()); diff != "" || id == 0 {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
	if n := b.count(mintToken); n != 3 {
		t.Errorf("%d tokens, want 3", n)
	}
	b.github.Inject(fakegithub.ExpiredToken().On("GET", "/pulls/").Repeat(-1))
	if _, err := b.client.PullRequest(t.Context(), b.repo, b.number()); !errors.Is(err, preview.ErrForbidden) {
		t.Errorf("every token refused: %v, want ErrForbidden", err)
	}
	if n := b.count(mintToken); n != 4 {
		t.Errorf("%d tokens, want 4: one more try, not more", n)
	}
}

// TestTokenRenewedInTime: no token is used in its last five minutes.
func TestTokenRenewedInTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	b.clock.add(54 * time.Minute)
	b.read(t)
	if n := b.count(mintToken); n != 1 {
		t.Errorf("%d tokens after 54 minutes, want 1", n)
	}
	// The fake keeps the true time and refuses an App from the future, so here asking for a new token shows as an error.
	b.clock.add(2 * time.Minute)
	if _, err := b.client.PullRequest(t.Context(), b.repo, b.number()); err == nil || b.count(mintToken) != 2 {
		t.Errorf("err = %v with %d tokens: a token in its last minutes was used", err, b.count(mintToken))
	}
}

// TestInstallationGone (T20, T21): what GitHub says when the App or the repository is out of reach.
func TestInstallationGone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(*testing.T, *bundle)
		want error
		text string
	}{
		{"uninstalled", func(t *testing.T, b *bundle) { b.install.Delete() }, preview.ErrGone, "the App is no longer installed"},
		{"suspended", func(t *testing.T, b *bundle) { b.install.Suspend() }, preview.ErrForbidden, "suspended"},
		{"repository taken out", func(t *testing.T, b *bundle) {
			other := b.org.CreateRepo(fakegithub.RepoOptions{Name: "other"})
			b.install.Delete()
			b.repo.InstallationID = b.app.Install(b.org, other).ID()
		}, preview.ErrForbidden, "does not cover the repository"},
		{"permission missing", func(t *testing.T, b *bundle) {
			b.install.SetPermissions(map[string]string{"metadata": "read", "contents": "read"})
		}, preview.ErrForbidden, "has not accepted the App's permissions"},
		{"another App's key", func(t *testing.T, b *bundle) {
			other := b.github.CreateApp(fakegithub.AppOptions{Slug: "other"})
			b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: other.KeyPEM()})
		}, preview.ErrForbidden, "check github.app_id, github.private_key and this machine's clock"},
		{"clock ahead", func(t *testing.T, b *bundle) { b.clock.add(time.Hour) }, preview.ErrForbidden, "this machine's clock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c.do(t, b)
			_, err := b.client.PullRequest(t.Context(), b.repo, b.number())
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("err = %v\nwant %v with %q", err, c.want, c.text)
			}
		})
	}
}

// TestClockSkew (T23): a clock that is half a minute wrong is good enough.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-30 * time.Second, 30 * time.Second} {
		b := setup(t)
		b.clock.add(skew)
		b.read(t)
	}
}

func TestInstallation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if id, err := b.client.Installation(t.Context(), "acme/web"); id != b.install.ID() || err != nil {
		t.Errorf("installation %d, %v; want %d", id, err, b.install.ID())
	}
	for name, want := range map[string]error{"acme/none": preview.ErrNotFound, "web": preview.ErrInvalid, "a/b/c": preview.ErrInvalid} {
		if _, err := b.client.Installation(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	b.repo.InstallationID = 0 // as of a webhook of the repository's own
	b.read(t)
}
