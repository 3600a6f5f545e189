package report

import (
	"fmt"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// CheckText is what the check run on a commit says.
type CheckText struct {
	SHA         string
	Conclusion  string // in GitHub's words; empty while it is not finished
	Waiting     bool   // it has not begun yet
	URL         string // behind "Details"; empty for none
	Title       string // one line
	Summary     string // Markdown
	Started     time.Time
	Finished    time.Time
	Annotations []Annotation
}

// Annotation is a remark on a line of a file of the repository.
type Annotation struct {
	Path    string
	Line    int
	Title   string
	Message string
}

// Check returns what the check run on the head commit is to say; false when there is to be none. It tells how the deployment of the commit
// ended: what becomes of the preview later is for the comment, and does not open a finished check again.
func Check(v View) (CheckText, bool) {
	p := v.Preview
	if !p.Wanted() || p.HeadSHA == "" {
		return CheckText{}, false
	}
	d, tried := attempt(v)
	text := CheckText{SHA: p.HeadSHA, Started: d.StartedAt, Finished: d.FinishedAt, Title: "Waits to be deployed", Waiting: true}
	switch {
	case p.Status == preview.StatusBlocked:
		return waitsForApproval(v, text), true
	case tried && d.Status == preview.DeploymentRunning:
		text.Title, text.Waiting = "Being deployed", false
		text.Summary = "The comment on the pull request says how far it is."
		return text, true
	case tried && d.Status == preview.DeploymentSucceeded:
		text.Conclusion, text.Title, text.URL = "success", "Preview ready", p.URL
	case p.Status == preview.StatusFailed && !p.Due():
		text.Conclusion, text.Title = failure(p.Diagnosis)
		text.Annotations = annotations(p.Diagnosis)
	default:
		text.Summary = "Nothing has been done yet."
		return text, true
	}
	text.Waiting, text.Summary = false, story(v)
	return text, true
}

// Overtaken is what a check run says that was not finished when its commit was overtaken, or the pull request closed.
func Overtaken(v View, sha string) CheckText {
	text := CheckText{SHA: sha, Conclusion: "cancelled", Title: "Not deployed: the preview is removed", Summary: "Nothing is deployed for it any more."}
	if p := v.Preview; p.Wanted() {
		text.Title = "Replaced by a newer commit"
		text.Summary = fmt.Sprintf("%s came after it.", code(preview.ShortSHA(p.HeadSHA)))
	}
	return text
}

func waitsForApproval(v View, text CheckText) CheckText {
	text.Waiting, text.Conclusion, text.Title = false, "action_required", "Needs a maintainer's approval"
	if v.Preview.Diagnosis != nil {
		text.Conclusion, text.Title = "skipped", "No preview for this pull request"
	}
	text.Started, text.Finished = time.Time{}, time.Time{}
	text.Summary = story(v)
	return text
}

func failure(d *preview.Diagnosis) (conclusion, title string) {
	conclusion, title = "failure", "Preview failed"
	if d == nil {
		return conclusion, title
	}
	if d.Code == preview.CodeTimeout {
		conclusion = "timed_out"
	}
	if more := diagnose.Title(d.Code); more != "" {
		title += ": " + more
	}
	return conclusion, title
}

// annotations put the diagnosis to the line that is at fault. They are shown as plain text.
func annotations(d *preview.Diagnosis) []Annotation {
	if d == nil || d.File == "" || d.Line < 1 {
		return nil
	}
	message := clean(d.Sentence())
	if d.Fix != "" {
		message += "\n" + clean(d.Fix)
	}
	return []Annotation{{Path: d.File, Line: d.Line, Title: diagnose.Title(d.Code), Message: message}}
}

// story is the comment without what changes by itself: the facts, what to do, why not, the steps.
func story(v View) string {
	s := describe(v)
	var b strings.Builder
	if len(s.facts) > 0 {
		b.WriteString(strings.Join(s.facts, " · ") + "\n")
	}
	for _, line := range s.body {
		b.WriteString("\n" + line + "\n")
	}
	b.WriteString(why(v))
	b.WriteString(steps(v))
	body := strings.TrimSpace(b.String())
	if len(body) > maxBytes {
		body = cut(body, maxBytes)
	}
	return body
}

// attempt is the newest attempt at the head commit; false when there was none.
func attempt(v View) (preview.Deployment, bool) {
	if d := v.newest(); d.SHA == v.Preview.HeadSHA && d.SHA != "" {
		return d, true
	}
	return preview.Deployment{}, false
}

// EnvironmentText is what the preview's environment on GitHub shows of its newest commit.
type EnvironmentText struct {
	Gone        bool   // there is to be no environment
	Name        string // of the environment
	SHA         string // empty: nothing new is to be listed
	State       preview.ListedState
	URL         string // behind "View deployment"; empty for none
	Description string // one line
}

// Environment returns what the preview's environment on GitHub is to show.
func Environment(v View) EnvironmentText {
	p := v.Preview
	if !p.Wanted() {
		return EnvironmentText{Gone: true}
	}
	text := EnvironmentText{Name: fmt.Sprintf("preview/pr-%d", p.Number)}
	d, tried := attempt(v)
	switch {
	case !tried:
		return text
	case d.Status == preview.DeploymentRunning:
		text.SHA, text.State, text.Description = d.SHA, preview.ListedInProgress, "Being deployed"
	case d.Status == preview.DeploymentSucceeded:
		text.SHA, text.State, text.URL, text.Description = d.SHA, preview.ListedSuccess, p.URL, "Preview ready"
	case d.Status == preview.DeploymentFailed:
		text.SHA, text.State = d.SHA, preview.ListedFailure
		_, text.Description = failure(d.Diagnosis)
	}
	return text
}
