package report_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"pgregory.net/rapid"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

var update = flag.Bool("update", false, "write the golden files")

var at = time.Date(2026, 3, 1, 14, 7, 0, 0, time.UTC)

func base(status preview.Status) preview.Preview {
	return preview.Preview{
		PullRequest: preview.PullRequest{
			Key: preview.Key{RepositoryID: 1, Number: 7}, Repository: "acme/web", Branch: "gift", Title: "Add gift cards",
			HeadSHA: "a1b2c3d" + strings.Repeat("0", 33), Open: true,
		},
		Namespace: "pr-web-7", Host: "pr-web-7.preview.example.com", Status: status, ChangedAt: at,
	}
}

func live(p preview.Preview, sha string) preview.Preview {
	p.URL, p.LiveSHA, p.LiveSince = "https://"+p.Host, sha+strings.Repeat("0", 33), at.Add(-time.Minute)
	return p
}

func run(sha string, status preview.DeploymentStatus, d *preview.Diagnosis) preview.Deployment {
	return preview.Deployment{SHA: sha + strings.Repeat("0", 33), Status: status, Diagnosis: d, StartedAt: at.Add(-84 * time.Second), FinishedAt: at}
}

func closed(status preview.Status, merged bool) preview.Preview {
	p := base(status)
	p.Open, p.Merged = false, merged
	return p
}

func failing(d *preview.Diagnosis) preview.Preview {
	p := base(preview.StatusFailed)
	p.Diagnosis = d
	return p
}

