package fakegithub_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"catalyst.dev/catalyst/test/fakegithub"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v92/github"
)

const marker = "<!-- marker -->"

// The Link header as recorded from GitHub: by number, in this order.
func TestLinks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 13 {
		b.pull.Comment(fmt.Sprint(i))
	}
	u := fmt.Sprintf("%srepositories/%d/issues/1/comments?per_page=3&page=", b.APIURL(), b.repo.ID())
	link := func(page, rel string) string { return "<" + u + page + `>; rel="` + rel + `"` }
	for page, want := range map[string][]string{
		"":        {link("2", "next"), link("5", "last")},
		"&page=2": {link("1", "prev"), link("3", "next"), link("5", "last"), link("1", "first")},
		"&page=5": {link("4", "prev"), link("1", "first")},
	} {
		_, header, _ := b.ask(b.token, "GET", "/repos/acme/web/issues/1/comments?per_page=3"+page, nil)
		if diff := cmp.Diff(strings.Join(want, ", "), header.Get("Link")); diff != "" {
			t.Errorf("page %q (-want +got):\n%s", page, diff)
		}
	}
	if _, header, body := b.ask(b.token, "GET", "/repos/acme/web/issues/1/comments", nil); header.Get("Link") != "" || strings.Count(string(body), `"issue_url"`) != 13 {
		t.Errorf("13 comments on one page: Link %q", header.Get("Link"))
	}
}

// A client that follows the pages finds a marker on the second; one that reads the first page does not.
func TestMarkerOnPageTwo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 30 {
		b.pull.Comment(fmt.Sprint(i))
	}
	want := b.pull.Comment(marker)
	find := func(pages int) int64 {
		c := b.client(b.token)
		options := &github.IssueListCommentsOptions{}
		for range pages {
			list, response, err := c.Issues.ListComments(t.Context(), "acme", "web", 1, options)
			if err != nil {
				t.Fatal(err)
			}
			for _, comment := range list {
				if strings.Contains(comment.GetBody(), marker) {
					return comment.GetID()
				}
			}
			if response.NextPage == 0 {
				break
			}
			options.Page = response.NextPage
		}
		return 0
	}
	if got := find(100); got != want {
		t.Errorf("the client that follows the pages found %d, want %d", got, want)
	}
	if got := find(1); got != 0 {
		t.Errorf("the client that reads one page found %d: the fake does not page", got)
	}
}

// Only the App's number tells its comment from a stranger's with the same text.
func TestForgedMarker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mallory := b.CreateUser("mallory")
	forged := b.pull.As(mallory).Comment(marker)
	c := b.client(b.token)
	own, _, err := c.Issues.CreateComment(t.Context(), "acme", "web", 1, github.IssueCommentRequest{Body: marker})
	if err != nil {
		t.Fatal(err)
	}
	if own.GetUser().GetLogin() != "catalyst[bot]" || own.GetUser().GetType() != "Bot" {
		t.Errorf("the App's comment is by %s, a %s", own.GetUser().GetLogin(), own.GetUser().GetType())
	}
	list, _, err := c.Issues.ListComments(t.Context(), "acme", "web", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	byText, byApp := int64(0), int64(0)
	for _, x := range list {
		if byText == 0 && strings.Contains(x.GetBody(), marker) {
			byText = x.GetID()
		}
		if x.PerformedViaGithubApp.GetID() == b.app.ID() {
			byApp = x.GetID()
		}
	}
	if byText != forged || byApp != own.GetID() {
		t.Errorf("by text %d, want the forged %d; by App %d, want %d", byText, forged, byApp, own.GetID())
	}
	stranger := b.client(mallory.Token())
	if _, response, err := stranger.Issues.UpdateComment(t.Context(), "acme", "web", own.GetID(), github.IssueCommentRequest{Body: "x"}); err == nil || response.StatusCode != 403 {
		t.Errorf("a stranger edits the bot's comment: %v", err)
	}
	maintainer := b.client(b.alice.Token())
	if _, _, err := maintainer.Issues.UpdateComment(t.Context(), "acme", "web", own.GetID(), github.IssueCommentRequest{Body: "x"}); err != nil {
		t.Errorf("a person with write access cannot edit the bot's comment: %v", err)
	}
	b.pull.DeleteComment(own.GetID())
	if _, response, err := c.Issues.UpdateComment(t.Context(), "acme", "web", own.GetID(), github.IssueCommentRequest{Body: "x"}); err == nil || response.StatusCode != 404 {
		t.Errorf("a deleted comment is edited: %v", err)
	}
}

