package lab

import (
	"slices"
	"sync"
	"time"

	"catalyst.dev/catalyst/test/edge"
)

// Write is one request of a replica's that changed something, or may have.
type Write struct {
	Replica   string
	Effect    string
	Hub       bool   // to GitHub
	Namespace string // that it wrote to
	Start     time.Time
	End       time.Time // zero when no answer came back from the server
	Status    int
}

// record keeps all that the replicas of a lab have written.
type record struct {
	mu     sync.Mutex
	writes []*Write
}

// of returns the watcher of a replica's edge.
func (r *record) of(replica string) edge.Watcher {
	return &recorder{all: r, replica: replica, known: map[*edge.Request]*Write{}}
}

func (r *record) list() []Write {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Write, len(r.writes))
	for i, w := range r.writes {
		out[i] = *w
	}
	slices.SortStableFunc(out, func(a, b Write) int { return a.Start.Compare(b.Start) })
	return out
}

type recorder struct {
	all     *record
	replica string
	known   map[*edge.Request]*Write // guarded by all.mu; of requests under way
}

// Before implements edge.Watcher.
func (r *recorder) Before(req *edge.Request) (*edge.Answer, error) {
	what := Effect(req)
	if what == "" {
		return nil, nil //nolint:nilnil // no answer: the request goes on
	}
	w := &Write{Replica: r.replica, Effect: what, Start: time.Now(), Hub: isHub(req)}
	if !w.Hub {
		w.Namespace = target(req)
	}
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.all.writes = append(r.all.writes, w)
	r.known[req] = w
	return nil, nil //nolint:nilnil // no answer: the request goes on
}

// After implements edge.Watcher.
func (r *recorder) After(req *edge.Request, status int) error {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	if w := r.known[req]; w != nil {
		w.End, w.Status = time.Now(), status
		delete(r.known, req)
	}
	return nil
}

// Told implements edge.Watcher.
func (r *recorder) Told(*edge.Request) {}
