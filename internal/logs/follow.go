package logs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
)

const (
	// watermark is how long a line waits for older ones of other containers that arrive later.
	watermark = 400 * time.Millisecond
	// joinEvery is how often is looked whether containers have begun.
	joinEvery = 2 * time.Second
	// waiting is how many lines wait to be handed over; beyond it the logs are read no faster than they are taken.
	waiting = 10_000
	// again is how long a log that ended or broke is left alone at first, rarely how long when nothing comes of it.
	again, rarely = time.Second, 10 * time.Second
)

// Cursor says up to which line of each container a reader has come. Its text form goes out with what is read, and comes back when the reader does.
type Cursor map[string]Place

// String gives the cursor as an opaque text.
func (c Cursor) String() string {
	type mark struct {
		N int64 `json:"n"`
		S int   `json:"s,omitempty"`
	}
	marks := make(map[string]mark, len(c))
	for name, p := range c {
		marks[name] = mark{p.At.UnixNano(), p.Seq}
	}
	b, _ := json.Marshal(marks) // numbers always encode
	return base64.RawURLEncoding.EncodeToString(b)
}

// maxCursor bounds what is parsed of a cursor, which comes from outside.
const maxCursor = 16 << 10

// ParseCursor reads what String gives; false for anything else.
func ParseCursor(s string) (Cursor, bool) {
	var marks map[string]struct {
		N int64
		S int
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || s == "" || len(s) > maxCursor || json.Unmarshal(b, &marks) != nil {
		return nil, false
	}
	c := Cursor{}
	for name, m := range marks {
		c[name] = Place{time.Unix(0, m.N).UTC(), m.S}
	}
	return c, true
}

// Advance moves the cursor behind the line.
func (c Cursor) Advance(l Line) { c[l.Pod+"/"+l.Container] = l.Place }

// Follow calls give with every wanted line behind the cursor, those that are there and those that come, in batches in the order of their times and
// with the cursor behind each batch, until ctx ends or give fails. Containers that begin later join. Nobody's line is given twice or left out, as long as
// the node still has it.
func (r *Reader) Follow(ctx context.Context, id cluster.Identity, s Select, from Cursor, give func([]Line, Cursor) error) error {
	hide, err := r.source.Hide(ctx, id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan Line, 500)
	var followers sync.WaitGroup
	defer followers.Wait()
	defer cancel()
	followed := map[string]bool{}
	join := func() error {
		containers, err := r.source.Containers(ctx, id)
		if err != nil && !missing(err) {
			return err
		}
		for _, c := range containers {
			name := c.Pod + "/" + c.Name
			if !s.of(c) || followed[name] || c.StartedAt.IsZero() {
				continue
			}
			followed[name] = true
			f := follower{source: r.source, id: id, pod: c.Pod, container: c.Name, began: c.StartedAt, previous: c.Previous, hide: hide.String, lines: lines}
			f.place, f.placed = from[name]
			followers.Go(func() { f.run(ctx) })
		}
		return nil
	}
	if err := join(); err != nil {
		return err
	}
	return deliver(ctx, lines, s, maps.Clone(from), join, give)
}

// deliver sorts the lines that arrive and hands them over.
func deliver(ctx context.Context, lines <-chan Line, s Select, cursor Cursor, join func() error, give func([]Line, Cursor) error) error {
	if cursor == nil {
		cursor = Cursor{}
	}
	type arrived struct {
		Line
		at time.Time
	}
	var held []arrived
	tick, joins := time.NewTicker(watermark/4), time.NewTicker(joinEvery)
	defer tick.Stop()
	defer joins.Stop()
	flush := func(now time.Time) error {
		n := 0
		for n < len(held) && now.Sub(held[n].at) >= watermark {
			n++
		}
		ready := held[:n]
		held = slices.Clone(held[n:])
		slices.SortStableFunc(ready, func(a, b arrived) int { return order(a.Line, b.Line) })
		out := make([]Line, 0, n)
		for _, l := range ready {
			cursor.Advance(l.Line)
			if s.passes(l.Line) {
				out = append(out, l.Line)
			}
		}
		if len(out) == 0 {
			return nil
		}
		return give(out, maps.Clone(cursor))
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case l := <-lines:
			held = append(held, arrived{l, time.Now()})
			if len(held) < waiting {
				continue
			}
			if err := flush(time.Now().Add(watermark)); err != nil {
				return err
			}
		case now := <-tick.C:
			if err := flush(now); err != nil {
				return err
			}
		case <-joins.C:
			if err := join(); err != nil {
				return err
			}
		}
	}
}

// follower reads one container's log, run after run.
type follower struct {
	source         Source
	id             cluster.Identity
	pod, container string
	began          time.Time
	previous       bool
	hide           func(string) string
	lines          chan<- Line
	place          Place
	placed         bool
}

// run follows until ctx ends. The API takes whole seconds, so what was read before is read again and left out by its place. A log that broke may be
// that of a run that has ended since: so the run before is looked at, too.
func (f *follower) run(ctx context.Context) {
	before := f.previous && (!f.placed || f.place.At.Before(f.began))
	for pause := again; ctx.Err() == nil; before = true {
		got := 0
		if before {
			got = f.read(ctx, true)
		}
		if got += f.read(ctx, false); got > 0 {
			pause = again
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, rarely)
	}
}

// read reads one run to its end and returns how many lines of it were new.
func (f *follower) read(ctx context.Context, previous bool) (got int) {
	request := cluster.LogRequest{Pod: f.pod, Container: f.container, Previous: previous, Follow: !previous}
	if f.placed {
		request.Since = f.place.At.Truncate(time.Second)
	}
	stream, err := f.source.Log(ctx, f.id, request)
	if err != nil {
		return 0 // it is asked for again
	}
	defer func() { _ = stream.Close() }()
	s := newScanner(f.pod, f.container, stream, f.hide)
	for {
		l, err := s.next()
		if err != nil {
			return got
		}
		if f.placed && l.Compare(f.place) <= 0 {
			continue
		}
		select {
		case f.lines <- l:
			f.place, f.placed = l.Place, true
			got++
		case <-ctx.Done():
			return got
		}
	}
}
