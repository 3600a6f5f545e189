package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/report"
	"catalyst.dev/catalyst/test/rig"
)

// TestMainJob is the product in one test: opened, ready, pushed to, closed, reopened, closed.
func TestMainJob(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.github.ResetCounters()
	pull := b.open("Greet people", nil)
	first := pull.HeadSHA()
	body := b.comment(pull, "| success |", first[:7], "http://pr-testmainjob-1.preview.localhost:", "Last updated")
	if !strings.HasSuffix(body, report.Marker) {
		t.Errorf("the comment does not end in the marker:\n%s", body)
	}
	b.serves(pull, first)
	namespace, err := b.cluster.Kubectl(t.Context(), "get", "namespace", "pr-testmainjob-1", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{`"catalyst.dev/pull-request": "1"`, `"catalyst.dev/instance": "testmainjob"`, `"catalyst.dev/repository-id":`} {
		if !strings.Contains(namespace, label) {
			t.Errorf("the namespace has no label %s:\n%s", label, namespace)
		}
	}

	second := b.push(pull, map[string]string{"values-preview.yaml": "greeting: Good evening\n"})
	b.comment(pull, "| success |", "`"+second[:7]+"` · took")
	b.serves(pull, second)

	pull.Close(true)
	b.comment(pull, "| deleted |", "(pull request merged)")
	b.noNamespace()
}

// TestReopen: closed and opened again, the preview is back in the same comment.
func TestReopen(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	pull := b.open("Twice", nil)
	b.comment(pull, "| success |")
	pull.Close(false)
	b.comment(pull, "| deleted |", "(pull request closed)")
	b.noNamespace()
	pull.Reopen()
	b.comment(pull, "| success |")
	b.serves(pull, pull.HeadSHA())
	// Reopened while the namespace is still going away: waited for, then started clean.
	pull.Close(false)
	closed := time.Now().Unix()
	pull.Reopen()
	b.comment(pull, "| success |")
	b.serves(pull, pull.HeadSHA())
	// GitHub tells times in whole seconds: closed twice in one, both deliveries have the same body, and the second is taken for a replay until the sweep.
	if err := rig.Until(t.Context(), limit, "the next second", func() (bool, error) { return time.Now().Unix() > closed, nil }); err != nil {
		t.Fatal(err)
	}
	pull.Close(false)
	b.comment(pull, "| deleted |")
	b.noNamespace()
}

// TestRequests: opening, getting ready and closing costs at most 8 requests to GitHub, when the comment is all that tells of it.
func TestRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, func(config map[string]any) {
		hub := config["github"].(map[string]any)
		hub["checks"], hub["deployments"] = false, false
	})
	if err := rig.Until(t.Context(), limit, "the first sweep is over", func() (bool, error) {
		return b.github.Counters()["GET /app/hook/deliveries"] > 0, nil
	}); err != nil {
		t.Fatal(err)
	}
	b.github.ResetCounters()
	pull := b.open("Count", nil)
	b.comment(pull, "| success |")
	pull.Close(false)
	b.comment(pull, "| deleted |")
	// The sweep's requests for failed deliveries concern no pull request. The token, which the sweep asked for, is one more.
	n, list := 1, ""
	for _, r := range b.github.Requests() {
		if !strings.HasPrefix(r.Path, "/app/") {
			list += fmt.Sprintf("\n%s %s %d", r.Method, r.Path, r.Status)
			n++
		}
	}
	if n > 8 {
		t.Errorf("%d requests, want at most 8:%s", n, list)
	}
}

// TestDuplicates: a delivery that comes again, and one that comes late, change nothing.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	pull := b.open("Once", nil)
	first := pull.HeadSHA()
	b.comment(pull, "| success |")
	second := b.push(pull, nil)
	before := b.comment(pull, "| success |", "`"+second[:7]+"` · took")
	reads := b.github.Counters()
	for _, d := range b.github.Deliveries() {
		if d.Event == "pull_request" {
			b.github.Redeliver(d.ID)
		}
	}
	if err := b.github.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range b.github.Deliveries() {
		if d.Code != 200 && d.Event == "pull_request" {
			t.Errorf("redelivery answered %d", d.Code)
		}
	}
	if after := b.comment(pull, "| success |"); after != before {
		t.Errorf("the comment changed:\n%s", after)
	}
	b.serves(pull, second)
	for _, route := range []string{"GET /repos/{owner}/{repo}/pulls/{pull_number}", "GET /repos/{owner}/{repo}/tarball/{ref}"} {
		if n := b.github.Counters()[route] - reads[route]; n != 0 {
			t.Errorf("%d more requests to %s", n, route)
		}
	}
	if first == second {
		t.Fatal("the push made no commit")
	}
}

// TestOneComment: a stranger's copy of the marker is never edited, and a comment of ours that somebody deleted is made again.
func TestOneComment(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	stranger := b.github.CreateUser("mallory")
	b.github.HoldDeliveries()
	pull := b.open("Marked", nil) // a sweep may see it before the webhook is let go
	forged := pull.As(stranger).Comment("Here. " + report.Marker)
	for range 110 { // our comment comes behind the first page of GitHub's list
		pull.As(stranger).Comment("Noise.")
	}
	b.github.ResumeDeliveries()
	b.comment(pull, "| success |")
	for _, c := range pull.Comments() {
		if c.ID == forged && c.Body != "Here. "+report.Marker {
			t.Errorf("the stranger's comment was edited: %s", c.Body)
		}
		if c.AppID == b.github.App.ID() {
			pull.DeleteComment(c.ID)
		}
	}
	second := b.push(pull, nil)
	b.comment(pull, "| success |", "`"+second[:7]+"` · took")
}

// TestSupersede: a push while a deployment waits stops it, and the newest commit is deployed.
func TestSupersede(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	deployment, err := sampleFile("chart/templates/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	never := strings.Replace(deployment, "path: /healthz", "path: /never", 1)
	pull := b.open("Never ready", map[string]string{"chart/templates/deployment.yaml": never})
	b.comment(pull, "| deploying |")
	sha := b.push(pull, map[string]string{"chart/templates/deployment.yaml": deployment})
	b.comment(pull, "| success |", "`"+sha[:7]+"` · took", "replaced by")
	b.serves(pull, sha)
}

// TestCloseWhileDeploying: the preview goes, and nothing brings it back.
func TestCloseWhileDeploying(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	deployment, err := sampleFile("chart/templates/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pull := b.open("Never ready", map[string]string{"chart/templates/deployment.yaml": strings.Replace(deployment, "path: /healthz", "path: /never", 1)})
	b.comment(pull, "| deploying |")
	pull.Close(false)
	b.comment(pull, "| deleted |")
	b.noNamespace()
}

// TestKilled: a server that is killed in the middle of a deployment finishes it when it is back.
func TestKilled(t *testing.T) {
	t.Parallel()
	b := setup(t, func(config map[string]any) { config["worker"] = map[string]any{"lease": "3s"} })
	pull := b.open("Killed", nil)
	b.comment(pull, "| deploying |")
	b.server.Kill()
	b.start()
	b.comment(pull, "| success |")
	b.serves(pull, pull.HeadSHA())
	pull.Close(false)
	b.comment(pull, "| deleted |")
	b.noNamespace()
}
