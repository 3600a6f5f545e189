package report

import (
	"fmt"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// titles word the steps.
var titles = map[preview.StepName]string{
	preview.StepQueue:     "wait in line",
	preview.StepNamespace: "make the namespace",
	preview.StepFetch:     "fetch the chart",
	preview.StepGuard:     "guard the namespace",
	preview.StepRender:    "render the chart",
	preview.StepHooks:     "run the chart's hooks",
	preview.StepApply:     "apply the objects",
	preview.StepReady:     "wait until ready",
}

// steps shows how far the newest deployment is or came: open while somebody may want to know, folded away once it is well.
func steps(v View) string {
	d := v.newest()
	if len(d.Steps) == 0 || v.Preview.Status == preview.StatusDeleting || v.Preview.Status == preview.StatusDeleted {
		return ""
	}
	open := ""
	if v.Preview.Status == preview.StatusDeploying {
		open = " open"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details%s><summary>Steps</summary>\n\n| | Step | Time |\n|---|---|---:|\n", open)
	for _, s := range d.Steps {
		word, took := string(s.Outcome), solid(duration(s.Took))
		if s.Outcome == "" {
			word, took = "**now**", "since "+d.StartedAt.Add(s.Start).UTC().Format("15:04:05")
		}
		what := titles[s.Name]
		if s.Attempts > 1 {
			what += fmt.Sprintf(", attempt %d", s.Attempts)
		}
		if s.Note != "" && s.Outcome != "" { // of the one that runs it stands above
			what += " " + code(s.Note)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", word, what, took)
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// listed is how many deployments the comment lists.
const listed = 5

// history lists the last deployments.
func history(deployments []preview.Deployment) string {
	if len(deployments) < 2 {
		return ""
	}
	deployments = deployments[:min(len(deployments), listed)]
	var b strings.Builder
	b.WriteString("\n<details><summary>Last deployments</summary>\n\n| Commit | Result | When (UTC) |\n|---|---|---|\n")
	for i, d := range deployments {
		var next *preview.Deployment
		if i > 0 {
			next = &deployments[i-1]
		}
		end := result(d, next)
		if !d.FinishedAt.IsZero() {
			end += ", " + solid(duration(d.FinishedAt.Sub(d.StartedAt)))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", code(preview.ShortSHA(d.SHA)), end, solid(d.StartedAt.UTC().Format("2 Jan 15:04")))
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// solid is a text that keeps its line in the narrow column of a phone.
func solid(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") }

// result is how a deployment ended. next is the one after it; nil for the newest.
func result(d preview.Deployment, next *preview.Deployment) string {
	switch {
	case d.Status == preview.DeploymentSucceeded:
		return "ready"
	case d.Status == preview.DeploymentFailed && d.Diagnosis != nil:
		return "failed: " + code(d.Diagnosis.Code)
	case d.Status == preview.DeploymentSuperseded && next == nil:
		return "stopped"
	case d.Status == preview.DeploymentSuperseded && next.SHA != d.SHA:
		return "replaced by " + code(preview.ShortSHA(next.SHA))
	case d.Status == preview.DeploymentSuperseded:
		return "begun anew"
	}
	return string(d.Status)
}
