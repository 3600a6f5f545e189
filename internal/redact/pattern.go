package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxEncodedLines bounds for how many lines of one value the encodings are made, too: beyond, they are searched for as they are.
const maxEncodedLines = 200

// patternsOf gives each text to search for once.
func patternsOf(values []string) []entry {
	set := patterns{}
	for _, v := range values {
		v = strings.TrimSpace(v)
		set.encoded(v)
		for _, part := range parts(v) {
			set.encoded(part)
		}
		set.plain(strings.Join(strings.Fields(v), " ")) // foreign text is brought to one line in places
		lines := strings.Split(v, "\n")
		for _, line := range lines {
			line = strings.TrimSpace(line)
			switch {
			case len(lines) == 1 || strings.HasPrefix(line, "-----"): // the frame of a PEM block is nobody's secret
			case len(lines) > maxEncodedLines:
				set.plain(line)
			default:
				set.encoded(line)
			}
		}
	}
	all := make([]entry, 0, len(set))
	for _, e := range set {
		all = append(all, e)
	}
	return all
}

// patterns are the entries by their text.
type patterns map[string]entry

func (s patterns) plain(text string) {
	if len(text) >= MinLength {
		s[text] = entry{text: text}
	}
}

// encoded adds the value in all its encodings.
func (s patterns) encoded(v string) {
	if len(v) < MinLength {
		return
	}
	s.plain(v)
	for _, e := range []string{hex.EncodeToString([]byte(v)), strings.ToUpper(hex.EncodeToString([]byte(v))), html.EscapeString(v)} {
		s.plain(e)
	}
	for _, e := range []string{url.QueryEscape(v), url.PathEscape(v), percent(v, "-_.!~*'()"), percent(v, "-_.~/")} {
		s.plain(e)
		s.plain(lowerHex(e))
	}
	for _, e := range quoted(v) {
		s.plain(e)
		for _, twice := range quoted(e) { // a log line in JSON, quoted by another
			s.plain(twice)
		}
	}
	s.base64(v)
	s.wrapped(v, 64)
	s.wrapped(v, 76)
}

// quoted gives the value as string literals have it between their quotes.
func quoted(v string) []string {
	full, _ := json.Marshal(v) // strings always encode
	inner := string(full[1 : len(full)-1])
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(inner)
	goQuoted := strconv.Quote(v)
	return []string{inner, plain, ascii(inner), ascii(plain), goQuoted[1 : len(goQuoted)-1]}
}

// ascii is how encoders write that keep to ASCII: other characters as \u and their UTF-16 code units.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// percent encodes everything but letters, digits and those named.
func percent(v, keep string) string {
	var b strings.Builder
	for i := range len(v) {
		if c := v[i]; alphanumeric.has(c) || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// lowerHex turns the digits of percent-encoding to lower case.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(s[i+1:i+3]))
		}
	}
	return string(b)
}

// base64 adds what the value looks like in the base64 of a text that holds it: three forms, as three bytes make four characters. The characters at
// the edges hold bits of the neighbours as well, so they cannot be searched for; they are hidden with the rest.
func (s patterns) base64(v string) {
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			text := encoding.EncodeToString(append(make([]byte, shift), v...))
			bits := 8 * (shift + len(v))
			after := 0
			if bits%6 != 0 {
				text, after = text[:len(text)-1], 1
			}
			if shift > 0 {
				text = text[shift+1:]
			}
			known := s[text]
			s[text] = entry{text: text, before: known.before || shift > 0, after: max(known.after, after)}
		}
	}
}

// wrapped adds base64 that was broken into lines: as a whole, and each line by itself.
func (s patterns) wrapped(v string, width int) {
	text := base64.RawStdEncoding.EncodeToString([]byte(v[:len(v)-len(v)%3])) // what follows the value shares the last characters
	if len(text) <= width {
		return
	}
	var lines []string
	for ; len(text) > width; text = text[width:] {
		lines = append(lines, text[:width])
	}
	lines = append(lines, text)
	for _, line := range append(lines, strings.Join(lines, "\n")) {
		if len(line) >= 2*MinLength {
			s[line] = entry{text: line, after: 3}
		}
	}
}
