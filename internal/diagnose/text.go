package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"catalyst.dev/catalyst/internal/preview"
)

const (
	maxEvidence = 12  // lines of foreign text in a diagnosis
	maxLine     = 300 // bytes of one of them
	maxWords    = 600 // bytes of foreign text inside a sentence
	maxSentence = 2000
)

// oneLine brings foreign text to one line of bearable length.
func oneLine(s string) string { return limit(strings.Join(strings.Fields(s), " "), maxWords) }

func limit(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func quote(s string) string { return fmt.Sprintf("%q", limit(s, 200)) }

func upperFirst(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' || len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// kept are the lines of foreign text that say something, each of bearable length.
func kept(lines []string) []string {
	var text []string
	for _, line := range lines {
		if line = strings.TrimRight(line, " \r\t\n"); strings.TrimSpace(line) != "" {
			text = append(text, limit(line, maxLine))
		}
	}
	return text
}

// tail keeps the last lines that fit into a diagnosis.
func tail(lines []string, n int) []string {
	lines = kept(lines)
	return lines[max(0, len(lines)-n):]
}

// around keeps the last n lines, and among them the one that tells the cause, wherever it stands.
func around(lines []string, cause string, n int) []string {
	last := tail(lines, n)
	cause = limit(strings.TrimRight(cause, " \r\t\n"), maxLine)
	if cause == "" || n < 2 || slices.Contains(last, cause) {
		return last
	}
	return append([]string{cause}, tail(last, n-1)...)
}

// told gives events as lines of evidence, the newest last, each once.
func told(events []Event, n int) []string {
	var lines []string
	for _, e := range events {
		line := e.Reason + ": " + shown(e)
		if e.Count > 1 {
			line += fmt.Sprintf(" (%d times)", e.Count)
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return tail(lines, n)
}

func warnings(events []Event) []Event {
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return !e.Warning })
}

// list writes names as people do: "a", "b" and "c".
func list(names []string) string {
	quoted := make([]string, 0, len(names))
	for _, n := range names {
		quoted = append(quoted, quote(n))
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " and " + quoted[len(quoted)-1]
}

// hasAny reports whether text, in lower case, holds one of the words.
func hasAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// diagnosis puts the causes, the first of them first, into words.
func (v *view) diagnosis(causes []finding) *preview.Diagnosis {
	f := causes[0]
	d := &preview.Diagnosis{
		Code: f.code, Cause: limit(upperFirst(f.cause), maxSentence), Fix: limit(f.fix, maxSentence), Blame: f.blame,
		Confidence: f.confidence, Because: limit(f.because, maxSentence),
	}
	if d.Blame == "" {
		d.Blame = blameOf(f.code)
	}
	room := maxEvidence
	if len(f.log) > 0 {
		room = maxEvidence / 2
	}
	d.Evidence = tail(f.evidence, room)
	lines := around(f.log, f.line, maxEvidence-len(d.Evidence))
	d.Evidence, d.LogLines = append(d.Evidence, lines...), len(lines)
	d.Alternatives = alternatives(causes)
	return d
}
