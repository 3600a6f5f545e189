package ghapp_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
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
		Title: "Blue", Author: "dora", Branch: "blue", BaseBranch: "main", HeadSHA: b.pull.HeadSHA(), HeadRepositoryID: b.web.ID(), HeadRepository: "acme/web", Open: true, Comments: 1,
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

// TestBot: an App's pull request from the repository itself is told by the kind of its author, here and in the list.
func TestBot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pull = b.web.OpenPull(fakegithub.PullOptions{Author: b.github.CreateBot("renovate[bot]"), Head: "renovate/all", Files: fakegithub.Text(map[string]string{"x": "y"})})
	listed, err := b.client.OpenPullRequests(t.Context(), b.repo)
	if err != nil {
		t.Fatal(err)
	}
	for _, pr := range []preview.PullRequest{b.read(t), listed[len(listed)-1]} {
		if !pr.Bot || pr.Author != "renovate[bot]" || pr.Trust() != preview.TrustBot {
			t.Errorf("bot %t, author %s, trust %s", pr.Bot, pr.Author, pr.Trust())
		}
	}
}

// TestBaseIsAFork (T15): a repository that is itself a fork has branches of its own; head.repo.fork is not the test.
func TestBaseIsAFork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	upstream := b.github.CreateOrg("upstream").CreateRepo(fakegithub.RepoOptions{Name: "lib"})
	lib := upstream.Fork(b.org)
	b.repo = ghapp.Repo{InstallationID: b.install.ID(), ID: lib.ID(), FullName: "acme/lib"}
	b.pull = lib.OpenPull(fakegithub.PullOptions{Head: "own", Files: fakegithub.Text(map[string]string{"x": "y"})})
	if pr := b.read(t); pr.Trust() != preview.TrustOwn {
		t.Errorf("a branch of the fork itself: %s", pr.Trust())
	}
	b.pull = lib.OpenPull(fakegithub.PullOptions{HeadRepo: upstream, Head: "theirs", Files: fakegithub.Text(map[string]string{"z": "y"})})
	if pr := b.read(t); pr.Trust() != preview.TrustFork {
		t.Errorf("a branch of the repository that it was forked from: %s", pr.Trust())
	}
}

// TestForkDeleted (T14, T15): a fork is told by the ids, and one that is gone has id 0.
func TestForkDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fork := b.web.Fork(b.github.CreateUser("mallory"))
	b.pull = b.web.OpenPull(fakegithub.PullOptions{HeadRepo: fork, Head: "evil", Files: fakegithub.Text(map[string]string{"x": "y"})})
	if pr := b.read(t); pr.HeadRepositoryID != fork.ID() || pr.RepositoryID != b.web.ID() || pr.HeadRepository != "mallory/web" || pr.Trust() != preview.TrustFork {
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
