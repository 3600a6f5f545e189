package logs

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
)

// Source is where logs come from.
type Source interface {
	Containers(ctx context.Context, id cluster.Identity) ([]cluster.Container, error)
	Log(ctx context.Context, id cluster.Identity, r cluster.LogRequest) (io.ReadCloser, error)
	Hide(ctx context.Context, id cluster.Identity) (*redact.Redactor, error)
}

// Select says which lines are wanted. What is empty lets everything pass.
type Select struct {
	Pod, Container string
	Grep           string // part of the text, in any case
	Exclude        string // not part of it
	Level          Level  // at least
	Previous       bool   // only the runs before the present ones
}

// of reports whether lines of the container are wanted.
func (s Select) of(c cluster.Container) bool {
	return (s.Pod == "" || s.Pod == c.Pod) && (s.Container == "" || s.Container == c.Name) && (!s.Previous || c.Previous)
}

var ranks = map[Level]int{LevelDebug: 1, LevelInfo: 2, LevelWarn: 3, LevelError: 4}

// passes reports whether the line is wanted.
func (s Select) passes(l Line) bool {
	if s.Level != LevelNone && ranks[l.Level] < ranks[s.Level] {
		return false
	}
	if s.Grep == "" && s.Exclude == "" {
		return true
	}
	text := strings.ToLower(l.Text)
	return (s.Grep == "" || strings.Contains(text, strings.ToLower(s.Grep))) && (s.Exclude == "" || !strings.Contains(text, strings.ToLower(s.Exclude)))
}

// Reader reads the logs of previews. Safe for concurrent use.
type Reader struct{ source Source }

// New returns a Reader of the source.
func New(s Source) *Reader { return &Reader{s} }

// Each calls do with every wanted line of what there is now, merged by time, until do says false. Memory does not grow with the logs.
func (r *Reader) Each(ctx context.Context, id cluster.Identity, s Select, do func(Line) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	containers, err := r.source.Containers(ctx, id)
	if err != nil {
		return err
	}
	hide, err := r.source.Hide(ctx, id)
	if err != nil {
		return err
	}
	m := merge{}
	defer m.close()
	for _, c := range containers {
		if !s.of(c) {
			continue
		}
		for _, previous := range []bool{true, false} {
			if previous && !c.Previous || !previous && s.Previous || !previous && c.State == "waiting" && c.StartedAt.IsZero() {
				continue
			}
			stream, err := r.source.Log(ctx, id, cluster.LogRequest{Pod: c.Pod, Container: c.Name, Previous: previous})
			if missing(err) {
				continue // nothing of it is left
			}
			if err != nil {
				return err
			}
			if err := m.add(newScanner(c.Pod, c.Name, stream, hide.String), stream); err != nil {
				return err
			}
		}
	}
	for {
		l, err := m.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the logs of %s: %w", id.Namespace, err)
		}
		if s.passes(l) && !do(l) {
			return nil
		}
	}
}

// missing reports whether a log is not there, which is no failure: the container has not begun, or its node has forgotten it.
func missing(err error) bool {
	return errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrInvalid)
}

// Page is a piece of the logs.
type Page struct {
	Lines []Line
	More  bool // there are older ones
}

// Last returns the last lines before the given one, at most limit; before the end when that is nil.
func (r *Reader) Last(ctx context.Context, id cluster.Identity, s Select, before *Line, limit int) (Page, error) {
	last := newRing(limit)
	err := r.Each(ctx, id, s, func(l Line) bool {
		if before != nil && order(l, *before) >= 0 {
			return false
		}
		last.add(l)
		return true
	})
	return Page{Lines: last.lines(), More: last.over}, err
}

// merge gives the lines of several logs in their order.
type merge struct {
	heads   []head
	streams []io.Closer
}

type head struct {
	line Line
	from *scanner
}

func (m *merge) add(s *scanner, c io.Closer) error {
	m.streams = append(m.streams, c)
	l, err := s.next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		heap.Push(m, head{l, s})
	}
	return err
}

// next returns the next line of all; io.EOF after the last.
func (m *merge) next() (Line, error) {
	if len(m.heads) == 0 {
		return Line{}, io.EOF
	}
	out := m.heads[0].line
	l, err := m.heads[0].from.next()
	switch {
	case err == nil:
		m.heads[0].line = l
		heap.Fix(m, 0)
	case errors.Is(err, io.EOF):
		heap.Pop(m)
	default:
		return out, err
	}
	return out, nil
}

func (m *merge) close() {
	for _, s := range m.streams {
		_ = s.Close()
	}
}

// Len implements heap.Interface, as do the others below.
func (m *merge) Len() int           { return len(m.heads) }
func (m *merge) Less(i, j int) bool { return order(m.heads[i].line, m.heads[j].line) < 0 }
func (m *merge) Swap(i, j int)      { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merge) Push(x any)         { m.heads = append(m.heads, x.(head)) }
func (m *merge) Pop() any {
	last := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	return last
}

// LastUntil returns the last lines of those that the cursor has passed, at most limit: what is written while it reads is left to Follow.
func (r *Reader) LastUntil(ctx context.Context, id cluster.Identity, s Select, until Cursor, limit int) ([]Line, error) {
	last := newRing(limit)
	err := r.Each(ctx, id, s, func(l Line) bool {
		if place, ok := until[l.Pod+"/"+l.Container]; ok && l.Compare(place) <= 0 {
			last.add(l)
		}
		return true
	})
	return last.lines(), err
}

// ring keeps the last lines.
type ring struct {
	kept  []Line
	limit int
	at    int // the oldest, once it is full
	over  bool
}

func newRing(limit int) *ring { return &ring{limit: limit} }

func (r *ring) add(l Line) {
	if len(r.kept) < r.limit {
		r.kept = append(r.kept, l)
		return
	}
	r.kept[r.at], r.at, r.over = l, (r.at+1)%r.limit, true
}

func (r *ring) lines() []Line {
	return append(append(make([]Line, 0, len(r.kept)), r.kept[r.at:]...), r.kept[:r.at]...)
}