func TestCommentLength(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(b.token)
	for _, test := range []struct {
		name, body string
		status     int
	}{
		{"at the limit", strings.Repeat("x", 65536), 201},
		{"over the limit", strings.Repeat("x", 65537), 422},
		{"characters, not bytes", strings.Repeat("é", 65536), 201},
		{"blank", " \n", 422},
	} {
		_, response, err := c.Issues.CreateComment(t.Context(), "acme", "web", 1, github.IssueCommentRequest{Body: test.body})
		if response == nil || response.StatusCode != test.status {
			t.Errorf("%s: %v, want status %d", test.name, err, test.status)
		}
		if test.name == "over the limit" && !strings.Contains(fmt.Sprint(err), "Body is too long (maximum is 65536 characters)") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	b.pull.Lock()
	if status, _, body := b.ask(b.token, "POST", "/repos/acme/web/issues/1/comments", map[string]any{"body": "x"}); status != 403 || !strings.Contains(string(body), "locked") {
		t.Errorf("on a locked pull request: %d %s", status, body)
	}
}

// A renamed repository answers readers 301 and writers 307, at its number; a repository that takes the old name ends that.
func TestRename(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.repo.Rename("site")
	at := fmt.Sprintf("%srepositories/%d", b.APIURL(), b.repo.ID())
	status, header, _ := b.ask(b.token, "GET", "/repos/acme/web", nil)
	if status != 301 || header.Get("Location") != at {
		t.Errorf("GET: %d to %s, want 301 to %s", status, header.Get("Location"), at)
	}
	status, header, _ = b.ask(b.token, "POST", "/repos/acme/web/issues/1/comments", map[string]any{"body": "x"})
	if status != 307 || header.Get("Location") != at+"/issues/1/comments" {
		t.Errorf("POST: %d to %s, want 307 to %s/issues/1/comments", status, header.Get("Location"), at)
	}
	if n := len(b.pull.Comments()); n != 0 {
		t.Errorf("the redirected POST made %d comments", n)
	}
	repo, _, err := b.client(b.token).Repositories.Get(t.Context(), "acme", "web")
	if err != nil || repo.GetFullName() != "acme/site" || repo.GetID() != b.repo.ID() {
		t.Errorf("following: %s %d, %v", repo.GetFullName(), repo.GetID(), err)
	}
	other := b.acme.CreateRepo(fakegithub.RepoOptions{Name: "web"})
	repo, _, err = b.client(b.token).Repositories.Get(t.Context(), "acme", "web")
	if err != nil || repo.GetID() != other.ID() {
		t.Errorf("the old name is repository %d, want the new %d: %v", repo.GetID(), other.ID(), err)
	}
	if status, _, _ := b.ask(b.token, "GET", fmt.Sprintf("/repositories/%d/pulls/1", b.repo.ID()), nil); status != 200 {
		t.Errorf("by number: %d", status)
	}
	b.repo.Delete()
	if status, _, _ := b.ask(b.token, "GET", fmt.Sprintf("/repositories/%d", b.repo.ID()), nil); status != 404 {
		t.Errorf("deleted: %d", status)
	}
}

func TestPull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(b.token)
	get := func(repo string, number int64) *github.PullRequest {
		t.Helper()
		p, _, err := c.PullRequests.Get(t.Context(), "acme", repo, int(number))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := get("web", 1); p.Mergeable != nil {
		t.Error("the first reader learns whether it can be merged, want null")
	}
	if p := get("web", 1); !p.GetMergeable() || p.GetMergeCommitSHA() == "" || p.GetChangedFiles() != 1 || p.GetCommits() != 1 {
		t.Errorf("the second reader: mergeable %v, %s, %d files, %d commits", p.Mergeable, p.GetMergeCommitSHA(), p.GetChangedFiles(), p.GetCommits())
	}
	first := b.pull.HeadSHA()
	second := b.pull.Push(fakegithub.Text(map[string]string{"page.html": "2"}), "two")
	b.repo.Commit("main", fakegithub.Text(map[string]string{"page.html": "conflict"}), "conflict")
	get("web", 1)
	if p := get("web", 1); p.GetHead().GetSHA() != second || p.Mergeable == nil || p.GetMergeable() || p.GetMergeableState() != "dirty" {
		t.Errorf("after a conflicting push to main: %s, mergeable %v", p.GetHead().GetSHA(), p.Mergeable)
	}
	b.pull.ForcePush(first)
	if p := get("web", 1); p.GetHead().GetSHA() != first {
		t.Errorf("after a force push: %s, want %s", p.GetHead().GetSHA(), first)
	}
	if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web/git/commits/"+second, nil); status != 200 {
		t.Errorf("the commit that was pushed away: %d", status)
	}
	b.pull.Close(false)
	b.repo.SetBranch("page", second)
	if p := get("web", 1); p.GetState() != "closed" || p.GetHead().GetSHA() != first {
		t.Errorf("a push while closed: %s at %s", p.GetState(), p.GetHead().GetSHA())
	}
	b.pull.Reopen()
	if p := get("web", 1); p.GetState() != "open" || p.GetHead().GetSHA() != second {
		t.Errorf("reopened: %s at %s", p.GetState(), p.GetHead().GetSHA())
	}

	bob := b.CreateUser("bob")
	fork := b.repo.Fork(bob)
	forked := b.repo.OpenPull(fakegithub.PullOptions{HeadRepo: fork, Head: "theirs", Files: fakegithub.Text(map[string]string{"x": "x"})})
	p := get("web", forked.Number())
	if p.GetHead().GetRepo().GetID() == p.GetBase().GetRepo().GetID() || !p.GetHead().GetRepo().GetFork() || p.GetAuthorAssociation() != "NONE" {
		t.Errorf("from a fork: head %d, base %d, %s", p.GetHead().GetRepo().GetID(), p.GetBase().GetRepo().GetID(), p.GetAuthorAssociation())
	}
	if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web/contents/x?ref="+forked.HeadSHA(), nil); status != 200 {
		t.Errorf("a fork's commit through the base repository: %d", status)
	}
	fork.Delete()
	b.settle()
	messages := b.received.messages()
	if last := messages[len(messages)-1]; last.name() != "pull_request.closed" || !bytes.Contains(last.body, []byte(`"repo":null`)) {
		t.Errorf("the fork's end: %s: %.100s", last.name(), last.body)
	}
	status, _, body := b.ask(b.token, "GET", fmt.Sprintf("/repos/acme/web/pulls/%d", forked.Number()), nil)
	var raw struct {
		State string
		Head  struct{ Repo *json.RawMessage }
	}
	if err := json.Unmarshal(body, &raw); err != nil || status != 200 || raw.Head.Repo != nil || raw.State != "closed" {
		t.Errorf("with its fork deleted: %d, %s, repository %v", status, raw.State, raw.Head.Repo)
	}
	issue := b.repo.OpenIssue(b.alice, "A plain issue", "")
	issue.Comment("x")
	if status, _, _ := b.ask(b.token, "GET", fmt.Sprintf("/repos/acme/web/pulls/%d", issue.Number()), nil); status != 404 {
		t.Errorf("an issue as a pull request: %d", status)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.repo.Commit("main", fakegithub.Text(map[string]string{"more": "more"}), "more")
	b.pull.Close(true)
	p, _, err := b.client(b.token).PullRequests.Get(t.Context(), "acme", "web", 1)
	if err != nil {
		t.Fatal(err)
	}
	if !p.GetMerged() || p.GetMergeCommitSHA() != b.repo.SHA("main") || p.GetMergeCommitSHA() == p.GetHead().GetSHA() || p.GetCommits() != 1 {
		t.Errorf("merged %v as %s, main is %s, %d commits", p.GetMerged(), p.GetMergeCommitSHA(), b.repo.SHA("main"), p.GetCommits())
	}
	for _, name := range []string{"more", "page.html"} {
		if status, _, _ := b.ask(b.token, "GET", "/repos/acme/web/contents/"+name, nil); status != 200 {
			t.Errorf("%s is not in main: %d", name, status)
		}
	}
}

