package redact

import (
	"bytes"
	"slices"
	"strings"
)

// strength is how surely what is assigned to a name is a secret.
type strength int

const (
	weak   strength = iota // a token, a key: also the name of a Kubernetes object, or a word of an error message
	strong                 // a password
)

// maxSuffix is how much of a name may follow its telling word: "secret_access_key".
const maxSuffix = 24

// harmless are ends of names whose values are no secrets, though a telling word stands in the name.
var harmless = []string{
	"file", "path", "name", "names", "ref", "dir", "id", "ids", "url", "uri", "type", "kind", "count", "length", "size", "policy", "expiry",
	"expires", "ttl", "mount", "version", "hash", "enabled", "required", "review", "class", "algorithm", "errors", "reader", "request",
}

// words are what is assigned to a password where there is none.
var words = []string{
	"true", "false", "nil", "null", "none", "yes", "no", "on", "off", "empty", "unset", "undefined", "required", "missing", "invalid", "redacted",
	"hidden", "string", "changed", "incorrect",
}

// assigned is a name that tells a secret, and what is assigned to it: name=value, "name": "value", name: value. The value is hidden.
func assigned(s strength) recognise {
	return func(v view, n int) verdict {
		end, more := v.run(n, wordDash)
		if more && end-n <= maxSuffix {
			return verdict{more: true}
		}
		if end-n > maxSuffix || endsHarmless(string(v.text[n:end])) {
			return verdict{}
		}
		value, ok, more := v.assignment(end)
		if !ok {
			return verdict{more: more}
		}
		if s == strong && end > n {
			if suffix, _ := (view{text: v.text[:end], last: true}).run(n, digits); suffix < end {
				s = weak // passwordless, password_reset …
			}
		}
		return v.value(value, s)
	}
}

func endsHarmless(suffix string) bool {
	suffix = strings.TrimLeft(strings.ToLower(suffix), "_-")
	return slices.ContainsFunc(harmless, func(end string) bool { return strings.HasSuffix(suffix, end) })
}

// place is where a value stands.
type place struct {
	at    int
	depth int  // of the quotation marks around it; -1: none
	equal bool // assigned by "="
}

// assignment takes the end of a name and what stands between it and its value.
func (v view) assignment(i int) (p place, ok, more bool) {
	i, _, more = v.quote(i)
	if more {
		return p, false, true
	}
	if i, more = v.run(i, blank); more {
		return p, false, true
	}
	if i == len(v.text) || v.text[i] != '=' && v.text[i] != ':' {
		return p, false, false
	}
	p.equal = v.text[i] == '='
	if i, more = v.run(i+1, blank); more {
		return p, false, true
	}
	p.at, p.depth, more = v.quote(i)
	return p, !more, more
}

// value judges what stands at the place.
func (v view) value(p place, s strength) verdict {
	if p.depth >= 0 {
		end, more := v.until(p.at, p.depth)
		if more {
			return verdict{more: true}
		}
		text := string(v.text[p.at:end])
		return verdict{span: span{p.at, end}, found: !placeholder(text) && (s == strong && len(text) >= 3 || looksRandom(text))}
	}
	end, more := v.bare(p.at)
	if more {
		return verdict{more: true}
	}
	if host := bytes.IndexByte(v.text[p.at:end], '@'); s == weak && host >= 0 { // user:token@host
		end = p.at + host
	}
	text := string(v.text[p.at:end])
	out := verdict{span: span{p.at, end}}
	switch {
	case placeholder(text):
	case s == weak:
		out.found = looksRandom(text)
	case p.equal:
		out.found = len(text) >= 3
	default:
		// After a colon there is often a sentence: only a word that stands alone, and is none.
		rest, more := v.run(end, blank)
		if more {
			return verdict{more: true}
		}
		alone := rest == len(v.text) || strings.IndexByte("\r\n,}]\"'\\", v.text[rest]) >= 0
		out.found = alone && len(text) >= MinLength && !isWord(text)
	}
	return out
}

