package redact

import "bytes"

const (
	// window is how far after its beginning a shape is looked at.
	window = 32 << 10
	// ellipsis ends text that was cut.
	ellipsis = "…"
)

// span is a part of the text that is hidden.
type span struct{ start, end int }

// verdict is what was found out about a place in the text.
type verdict struct {
	span
	found bool
	more  bool // it depends on text that is not there yet
}

// scanner hides secrets in text that comes in pieces. What it gives out is the same however the text was cut into pieces: whether
// something is hidden depends on one byte before the place where an entry begins, and on a bounded part after it.
type scanner struct {
	r      *Redactor
	text   []byte // what was not given out yet, and one byte before it
	at     int    // the next place to look at
	given  int    // everything before was given out, or hidden
	spans  []span // found and not given out yet: sorted, none touches another
	marked bool   // the last thing given out is a Mark
}

// more takes the next piece and appends to dst what can be given out already.
func (s *scanner) more(dst, piece []byte) []byte {
	s.text = append(s.text, piece...)
	s.scan(false)
	dst = s.give(dst, s.sure())
	if s.given > 1 {
		cut := s.given - 1
		s.text = append(s.text[:0], s.text[cut:]...)
		s.at, s.given = s.at-cut, s.given-cut
		for i := range s.spans {
			s.spans[i].start, s.spans[i].end = s.spans[i].start-cut, s.spans[i].end-cut
		}
	}
	return dst
}

// end appends to dst all that is left.
func (s *scanner) end(dst []byte) []byte {
	s.scan(true)
	return s.give(dst, len(s.text))
}

// sure is the place up to which nothing changes any more.
func (s *scanner) sure() int {
	if s.at > 0 && base64Any.has(s.text[s.at-1]) {
		return s.at - 1
	}
	return s.at
}

func (s *scanner) scan(final bool) {
	text, ix := s.text, s.r.index
	for ; s.at+2 < len(text); s.at++ {
		key := fold3(text[s.at], text[s.at+1], text[s.at+2])
		if ix.has(key) && !s.look(key, final) {
			return
		}
	}
	for ; s.at < len(text); s.at++ { // too little is left for an entry
		if !final && ix.mayBegin(text[s.at:]) {
			return
		}
	}
}

// look tries every entry that may begin at the present place. It returns false when that has to wait for more text.
func (s *scanner) look(key uint32, final bool) bool {
	entries := s.r.index.entries[key]
	for i := range entries {
		v := entries[i].match(s.text, s.at, final)
		if v.more {
			return false
		}
		if v.found {
			s.hide(v.span)
		}
	}
	return true
}

func (e *entry) match(text []byte, at int, final bool) verdict {
	rest := text[at:]
	n := e.common(rest)
	switch {
	case n == len(e.text) && e.recognise == nil:
		return e.widen(text, span{at, at + n}, final)
	case n == len(e.text):
		last := final
		if len(rest) >= window {
			rest, last = rest[:window], true
		}
		v := e.recognise(view{text: rest, last: last}, n)
		v.start, v.end = v.start+at, v.end+at
		return v
	case n == len(rest) && !final:
		return verdict{more: true}
	case e.recognise != nil || n < MinLength:
		return verdict{}
	}
	cut, more := isCut(rest[n:], final)
	return verdict{span: span{at, at + n}, found: cut, more: more}
}

// common is the length of what the entry and the text have in common at their beginnings.
func (e *entry) common(text []byte) int {
	n := min(len(e.text), len(text))
	for i := range n {
		if c := text[i]; c != e.text[i] && (!e.fold || c|0x20 != e.text[i]) {
			return i
		}
	}
	return n
}

// isCut reports whether text was cut where rest begins: it ends there, or an ellipsis follows.
func isCut(rest []byte, final bool) (cut, more bool) {
	if len(rest) == 0 {
		return final, !final
	}
	if !final && len(rest) < len(ellipsis) && bytes.HasPrefix([]byte(ellipsis), rest) {
		return false, true
	}
	return bytes.HasPrefix(rest, []byte(ellipsis)), false
}

// widen takes in the characters of base64 that a secret shares with its neighbours.
func (e *entry) widen(text []byte, s span, final bool) verdict {
	if e.before && s.start > 0 && base64Any.has(text[s.start-1]) {
		s.start--
	}
	if e.after == 0 {
		return verdict{span: s, found: true}
	}
	end := s.end
	for end < len(text) && end-s.end < e.after && base64Any.has(text[end]) {
		end++
	}
	for limit := end + 2; end < len(text) && end < limit && text[end] == '='; { // padding
		end++
	}
	return verdict{span: span{s.start, end}, found: true, more: end == len(text) && !final}
}

// hide adds a span to those that wait to be given out.
func (s *scanner) hide(n span) {
	n.start = max(n.start, s.given)
	if n.end <= n.start {
		return
	}
	i := len(s.spans)
	for i > 0 && s.spans[i-1].end >= n.start {
		i--
	}
	j := i
	for j < len(s.spans) && s.spans[j].start <= n.end {
		n = span{min(n.start, s.spans[j].start), max(n.end, s.spans[j].end)}
		j++
	}
	s.spans = append(s.spans[:i], append([]span{n}, s.spans[j:]...)...)
}

// give appends the text before limit to dst, each hidden part as one Mark.
func (s *scanner) give(dst []byte, limit int) []byte {
	for s.given < limit {
		if len(s.spans) == 0 || s.spans[0].start > s.given {
			next := limit
			if len(s.spans) > 0 {
				next = min(limit, s.spans[0].start)
			}
			dst = append(dst, s.text[s.given:next]...)
			s.given, s.marked = next, false
			continue
		}
		if !s.marked {
			dst = append(dst, Mark...)
			s.marked = true
		}
		if s.spans[0].end > limit {
			s.spans[0].start, s.given = limit, limit
			return dst
		}
		s.given = s.spans[0].end
		s.spans = s.spans[1:]
	}
	return dst
}
