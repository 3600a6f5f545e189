package ghapp_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

const (
	getRepo         = "GET /repos/{owner}/{repo}"
	getInstallation = "GET /repos/{owner}/{repo}/installation"
)

func (b *bundle) resolve(t *testing.T, fullName string) ghapp.Repo {
	t.Helper()
	r, err := b.client.Resolve(t.Context(), fullName)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResolve(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if diff := cmp.Diff(b.repo, b.resolve(t, "acme/web")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, want := range map[string]error{"acme/none": preview.ErrNotFound, "none/web": preview.ErrNotFound, "web": preview.ErrInvalid} {
		if r, err := b.client.Resolve(t.Context(), name); !errors.Is(err, want) || r != (ghapp.Repo{}) {
			t.Errorf("%s: %+v, %v; want %v", name, r, err, want)
		}
	}
}

// TestResolveCheap: what is known for a few minutes is not asked again, and after that the answer is free while it is the same.
func TestResolveCheap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.resolve(t, "acme/web")
	if n := b.wire.count(); n != 3 {
		t.Errorf("%d requests for the first time, want 3: installation, token, repository", n)
	}
	b.resolve(t, "Acme/Web")
	if n := b.wire.count(); n != 3 {
		t.Errorf("%d requests: what was just answered was asked again", n)
	}
	b.github.ResetCounters()
	b.clock.add(11 * time.Minute)
	if diff := cmp.Diff(b.repo, b.resolve(t, "acme/web")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]int{304}, b.statuses(getRepo)); diff != "" || len(b.github.Requests()) != 1 {
		t.Errorf("%d requests after 11 minutes, answers (-want +got):\n%s", len(b.github.Requests()), diff)
	}
}

// TestResolveRenamed (T19): an old name leads to the repository until another one has it.
func TestResolveRenamed(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	b.resolve(t, "acme/web")
	b.web.Rename("site")
	want := b.repo
	b.list(t) // which tells the new name, too
	want.FullName = "acme/site"
	if diff := cmp.Diff(want, b.resolve(t, "acme/web")); diff != "" {
		t.Errorf("known a moment before (-want +got):\n%s", diff)
	}
	b.clock.add(11 * time.Minute)
	if diff := cmp.Diff(want, b.resolve(t, "acme/web")); diff != "" {
		t.Errorf("known before (-want +got):\n%s", diff)
	}
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM()})
	if diff := cmp.Diff(want, b.resolve(t, "acme/web")); diff != "" {
		t.Errorf("not known before (-want +got):\n%s", diff)
	}
	other := b.org.CreateRepo(fakegithub.RepoOptions{Name: "web"})
	b.clock.add(11 * time.Minute)
	want = ghapp.Repo{InstallationID: b.install.ID(), ID: other.ID(), FullName: "acme/web"}
	if diff := cmp.Diff(want, b.resolve(t, "acme/web")); diff != "" {
		t.Errorf("name taken (-want +got):\n%s", diff)
	}
}

// TestResolveReinstalled: the App was taken off and put back, so the repository has another installation.
func TestResolveReinstalled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.repo = b.resolve(t, "acme/web")
	b.install.Delete()
	if _, err := b.client.OpenPullRequests(t.Context(), b.repo); err == nil {
		t.Fatal("the old installation still reads")
	}
	if _, err := b.client.Resolve(t.Context(), "acme/web"); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("not installed: %v, want ErrNotFound", err)
	}
	again := b.app.Install(b.org)
	b.repo = b.resolve(t, "acme/web")
	if b.repo.InstallationID != again.ID() {
		t.Errorf("installation %d, want %d", b.repo.InstallationID, again.ID())
	}
	if got := b.list(t); len(got) != 1 || got[0].InstallationID != again.ID() {
		t.Errorf("%+v, want one of installation %d", got, again.ID())
	}
}

func TestResolveWithToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	robot := b.github.CreateUser("robot")
	b.web.AddCollaborator(robot, "read")
	b.web.Rename("site")
	b.client = b.connect(t, ghapp.Options{Token: robot.Token()})
	want := ghapp.Repo{ID: b.web.ID(), FullName: "acme/site"}
	if diff := cmp.Diff(want, b.resolve(t, "acme/web")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if b.count(getInstallation) != 0 {
		t.Error("asked for an installation")
	}
	b.repo = want
	if got := b.list(t); len(got) != 1 || got[0].InstallationID != 0 {
		t.Errorf("%+v, want one without an installation", got)
	}
	if _, err := b.client.Resolve(t.Context(), "acme/none"); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("err = %v, want ErrNotFound", err)
	}
}

// TestOverviewToken: the token that looks a repository up can read nothing in it.
func TestOverviewToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.resolve(t, "acme/web")
	asked := b.wire.requests("/access_tokens")
	if len(asked) != 1 || asked[0].body != `{"permissions":{"metadata":"read"}}`+"\n" {
		t.Errorf("tokens asked for: %+v, want one for metadata only", asked)
	}
}
