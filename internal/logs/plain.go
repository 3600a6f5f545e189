package logs

import (
	"regexp"
	"strings"
	"unicode"
)

// escapes are what terminals obey: sequences that set colours, move the cursor, set titles or make links.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])|\u009b[0-?]*[ -/]*[@-~]")

// Plain returns the text of a line without what a terminal would obey.
func Plain(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\t' {
			return -1
		}
		return c
	}, escapes.ReplaceAllString(text, ""))
}