// A client that lets its HTTP library follow the redirect gives the token away when it adds it to every request.
func TestTarball(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acme.CreateRepo(fakegithub.RepoOptions{Name: "secret", Private: true, Files: fakegithub.Files{
		"run.sh": {Content: []byte("#!/bin/sh\n"), Mode: "100755"}, "link": {Content: []byte("run.sh"), Mode: "120000"}, "a/b.txt": {Content: []byte("b")}}})
	sha := b.Repo("acme", "secret").SHA("main")
	link, _, err := b.client(b.token).Repositories.GetArchiveLink(t.Context(), "acme", "secret", github.Tarball, &github.RepositoryContentGetOptions{Ref: sha}, 0)
	if err != nil {
		t.Fatal(err)
	}
	status, _, data := b.ask("", "GET", link.String(), nil)
	if status != 200 {
		t.Fatalf("GET %s: %d", link, status)
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for files := tar.NewReader(zip); ; {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%c %s %o %s%s", h.Typeflag, h.Name, h.Mode, h.Linkname, h.PAXRecords["comment"]))
	}
	top := "acme-secret-" + sha[:7] + "/"
	want := []string{"g pax_global_header 0 " + sha, "5 " + top + " 775 ", "5 " + top + "a/ 775 ", "0 " + top + "a/b.txt 664 ",
		"2 " + top + "link 777 run.sh", "0 " + top + "run.sh 775 "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	address, _, _ := strings.Cut(link.String(), "?")
	if status, _, _ := b.ask("", "GET", address, nil); status != 404 {
		t.Errorf("a private archive without its ticket: %d", status)
	}
	if v := b.Violations(); len(v) > 0 {
		t.Errorf("the right client: %v", v)
	}
	leaky := &http.Client{Transport: addToken{b.transport, b.token}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.APIURL()+"repos/acme/secret/tarball/"+sha, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := leaky.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if v := b.TakeViolations(); len(v) != 1 || v[0].Side != "archive" {
		t.Errorf("the leaky client: %v, want one violation of the archives", v)
	}
}

// addToken is the wrong way to add a token: to every request, whatever its host.
type addToken struct {
	next  http.RoundTripper
	token string
}

func (a addToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+a.token)
	return a.next.RoundTrip(r)
}

// The defaults of a deployment bite a client that leaves them.
func TestDeploymentDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(b.token)
	head := b.pull.HeadSHA()
	b.repo.Commit("main", fakegithub.Text(map[string]string{"more": "more"}), "more")
	if status, _, _ := b.ask(b.token, "POST", "/repos/acme/web/deployments", map[string]any{"ref": "page"}); status != 202 {
		t.Errorf("with the default auto_merge: %d, want 202", status)
	}
	if b.pull.HeadSHA() == head {
		t.Error("the default auto_merge left the developer's branch alone")
	}
	if _, _, err := c.Repositories.CreateStatus(t.Context(), "acme", "web", head, github.RepoStatus{State: new("pending"), Context: new("ci")}); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := b.ask(b.token, "POST", "/repos/acme/web/deployments", map[string]any{"ref": head, "auto_merge": false}); status != 409 {
		t.Errorf("with the default required_contexts: %d, want 409", status)
	}
	d, _, err := c.Repositories.CreateDeployment(t.Context(), "acme", "web", github.DeploymentRequest{Ref: head, AutoMerge: new(false),
		RequiredContexts: []string{}, Environment: new("pr-1"), TransientEnvironment: new(true), ProductionEnvironment: new(false)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = c.Repositories.CreateDeploymentStatus(t.Context(), "acme", "web", d.GetID(),
		github.DeploymentStatusRequest{State: "success", EnvironmentURL: new("http://pr-1.localhost")}); err != nil {
		t.Fatal(err)
	}
	want := []fakegithub.DeploymentView{{ID: d.GetID(), SHA: head, Environment: "pr-1", State: "success", URL: "http://pr-1.localhost"}}
	if diff := cmp.Diff(want, b.repo.Deployments()); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
}

// Objects have the SHA that git gives them.
func TestSHA(t *testing.T) {
	t.Parallel()
	b := setup(t)
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	_, _, body := b.ask(b.token, "GET", "/repos/acme/web/git/commits/"+b.pull.HeadSHA(), nil)
	var c struct {
		SHA, Message string
		Tree         struct{ SHA string }
		Parents      []struct{ SHA string }
		Author       struct{ Name, Email, Date string }
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(input string, env []string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
		cmd.Env = append([]string{"GIT_DIR=" + filepath.Join(dir, ".git"), "HOME=" + dir}, env...)
		out, err := cmd.Output()
		if err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Fatalf("git %v: %s", args, exit.Stderr)
			}
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	run("", nil, "init", "-q")
	blob := func(text string) string { return run(text, nil, "hash-object", "-w", "--stdin") }
	tree := func(lines ...string) string { return run(strings.Join(lines, "\n")+"\n", nil, "mktree", "--missing") }
	templates := tree("100644 blob " + blob("kind: Pod\n") + "\tapp.yaml")
	chart := tree("100644 blob "+blob("name: web\n")+"\tChart.yaml", "040000 tree "+templates+"\ttemplates")
	root := tree("100644 blob "+blob("# web\n")+"\tREADME.md", "100644 blob "+blob("x")+"\tchart.txt", "040000 tree "+chart+"\tchart", "100644 blob "+blob("<p>hi</p>\n")+"\tpage.html")
	if c.Tree.SHA != root {
		t.Errorf("tree %s, want git's %s", c.Tree.SHA, root)
	}
	object := fmt.Sprintf("tree %s\nparent %s\nauthor %s <%s> %s\ncommitter %[3]s <%[4]s> %[5]s\n\n%[6]s", root, c.Parents[0].SHA, c.Author.Name,
		c.Author.Email, run("", []string{}, "-c", "core.abbrev=40", "rev-parse", "--since="+c.Author.Date)[len("--max-age="):]+" +0000", c.Message)
	if want := run(object, nil, "hash-object", "-t", "commit", "--literally", "--stdin"); c.SHA != want {
		t.Errorf("commit %s, want git's %s", c.SHA, want)
	}
}

func TestContents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file, dir, _, err := b.client(b.token).Repositories.GetContents(t.Context(), "acme", "web", "chart/Chart.yaml", nil)
	if err != nil || dir != nil {
		t.Fatalf("a file: %v, %v", dir, err)
	}
	if text, err := file.GetContent(); err != nil || text != "name: web\n" {
		t.Errorf("content %q, %v", text, err)
	}
	_, dir, _, err = b.client(b.token).Repositories.GetContents(t.Context(), "acme", "web", "", &github.RepositoryContentGetOptions{Ref: "page"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range dir {
		got = append(got, entry.GetType()+" "+entry.GetPath())
	}
	if diff := cmp.Diff([]string{"file README.md", "file chart.txt", "dir chart", "file page.html"}, got); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/repos/acme/web/contents/none", "/repos/acme/web/contents/chart?ref=none"} {
		if status, _, _ := b.ask(b.token, "GET", path, nil); status != 404 {
			t.Errorf("GET %s: %d, want 404", path, status)
		}
	}
	if _, _, body := b.ask(b.token, "GET", "/repos/acme/web/contents/README.md", nil, "Accept", "application/vnd.github.raw+json"); string(body) != "# web\n" {
		t.Errorf("raw: %q", body)
	}
}

func TestCounters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ResetCounters()
	b.repo.Rename("site")
	c := b.client(b.token)
	for range 2 {
		if _, _, err := c.Issues.ListComments(context.Background(), "acme", "site", 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, _ := b.ask(b.jwt, "GET", fmt.Sprintf("/repositories/%d/installation", b.repo.ID()), nil); status != 200 {
		t.Errorf("installation by number: %d", status)
	}
	want := map[string]int{"GET /repos/{owner}/{repo}/issues/{issue_number}/comments": 2, "GET /repos/{owner}/{repo}/installation": 1}
	if diff := cmp.Diff(want, b.Counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	requests := b.Requests()
	if r := requests[0]; r.Token != "installation" || r.Status != 200 || r.Path != "/repos/acme/site/issues/1/comments" {
		t.Errorf("the first request is %+v", r)
	}
	if r := requests[2]; r.Token != "jwt" || r.Path != "/repos/acme/site/installation" {
		t.Errorf("the last request is %+v", r)
	}
}
