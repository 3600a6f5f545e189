package report

import (
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/preview"
)

// state is how one status reads.
type state struct {
	icon  string
	title string   // a sentence for people
	word  string   // the design's status word (S3)
	facts []string // one line: which commit, how long
	body  []string // paragraphs: what still answers, what to do
}

// describe words the preview's status. Each has its own function; the words of docs/lifecycle.md are the column "in the comment".
func describe(v View) state {
	switch v.Preview.Status {
	case preview.StatusBlocked:
		return blocked(v)
	case preview.StatusQueued:
		return queued(v)
	case preview.StatusDeploying:
		return deploying(v)
	case preview.StatusRunning:
		return running(v)
	case preview.StatusDegraded:
		return degraded(v)
	case preview.StatusFailed:
		return failed(v)
	case preview.StatusDeleting:
		return deleting(v)
	case preview.StatusDeleted:
		return deleted(v)
	default:
		return pending(v)
	}
}

func pending(v View) state {
	s := state{icon: "⏳", title: "Preview pending", word: "pending", facts: []string{head(v) + " will be deployed"}, body: live(v, "Live now")}
	if d := v.Preview.Diagnosis; d != nil && d.Code == preview.CodeStuckDelete {
		s.facts[0] += ", as soon as what is left of the preview before it is gone"
	}
	return s
}

func queued(v View) state {
	s := state{icon: "🕒", title: "Preview queued", word: "queued", facts: []string{head(v)}, body: live(v, "Live now")}
	if v.Waiting != nil {
		s.title = fmt.Sprintf("Preview queued: %d of %d", v.Waiting.Position, v.Waiting.Of)
		s.facts = append(s.facts, "waits for "+v.Waiting.Reason)
	}
	return s
}

func deploying(v View) state {
	s := state{icon: "🔄", title: "Deploying " + head(v), word: "deploying", body: live(v, "Live now")}
	d := v.newest()
	if step, ok := preview.Running(d.Steps); ok {
		s.title += ": " + titles[step.Name]
		if step.Note != "" {
			s.body = append(s.body, "**Now** "+said(step.Note))
		}
	}
	if !d.StartedAt.IsZero() {
		s.facts = append(s.facts, "began at "+d.StartedAt.UTC().Format(stamp))
	}
	if v.Usual > 0 {
		s.facts = append(s.facts, "usually takes "+duration(v.Usual))
	}
	return s
}

func running(v View) state {
	s := state{icon: "✅", title: "Preview ready", word: "success", facts: []string{head(v)}}
	if p := v.Preview; p.URL != "" {
		s.title = fmt.Sprintf("Preview ready: [%s](%s)", label(p.Host), p.URL)
	}
	if d := v.newest(); !d.FinishedAt.IsZero() {
		s.facts = append(s.facts, "took "+duration(d.FinishedAt.Sub(d.StartedAt)))
	}
	return s
}

func degraded(v View) state {
	s := state{
		icon: "🟠", title: "Preview is up but unhealthy", word: "degraded",
		facts: []string{head(v) + " was ready and lost what it runs on", "this comment changes when it is back"},
	}
	if d := v.Preview.Diagnosis; d != nil {
		s.title += because(d)
	}
	return s
}

// because is the end of a title that says in a few words why.
func because(d *preview.Diagnosis) string {
	if title := diagnose.Title(d.Code); title != "" {
		return ": " + title
	}
	return ""
}

func failed(v View) state {
	s := state{icon: "❌", title: "Preview failed", word: "failed", facts: []string{head(v)}, body: live(v, "Still online")}
	d := v.newest()
	for _, step := range d.Steps {
		if step.Outcome == preview.StepFailed {
			s.facts = append(s.facts, "step *"+titles[step.Name]+"*")
		}
	}
	if !d.FinishedAt.IsZero() {
		s.facts = append(s.facts, "after "+duration(d.FinishedAt.Sub(d.StartedAt)))
	}
	if d := v.Preview.Diagnosis; d != nil {
		if d.File != "" && d.Line > 0 {
			s.facts = append(s.facts, code(fmt.Sprintf("%s:%d", d.File, d.Line)))
		}
		s.facts = append(s.facts, whose(d.Blame))
		s.title += because(d)
	}
	return s
}

func deleting(v View) state {
	s := state{icon: "🧹", title: fmt.Sprintf("Removing the preview (%s)", ending(v.Preview)), word: "deleting"}
	s.facts = []string{fmt.Sprintf("Namespace %s and everything in it is being removed", code(v.Preview.Namespace))}
	if d := v.Preview.Diagnosis; d != nil {
		s.icon, s.title = "⚠️", fmt.Sprintf("Removing the preview is stuck (%s)", ending(v.Preview))
		s.facts = append(s.facts, whose(d.Blame), "tried again for as long as it takes")
	}
	return s
}

func deleted(v View) state {
	s := state{icon: "✔️", title: fmt.Sprintf("Preview removed (%s)", ending(v.Preview)), word: "deleted"}
	s.facts = []string{fmt.Sprintf("Namespace %s and everything in it is gone", code(v.Preview.Namespace))}
	switch p := v.Preview; {
	case p.Merged: // cannot be reopened
	case p.Open:
		s.facts = append(s.facts, "it stays so, whatever is pushed, until somebody comments `/preview deploy`")
	default:
		s.facts = append(s.facts, "reopen the pull request to bring it back")
	}
	return s
}

func head(v View) string { return code(preview.ShortSHA(v.Preview.HeadSHA)) }

// live says what still answers: the URL is never taken away while something does.
func live(v View, word string) []string {
	p := v.Preview
	if p.LiveSHA == "" || p.URL == "" {
		return nil
	}
	return []string{fmt.Sprintf("%s: **[%s](%s)** at %s", word, label(p.Host), p.URL, code(preview.ShortSHA(p.LiveSHA)))}
}

func ending(p preview.Preview) string {
	switch {
	case p.Merged:
		return "pull request merged"
	case p.Open && p.RemovedBy != "":
		return "by " + code(p.RemovedBy)
	}
	return "pull request closed"
}

// duration is a time people read: "0.4 s", "48 s", "1 min 24 s", "2 h 3 min".
func duration(d time.Duration) string {
	d = max(d, 0) // the clock may have gone back
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
}
