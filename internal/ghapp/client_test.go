package ghapp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

const (
	mintToken  = "POST /app/installations/{installation_id}/access_tokens"
	getPull    = "GET /repos/{owner}/{repo}/pulls/{pull_number}"
	getRepo    = "GET /repos/{owner}/{repo}"
	getTarball = "GET /repos/{owner}/{repo}/tarball/{ref}"
)

// read fails the test when the pull request cannot be read.
func (b *bundle) read(t *testing.T) preview.PullRequest {
	t.Helper()
	pr, err := b.client.PullRequest(t.Context(), b.repo, b.number())
	if err != nil {
		t.Fatal(err)
	}
	return pr
}

func TestPullRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pull.Comment("hello")
	want := preview.PullRequest{
		Key: preview.Key{RepositoryID: b.web.ID(), Number: b.number()}, Repository: "acme/web", InstallationID: b.install.ID(), Private: true,
		Title: "Blue", Author: "dora", Branch: "blue", BaseBranch: "main", HeadSHA: b.pull.HeadSHA(), HeadRepositoryID: b.web.ID(), Open: true, Comments: 1,
	}
	if diff := cmp.Diff(want, b.read(t)); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
	b.pull.Close(true)
	want.Open, want.Merged = false, true
	if diff := cmp.Diff(want, b.read(t)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	_, err := b.client.PullRequest(t.Context(), b.repo, 999)
	if !errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrGone) {
		t.Errorf("no such pull request: %v, want ErrNotFound", err)
	}
}

// TestForkDeleted (T14, T15): a fork is told by the ids, and one that is gone has id 0.
func TestForkDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fork := b.web.Fork(b.github.CreateUser("mallory"))
	b.pull = b.web.OpenPull(fakegithub.PullOptions{HeadRepo: fork, Head: "evil", Files: fakegithub.Text(map[string]string{"x": "y"})})
	if pr := b.read(t); pr.HeadRepositoryID != fork.ID() || pr.RepositoryID != b.web.ID() {
		t.Errorf("head repository %d, base %d; want %d, %d", pr.HeadRepositoryID, pr.RepositoryID, fork.ID(), b.web.ID())
	}
	fork.Delete()
	b.github.TakeViolations() // GitHub's description says that head.repo is never null; GitHub's behaviour differs
	if pr := b.read(t); pr.HeadRepositoryID != 0 || pr.Open {
		t.Errorf("head repository %d, open %v; want 0, closed", pr.HeadRepositoryID, pr.Open)
	}
	b.github.TakeViolations()
}

// TestNoPullFromBadAnswer: an answer that is not a pull request never makes one, least of all a closed one.
func TestNoPullFromBadAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	almost := func(number int, state, sha string) string {
		return fmt.Sprintf(`{"number":%d,"state":%q,"base":{"repo":{"id":%d,"full_name":"acme/web"}},"head":{"sha":%q}}`, number, state, b.web.ID(), sha)
	}
	b.github.Inject(fakegithub.Fault{Status: 200, Body: almost(b.number(), "closed", sha), Unchecked: true}.On("GET", "/pulls/"))
	if pr := b.read(t); pr.Open || pr.Comments != -1 {
		t.Fatalf("%+v: the answers below would fail for another reason", pr)
	}
	for _, body := range []string{
		``, `{}`, `null`, `<html>`, `[]`, `{"state":"closed"}`,
		almost(b.number()+1, "closed", sha), almost(b.number(), "", sha), almost(b.number(), "closed", ""), almost(b.number(), "closed", "x"),
	} {
		b.github.Inject(fakegithub.Fault{Status: 200, Body: body, Unchecked: true}.On("GET", "/pulls/"))
		pr, err := b.client.PullRequest(t.Context(), b.repo, b.number())
		if err == nil || errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrGone) {
			t.Errorf("answer %q gives %+v, %v; want an outage", body, pr, err)
		}
	}
}

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
	for deadline := time.Now().Add(5 * time.Second); len(b.wire.requests("/access_tokens")) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("no token was asked for")
		}
		time.Sleep(time.Millisecond)
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

// TestRenamed (T19): the stored name is old. GitHub redirects readers with 301 and writers with 307.
func TestRenamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.web.Rename("site")
	id := b.comment(t, ghapp.CommentRequest{Body: text("one")})
	if got := b.comment(t, ghapp.CommentRequest{ID: id, Body: text("two")}); got != id {
		t.Errorf("comment %d, want %d", got, id)
	}
	if diff := cmp.Diff([]string{text("two")}, b.comments()); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
	if pr := b.read(t); pr.Repository != "acme/site" {
		t.Errorf("repository %q, want acme/site", pr.Repository)
	}
	b.tarball(t)
}

