package ghapp_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

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
