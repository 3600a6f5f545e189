package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxForeign bounds one piece of foreign text, so that no piece crowds out the others.
const maxForeign = 16_000

// clean makes foreign text harmless to read: valid UTF-8, no control characters but tab and newline, no terminal
// escapes, no characters that reverse or hide text.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "�"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '\n'
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, stripEscapes(s))
}

// stripEscapes removes ANSI escape sequences as a whole, so that their letters do not stay behind.
func stripEscapes(s string) string {
	if !strings.ContainsRune(s, 0x1b) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != 0x1b {
			b.WriteByte(s[i])
			continue
		}
		if i+1 >= len(s) {
			break
		}
		switch i++; s[i] {
		case '[': // control sequence: up to a final byte
			for i++; i < len(s) && (s[i] < 0x40 || s[i] > 0x7e); i++ {
			}
		case ']': // operating system command: up to BEL or the string terminator
			for i++; i < len(s) && s[i] != 0x07 && s[i] != 0x1b; i++ {
			}
			if i+1 < len(s) && s[i] == 0x1b {
				i++
			}
		}
	}
	return b.String()
}

// fence puts foreign text into a code block that it cannot end: the fence is longer than any run of backticks in it.
func fence(s string) string {
	s = clean(s)
	if len(s) > maxForeign {
		s = cutLines(s, maxForeign) + "\n… (shortened)"
	}
	bar := strings.Repeat("`", max(3, longestRun(s)+1))
	return bar + "text\n" + strings.TrimRight(s, "\n") + "\n" + bar
}

// code puts a short foreign word into a code span that it cannot end; it also survives inside a table cell.
func code(s string) string { return span(strings.ReplaceAll(s, "|", "¦"), 200) }

// span puts a line of foreign text, cut at most bytes, into a code span that it cannot end.
func span(s string, most int) string {
	s = strings.ReplaceAll(clean(s), "\n", " ")
	if len(s) > most {
		s = s[:runeStart(s, most)] + "…"
	}
	if strings.Trim(s, " ") == "" {
		return "` `"
	}
	bar := strings.Repeat("`", longestRun(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		return bar + " " + s + " " + bar
	}
	return bar + s + bar
}

// label is a host as link text: nothing that Markdown reads.
func label(host string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, host)
}

func longestRun(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// cut shortens a body to at most n bytes on a line, and closes a code block that was open there.
func cut(body string, n int) string {
	const note = "\n\n… (shortened)\n"
	kept := cutLines(body, n-len(note)-256)
	open := ""
	for _, line := range strings.Split(kept, "\n") {
		switch bar := line[:len(line)-len(strings.TrimLeft(line, "`"))]; {
		case open == "" && len(bar) >= 3:
			open = bar
		case open != "" && line == open:
			open = ""
		}
	}
	if open != "" {
		kept += "\n" + open
	}
	return kept + note
}

func cutLines(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:runeStart(s, n)]
	if i := strings.LastIndexByte(s, '\n'); i > 0 {
		s = s[:i]
	}
	return s
}

// runeStart is the greatest position up to n that does not split a character.
func runeStart(s string, n int) int {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}
