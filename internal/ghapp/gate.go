package ghapp

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The states of a gate.
const (
	GateOpen    = "open"    // requests pass
	GateLimited = "limited" // GitHub asked for a pause
	GateDown    = "down"    // GitHub did not answer; one request at a time finds out whether it is back
)

// GateState is the state of one of the gates that requests pass on their way to GitHub.
type GateState struct {
	Name   string    // "installation 42", "app" or "token" for limits, as GitHub counts them; "api" for outages
	State  string    // GateOpen, GateLimited or GateDown
	Until  time.Time // nothing is sent before; zero when open
	Reason string    // for people; empty when open
}

// State returns the state of every gate there is, by name: "api", and one for each identity that was used.
func (c *Client) State() []GateState {
	now := c.now()
	states := []GateState{c.breaker.state()}
	c.mu.Lock()
	for _, g := range c.gates {
		states = append(states, g.state(now))
	}
	c.mu.Unlock()
	slices.SortFunc(states, func(a, b GateState) int { return cmp.Compare(a.Name, b.Name) })
	return states
}

const (
	secondaryPause = time.Minute      // after a limit without a time, doubled while it repeats
	longestPause   = 15 * time.Minute // of those
	longestLimit   = 2 * time.Hour    // a wrong clock somewhere must not shut Catalyst out for days; GitHub counts by the hour
	longestWait    = 20 * time.Second // of a write for its turn; above, the caller had better do something else
)

// gate holds back the requests of one identity: all of them after a limit, and writes so that none is hit.
type gate struct {
	name string
	turn chan struct{} // holds the write that is under way: GitHub wants them one after another
	next chan struct{} // the same for writes that are worth less, so that a slow one keeps no other waiting

	mu     sync.Mutex // guards what follows
	writes *rate.Limiter
	until  time.Time
	reason string
	shut   bool // as last told to the observer
	pauses int  // in a row, of those without a time of GitHub's
}

// gate returns the gate with the name, the same one each time.
func (c *Client) gate(name string) *gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.gates[name]
	if !ok {
		g = &gate{name: name, turn: make(chan struct{}, 1), next: make(chan struct{}, 1), writes: rate.NewLimiter(c.writeRate, c.writeBurst)}
		c.gates[name] = g
	}
	return g
}

// gateOf returns the gate of the identity that calls about a repository are made as.
func (c *Client) gateOf(r Repo) *gate {
	if c.key == nil {
		return c.gate("token")
	}
	id := r.InstallationID
	if id == 0 {
		c.mu.Lock()
		id = c.homes[r.ID]
		c.mu.Unlock()
	}
	if id == 0 {
		return c.gate("app") // the App has to ask first
	}
	return c.gate("installation " + strconv.FormatInt(id, 10))
}

func (g *gate) state(now time.Time) GateState {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !now.Before(g.until) {
		return GateState{Name: g.name, State: GateOpen}
	}
	return GateState{Name: g.name, State: GateLimited, Until: g.until, Reason: g.reason}
}

// check returns *RateLimited while the gate is shut.
func (g *gate) check(now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Before(g.until) {
		return &RateLimited{Until: g.until, Message: g.reason}
	}
	return nil
}

// limit shuts the gate after an answer to a request sent at that time; until is zero when GitHub named no time.
func (g *gate) limit(now, sent, until time.Time, message string) *RateLimited {
	g.mu.Lock()
	defer g.mu.Unlock()
	// Of requests that were under way together, each is refused; that is no repetition.
	if until.IsZero() && !sent.Before(g.until) {
		g.pauses++
		until = now.Add(min(secondaryPause<<min(g.pauses-1, 10), longestPause))
	}
	if until.After(g.until) {
		g.until, g.reason = until, message
	}
	return &RateLimited{Until: g.until, Message: message}
}

// passed notes that GitHub answered a request sent at that time without a limit.
func (g *gate) passed(sent time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !sent.Before(g.until) {
		g.pauses = 0
	}
}

// changed reports whether the gate went up or down since it was last asked, and to what.
func (g *gate) changed(now time.Time) (state string, changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	shut := now.Before(g.until)
	changed = shut != g.shut
	g.shut = shut
	if shut {
		return GateLimited, changed
	}
	return GateOpen, changed
}

// write waits for a write's turn and returns what ends it. A wait that is too long is *RateLimited. One aside takes no more than half of
// what may be written at once, and otherwise comes again later: the rest is kept for what matters more.
func (g *gate) write(ctx context.Context, now func() time.Time, aside bool) (done func(), err error) {
	start := now()
	turn := g.turn
	if aside {
		turn = g.next
		if short := float64(g.writes.Burst())/2 - g.writes.TokensAt(start); short > 0 {
			wait := time.Duration((short + 1) / float64(g.writes.Limit()) * float64(time.Second))
			return nil, &RateLimited{Until: start.Add(wait), Message: "Catalyst spaces its own writes, and this one can wait"}
		}
	}
	g.mu.Lock() // a reservation is given back before another one is made, or it could not be given back whole
	place := g.writes.ReserveN(start, 1)
	wait := place.DelayFrom(start)
	if wait > longestWait {
		place.CancelAt(start)
	}
	g.mu.Unlock()
	if wait > longestWait {
		return nil, &RateLimited{Until: start.Add(wait), Message: "Catalyst spaces its own writes, to stay within GitHub's limits"}
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			place.CancelAt(now())
			return nil, ctx.Err()
		}
	}
	timer := time.NewTimer(longestWait - wait)
	defer timer.Stop()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-timer.C:
		return nil, &RateLimited{Until: now().Add(time.Second), Message: "other writes of Catalyst's are under way, and slow"}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// isWrite reports whether a request counts as a write for GitHub's limits. Asking for a token creates nothing.
func isWrite(req *http.Request, route string) bool {
	return req.Method != http.MethodGet && req.Method != http.MethodHead && route != mintRoute
}
