package app

import (
	"errors"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/doctor"
	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/storetest"
	"catalyst.dev/catalyst/test/fakegithub"
)

// TestTakenOverName (W6): the settings and doctor go by the repository that a name led to first, through a rename and after somebody else has the
// name, until the operator confirms the other one by its id.
func TestTakenOverName(t *testing.T) {
	t.Parallel()
	github := fakegithub.Start(t)
	org := github.CreateOrg("acme")
	first := org.CreateRepo(fakegithub.RepoOptions{Name: "web"})
	app := github.CreateApp(fakegithub.AppOptions{WebhookSecret: "secret"})
	app.Install(org)
	client := func() *ghapp.Client { // a new one remembers nothing
		c, err := ghapp.New(ghapp.Options{APIURL: github.APIURL(), AppID: app.ID(), PrivateKey: app.KeyPEM()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := config.Config{Repositories: []config.Repository{{Name: "acme/web", Host: "{{.Name}}.preview.test", Image: config.Image{Tag: "{{.SHA}}"}}}}
	db := storetest.SQLite(t)
	settings := newPlanner(c, db)
	pull := func(r *fakegithub.Repo) preview.Preview {
		return preview.Preview{Namespace: "pr-web-1", PullRequest: preview.PullRequest{Key: preview.Key{RepositoryID: r.ID(), Number: 1}, Repository: r.FullName(), HeadSHA: strings.Repeat("a", 40)}}
	}
	plans := func(when string, r *fakegithub.Repo, want bool) {
		t.Helper()
		_, err := settings.Plan(t.Context(), pull(r))
		if want && err != nil || !want && !errors.Is(err, preview.ErrNotFound) {
			t.Errorf("%s: plan of %s: %v, want one: %t", when, r.FullName(), err, want)
		}
	}
	says := func(when string, status doctor.Status, part string) {
		t.Helper()
		got := checkNames(t.Context(), c, client(), db)
		if len(got) != 1 || got[0].Status != status || !strings.Contains(got[0].Found+got[0].Fix, part) {
			t.Errorf("%s: %+v, want %s with %q", when, got, status, part)
		}
	}

	says("at first", doctor.OK, "0 of 1")
	if err := settings.Learn(t.Context(), "acme/web", first.ID()); err != nil {
		t.Fatal(err)
	}
	first.Rename("site")
	plans("renamed", first, true)
	says("renamed", doctor.OK, "1 of 1")

	second := org.CreateRepo(fakegithub.RepoOptions{Name: "web"})
	if err := settings.Learn(t.Context(), "acme/web", second.ID()); !errors.Is(err, preview.ErrConflict) || !strings.Contains(err.Error(), "confirm it with `id: ") {
		t.Errorf("learnt another: %v, want ErrConflict with what mends it", err)
	}
	plans("taken over, the first", first, true)
	plans("taken over, the second", second, false)
	says("taken over", doctor.Fail, "confirm it with `id: ")

	c.Repositories[0].ID = second.ID()
	settings = newPlanner(c, db)
	if err := settings.confirm(t.Context()); err != nil {
		t.Fatal(err)
	}
	plans("confirmed, the first", first, false)
	plans("confirmed, the second", second, true)
	says("confirmed", doctor.OK, "1 of 1")
}
