package ui

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
)

// functions are what the templates call.
var functions = template.FuncMap{
	"short": preview.ShortSHA, "stamp": stamp, "clock": clock, "ago": func(t time.Time) string { return ago(time.Now(), t) }, "took": took, "path": path, "plain": logs.Plain,
	"percent": func(part, whole int64) string {
		if whole <= 0 {
			return "0%"
		}
		return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 2, 64) + "%"
	},
	"join": strings.Join, "turn": turn, "cores": cores, "bytes": size, "hundred": func(part float64) float64 { return 100 * part },
}

// cores is so much of the processor, in cores.
func cores(thousandths int64) string {
	digits := 2
	switch {
	case thousandths < 10:
		digits = 3
	case thousandths >= 10_000:
		digits = 1
	}
	return strconv.FormatFloat(float64(thousandths)/1000, 'f', digits, 64)
}

// size is so much of the memory.
func size(bytes int64) string {
	switch {
	case bytes >= 10<<30:
		return fmt.Sprintf("%d GiB", bytes>>30)
	case bytes >= 1<<30:
		return strconv.FormatFloat(float64(bytes)/(1<<30), 'f', 1, 64) + " GiB"
	}
	return fmt.Sprintf("%d MiB", (bytes+1<<19)>>20)
}

// turn says whose turn it is, in words.
func turn(b preview.Blame) string {
	switch b {
	case preview.BlameChange:
		return "the pull request's author"
	case preview.BlameConfig:
		return "whoever keeps the chart and the configuration"
	case preview.BlameCluster:
		return "the cluster's operator"
	case preview.BlameRegistry:
		return "whoever runs the image registry"
	case preview.BlameTransient:
		return "nobody: trying again helps"
	}
	return "not known"
}

// path is the page of a preview.
func path(p preview.Preview) string { return p.Page() }

// stamp is a time for programs; empty for one that has not come.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// clock is a time for people, where no script says it in their own zone.
func clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2 Jan 2006 15:04:05 UTC")
}

// ago is how long something is past.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	switch d := now.Sub(t); {
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// took is a duration.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}
