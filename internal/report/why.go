package report

import (
	"fmt"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// why shows the diagnosis: cause, fix, evidence, and how to try again. All of it but the last is foreign text and stands in code.
func why(v View) string {
	d := v.Preview.Diagnosis
	if d == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(causes(d))
	if d.Fix != "" {
		fmt.Fprintf(&b, "\n**Fix** %s\n", said(d.Fix))
	}
	shown := d.Evidence
	if n := min(max(d.LogLines, 0), len(shown)); n > 0 && !v.Logs {
		shown = shown[:len(shown)-n]
		fmt.Fprintf(&b, "\n%s kept out of this comment, because everybody can read it%s.\n", lines(n), elsewhere(v))
	}
	if len(shown) > 0 {
		fmt.Fprintf(&b, "\n### Error Logs\n\n%s\n", fence(strings.Join(shown, "\n")))
	}
	if v.Preview.Status == preview.StatusFailed {
		b.WriteString("\nTry again without a push: `/preview redeploy`\n")
	}
	return b.String()
}

func lines(n int) string {
	if n == 1 {
		return "1 line of logs is"
	}
	return fmt.Sprintf("%d lines of logs are", n)
}

// elsewhere leads to the logs, for those who may read them.
func elsewhere(v View) string {
	if v.Pages == "" {
		return ""
	}
	return fmt.Sprintf(": [read them here](%s/logs)", v.Pages+v.Preview.Page())
}

// causes tells the cause as surely as it is known, and what else is wrong, or may be.
func causes(d *preview.Diagnosis) string {
	var b strings.Builder
	switch {
	case d.Unsure() && d.Because != "":
		fmt.Fprintf(&b, "\n**Not sure.** Most likely (%s) %s, because %s\n", code(d.Code), said(d.Cause), said(d.Because))
	case d.Unsure():
		fmt.Fprintf(&b, "\n**Not sure.** Most likely (%s) %s\n", code(d.Code), said(d.Cause))
	default:
		fmt.Fprintf(&b, "\n**Cause** (%s) %s\n", code(d.Code), said(d.Cause))
	}
	for _, a := range d.Alternatives {
		word := "Else"
		if a.Too {
			word = "Besides"
		}
		fmt.Fprintf(&b, "\n**%s** (%s) %s\n", word, code(a.Code), said(a.Cause))
	}
	return b.String()
}

// said is a foreign sentence. It stands in a code span, which wraps on a phone; a fence does not.
func said(s string) string { return span(strings.TrimSpace(s), 1_500) }

// whose says where the failure has to be mended, as a fact.
func whose(b preview.Blame) string {
	switch b {
	case preview.BlameChange:
		return "to mend in **your change**"
	case preview.BlameConfig:
		return "to mend in **the chart or its configuration**"
	case preview.BlameCluster:
		return "to mend by **the cluster's operator**"
	case preview.BlameRegistry:
		return "to mend at **the image registry**"
	case preview.BlameTransient:
		return "nothing to mend: **try again**"
	default:
		return "not known who has to mend it"
	}
}
