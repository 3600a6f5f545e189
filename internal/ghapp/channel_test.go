package ghapp_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// checkRun writes a check run on the pull request's head.
func (b *bundle) checkRun(t *testing.T, run ghapp.CheckRun) int64 {
	t.Helper()
	run.Name, run.ExternalID, run.SHA = "Preview", "p1", b.pull.HeadSHA()
	id, err := b.client.CheckRun(t.Context(), b.repo, run)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestCheckRun follows a check run from its beginning to its end, with all that it may say.
func TestCheckRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.checkRun(t, ghapp.CheckRun{Title: "Being deployed", Summary: "…", Started: time.Now()})
	if c := b.web.Checks()[0]; c.ID != id || c.Status != "in_progress" || c.Conclusion != "" {
		t.Errorf("%+v", c)
	}
	again := b.checkRun(t, ghapp.CheckRun{
		ID: id, Conclusion: "failure", Title: strings.Repeat("é", 400), Summary: strings.Repeat("é", 70_000), Finished: time.Now(),
		DetailsURL: "https://pr-web-1.preview.test", Annotations: []ghapp.Annotation{{Path: "chart/values.yaml", Line: 3, Title: "RENDER", Message: "no"}},
	})
	if c := b.web.Checks()[0]; again != id || len(b.web.Checks()) != 1 || c.Conclusion != "failure" || len(c.Annotations) != 1 || c.Annotations[0].Line != 3 || c.Details == "" {
		t.Errorf("%+v", c)
	}
}

// TestCheckRunFoundAgain shows that a check run whose id was lost is found, and that another's of the same name is not taken for it.
func TestCheckRunFoundAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.checkRun(t, ghapp.CheckRun{Title: "a", Summary: "a"})
	if _, err := b.client.CheckRun(t.Context(), b.repo, ghapp.CheckRun{Name: "Preview", ExternalID: "p2", SHA: b.pull.HeadSHA(), Title: "b", Summary: "b"}); err != nil {
		t.Fatal(err)
	}
	if got := b.checkRun(t, ghapp.CheckRun{MayExist: true, Title: "c", Summary: "c"}); got != first || len(b.web.Checks()) != 2 {
		t.Errorf("id %d, want %d; %+v", got, first, b.web.Checks())
	}
	if got := b.checkRun(t, ghapp.CheckRun{ID: 4711, Title: "d", Summary: "d"}); got != first {
		t.Errorf("id %d, want %d", got, first)
	}
}

// TestDeployment shows that a deployment has none of GitHub's harmful defaults, is found again, and is taken away whole.
func TestDeployment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.web.Commit("main", fakegithub.Text(map[string]string{"new": "on main"}), "Main moves on") // auto_merge would merge it in
	d := ghapp.Deployment{SHA: b.pull.HeadSHA(), Environment: "preview/pr-1"}
	id, err := b.client.Deployment(t.Context(), b.repo, d)
	if err != nil {
		t.Fatal(err)
	}
	d.MayExist = true
	if again, err := b.client.Deployment(t.Context(), b.repo, d); err != nil || again != id {
		t.Errorf("id %d, want %d: %v", again, id, err)
	}
	if err := b.client.DeploymentStatus(t.Context(), b.repo, id, ghapp.DeploymentStatus{State: "success", URL: "https://pr-web-1.preview.test", Description: strings.Repeat("é", 200)}); err != nil {
		t.Fatal(err)
	}
	if list := b.web.Deployments(); len(list) != 1 || list[0].State != "success" || list[0].URL != "https://pr-web-1.preview.test" {
		t.Errorf("%+v", list)
	}
	for range 2 { // the second time there is nothing left to do
		if err := b.client.RetireDeployment(t.Context(), b.repo, id); err != nil {
			t.Error(err)
		}
	}
	if list := b.web.Deployments(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestClearEnvironment shows that all of Catalyst's deployments in the environment go, and nothing else.
func TestClearEnvironment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM(), WriteBurst: 100})
	var ids []int64
	for _, environment := range []string{"preview/pr-1", "preview/pr-1", "preview/pr-2"} {
		id, err := b.client.Deployment(t.Context(), b.repo, ghapp.Deployment{SHA: b.pull.HeadSHA(), Environment: environment})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for range 2 {
		if err := b.client.ClearEnvironment(t.Context(), b.repo, "preview/pr-1"); err != nil {
			t.Fatal(err)
		}
	}
	if list := b.web.Deployments(); len(list) != 1 || list[0].ID != ids[2] {
		t.Errorf("%+v", list)
	}
	if n := b.count("DELETE /repos/{owner}/{repo}/environments/{environment_name}"); n != 0 || len(b.web.Environments()) != 2 {
		t.Errorf("%d attempts to delete an environment without the permission", n)
	}
}

// TestChannelRefusals shows what the caller learns when GitHub refuses.
func TestChannelRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	nowhere := ghapp.CheckRun{Name: "Preview", SHA: strings.Repeat("d", 40), Title: "a", Summary: "a"}
	if _, err := b.client.CheckRun(t.Context(), b.repo, nowhere); !errors.Is(err, preview.ErrInvalid) {
		t.Errorf("a commit that is not there: %v", err)
	}
	if _, err := b.client.Deployment(t.Context(), b.repo, ghapp.Deployment{SHA: strings.Repeat("d", 40), Environment: "e"}); !errors.Is(err, preview.ErrInvalid) {
		t.Errorf("a commit that is not there: %v", err)
	}
	poor := setup(t)
	poor.install.SetPermissions(map[string]string{"metadata": "read", "contents": "read", "pull_requests": "write"})
	if _, err := poor.client.CheckRun(t.Context(), poor.repo, ghapp.CheckRun{Name: "Preview", SHA: poor.pull.HeadSHA(), Title: "a", Summary: "a"}); !errors.Is(err, preview.ErrForbidden) || !strings.Contains(err.Error(), "checks: write") {
		t.Errorf("without the permission: %v", err)
	}
	if _, err := poor.client.PullRequest(t.Context(), poor.repo, poor.number()); err != nil {
		t.Errorf("and the rest: %v", err)
	}
}

// TestAsideWaits shows that a check run leaves room for comments: it is put off while half of what may be written at once is used up, and
// comments go on.
func TestAsideWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM(), WritesPerMinute: 1, WriteBurst: 4})
	id := b.comment(t, ghapp.CommentRequest{Body: text("one")})
	b.comment(t, ghapp.CommentRequest{ID: id, Body: text("two")})
	b.comment(t, ghapp.CommentRequest{ID: id, Body: text("three")})
	_, err := b.client.CheckRun(t.Context(), b.repo, ghapp.CheckRun{Name: "Preview", SHA: b.pull.HeadSHA(), Title: "a", Summary: "a"})
	if until := retryAt(t, err); time.Until(until) < time.Minute {
		t.Errorf("again in %s", time.Until(until))
	}
	b.comment(t, ghapp.CommentRequest{ID: id, Body: text("four")})
}

// TestAsideIsNoOutage shows that a part of GitHub that is down does not shut the way to the rest.
func TestAsideIsNoOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.Inject(fakegithub.ServerError(http.StatusBadGateway).On("POST", "/check-runs$").Repeat(50))
	for range 20 {
		if _, err := b.client.CheckRun(t.Context(), b.repo, ghapp.CheckRun{Name: "Preview", SHA: b.pull.HeadSHA(), Title: "a", Summary: "a"}); err == nil {
			t.Fatal("it was written")
		}
	}
	if _, err := b.client.PullRequest(t.Context(), b.repo, b.number()); err != nil {
		t.Error(err)
	}
}
