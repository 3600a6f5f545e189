package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

var colours = map[Status]string{OK: "\x1b[32m", Skip: "\x1b[2m", Warn: "\x1b[33m", Fail: "\x1b[31m"}

// Print writes the findings for people, by groups, and a last line that counts them.
func Print(w io.Writer, findings []Finding, colour bool) error {
	var b strings.Builder
	paint := func(s Status, text string) string {
		if !colour {
			return text
		}
		return colours[s] + text + "\x1b[0m"
	}
	width := 0
	for _, f := range findings {
		width = max(width, utf8.RuneCountInString(f.Name))
	}
	group := ""
	counts := map[Status]int{}
	for _, f := range findings {
		counts[f.Status]++
		if f.Group != group {
			if group != "" {
				b.WriteByte('\n')
			}
			group = f.Group
			fmt.Fprintf(&b, "%s\n", group)
		}
		fmt.Fprintf(&b, "  %s  %-*s  %s\n", paint(f.Status, fmt.Sprintf("%-4s", f.Status)), width, f.Name, f.Found)
		for _, line := range [][2]string{{"why", f.Why}, {"fix", f.Fix}} {
			if line[1] != "" {
				fmt.Fprintf(&b, "        %-*s  %s  %s\n", width, "", line[0], line[1])
			}
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %d warnings, %d failed", counts[OK], counts[Warn], counts[Fail])
	if n := counts[Skip]; n > 0 {
		fmt.Fprintf(&b, ", %d not checked", n)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes the findings for programs. ok is false when one failed.
func JSON(w io.Writer, findings []Finding) error {
	if findings == nil {
		findings = []Finding{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		OK       bool      `json:"ok"`
		Findings []Finding `json:"findings"`
	}{Worst(findings) != Fail, findings})
}
