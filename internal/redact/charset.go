package redact

import "strings"

// charset is a set of bytes.
type charset [256]bool

func (c *charset) has(b byte) bool { return c[b] }

// setOf makes a set of ranges "az" and single characters, which stand after the ranges.
func setOf(ranges []string, singles string) *charset {
	var c charset
	for _, r := range ranges {
		for b := r[0]; ; b++ {
			c[b] = true
			if b == r[1] {
				break
			}
		}
	}
	for i := range len(singles) {
		c[singles[i]] = true
	}
	return &c
}

var (
	letters      = []string{"az", "AZ", "09"}
	digits       = setOf([]string{"09"}, "")
	alphanumeric = setOf(letters, "")
	upperDigits  = setOf([]string{"AZ", "09"}, "")
	word         = setOf(letters, "_")
	wordDash     = setOf(letters, "_-")
	wordDashDot  = setOf(letters, "_-.")
	pathLike     = setOf(letters, "_-/")
	cookie       = setOf(letters, "_-.%")
	base64URL    = setOf(letters, "-_")
	base64Any    = setOf(letters, "+/-_")
	base64Padded = setOf(letters, "+/-_=")
	pemBody      = setOf(letters, "+/= \r\n\t:,-\\")
	blank        = setOf(nil, " \t")
	space        = setOf(nil, " \t\r\n")
	quotes       = setOf(nil, "\"'`")
)

// view is a text from the beginning of a shape on.
type view struct {
	text []byte
	last bool // no more text belongs to it
}

// run is the end of the characters of the set from i on. more: there may be others in text that is not there yet.
func (v view) run(i int, set *charset) (end int, more bool) {
	for i < len(v.text) && set.has(v.text[i]) {
		i++
	}
	return i, i == len(v.text) && !v.last
}

// quote takes one quotation mark at i, with the backslashes of the strings around. depth is their number; -1: there is none.
func (v view) quote(i int) (end, depth int, more bool) {
	start := i
	for i < len(v.text) && v.text[i] == '\\' {
		i++
	}
	switch {
	case i == len(v.text):
		return start, -1, !v.last
	case quotes.has(v.text[i]):
		return i + 1, i - start, false
	}
	return start, -1, false
}

// until is where the string ends that was opened at i by the mark before it, with as many backslashes before its end as before its
// beginning; or a string around it, the line, or the view.
func (v view) until(i, depth int) (end int, more bool) {
	mark := v.text[i-1]
	for backslashes := 0; i < len(v.text); i++ {
		switch c := v.text[i]; {
		case c == '\\':
			backslashes++
			continue
		case c == '\n':
			return i, false
		case c == mark && (backslashes <= depth || backslashes%2 == 0): // its end, or that of a string around
			return i - backslashes, false
		case c == '"' && backslashes%2 == 0 && i+1 == len(v.text) && !v.last:
			return i, true
		case c == '"' && backslashes%2 == 0 && (i+1 == len(v.text) || strings.IndexByte(",}]", v.text[i+1]) >= 0):
			return i - backslashes, false // of a string around, as in a log of JSON
		}
		backslashes = 0
	}
	return i, !v.last
}
