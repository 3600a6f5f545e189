// Package live tells who looks at a page that what it shows has changed. It asks the database while somebody looks, and not otherwise: so a change made by another
// process is seen like one's own. It tells that something changed, never what: pages are made from what is stored.
package live

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Versions tells, for every preview that may still change, a text that differs whenever something about it did.
type Versions interface {
	Versions(ctx context.Context) (map[string]string, error)
}

const (
	// spread is over how long those who look at a change are told of it, so that not all of them come for their page in the same moment, and
	// apart how long lies between two of them where they are few.
	spread = 120 * time.Millisecond
	apart  = 2 * time.Millisecond
)

// Every is how often the database is asked while somebody looks.
const Every = 250 * time.Millisecond

// Hub is shared by all who look. Safe for concurrent use.
type Hub struct {
	source Versions
	every  time.Duration
	log    *slog.Logger

	mu      sync.Mutex
	readers map[*Reader]bool
	seen    map[string]string
	stop    context.CancelFunc // of the asking; nil while nobody looks
}

// New returns a hub that asks the source. It asks nothing until somebody looks.
func New(source Versions, log *slog.Logger) *Hub {
	return &Hub{source: source, every: Every, log: log, readers: map[*Reader]bool{}}
}

// Reader is somebody who looks at one preview, or at all.
type Reader struct {
	C       <-chan struct{} // poked when something changed; pokes that nobody took are one
	c       chan struct{}
	preview string
	hub     *Hub
}

// Look begins to look at the preview with the id; at all when it is empty. Close ends it.
func (h *Hub) Look(preview string) *Reader {
	c := make(chan struct{}, 1)
	r := &Reader{C: c, c: c, preview: preview, hub: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers[r] = true
	if h.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop, h.seen = cancel, nil
		go h.ask(ctx)
	}
	return r
}

// Close ends the looking.
func (r *Reader) Close() {
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, r)
	if len(h.readers) == 0 && h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// ask asks until nobody looks any more.
func (h *Hub) ask(ctx context.Context) {
	ticker := time.NewTicker(h.every)
	defer ticker.Stop()
	for failed := false; ; {
		now, err := h.source.Versions(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failed:
			h.log.Warn("pages are not live: the database does not tell what changed", "error", err)
		case err == nil:
			h.compare(ctx, now)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// compare pokes those who look at what changed since it was asked last. Who began to look in between has read before it and may be poked for nothing.
func (h *Hub) compare(ctx context.Context, now map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return // others look by now, with an asking of their own
	}
	before := h.seen
	h.seen = now
	if before == nil {
		return
	}
	changed := map[string]bool{}
	for id, v := range now {
		if before[id] != v {
			changed[id] = true
		}
	}
	for id := range before {
		if _, there := now[id]; !there {
			changed[id] = true
		}
	}
	var told []*Reader
	for r := range h.readers {
		if len(changed) > 0 && (r.preview == "" || changed[r.preview]) {
			told = append(told, r)
		}
	}
	if len(told) > 0 {
		go tell(told)
	}
}

// tell pokes the readers, one after the other. One that has gone meanwhile is poked in vain.
func tell(readers []*Reader) {
	pause := time.NewTicker(min(apart, spread/time.Duration(len(readers))))
	defer pause.Stop()
	for i, r := range readers {
		if i > 0 {
			<-pause.C
		}
		select {
		case r.c <- struct{}{}:
		default:
		}
	}
}
