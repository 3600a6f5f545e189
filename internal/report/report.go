// Package report renders what people read on GitHub from what is stored. It is pure: the same state gives the same text,
// and foreign text (logs, messages, names) can never leave its fence, mention anyone or forge the marker.
package report

import (
	"fmt"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// Marker is in every comment of ours; it finds the comment again when its id is lost (S3). Nothing else in a comment is ever read back.
const Marker = "<!-- catalyst-preview-deployment -->"

// maxBytes keeps a comment below GitHub's 65,536 characters, counted in bytes to be safe both ways.
const maxBytes = 60_000

// stamp is how times are shown: short, and in one zone that is named.
const stamp = "2006-01-02 15:04:05 UTC"

// Comment returns the body of the one comment on the pull request: Markdown of at most 60,000 bytes. deployments are the
// newest ones, the newest first; waiting is why a queued preview waits, and nil for any other.
func Comment(p preview.Preview, deployments []preview.Deployment, waiting *preview.Waiting) string {
	var b strings.Builder
	icon, title, word := heading(p)
	if waiting != nil {
		title = fmt.Sprintf("Preview queued: %d of %d", waiting.Position, waiting.Of)
	}
	b.WriteString(notice(p.Notice))
	fmt.Fprintf(&b, "### <span aria-hidden=\"true\">%s</span> %s\n", icon, title)
	b.WriteString(fact(p, deployments, waiting) + "\n\n")

	fmt.Fprintf(&b, "| Status | %s |\n|---|---|\n", word)
	if p.URL != "" {
		fmt.Fprintf(&b, "| URL | %s |\n", p.URL)
	} else if p.Status == preview.StatusRunning {
		b.WriteString("| URL | none: the chart has no Ingress with a host |\n")
	}
	if p.LiveSHA != "" {
		fmt.Fprintf(&b, "| Live commit | %s since %s |\n", code(preview.ShortSHA(p.LiveSHA)), p.LiveSince.UTC().Format(stamp))
	}
	fmt.Fprintf(&b, "| Last updated | %s |\n", p.ChangedAt.UTC().Format(stamp))

	b.WriteString(approval(p))
	if p.Diagnosis != nil {
		b.WriteString(diagnosis(p.Diagnosis))
	}
	b.WriteString(history(deployments))
	return finish(b.String())
}

// heading returns the icon, the first line, which is a sentence for people, and the design's status word (S3).
func heading(p preview.Preview) (icon, title, word string) {
	switch p.Status {
	case preview.StatusBlocked:
		if p.Diagnosis != nil {
			return "🔒", "No preview for this pull request", "blocked"
		}
		return "🔒", "Preview needs a maintainer's approval", "blocked"
	case preview.StatusQueued:
		return "🕒", "Preview queued", "queued"
	case preview.StatusDegraded:
		return "🟠", "Preview is up but unhealthy", "degraded"
	case preview.StatusDeploying:
		return "🚀", "Deploying " + code(preview.ShortSHA(p.HeadSHA)), "deploying"
	case preview.StatusRunning:
		if p.URL == "" {
			return "✅", "Preview ready", "success"
		}
		return "✅", fmt.Sprintf("Preview ready: [%s](%s)", label(p.Host), p.URL), "success"
	case preview.StatusFailed:
		return "❌", "Preview failed", "failed"
	case preview.StatusDeleting:
		if p.Diagnosis != nil {
			return "⚠️", "Removing the preview is stuck", "deleting"
		}
		return "🧹", fmt.Sprintf("Removing the preview (%s)", ending(p)), "deleting"
	case preview.StatusDeleted:
		return "✔️", fmt.Sprintf("Preview removed (%s)", ending(p)), "deleted"
	default:
		return "⏳", "Preview pending", "pending"
	}
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

// fact is the one line under the heading: which commit, how long, what still answers.
func fact(p preview.Preview, deployments []preview.Deployment, waiting *preview.Waiting) string {
	sha := code(preview.ShortSHA(p.HeadSHA))
	switch p.Status {
	case preview.StatusBlocked:
		return blocked(p)
	case preview.StatusQueued:
		text := sha + " waits for its turn"
		if waiting != nil {
			text = sha + " waits for " + waiting.Reason
		}
		if p.LiveSHA != "" && p.URL != "" {
			text += fmt.Sprintf(". Live now: %s at %s", p.URL, code(preview.ShortSHA(p.LiveSHA)))
		}
		return text
	case preview.StatusDegraded:
		return sha + " was ready and lost what it runs on; this comment changes when it is back"
	case preview.StatusDeploying:
		if p.LiveSHA != "" && p.URL != "" {
			return fmt.Sprintf("%s is on its way. Live now: %s still at %s", sha, p.URL, code(preview.ShortSHA(p.LiveSHA)))
		}
		return sha + " is on its way; this comment changes when it is ready"
	case preview.StatusRunning:
		if d := took(deployments); d != "" {
			return fmt.Sprintf("%s took %s", sha, d)
		}
		return sha
	case preview.StatusFailed:
		if p.LiveSHA != "" && p.URL != "" {
			return fmt.Sprintf("%s could not be deployed. Still online: %s at %s", sha, p.URL, code(preview.ShortSHA(p.LiveSHA)))
		}
		return sha + " could not be deployed"
	case preview.StatusDeleting:
		return fmt.Sprintf("Namespace %s and everything in it is being removed", code(p.Namespace))
	case preview.StatusDeleted:
		if !p.Wanted() && p.Open {
			return fmt.Sprintf("Namespace %s and everything in it is gone. It stays so, whatever is pushed, until somebody comments `/preview deploy` or reopens the pull request", code(p.Namespace))
		}
		return fmt.Sprintf("Namespace %s and everything in it is gone. Reopen the pull request to bring it back", code(p.Namespace))
	default:
		return sha + " will be deployed"
	}
}

func took(deployments []preview.Deployment) string {
	if len(deployments) == 0 || deployments[0].FinishedAt.IsZero() {
		return ""
	}
	return deployments[0].FinishedAt.Sub(deployments[0].StartedAt).Round(100 * time.Millisecond).String()
}

func diagnosis(d *preview.Diagnosis) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n**Cause** (%s, %s)\n\n%s\n", code(d.Code), whose(d.Blame), fence(d.Cause))
	if d.Fix != "" {
		fmt.Fprintf(&b, "\n**Fix**\n\n%s\n", fence(d.Fix))
	}
	if len(d.Evidence) > 0 {
		fmt.Fprintf(&b, "\n### Error Logs\n\n%s\n", fence(strings.Join(d.Evidence, "\n")))
	}
	return b.String()
}

func whose(b preview.Blame) string {
	switch b {
	case preview.BlameChange:
		return "your change"
	case preview.BlameConfig:
		return "your chart or configuration"
	case preview.BlameCluster:
		return "the cluster"
	case preview.BlameRegistry:
		return "the image registry"
	case preview.BlameTransient:
		return "try again"
	default:
		return "not known whose"
	}
}

func history(deployments []preview.Deployment) string {
	if len(deployments) < 2 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n<details><summary>Last deployments</summary>\n\n| Commit | Result | Took | When |\n|---|---|---:|---|\n")
	for _, d := range deployments {
		took, result := "", string(d.Status)
		if !d.FinishedAt.IsZero() {
			took = d.FinishedAt.Sub(d.StartedAt).Round(100 * time.Millisecond).String()
		}
		if d.Diagnosis != nil {
			result += ": " + code(d.Diagnosis.Code)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(preview.ShortSHA(d.SHA)), result, took, d.StartedAt.UTC().Format(stamp))
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// finish puts the marker last, where it survives quoting, and keeps the whole below the limit.
func finish(body string) string {
	body = strings.TrimRight(body, "\n") + "\n"
	if room := maxBytes - len(Marker) - 1; len(body) > room {
		body = cut(body, room)
	}
	return body + "\n" + Marker
}
