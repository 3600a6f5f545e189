package redact

import (
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Book is the set of the values known so far; it only grows. Its zero value is empty, and it is safe for concurrent use. It is for what operators read:
// in text for the author of a pull request, a value of somebody else's that is hidden would tell who guesses it that the guess was right.
type Book struct {
	current atomic.Pointer[Redactor]

	mu     sync.Mutex
	values map[string]bool
}

// Add makes more values known.
func (b *Book) Add(values ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	grown := false
	for _, v := range values {
		if len(v) >= MinLength && !b.values[v] {
			if b.values == nil {
				b.values = map[string]bool{}
			}
			b.values[v], grown = true, true
		}
	}
	if grown {
		b.current.Store(New(slices.Collect(maps.Keys(b.values))...))
	}
}

// Redactor returns a Redactor of the values that are known now.
func (b *Book) Redactor() *Redactor { return b.current.Load().known() }

// String hides what is known now.
func (b *Book) String(text string) string { return b.Redactor().String(text) }

// Writer returns a writer that hides in each Write by itself what is known then. It is for logs, whose handlers write every record as a
// whole; a secret across two Writes passes.
func (b *Book) Writer(next io.Writer) io.Writer { return records{b, next} }

type records struct {
	book *Book
	next io.Writer
}

// Write implements io.Writer.
func (r records) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.next, r.book.String(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