// bare is the end of a value without quotation marks. Punctuation at its end belongs to the sentence.
func (v view) bare(i int) (end int, more bool) {
	start := i
	for i < len(v.text) && !space.has(v.text[i]) && !quotes.has(v.text[i]) && strings.IndexByte("&;<>|", v.text[i]) < 0 {
		i++
	}
	if i == len(v.text) && !v.last {
		return i, true
	}
	for i > start && strings.IndexByte(`,.)}]\`, v.text[i-1]) >= 0 {
		i--
	}
	return i, false
}

// placeholder reports whether a value only stands for one.
func placeholder(s string) bool {
	if s == "" || slices.Contains(words, strings.ToLower(s)) || strings.HasPrefix(s, Mark[:len(Mark)-1]) {
		return true
	}
	if strings.IndexByte("$<{%(", s[0]) >= 0 {
		return true
	}
	return strings.Trim(s, s[:1]) == "" || strings.Trim(s, "*.") == "" // xxxxx, *****
}

// isWord reports whether s may be a word of a sentence.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && s[i] != '-' || i > 0 && s[i] >= 'A' && s[i] <= 'Z' {
			return false
		}
	}
	return true
}

// looksRandom reports whether s is long, has letters and digits, and is no path, name or reference that people would give.
func looksRandom(s string) bool {
	if len(s) < 16 || strings.ContainsAny(s, " \t") || s[0] == '/' || s[0] == '.' {
		return false
	}
	var lower, upper, number, dash, hexOnly = false, false, false, false, true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			number = true
		case c >= 'a' && c <= 'z':
			lower = true
			hexOnly = hexOnly && c <= 'f'
		case c >= 'A' && c <= 'Z':
			upper = true
			hexOnly = hexOnly && c <= 'F'
		case c == '-' || c == '/' || c == '.' || c == ':':
			dash = true
		}
	}
	if !number || !lower && !upper {
		return false
	}
	return upper && lower || hexOnly || !dash // otherwise the name of an object, an image, a host
}

// authorization is the header: the credentials after the scheme are hidden, to the end of the string or the line when they have parts.
func authorization(v view, n int) verdict {
	p, ok, more := v.assignment(n)
	if !ok {
		return verdict{more: more}
	}
	at := p.at
	if at < len(v.text) && v.text[at] == '[' { // as Go prints a header
		at++
	}
	scheme, more := v.run(at, wordDash)
	if more {
		return verdict{more: true}
	}
	known := slices.Contains([]string{"basic", "bearer", "token", "digest", "negotiate", "apikey", "aws4-hmac-sha256", "ntlm"}, strings.ToLower(string(v.text[at:scheme])))
	start, more := v.run(scheme, blank)
	if more {
		return verdict{more: true}
	}
	if !known || start == scheme {
		end, more := v.bare(at)
		if more {
			return verdict{more: true}
		}
		return verdict{span: span{at, end}, found: looksRandom(string(v.text[at:end]))}
	}
	end := start
	for end < len(v.text) && strings.IndexByte("\n\"'`]}", v.text[end]) < 0 {
		end++
	}
	if end == len(v.text) && !v.last {
		return verdict{more: true}
	}
	if strings.ToLower(string(v.text[at:scheme])) != "digest" && v.text[at]|0x20 != 'a' { // one word
		if first := bytes.IndexAny(v.text[start:end], " \t,\\"); first >= 0 {
			end = start + first
		}
	}
	for end > start && v.text[end-1] == '\\' {
		end--
	}
	return verdict{span: span{start, end}, found: end > start && !placeholder(string(v.text[start:end]))}
}

// bearer is the scheme without its header.
func bearer(v view, n int) verdict {
	end, more := v.run(n, base64Padded)
	for !more && end < len(v.text) && v.text[end] == '.' {
		end, more = v.run(end+1, base64Padded)
	}
	if more {
		return verdict{more: true}
	}
	return verdict{span: span{n, end}, found: looksRandom(string(v.text[n:end]))}
}

// dockerAuth is user and password in base64, as registries' credentials hold them.
func dockerAuth(v view, n int) verdict {
	p, ok, more := v.assignment(n)
	if !ok || p.depth < 0 {
		return verdict{more: more}
	}
	end, more := v.run(p.at, base64Padded)
	if more {
		return verdict{more: true}
	}
	return verdict{span: span{p.at, end}, found: end-p.at >= 8}
}

// maxUserinfo bounds the user and password in a URL: a token may stand there.
const maxUserinfo = 4096

// userinfo is the password in a URL, or a token that stands in its place.
func userinfo(v view, n int) verdict {
	at, colon := -1, -1
	i := n
loop:
	for ; i < len(v.text) && i < maxUserinfo; i++ {
		switch c := v.text[i]; {
		case c == '@':
			at = i
		case c == ':' && colon < 0:
			colon = i
		case c == '/' || c == '?' || c == '#' || c == '\\' || c == '<' || c == '>' || c == ',' && at >= 0 || space.has(c) || quotes.has(c):
			break loop
		}
	}
	if i == len(v.text) && !v.last && i < maxUserinfo {
		return verdict{more: true}
	}
	switch {
	case at < 0:
		return verdict{}
	case colon >= 0 && colon < at:
		password := string(v.text[colon+1 : at])
		return verdict{span: span{colon + 1, at}, found: !placeholder(password)}
	}
	return verdict{span: span{n, at}, found: looksRandom(string(v.text[n:at]))}
}
