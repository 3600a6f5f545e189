package worker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/test/fakegithub"
)

// own opens a pull request by somebody who may write to the repository.
func (b *bundle) own(branch string) *fakegithub.Pull {
	return b.web.OpenPull(fakegithub.PullOptions{Author: b.writer, Head: branch, Files: evil(1)})
}

// checks says in a word how each check run stands, with the commit it is on.
func (b *bundle) checks() []string {
	var all []string
	for _, c := range b.web.Checks() {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", preview.ShortSHA(c.SHA), c.Status, c.Conclusion)))
	}
	return all
}

// listed says in a word how each deployment stands, with its commit and address.
func (b *bundle) listed() []string {
	var all []string
	for _, d := range b.web.Deployments() {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", preview.ShortSHA(d.SHA), d.Environment, d.State, d.URL)))
	}
	return all
}

// show waits until the repository shows these check runs and deployments.
func (b *bundle) show(checks, listed []string) {
	b.Helper()
	defer func() {
		if b.Failed() {
			b.Logf("checks (-want +got):\n%s\ndeployments (-want +got):\n%s", cmp.Diff(checks, b.checks()), cmp.Diff(listed, b.listed()))
		}
	}()
	b.until("the check runs and the deployments are as they should be", func() bool {
		return cmp.Equal(checks, b.checks()) && cmp.Equal(listed, b.listed())
	})
}

func (b *bundle) address(pull *fakegithub.Pull) string { return "https://" + b.preview(pull).Host }

func short(pull *fakegithub.Pull) string { return preview.ShortSHA(pull.HeadSHA()) }

// idle waits until no job is left to do.
func (b *bundle) idle() {
	b.Helper()
	b.until("nothing is left to do", func() bool {
		jobs, err := b.store.CountJobs(b.Context())
		return err == nil && jobs[preview.JobCheck]+jobs[preview.JobEnvironment]+jobs[preview.JobComment]+jobs[preview.JobReconcile] == 0
	})
}

// writes is how many check runs and deployments were written, the refused ones among them.
func (b *bundle) writes() int {
	n := 0
	for operation, count := range b.github.Counters() {
		if !strings.HasPrefix(operation, "GET ") && (strings.Contains(operation, "/check-runs") || strings.Contains(operation, "/deployments")) {
			n += count
		}
	}
	return n
}

// TestChannels follows a pull request from its opening to its close: each commit has its one check run, the environment the deployment that
// answers, and nothing is left but the check runs. Asked again when nothing has changed, nothing is written.
func TestChannels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	first := short(pull)
	b.show([]string{first + " completed success"}, []string{first + " preview/pr-1 success " + b.address(pull)})

	pull.Push(evil(2), "More")
	b.becomes(pull, preview.StatusRunning)
	second := short(pull)
	b.show([]string{first + " completed success", second + " completed success"}, []string{second + " preview/pr-1 success " + b.address(pull)})

	b.idle()
	before := b.writes()
	if err := b.store.Request(t.Context(), b.preview(pull).ID, preview.JobRequest{Kind: preview.JobCheck}, preview.JobRequest{Kind: preview.JobEnvironment}); err != nil {
		t.Fatal(err)
	}
	b.idle()
	if n := b.writes() - before; n != 0 {
		t.Errorf("%d writes although nothing has changed", n)
	}

	pull.Close(true)
	b.becomes(pull, preview.StatusDeleted)
	b.show([]string{first + " completed success", second + " completed success"}, nil)
	b.idle()
	if left := b.web.Environments(); len(left) != 1 {
		t.Errorf("environments %q: without the right to administer, it stays in the settings, and that is all", left)
	}
	if p := b.preview(pull); p.Channels.Environment != (preview.Environment{}) {
		t.Errorf("still stored: %+v", p.Channels.Environment)
	}
}

// TestEnvironmentGone shows that an App which may, takes the environment away with the preview.
func TestEnvironmentGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installation.SetPermissions(map[string]string{
		"metadata": "read", "contents": "read", "pull_requests": "write", "issues": "write", "checks": "write", "deployments": "write", "administration": "write",
	})
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	b.show([]string{short(pull) + " completed success"}, []string{short(pull) + " preview/pr-1 success " + b.address(pull)})
	pull.Close(false)
	b.becomes(pull, preview.StatusDeleted)
	b.until("the environment is gone", func() bool { return len(b.web.Environments()) == 0 })
}

