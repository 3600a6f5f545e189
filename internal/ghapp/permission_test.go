package ghapp_test

import (
	"errors"
	"strings"
	"testing"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// TestPermission: what GitHub says now counts, in a private repository and in a public one, and nothing of it is kept.
func TestPermission(t *testing.T) {
	t.Parallel()
	b := setup(t)
	public := b.org.CreateRepo(fakegithub.RepoOptions{Name: "site"})
	site := ghapp.Repo{InstallationID: b.install.ID(), ID: public.ID(), FullName: "acme/site"}
	for role, want := range map[string]bool{"": false, "read": false, "triage": false, "write": true, "maintain": true, "admin": true} {
		person := b.github.CreateUser("person-" + role + "x")
		if role != "" {
			b.web.AddCollaborator(person, role)
			public.AddCollaborator(person, role)
		}
		for _, repo := range []ghapp.Repo{b.repo, site} {
			got, err := b.client.Permission(t.Context(), repo, person.Login())
			if err != nil || got.Write != want || got.UserID != person.ID() || role != "" && got.Role != role {
				t.Errorf("%s with role %q: %+v, %v; want write %t", repo.FullName, role, got, err, want)
			}
		}
		if !want {
			continue
		}
		b.web.RemoveCollaborator(person)
		if got, err := b.client.Permission(t.Context(), b.repo, person.Login()); err != nil || got.Write {
			t.Errorf("role %q taken away: %+v, %v", role, got, err)
		}
	}
}

// TestPermissionOfNobody: a login that nobody has may nothing, and one that is no login leads nowhere else.
func TestPermissionOfNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, login := range []string{"nobody", "x/permission?y="} {
		if got, err := b.client.Permission(t.Context(), b.repo, login); err != nil || got.Write || got.UserID != 0 {
			t.Errorf("%q: %+v, %v", login, got, err)
		}
	}
	for _, s := range b.wire.requests("collaborators") {
		if !strings.Contains(s.url, "/repos/acme/web/collaborators/") || !strings.HasSuffix(s.url, "/permission") || strings.Count(s.url, "/collaborators/") != 1 {
			t.Errorf("asked %s", s.url)
		}
	}
	b.github.TakeViolations()
}

// TestPermissionOutage: an answer that cannot be had is an error, never a permission.
func TestPermissionOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.web.AddCollaborator(b.github.Account("dora"), "write")
	b.github.Inject(fakegithub.Fault{Path: "/permission", Status: 500})
	if got, err := b.client.Permission(t.Context(), b.repo, "dora"); err == nil || got.Write {
		t.Errorf("%+v, %v; want an error", got, err)
	}
	b.github.ClearFaults()
	b.install.Suspend()
	if got, err := b.client.Permission(t.Context(), b.repo, "dora"); !errors.Is(err, preview.ErrForbidden) || got.Write {
		t.Errorf("suspended: %+v, %v; want ErrForbidden", got, err)
	}
}

func TestBranch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := b.web.Commit("release/1.x", fakegithub.Text(map[string]string{"a": "b"}), "Release")
	if got, err := b.client.Branch(t.Context(), b.repo, "release/1.x"); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if got, err := b.client.Branch(t.Context(), b.repo, "none"); !errors.Is(err, preview.ErrNotFound) {
		t.Errorf("a branch that is not there: %q, %v, want ErrNotFound", got, err)
	}
	b.web.Rename("site")
	if got, err := b.client.Branch(t.Context(), b.repo, "main"); err != nil || got != b.web.SHA("main") {
		t.Errorf("of a renamed repository: %s, %v", got, err)
	}
}