// TestNameReused (T19): another repository has the old name. Nothing of it is read, and nothing is written to it, whichever
// call comes first.
func TestNameReused(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"App", "token"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			robot := b.github.CreateUser("robot")
			b.web.AddCollaborator(robot, "write")
			options := ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM()}
			if mode == "token" {
				options, b.repo.InstallationID = ghapp.Options{Token: robot.Token()}, 0
			}
			sha := b.pull.HeadSHA()
			b.web.Rename("site")
			squatter := b.org.CreateRepo(fakegithub.RepoOptions{Name: "web"})
			other := squatter.OpenPull(fakegithub.PullOptions{Title: "Red", Files: fakegithub.Text(map[string]string{"a": "b"})})
			if other.Number() != b.pull.Number() {
				t.Fatalf("numbers %d and %d differ: the test proves nothing", other.Number(), b.pull.Number())
			}
			b.client = b.connect(t, options)
			if pr := b.read(t); pr.Title != "Blue" || pr.RepositoryID != b.web.ID() {
				t.Errorf("read %q of repository %d", pr.Title, pr.RepositoryID)
			}
			b.client = b.connect(t, options)
			b.comment(t, ghapp.CommentRequest{Body: text("one")})
			if len(other.Comments()) != 0 || len(b.comments()) != 1 {
				t.Errorf("%d comments on the other repository's pull request, %d on ours", len(other.Comments()), len(b.comments()))
			}
			b.client = b.connect(t, options)
			if body, err := b.client.Tarball(t.Context(), b.repo, sha); err != nil {
				t.Error(err)
			} else {
				_ = body.Close()
			}
		})
	}
}

// TestRepositoryDeleted (T20): GitHub sends no event about it, so reading must tell.
func TestRepositoryDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.read(t)
	b.web.Delete()
	if _, err := b.client.PullRequest(t.Context(), b.repo, b.number()); !errors.Is(err, preview.ErrGone) {
		t.Errorf("err = %v, want ErrGone", err)
	}
	if _, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{ID: 7, Body: text("x")}); !errors.Is(err, preview.ErrGone) {
		t.Errorf("err = %v, want ErrGone", err)
	}
}

// tarball fails the test when the archive of the pull request's commit cannot be had.
func (b *bundle) tarball(t *testing.T) []byte {
	t.Helper()
	body, err := b.client.Tarball(t.Context(), b.repo, b.pull.HeadSHA())
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestTarball (T26): the archive comes from another host, which must not see the token.
func TestTarball(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if data := b.tarball(t); len(data) < 2 || data[0] != 0x1f || data[1] != 0x8b {
		t.Errorf("%d bytes that are not gzip", len(data))
	}
	elsewhere := b.wire.requests("legacy.tar.gz")
	if len(elsewhere) != 1 || elsewhere[0].authorization != "" {
		t.Errorf("requests to the other host: %+v, want one without a token", elsewhere)
	}
	if there := b.wire.requests("/tarball/"); len(there) != 1 || !strings.HasPrefix(there[0].authorization, "Bearer ghs_") {
		t.Errorf("requests to the API: %+v, want one with a token", there)
	}
	for sha, want := range map[string]error{strings.Repeat("0", 40): preview.ErrNotFound, "main": preview.ErrInvalid, "../../../user": preview.ErrInvalid} {
		if _, err := b.client.Tarball(t.Context(), b.repo, sha); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", sha, err, want)
		}
	}
}

// TestTokenStaysHome: a redirect to the same host name on another port is another server too.
func TestTokenStaysHome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := fakegithub.Start(t)
	b.github.Inject(fakegithub.Fault{Status: 302, Unchecked: true, Header: map[string]string{"Location": other.APIURL() + "meta"}}.On("GET", "/tarball/"))
	body, err := b.client.Tarball(t.Context(), b.repo, b.pull.HeadSHA())
	if err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	if got := b.wire.requests("/meta"); len(got) != 1 || got[0].authorization != "" {
		t.Errorf("requests to the other port: %+v, want one without a token", got)
	}
}

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

func TestObserve(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var mu sync.Mutex
	var seen []string
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM(), Observe: func(method, route string, status int, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(method, " ", route, " ", status))
		if took <= 0 {
			t.Errorf("%s took %s", route, took)
		}
	}})
	b.comment(t, ghapp.CommentRequest{Body: text("x")})
	b.tarball(t)
	want := []string{
		"POST /app/installations/{installation}/access_tokens 201", "POST /repos/{owner}/{repo}/issues/{number}/comments 201",
		"GET /repos/{owner}/{repo}/tarball/{ref} 302", "GET other host 200",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ghapp.Options{
		"nothing": {}, "App without key": {AppID: 1}, "both": {AppID: 1, PrivateKey: []byte("x"), Token: "x"},
		"bad key": {AppID: 1, PrivateKey: []byte("x")}, "bad URL": {Token: "x", APIURL: "github"},
	} {
		if _, err := ghapp.New(o); !errors.Is(err, preview.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := ghapp.New(ghapp.Options{Token: "x", APIURL: "https://github.example.com/api/v3", HTTP: &http.Client{}}); err != nil {
		t.Error(err)
	}
}