// TestChannelsLoseReplies shows that what was written is found again when GitHub's reply to it is lost: nothing is there twice.
func TestChannelsLoseReplies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/check-runs$", "/deployments$", "/statuses$"} {
		b.github.Inject(fakegithub.LostAnswer().On("POST", path))
	}
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	b.show([]string{short(pull) + " completed success"}, []string{short(pull) + " preview/pr-1 success " + b.address(pull)})
	b.github.Inject(fakegithub.LostAnswer().On("DELETE", "/deployments/"))
	pull.Close(false)
	b.becomes(pull, preview.StatusDeleted)
	b.show([]string{short(pull) + " completed success"}, nil)
}

// TestChannelsForbidden shows that an App without the permissions does all the rest, and does not ask again and again.
func TestChannelsForbidden(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installation.SetPermissions(map[string]string{"metadata": "read", "contents": "read", "pull_requests": "write", "issues": "write"})
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	b.idle()
	tokens := b.github.Counters()["POST /app/installations/{installation_id}/access_tokens"]
	for n := range 3 {
		pull.Push(evil(2+n), "More")
		b.becomes(pull, preview.StatusRunning)
		b.idle()
	}
	if after := b.github.Counters()["POST /app/installations/{installation_id}/access_tokens"]; after != tokens {
		t.Errorf("%d more tokens were asked for", after-tokens)
	}
	b.show(nil, nil)
}

// TestChecksDown shows that a part of GitHub that is down delays nothing else, and that what it missed is written when it is back.
func TestChecksDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.github.Inject(fakegithub.ServerError(502).On("POST", "/check-runs$").Repeat(1000))
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	for n := range 3 { // more refusals than the breaker bears
		pull.Push(evil(2+n), "More")
		b.becomes(pull, preview.StatusRunning)
	}
	b.show(nil, []string{short(pull) + " preview/pr-1 success " + b.address(pull)})
	b.github.ClearFaults()
	b.until("the commit has its check run", func() bool { return slices.Contains(b.checks(), short(pull)+" completed success") })
}

// TestOvertakenCheck shows that a commit which was being deployed when the next one came is not shown as if it still were.
func TestOvertakenCheck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ground.onReady = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	pull := b.own("gift")
	first := short(pull)
	b.show([]string{first + " in_progress"}, []string{first + " preview/pr-1 in_progress"})
	b.ground.mu.Lock()
	b.ground.onReady = nil
	b.ground.mu.Unlock()
	pull.Push(evil(2), "More")
	b.becomes(pull, preview.StatusRunning)
	b.show([]string{first + " completed cancelled", short(pull) + " completed success"}, []string{short(pull) + " preview/pr-1 success " + b.address(pull)})
}

// TestAnnotation shows that a mistake in a file of the repository is remarked on at its line, and that what answered before stays listed.
func TestAnnotation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	good, address := short(pull), b.address(pull)
	b.show([]string{good + " completed success"}, []string{good + " preview/pr-1 success " + address})
	b.ground.mu.Lock()
	b.ground.onDeploy = func() error {
		return preview.Fail(nil, preview.Diagnosis{
			Code: preview.CodeRender, Cause: `The chart does not render: template: web/values.yaml:1:7: "port" is read from a value that is not set`, Fix: "Correct the template.", Blame: preview.BlameChange,
		})
	}
	b.ground.mu.Unlock()
	pull.Push(evil(2), "More")
	b.becomes(pull, preview.StatusFailed)
	b.show([]string{good + " completed success", short(pull) + " completed failure"},
		[]string{good + " preview/pr-1 success " + address, short(pull) + " preview/pr-1 failure"})
	check := b.web.Checks()[1]
	if len(check.Annotations) != 1 || check.Annotations[0].Path != "chart/values.yaml" || check.Annotations[0].Line != 1 || !strings.Contains(check.Annotations[0].Message, "Correct the template.") {
		t.Errorf("annotations %+v", check.Annotations)
	}
	if !strings.HasPrefix(check.Title, "Preview failed") || !strings.Contains(check.Summary, "port") {
		t.Errorf("check run %+v", check)
	}
}
