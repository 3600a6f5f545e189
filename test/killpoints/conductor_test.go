//go:build killpoints

package killpoints

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/lab"
)

// point is one side effect: the index-th, from 1, of its lane in a phase.
type point struct {
	phase string // what the author did: open, push, close
	lane  string // who acts, one effect after the other: a delivery, or a kind of job
	index int
	what  string
}

func (p point) String() string {
	return fmt.Sprintf("%s/%s/%02d %s", p.phase, p.lane, p.index, p.what)
}

// mode is when the process is hit.
type mode string

const (
	before mode = "before" // the effect never happens
	lost   mode = "lost"   // it happens, and its reply never comes
	after  mode = "after"  // it happens, and the reply comes
	paused mode = "paused" // as after, but the process wakes up again when another one has taken over
)

// conductor sees every side effect of one process, in both directions, and hits the process at one of them.
type conductor struct {
	server *httptest.Server // that the process tells of its commits

	mu      sync.Mutex // guards what follows
	moved   *sync.Cond
	phase   string
	trace   []point
	ended   map[point]bool
	failed  []string // commits that failed
	target  *point
	when    mode
	hit     func()        // kills or pauses the process, and returns when it is done
	fired   chan struct{} // closed when it was hit
	missed  string        // what was at the target's place instead
	letting bool          // nothing is held back any more
}

func newConductor() *conductor {
	c := &conductor{ended: map[point]bool{}, fired: make(chan struct{})}
	c.moved = sync.NewCond(&c.mu)
	c.server = httptest.NewServer(http.HandlerFunc(c.commit))
	return c
}

func (c *conductor) close() {
	c.release()
	c.server.CloseClientConnections()
	_ = c.server.Listener.Close()
}

func (c *conductor) begin(phase string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = phase
}

// aim chooses the point at which hit is called.
func (c *conductor) aim(p point, when mode, hit func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target, c.when, c.hit = &p, when, hit
}

// release holds nothing back any more.
func (c *conductor) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.letting = true
	c.moved.Broadcast()
}

// before notes an effect that is about to happen. The error says that it must not: the process is dead.
func (c *conductor) before(lane, what string) (point, error) {
	c.mu.Lock()
	p := point{phase: c.phase, lane: lane, index: 1, what: what}
	for _, old := range c.trace {
		if old.phase == p.phase && old.lane == p.lane {
			p.index++
		}
	}
	c.trace = append(c.trace, p)
	t := c.target
	if t != nil && t.phase == p.phase && t.lane == p.lane && t.index == p.index && t.what != p.what && c.missed == "" {
		c.missed = fmt.Sprintf("%s, where the list has %s", p, *t)
	}
	c.mu.Unlock()
	return p, c.strike(p, before)
}

// after notes that an effect has happened, and says whether the reply may go back.
func (c *conductor) after(p point) error { return c.strike(p, lost) }

// told notes that the reply has gone back.
func (c *conductor) told(p point) {
	c.mu.Lock()
	c.ended[p] = true
	c.moved.Broadcast()
	c.mu.Unlock()
	_ = c.strike(p, after)
	_ = c.strike(p, paused)
}

// strike hits the process if this is the moment.
func (c *conductor) strike(p point, now mode) error {
	c.mu.Lock()
	if c.target == nil || *c.target != p || c.when != now || c.struck() {
		c.mu.Unlock()
		return nil
	}
	close(c.fired)
	c.mu.Unlock()
	c.hit()
	c.release()
	return edge.ErrBreak
}

func (c *conductor) struck() bool {
	select {
	case <-c.fired:
		return true
	default:
		return false
	}
}

// hold keeps an effect back until the comment that tells of what is under way is through. Whether the comment job runs before, beside
// or after the work is chance, and coalesces comments or does not; held, the list is the same each time.
func (c *conductor) hold(lane, what string) {
	first := what == "delete namespaces/NS" || strings.HasPrefix(what, "create secrets/")
	if lane != laneReconcile || !first {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	phase := c.phase
	through := func() bool {
		for p := range c.ended {
			if p.phase == phase && p.lane == laneComment && p.what == "FinishJob" {
				return true
			}
		}
		return false
	}
	for !c.letting && !through() {
		c.moved.Wait()
	}
}

// points returns what happened in the phases that began, lane by lane.
func (c *conductor) points() []point {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.trace)
}

const (
	laneReconcile = "reconcile"
	laneComment   = "comment"
	laneSweep     = "sweep"
	laneSteps     = "steps"
)

// background are the lanes of what comes by the clock, whatever happens: they are no part of a pull request's life.
var background = []string{laneSweep, "health", laneSteps}

// beside are the kinds of guards and rights that are made and taken away at the same time as others: each is a lane of its own.
var beside = []string{"limitranges", "networkpolicies", "resourcequotas", "rolebindings"}

// watcher shows the conductor the requests of an HTTP edge.
type watcher struct{ *conductor }

// Before implements edge.Watcher.
func (w watcher) Before(r *edge.Request) (*edge.Answer, error) {
	what := lab.Effect(r)
	if what == "" {
		return nil, nil
	}
	lane := laneReconcile
	_, object, _ := strings.Cut(what, " ")
	kind, _, _ := strings.Cut(object, "/")
	switch {
	case slices.Contains(beside, kind), what == "apply serviceaccounts/default":
		lane = kind
	case strings.HasSuffix(what, " comment"):
		lane = laneComment
	case strings.Contains(what, "/app/hook/"):
		lane = laneSweep
	}
	w.hold(lane, what)
	p, err := w.before(lane, what)
	r.Tag = p
	return nil, err
}

// After implements edge.Watcher.
func (w watcher) After(r *edge.Request, _ int) error {
	if p, ok := r.Tag.(point); ok {
		return w.after(p)
	}
	return nil
}

// Told implements edge.Watcher.
func (w watcher) Told(r *edge.Request) {
	if p, ok := r.Tag.(point); ok {
		w.told(p)
	}
}

// commit is told of the process's commits.
func (c *conductor) commit(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("step") == "before" {
		lane, what := q.Get("lane"), q.Get("what")
		if strings.HasPrefix(what, "UpdateDeployment deploying") {
			lane = laneSteps // told every two seconds of a deployment that takes so long
		}
		p, err := c.before(lane, what)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = fmt.Fprint(w, c.number(p))
		return
	}
	p, err := c.numbered(q.Get("id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if q.Get("step") == "failed" {
		c.mu.Lock()
		c.failed = append(c.failed, p.String())
		c.mu.Unlock()
		return
	}
	if c.after(p) != nil {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	c.told(p)
}

// number is what the process knows the point by: its place in the trace.
func (c *conductor) number(p point) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Index(c.trace, p)
}

func (c *conductor) numbered(id string) (point, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var i int
	if _, err := fmt.Sscan(id, &i); err != nil || i < 0 || i >= len(c.trace) {
		return point{}, fmt.Errorf("no commit has the number %q", id)
	}
	return c.trace[i], nil
}
