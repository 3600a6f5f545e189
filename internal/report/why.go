package report

import (
	"fmt"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// why shows the diagnosis: cause, fix, evidence. All of it is foreign text and stands in code.
func why(v View) string {
	d := v.Preview.Diagnosis
	if d == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n**Cause** (%s) %s\n", code(d.Code), said(d.Sentence()))
	if d.Fix != "" {
		fmt.Fprintf(&b, "\n**Fix** %s\n", said(d.Fix))
	}
	shown := d.Evidence
	if n := min(max(d.LogLines, 0), len(shown)); n > 0 && !v.Logs {
		shown = shown[:len(shown)-n]
		fmt.Fprintf(&b, "\n%d lines of logs are kept out of this comment, because everybody can read it.\n", n)
	}
	if len(shown) > 0 {
		fmt.Fprintf(&b, "\n### Error Logs\n\n%s\n", fence(strings.Join(shown, "\n")))
	}
	return b.String()
}

// said is a foreign sentence. It stands in a code span, which wraps on a phone; a fence does not.
func said(s string) string { return span(strings.TrimSpace(s), 1_500) }

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
		return "not known whose turn it is"
	}
}
