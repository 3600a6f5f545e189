package redact

import (
	"errors"
	"io"
)

// Writer hides secrets in what is written, whatever pieces it comes in, and writes the rest on as soon as it is sure of it.
// It is not safe for concurrent use.
type Writer struct {
	next io.Writer
	s    scanner
	out  []byte
}

// Writer returns a Writer in front of next. What is held back is written by Close.
func (r *Redactor) Writer(next io.Writer) *Writer {
	return &Writer{next: next, s: scanner{r: r.known()}}
}

// Write implements io.Writer. An error is that of the writer behind.
func (w *Writer) Write(p []byte) (int, error) {
	w.out = w.s.more(w.out[:0], p)
	if len(w.out) > 0 {
		if _, err := w.next.Write(w.out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the writer behind.
func (w *Writer) Close() error {
	w.out = w.s.end(w.out[:0])
	w.s = scanner{r: w.s.r}
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.next.Write(w.out)
	return err
}

// Reader returns what next gives, with the secrets in it hidden.
func (r *Redactor) Reader(next io.Reader) io.Reader {
	return &reader{next: next, s: scanner{r: r.known()}, piece: make([]byte, 32<<10)}
}

type reader struct {
	next  io.Reader
	s     scanner
	piece []byte
	out   []byte // ready to be given
	rest  []byte // … of it, what was not given yet
	err   error  // of next, once that has ended
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		n, err := r.next.Read(r.piece)
		r.out = r.s.more(r.out[:0], r.piece[:n])
		if err != nil {
			r.err = err
			if errors.Is(err, io.EOF) {
				r.err = io.EOF
			}
			r.out = r.s.end(r.out)
		}
		r.rest = r.out
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
