package ghapp_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

const listPulls = "GET /repos/{owner}/{repo}/pulls"

// openMany opens so many pull requests more and returns them.
func (b *bundle) openMany(n int) []*fakegithub.Pull {
	var pulls []*fakegithub.Pull
	for i := range n {
		pulls = append(pulls, b.web.OpenPull(fakegithub.PullOptions{Head: fmt.Sprintf("branch-%d", i), Files: fakegithub.Text(map[string]string{"n": fmt.Sprint(i)})}))
	}
	return pulls
}

func (b *bundle) list(t *testing.T) []preview.PullRequest {
	t.Helper()
	found, err := b.client.OpenPullRequests(t.Context(), b.repo)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func numbers(found []preview.PullRequest) []int {
	var n []int
	for _, pr := range found {
		n = append(n, pr.Number)
	}
	return n
}

// statuses are the answers to the requests of an operation since the last reset.
func (b *bundle) statuses(operation string) []int {
	var s []int
	for _, r := range b.github.Requests() {
		if r.Operation == operation {
			s = append(s, r.Status)
		}
	}
	return s
}

func TestOpenPullRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.list(t); len(got) != 1 {
		t.Fatalf("%d pull requests, want 1", len(got))
	}
	b.pull.Comment("hello")
	one := b.read(t)
	one.Comments = -1
	if diff := cmp.Diff([]preview.PullRequest{one}, b.list(t)); diff != "" {
		t.Errorf("the list tells another story than the pull request (-pull +list):\n%s", diff)
	}
	b.pull.Close(false)
	if got := b.list(t); len(got) != 0 {
		t.Errorf("%d pull requests after the only one was closed", len(got))
	}
}

// TestManyPullRequests (T30): three pages, and an unchanged list costs nothing of the limit, however many are closed.
func TestManyPullRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []int
	for i, p := range b.openMany(230) {
		if i%10 == 0 {
			p.Close(false)
			continue
		}
		want = append(want, int(p.Number()))
	}
	want = append([]int{b.number()}, want...)
	if len(want) <= 200 {
		t.Fatalf("%d pull requests are no three pages", len(want))
	}
	if diff := cmp.Diff(want, numbers(b.list(t))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.github.ResetCounters()
	if diff := cmp.Diff(want, numbers(b.list(t))); diff != "" {
		t.Errorf("unchanged (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{304, 304, 304}, b.statuses(listPulls)); diff != "" || len(b.github.Requests()) != 3 {
		t.Errorf("%d requests, answers (-want +got):\n%s", len(b.github.Requests()), diff)
	}
}

// TestPageFails: a list that is not whole is no list, whatever is wrong with a page.
func TestPageFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := func(number int, state string, repository int64) string {
		return fmt.Sprintf(`[{"number":%d,"state":%q,"base":{"repo":{"id":%d,"full_name":"acme/web"}},"head":{"sha":%q}}]`, number, state, repository, sha)
	}
	link := map[string]string{"Link": `<http://x/?page=2>; rel="next"`}
	first := fakegithub.Fault{Status: 200, Body: one(7, "open", b.web.ID()), Header: link, Unchecked: true}.On("GET", "/pulls$")
	for name, second := range map[string]fakegithub.Fault{
		"502": {Status: 502}, "404": {Status: 404}, "304 to nothing": {Status: 304},
		"broken":  fakegithub.BrokenConnection().Repeat(-1), // net/http itself tries again once
		"nothing": {Status: 200}, "null": {Status: 200, Body: "null"}, "page": {Status: 200, Body: "<html>"}, "object": {Status: 200, Body: "{}"},
		"half": {Status: 200, Body: `[{"number":7`}, "empty": {Status: 200, Body: `[{}]`},
		"no number": {Status: 200, Body: one(0, "open", b.web.ID())}, "closed": {Status: 200, Body: one(8, "closed", b.web.ID())},
		"another repository's": {Status: 200, Body: one(8, "open", b.web.ID()+1)}, "loop": {Status: 200, Body: "[]", Header: link},
	} {
		b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM()}) // one that remembers nothing
		b.github.ClearFaults()
		b.github.ResetCounters()
		b.github.Inject(first)
		second.Unchecked = true
		b.github.Inject(second.On("GET", "/pulls$"))
		if found, err := b.client.OpenPullRequests(t.Context(), b.repo); err == nil || found != nil {
			t.Errorf("%s: %d pull requests, %v; want an error and none", name, len(found), err)
		}
		if n := b.count(listPulls); n < 2 {
			t.Errorf("%s: %d requests, the second page was not asked for", name, n)
		}
	}
	b.github.ClearFaults()
	if got := b.list(t); len(got) != 1 {
		t.Errorf("%d pull requests afterwards, want 1", len(got))
	}
}

// TestClosedWhileListed: one of the first page is closed after it was read, so all others move up; none may fall through.
func TestClosedWhileListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pulls := b.openMany(120)
	var once sync.Once
	b.wire.hook(func(req *http.Request) {
		if req.URL.Query().Get("page") == "2" {
			once.Do(func() { pulls[3].Close(false) })
		}
	})
	got := numbers(b.list(t))
	for i, p := range pulls {
		if listed := slices.Contains(got, int(p.Number())); listed != (i != 3) {
			t.Errorf("#%d is listed: %v", p.Number(), listed)
		}
	}
	if len(got) != 120 {
		t.Errorf("%d pull requests, want 120", len(got))
	}
}

// TestListNeverStill: a list that changes whenever it is read is an error after a while, not a guess.
func TestListNeverStill(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pulls := b.openMany(110)
	var mu sync.Mutex
	b.wire.hook(func(req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if req.URL.Query().Get("page") == "2" {
			pulls[0].Close(false)
			pulls = pulls[1:]
		}
	})
	if found, err := b.client.OpenPullRequests(t.Context(), b.repo); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("%d pull requests, %v; want an error", len(found), err)
	}
	if n := b.count(listPulls); n > 8 {
		t.Errorf("%d requests", n)
	}
}

// TestListRenamed (T19): the old name belongs to another repository, whose empty list must not be taken for ours.
func TestListRenamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.web.Rename("site")
	b.org.CreateRepo(fakegithub.RepoOptions{Name: "web"})
	got := b.list(t)
	if len(got) != 1 || got[0].Repository != "acme/site" || got[0].Title != "Blue" {
		t.Errorf("%+v, want ours", got)
	}
}

func TestListOfNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.list(t)
	b.web.Delete()
	if _, err := b.client.OpenPullRequests(t.Context(), b.repo); !errors.Is(err, preview.ErrGone) {
		t.Errorf("deleted: %v, want ErrGone", err)
	}
	b = setup(t)
	b.install.Suspend()
	if _, err := b.client.OpenPullRequests(t.Context(), b.repo); !errors.Is(err, preview.ErrForbidden) {
		t.Errorf("suspended: %v, want ErrForbidden", err)
	}
	if _, err := b.client.OpenPullRequests(t.Context(), ghapp.Repo{FullName: "acme/web"}); !errors.Is(err, preview.ErrInvalid) {
		t.Errorf("no id: %v, want ErrInvalid", err)
	}
}