// states are the previews that the golden files are of.
func states() map[string]report.View {
	failure := &preview.Diagnosis{
		Code: preview.CodeRender, Cause: "templates/web.yaml:7: nil pointer evaluating interface {}.port", Blame: preview.BlameConfig,
		File: "chart/templates/web.yaml", Line: 7,
		Fix: "Give `web.port` a default in values.yaml.", Evidence: []string{"line one", "``` not the end", "<!-- catalyst-preview-deployment --> @acme/team"},
	}
	queuedFor := preview.Step{Name: preview.StepQueue, Start: -41 * time.Second, Took: 41 * time.Second, Attempts: 1, Outcome: preview.StepDone}
	running := preview.Deployment{SHA: base("").HeadSHA, Status: preview.DeploymentRunning, StartedAt: at, Steps: []preview.Step{
		{Name: preview.StepNamespace, Took: 300 * time.Millisecond, Attempts: 1, Outcome: preview.StepDone},
		{Name: preview.StepFetch, Start: time.Millisecond, Took: 1200 * time.Millisecond, Attempts: 2, Outcome: preview.StepDone},
		{Name: preview.StepReady, Start: 2 * time.Second, Attempts: 1, Note: `Deployment "web" waits for its pods`},
	}}
	waits := func(note string, steps ...preview.Step) preview.Deployment {
		d := running
		d.Steps = slices.Concat(steps, running.Steps)
		d.Steps[len(d.Steps)-1].Note = note
		return d
	}
	failed := base(preview.StatusFailed)
	failed.Diagnosis = failure
	failedLive := live(failed, "9f8e7d6")
	stuck := closed(preview.StatusDeleting, false)
	stuck.Diagnosis = &preview.Diagnosis{Code: preview.CodeStuckDelete, Cause: "ConfigMap keep has the finalizer example.com/keep", Blame: preview.BlameCluster, Fix: "Remove the finalizer."}
	aside := base(preview.StatusPending)
	aside.Diagnosis = stuck.Diagnosis
	hook := failing(&preview.Diagnosis{
		Code: preview.CodeHook, Cause: "Hook Job \"migrate\" ended with code 1.", Fix: "Read its last lines, mend the migration and push.", Blame: preview.BlameChange, LogLines: 2,
		Evidence: []string{"Warning BackoffLimitExceeded: Job has reached the specified backoff limit", "applying 0042_gift.sql", `ERROR: column "gift_code" of relation "orders" already exists`},
	})
	unsure := failing(&preview.Diagnosis{
		Code: preview.CodeTimeout, Cause: `Deployment "web" was not ready after 3m0s.`, Confidence: 0.4, Because: "its health check got no answer so far", Blame: preview.BlameUnknown,
		Alternatives: []preview.Alternative{{Code: "PROBE", Cause: `The health check asks port 8080, where nobody listens.`, Blame: preview.BlameConfig}},
	})
	outage := failing(&preview.Diagnosis{Code: preview.CodeOutage, Cause: "GitHub did not answer, even after retries.", Fix: "Deploy again.", Blame: preview.BlameTransient})
	hooked := run("a1b2c3d", preview.DeploymentFailed, hook.Diagnosis)
	hooked.Steps = []preview.Step{
		queuedFor,
		{Name: preview.StepNamespace, Took: 300 * time.Millisecond, Attempts: 1, Outcome: preview.StepDone},
		{Name: preview.StepFetch, Took: 1200 * time.Millisecond, Attempts: 1, Outcome: preview.StepDone},
		{Name: preview.StepRender, Start: 2 * time.Second, Took: 700 * time.Millisecond, Attempts: 1, Outcome: preview.StepDone},
		{Name: preview.StepHooks, Start: 3 * time.Second, Took: 81 * time.Second, Attempts: 2, Outcome: preview.StepFailed, Note: `Job "migrate"`},
	}
	merged := closed(preview.StatusDeleted, true)
	many := []preview.Deployment{
		run("a1b2c3d", preview.DeploymentSucceeded, nil), run("77aa001", preview.DeploymentSuperseded, nil), run("9f8e7d6", preview.DeploymentSucceeded, nil),
		run("5c5c5c5", preview.DeploymentSuperseded, nil), run("5c5c5c5", preview.DeploymentFailed, hook.Diagnosis), run("0d0d0d0", preview.DeploymentSucceeded, nil),
	}
	many[3].SHA = many[2].SHA // taken down with its process, and begun anew
	public := map[string]bool{"failed_public": true}
	noURL := base(preview.StatusRunning)
	noURL.LiveSHA, noURL.LiveSince = noURL.HeadSHA, at
	degraded := live(base(preview.StatusDegraded), "a1b2c3d")
	degraded.Diagnosis = &preview.Diagnosis{
		Code: diagnose.CodeOutOfMemory, Cause: `Container "web" of pod "web-7f" was ended 4 times because it needs more memory than its limit of 512Mi.`, Blame: preview.BlameConfig,
		Fix: "Raise the memory limit in the chart's values, or make the application need less.",
	}
	turn := &preview.Waiting{Position: 3, Of: 5, Reason: "a free deployment slot (8 of 8 in use)"}
	waiting := map[string]*preview.Waiting{"queued": turn, "queued_live": turn, "queued_again": turn}
	pages := map[string]string{"failed_public": "https://catalyst.example.com", "history": "https://catalyst.example.com"}
	views := map[string]report.View{}
	for name, c := range map[string]struct {
		p preview.Preview
		d []preview.Deployment
	}{
		"pending":         {base(preview.StatusPending), nil},
		"blocked":         {fork("octo/shop"), nil},
		"blocked_live":    {live(fork("octo/shop"), "9f8e7d6"), []preview.Deployment{run("9f8e7d6", preview.DeploymentSucceeded, nil)}},
		"blocked_gone":    {fork(""), nil},
		"blocked_bot":     {byBot(), nil},
		"blocked_never":   {forksOff(), nil},
		"refused":         {noticed(fork("octo/shop"), true), nil},
		"answered":        {noticed(live(base(preview.StatusRunning), "a1b2c3d"), false), nil},
		"removed":         {removed(), nil},
		"queued":          {base(preview.StatusQueued), nil},
		"queued_live":     {live(base(preview.StatusQueued), "9f8e7d6"), []preview.Deployment{run("9f8e7d6", preview.DeploymentSucceeded, nil)}},
		"degraded":        {degraded, []preview.Deployment{run("a1b2c3d", preview.DeploymentSucceeded, nil)}},
		"deploying":       {base(preview.StatusDeploying), []preview.Deployment{running}},
		"deploying_again": {live(base(preview.StatusDeploying), "9f8e7d6"), []preview.Deployment{running, run("9f8e7d6", preview.DeploymentSucceeded, nil)}},
		"success":         {live(base(preview.StatusRunning), "a1b2c3d"), []preview.Deployment{run("a1b2c3d", preview.DeploymentSucceeded, nil)}},
		"success_no_url":  {noURL, []preview.Deployment{run("a1b2c3d", preview.DeploymentSucceeded, nil)}},
		"failed":          {failed, []preview.Deployment{run("a1b2c3d", preview.DeploymentFailed, failure)}},
		"failed_live":     {failedLive, []preview.Deployment{run("a1b2c3d", preview.DeploymentFailed, failure), run("9f8e7d6", preview.DeploymentSucceeded, nil)}},
		"pending_aside":   {aside, nil},
		"queued_again":    {live(base(preview.StatusQueued), "9f8e7d6"), []preview.Deployment{run("a1b2c3d", preview.DeploymentSuperseded, nil), run("9f8e7d6", preview.DeploymentSucceeded, nil)}},
		"deploying_image": {base(preview.StatusDeploying), []preview.Deployment{waits(`Deployment "web" waits for the registry to deliver image "registry.example.com/acme/web:a1b2c3d"`)}},
		"deploying_node":  {base(preview.StatusDeploying), []preview.Deployment{waits(`Deployment "web" waits for a node for pod "web-7f9c": 0/3 nodes are available: 3 Insufficient memory; a node is being added`, queuedFor)}},
		"history":         {live(base(preview.StatusRunning), "a1b2c3d"), many},
		"failed_hook":     {live(hook, "9f8e7d6"), []preview.Deployment{hooked, run("9f8e7d6", preview.DeploymentSucceeded, nil)}},
		"failed_public":   {hook, []preview.Deployment{hooked}},
		"failed_unsure":   {unsure, []preview.Deployment{run("a1b2c3d", preview.DeploymentFailed, unsure.Diagnosis)}},
		"failed_outage":   {outage, []preview.Deployment{run("a1b2c3d", preview.DeploymentFailed, outage.Diagnosis)}},
		"deleting":        {closed(preview.StatusDeleting, false), []preview.Deployment{run("a1b2c3d", preview.DeploymentSucceeded, nil)}},
		"deleting_merged": {closed(preview.StatusDeleting, true), []preview.Deployment{run("a1b2c3d", preview.DeploymentSucceeded, nil)}},
		"deleting_by":     {removing(), []preview.Deployment{run("a1b2c3d", preview.DeploymentSucceeded, nil)}},
		"deleting_stuck":  {stuck, nil},
		"deleted_closed":  {closed(preview.StatusDeleted, false), []preview.Deployment{run("a1b2c3d", preview.DeploymentSucceeded, nil)}},
		"deleted":         {merged, []preview.Deployment{run("a1b2c3d", preview.DeploymentSuperseded, nil), run("9f8e7d6", preview.DeploymentSucceeded, nil)}},
	} {
		views[name] = report.View{Preview: c.p, Deployments: c.d, Waiting: waiting[name], Usual: 90 * time.Second, Logs: !public[name], Pages: pages[name]}
	}
	return views
}

