package redact

import "strings"

// Mark stands where a secret stood.
const Mark = "[redacted]"

// MinLength is the length from which on a value is searched for. Shorter ones are found in ordinary words.
const MinLength = 6

// Redactor knows a set of values and all shapes. It never changes, and is safe for concurrent use. A nil one knows the shapes alone.
type Redactor struct {
	index *index
}

// New returns a Redactor of the values: each is searched for as it is, line by line, by the credentials inside it (the password of a URL), and in
// common encodings. Values shorter than MinLength are left out.
func New(values ...string) *Redactor {
	if len(values) == 0 {
		return shapesOnly()
	}
	ix := newIndex(shapes)
	for _, p := range patternsOf(values) {
		ix.add(p)
	}
	return &Redactor{index: ix}
}

// known returns a usable Redactor for a nil one.
func (r *Redactor) known() *Redactor {
	if r == nil {
		return shapesOnly()
	}
	return r
}

// String returns the text with every secret in it replaced by Mark, neighbours by one. The beginning of a value counts as the value where the
// text ends, or was cut with an ellipsis.
func (r *Redactor) String(text string) string {
	r = r.known()
	if !r.index.mayHold(text) {
		return text
	}
	s := scanner{r: r, text: []byte(text)}
	return string(s.end(make([]byte, 0, len(text))))
}

// Lines is String for text that was split into lines: a secret may go over several, and then takes their place.
func (r *Redactor) Lines(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	return strings.Split(r.String(headless(strings.Join(lines, "\n"))), "\n")
}
