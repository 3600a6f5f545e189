package ghapp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
	"catalyst.dev/catalyst/test/fakegithub"
)

const (
	listComments  = "GET /repos/{owner}/{repo}/issues/{issue_number}/comments"
	createComment = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments"
	updateComment = "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}"
)

func text(s string) string { return s + "\n" + ghapp.Marker }

func TestMarkerIsTheReports(t *testing.T) {
	t.Parallel()
	if ghapp.Marker != report.Marker {
		t.Errorf("ghapp looks for %q, report writes %q", ghapp.Marker, report.Marker)
	}
}

// comment fails the test when GitHub does not take the comment.
func (b *bundle) comment(t *testing.T, req ghapp.CommentRequest) int64 {
	t.Helper()
	id, err := b.client.Comment(t.Context(), b.repo, b.number(), req)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestCommentLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.comment(t, ghapp.CommentRequest{Body: text("one")})
	if b.count(listComments) != 0 {
		t.Error("searched although no comment can exist")
	}
	if again := b.comment(t, ghapp.CommentRequest{ID: id, Body: text("two")}); again != id {
		t.Errorf("edit gave id %d, want %d", again, id)
	}
	if found := b.comment(t, ghapp.CommentRequest{MayExist: true, Body: text("three")}); found != id {
		t.Errorf("search gave id %d, want %d", found, id)
	}
	if diff := cmp.Diff([]string{text("three")}, b.comments()); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
}

// TestMarkerOnLaterPage (T1, T33): GitHub gives 30 comments, at most 100, a page.
func TestMarkerOnLaterPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 150 {
		b.pull.Comment(fmt.Sprintf("chat %d", i))
	}
	mine := b.pull.As(b.app.Bot()).Comment(text("old"))
	if got := b.comment(t, ghapp.CommentRequest{MayExist: true, Body: text("new")}); got != mine {
		t.Errorf("comment %d, want %d", got, mine)
	}
	if n := len(b.comments()); n != 151 {
		t.Errorf("%d comments, want 151", n)
	}
}

// TestForgedMarker (T2, T3): neither a stranger's comment nor another App's nor a quotation is ours.
func TestForgedMarker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pull.As(b.github.CreateUser("mallory")).Comment(text("click here"))
	b.pull.As(b.github.CreateApp(fakegithub.AppOptions{Slug: "other"}).Bot()).Comment(text("other"))
	b.pull.Comment("> " + text("quoted"))
	before := b.comments()
	id := b.comment(t, ghapp.CommentRequest{MayExist: true, Body: text("ours")})
	if diff := cmp.Diff(append(before, text("ours")), b.comments()); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
	// A maintainer may change our comment; it is still ours, by its author.
	b.pull.EditComment(id, "changed "+ghapp.Marker)
	if got := b.comment(t, ghapp.CommentRequest{MayExist: true, Body: text("ours again")}); got != id {
		t.Errorf("comment %d, want %d", got, id)
	}
}

// TestOldestWins: should there ever be two, the same one is kept up to date each time.
func TestOldestWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.pull.As(b.app.Bot()).Comment(text("first"))
	b.pull.As(b.app.Bot()).Comment(text("second"))
	if got := b.comment(t, ghapp.CommentRequest{MayExist: true, Body: text("new")}); got != first {
		t.Errorf("comment %d, want %d", got, first)
	}
}

// TestDeletedComment (T3): people may delete the comment; it comes back once.
func TestDeletedComment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.comment(t, ghapp.CommentRequest{Body: text("one")})
	b.pull.DeleteComment(id)
	second := b.comment(t, ghapp.CommentRequest{ID: id, Body: text("two")})
	if second == id || second == 0 {
		t.Errorf("id %d after the comment was deleted", second)
	}
	if diff := cmp.Diff([]string{text("two")}, b.comments()); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
	// With an old id, while a newer comment of ours is there: that one is edited.
	if got := b.comment(t, ghapp.CommentRequest{ID: id, Body: text("three")}); got != second {
		t.Errorf("comment %d, want %d", got, second)
	}
	if diff := cmp.Diff([]string{text("three")}, b.comments()); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
}

// TestLostAnswer: GitHub wrote the comment and the answer was lost. The next try must find it.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.Inject(fakegithub.LostAnswer().On("POST", "/comments$"))
	if _, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{Body: text("one")}); err == nil {
		t.Fatal("a lost answer is taken for success")
	}
	if n := len(b.comments()); n != 1 {
		t.Fatalf("%d comments after the lost answer, the fault proves nothing", n)
	}
	b.comment(t, ghapp.CommentRequest{MayExist: true, Body: text("two")})
	if diff := cmp.Diff([]string{text("two")}, b.comments()); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
}

// TestSearchFails: an empty page that comes with an error is not "no comment".
func TestSearchFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []fakegithub.Fault{fakegithub.ServerError(500), fakegithub.BrokenConnection(), {Status: 200, Body: "<html>", Unchecked: true}} {
		b := setup(t)
		b.pull.As(b.app.Bot()).Comment(text("old"))
		b.github.Inject(fault.On("GET", "/comments$").Repeat(-1)) // net/http reads again over a new connection
		_, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{MayExist: true, Body: text("new")})
		if err == nil || errors.Is(err, preview.ErrNotFound) || b.count(createComment) != 0 {
			t.Errorf("err = %v and %d new comments, want an outage and none", err, b.count(createComment))
		}
		b.github.TakeViolations()
	}
}

func TestCommentRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	largest := strings.Repeat("é", (60_000-len(ghapp.Marker))/2) + ghapp.Marker
	b.comment(t, ghapp.CommentRequest{Body: largest})
	for _, c := range []struct {
		name, body string
		want       error
	}{
		{"too large", "x" + largest, preview.ErrTooLarge},
		{"no marker", "hello", preview.ErrInvalid},
		{"not UTF-8", text("\xff"), preview.ErrInvalid},
	} {
		if _, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{Body: c.body}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if n := b.count(createComment); n != 1 {
		t.Errorf("%d comments were sent, want 1", n)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pull.Lock()
	_, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{Body: text("one")})
	if !errors.Is(err, preview.ErrForbidden) || !strings.Contains(err.Error(), "the conversation is locked") {
		t.Errorf("err = %v, want ErrForbidden that says so", err)
	}
}

// TestWriteNotRedirected (T25): net/http makes a GET of a POST that is answered 301; the GET succeeds and writes nothing.
func TestWriteNotRedirected(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303} {
		b := setup(t)
		id := b.comment(t, ghapp.CommentRequest{Body: text("one")})
		fault := fakegithub.Fault{Status: status, Unchecked: true, Header: map[string]string{
			"Location": fmt.Sprintf("%srepositories/%d/issues/comments/%d", b.github.APIURL(), b.web.ID(), id),
		}}
		b.github.Inject(fault.On("PATCH", "/issues/comments/").Repeat(-1))
		if _, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{ID: id, Body: text("two")}); err == nil {
			t.Errorf("%d: a write that was not done is taken for success", status)
		}
		if n := b.count("GET /repos/{owner}/{repo}/issues/comments/{comment_id}"); n != 0 {
			t.Errorf("%d: the write became %d reads", status, n)
		}
	}
}

// TestAnswerAboutAnother: an answer of success about something else is no success.
func TestAnswerAboutAnother(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"id": 1, "body": %q}`, `{"id": %d, "body": "old"}`, `{}`, ``} {
		b := setup(t)
		id := b.comment(t, ghapp.CommentRequest{Body: text("one")})
		switch {
		case strings.Contains(body, "%q"):
			body = fmt.Sprintf(body, text("two"))
		case strings.Contains(body, "%d"):
			body = fmt.Sprintf(body, id)
		}
		b.github.Inject(fakegithub.Fault{Status: 200, Body: body, Unchecked: true}.On("PATCH", ""))
		if _, err := b.client.Comment(t.Context(), b.repo, b.number(), ghapp.CommentRequest{ID: id, Body: text("two")}); err == nil {
			t.Errorf("answer %s is taken for success", body)
		}
	}
}

// TestTokenMode: with a token, ours is what the token's own account wrote.
func TestTokenMode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	robot := b.github.CreateUser("robot")
	b.web.AddCollaborator(robot, "write")
	b.client = b.connect(t, ghapp.Options{Token: robot.Token()})
	b.repo.InstallationID = 0
	b.pull.Comment(text("forged"))
	mine := b.pull.As(robot).Comment(text("old"))
	for range 2 {
		if got := b.comment(t, ghapp.CommentRequest{MayExist: true, Body: text("new")}); got != mine {
			t.Errorf("comment %d, want %d", got, mine)
		}
	}
	if n := b.count("GET /user"); n != 1 {
		t.Errorf("asked %d times whose token it is, want once", n)
	}
	if id, err := b.client.Installation(t.Context(), "acme/web"); id != 0 || err != nil {
		t.Errorf("installation %d, %v; a token has none", id, err)
	}
}

// TestLeaseOver: whoever lost its lease while it waited writes nothing; it may still look.
func TestLeaseOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	held := true
	ctx := preview.WithLease(t.Context(), func() bool { return held })
	id, err := b.client.Comment(ctx, b.repo, b.number(), ghapp.CommentRequest{Body: text("one")})
	if err != nil {
		t.Fatal(err)
	}
	held = false
	if _, err := b.client.Comment(ctx, b.repo, b.number(), ghapp.CommentRequest{ID: id, Body: text("two")}); !errors.Is(err, preview.ErrStale) {
		t.Errorf("%v, want ErrStale", err)
	}
	if _, err := b.client.PullRequest(ctx, b.repo, b.number()); err != nil {
		t.Error(err)
	}
	if got := b.comments(); len(got) != 1 || got[0] != text("one") {
		t.Errorf("comments %q", got)
	}
}

// TestStoppedWhileWriting: a comment that is on its way when the work is stopped arrives, and its id is known; nothing is sent after that.
func TestStoppedWhileWriting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	b.wire.hook(func(req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/comments") && req.Method == http.MethodPost {
			stop()
		}
	})
	id, err := b.client.Comment(ctx, b.repo, b.number(), ghapp.CommentRequest{Body: text("one")})
	if err != nil || id == 0 {
		t.Errorf("%d, %v", id, err)
	}
	if _, err := b.client.Comment(ctx, b.repo, b.number(), ghapp.CommentRequest{ID: id, Body: text("two")}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the stop: %v", err)
	}
	if got := b.comments(); len(got) != 1 || got[0] != text("one") {
		t.Errorf("comments %q", got)
	}
}
