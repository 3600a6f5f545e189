package render

import (
	"regexp"
	"strings"

	"catalyst.dev/catalyst/internal/preview"
)

// maxEvidence is how many lines of foreign text a diagnosis shows.
const maxEvidence = 12

var (
	nilPointer = regexp.MustCompile(`nil pointer evaluating [^\n]*\.(\w+)`)
	wrongType  = regexp.MustCompile(`can't evaluate field (\w+) in type [^\n]+`)
)

// Failure is the diagnosis of templates that do not render, or do not render to objects.
func Failure(err error) *preview.Failure {
	text := strings.TrimSpace(err.Error())
	lines := strings.Split(text, "\n")
	words := strings.Join(strings.Fields(text), " ")
	words = nilPointer.ReplaceAllString(words, `"$1" is read from a value that is not set`)
	words = wrongType.ReplaceAllString(words, `"$1" is read from a value that has no fields`)
	d := preview.Diagnosis{
		Code:  preview.CodeRender,
		Cause: "The chart does not render: " + ends(words, 200),
		Fix:   "Correct the template, or set the value it reads.",
		Blame: preview.BlameChange,
	}
	if len(lines) > 1 {
		d.Evidence = tail(lines)
	}
	return preview.Fail(err, d)
}

func chartFailure(err error) *preview.Failure {
	return preview.Fail(err, preview.Diagnosis{
		Code:  preview.CodeChartInvalid,
		Cause: "The chart cannot be loaded: " + oneLine(err.Error()),
		Fix:   "Check it with `helm lint` and push again.",
		Blame: preview.BlameChange,
	})
}

// exceeded is the diagnosis of a chart that wants more than it may have.
func exceeded(cause string) *preview.Failure {
	return preview.Fail(nil, preview.Diagnosis{
		Code:  preview.CodeRenderLimit,
		Cause: cause,
		Fix:   "Make the chart smaller, or leave out of previews what makes it so large.",
		Blame: preview.BlameChange,
	})
}

// ends keeps n bytes of the beginning of a long text, where the place is, and of its end, where the reason is.
func ends(s string, n int) string {
	if len(s) <= 2*n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + " … " + strings.ToValidUTF8(s[len(s)-n:], "")
}

// oneLine brings foreign text to one line of bearable length.
func oneLine(s string) string { return limit(strings.Join(strings.Fields(s), " "), 600) }

func limit(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// tail keeps the last lines that fit into a diagnosis.
func tail(lines []string) []string {
	var kept []string
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			kept = append(kept, limit(strings.TrimRight(line, " \r\t"), 300))
		}
	}
	return kept[max(0, len(kept)-maxEvidence):]
}
