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

// View is all that the comment is rendered from.
type View struct {
	Preview     preview.Preview
	Deployments []preview.Deployment // the newest ones, the newest first
	Waiting     *preview.Waiting     // why a queued preview waits; nil for any other
	Usual       time.Duration        // a successful deployment of the repository; zero when not known
	Pages       string               // address of Catalyst's web pages, without a slash at the end; empty: no links to them
	Logs        bool                 // lines of container logs may be shown: the comment of a public repository is for everybody, and is e-mailed
}

// newest is the deployment in progress or the last one; its zero value when there is none.
func (v View) newest() preview.Deployment {
	if len(v.Deployments) == 0 {
		return preview.Deployment{}
	}
	return v.Deployments[0]
}

// Comment returns the body of the one comment on the pull request: Markdown of at most 60,000 bytes. The order never changes, so
// that the eye learns it: what is, the facts, why not, the steps, what was before.
func Comment(v View) string {
	s := describe(v)
	var b strings.Builder
	b.WriteString(notice(v.Preview.Notice))
	fmt.Fprintf(&b, "### <span aria-hidden=\"true\">%s</span> %s\n", s.icon, s.title)
	if len(s.facts) > 0 {
		b.WriteString(strings.Join(s.facts, " · ") + "\n")
	}
	for _, line := range s.body {
		b.WriteString("\n" + line + "\n")
	}
	b.WriteString(table(v, s.word))
	b.WriteString(why(v))
	b.WriteString(steps(v))
	b.WriteString(history(v.Deployments))
	b.WriteString(commands(v.Preview))
	return finish(b.String())
}

// table holds the seed's fields (S3).
func table(v View, word string) string {
	p := v.Preview
	var b strings.Builder
	fmt.Fprintf(&b, "\n| Status | %s |\n|---|---|\n", word)
	if p.URL != "" {
		fmt.Fprintf(&b, "| URL | %s |\n", p.URL)
	} else if p.Status == preview.StatusRunning {
		b.WriteString("| URL | none: the chart has no Ingress with a host |\n")
	}
	if p.LiveSHA != "" {
		fmt.Fprintf(&b, "| Live commit | %s since %s |\n", code(preview.ShortSHA(p.LiveSHA)), p.LiveSince.UTC().Format(stamp))
	}
	if v.Pages != "" {
		at := v.Pages + p.Page()
		fmt.Fprintf(&b, "| More | [details](%s) · [logs](%s/logs) |\n", at, at)
	}
	fmt.Fprintf(&b, "| Last updated | %s |\n", p.ChangedAt.UTC().Format(stamp))
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