func TestComment(t *testing.T) {
	t.Parallel()
	for name, v := range states() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := report.Comment(v)
			file := filepath.Join("testdata", name+".md")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("(-want +got), rewrite with -update:\n%s", d)
			}
		})
	}
}

// outline is the tree of a comment as GitHub's dialect reads it, without what stands inside code.
func outline(body string) string {
	src := []byte(body)
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(src))
	var b strings.Builder
	_ = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			b.WriteByte(')')
			return ast.WalkContinue, nil
		}
		b.WriteString("(" + n.Kind().String())
		switch n := n.(type) {
		case *ast.FencedCodeBlock, *ast.CodeSpan:
			b.WriteByte(')')
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			b.WriteString(":" + string(n.Segment.Value(src)))
		case *ast.HTMLBlock:
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				b.Write(line.Value(src))
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// hostile is what a log, a message, a name or a comment may hold.
var hostile = rapid.OneOf(
	rapid.String(),
	rapid.StringOf(rapid.SampledFrom([]rune("`~<>!-@#*_[](){}|\\\n\r\t \x1b]8;;\u202e\u2066\u200b&:/abc"))),
	rapid.Map(rapid.SliceOf(rapid.SampledFrom([]string{
		"```", "````", "\n```\n", "~~~", "<!-- ", " -->", report.Marker, "@acme/team", "#123", "</details>", "<img src=x>", "\x1b[31m", "\x1b]8;;http://x\x07", "\r", "| |", "\n\n# ",
		"/preview approve ", "https://example.com ", "](x)", "|", "\\",
	})), func(s []string) string { return strings.Join(s, "") }),
)

// foreigns are the texts with something foreign in every place that has any.
var foreigns = map[string]func(foreign string) string{
	"the comment of a failure": func(foreign string) string { return report.Comment(failedWith(foreign)) },
	"the check run": func(foreign string) string {
		text, _ := report.Check(failedWith(foreign))
		return text.Summary
	},
	"the comment of a deployment": func(foreign string) string {
		p := live(base(preview.StatusDeploying), "9f8e7d6")
		p.Host = "x.example.com"
		d := run("a1b2c3d", preview.DeploymentRunning, nil)
		d.FinishedAt = time.Time{}
		d.Steps = []preview.Step{{Name: preview.StepFetch, Outcome: preview.StepDone, Note: "x" + foreign}, {Name: preview.StepReady, Note: "x" + foreign}}
		return report.Comment(report.View{Preview: p, Deployments: []preview.Deployment{d}})
	},
}

// failedWith is a failure of which all that is told is foreign.
func failedWith(foreign string) report.View {
	d := &preview.Diagnosis{
		Code: "X" + foreign, Cause: "x" + foreign, Fix: "x" + foreign, Evidence: []string{"x" + foreign, foreign + "x"}, Blame: preview.BlameChange,
		Confidence: 0.1, Because: "x" + foreign, Alternatives: []preview.Alternative{{Code: "x" + foreign, Cause: "x" + foreign}, {Code: "x" + foreign, Cause: "x" + foreign, Too: true}},
		File: "x" + foreign, Line: 7,
	}
	p := live(base(preview.StatusFailed), "9f8e7d6")
	p.Diagnosis, p.Namespace = d, "x"+foreign
	dep := []preview.Deployment{run("a1b2c3d", preview.DeploymentFailed, d), run("9f8e7d6", preview.DeploymentSucceeded, nil)}
	return report.View{Preview: p, Deployments: dep, Logs: true}
}

// TestForeignText: whatever a log, a message or a branch says, outside of code the comment reads as if it had said "x".
func TestForeignText(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for name, body := range foreigns {
		want[name] = outline(body("x"))
	}
	rapid.Check(t, func(rt *rapid.T) {
		foreign := hostile.Draw(rt, "foreign")
		for name, text := range foreigns {
			body := text(foreign)
			if got := outline(body); got != want[name] {
				rt.Fatalf("%s reads otherwise (-want +got):\n%s\n%s", name, cmp.Diff(want[name], got), body)
			}
			if strings.ContainsAny(body, "\x1b\r\u202e\u2066\u200b") {
				rt.Fatalf("%s: a hidden character came through: %q", name, body)
			}
		}
	})
}

// TestOutlineBites shows that the property above can fail: the design's fence of three backticks lets text out.
func TestOutlineBites(t *testing.T) {
	t.Parallel()
	sketch := func(logs string) string { return "### Error Logs\n```\n" + logs + "\n```\n" }
	if outline(sketch("x")) == outline(sketch("```\n@acme/team")) {
		t.Error("the outline does not see text that left its fence")
	}
}

// TestCommentIsCut: more than fits is cut in the middle of its log, or of its causes, and is a whole comment all the same.
func TestCommentIsCut(t *testing.T) {
	t.Parallel()
	for _, char := range []string{"x", "é", "世", "😀", "`"} {
		p := base(preview.StatusFailed)
		p.Diagnosis = &preview.Diagnosis{Code: "X", Cause: strings.Repeat(char, 70_000)}
		for range 12 {
			p.Diagnosis.Evidence = append(p.Diagnosis.Evidence, strings.Repeat(char+"\n", 9_000))
		}
		for range 33 { // each piece has its own limit, so it takes many
			p.Diagnosis.Alternatives = append(p.Diagnosis.Alternatives, preview.Alternative{Cause: strings.Repeat(char, 70_000)})
		}
		p.Diagnosis.Fix = strings.Repeat(char+"\n", 30_000)
		body := report.Comment(report.View{Preview: p, Logs: true})
		if !strings.HasSuffix(body, "… (shortened)\n\n"+report.Marker) || len(body) < 50_000 {
			t.Errorf("%q: not cut: %d bytes, ends in %q", char, len(body), body[len(body)-60:])
		}
		if len(body) > 60_000 || !utf8.ValidString(body) || !strings.HasSuffix(body, "\n"+report.Marker) {
			t.Errorf("%q: %d bytes, valid %t, ends in %q", char, len(body), utf8.ValidString(body), body[len(body)-40:])
		}
		if got := outline(body); !strings.HasSuffix(got, "(HTMLBlock"+report.Marker+"))") {
			t.Errorf("%q: the marker is not on its own after the cut: %.300s", char, got)
		}
	}
}
