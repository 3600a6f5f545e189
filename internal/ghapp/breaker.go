package ghapp

import (
	"fmt"
	"sync"
	"time"
)

const (
	outagesToTrip = 5                // in a row
	shortestDown  = 10 * time.Second // doubled while GitHub stays away
	longestDown   = 2 * time.Minute
	trialTime     = 5 * time.Second // how long others stay away while one finds out
)

// breaker stops asking a GitHub that does not answer: after a few outages in a row nothing is sent for a while, then one request
// goes ahead to find out. An outage is no answer, or one of 500 and above; any other answer, a refusal too, is life.
//
// It is our own and not a library's: it runs on the client's clock, doubles its pauses, says until when, and is this short.
type breaker struct {
	mu      sync.Mutex
	outages int       // in a row
	pauses  int       // in a row
	until   time.Time // zero: GitHub is there
	trying  bool      // one request has gone ahead
	reason  string
}

// check returns *Unavailable when no request may be sent.
func (b *breaker) check(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusal(now)
}

func (b *breaker) refusal(now time.Time) error {
	switch {
	case b.until.IsZero():
		return nil
	case now.Before(b.until):
		return &Unavailable{Until: b.until, Reason: b.reason}
	case b.trying:
		return &Unavailable{Until: now.Add(trialTime), Reason: b.reason}
	}
	return nil
}

// enter asks to send a request; leave must follow, with the same trial.
func (b *breaker) enter(now time.Time) (trial bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refusal(now); err != nil {
		return false, err
	}
	b.trying = !b.until.IsZero()
	return b.trying, nil
}

// verdict is what a request says about GitHub.
type verdict int

const (
	unknown verdict = iota // the caller went away before there was an answer
	alive
	outage
)

// leave notes how a request went and reports whether that changed the state.
func (b *breaker) leave(now time.Time, trial bool, v verdict, reason string) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	down := !b.until.IsZero()
	if trial {
		b.trying = false
	} else if down {
		return false // it was sent before; only the trial counts now
	}
	switch v {
	case alive:
		b.outages, b.pauses, b.until, b.reason = 0, 0, time.Time{}, ""
	case outage:
		b.outages++
		if trial || b.outages >= outagesToTrip {
			b.until, b.reason = now.Add(min(shortestDown<<min(b.pauses, 10), longestDown)), reason
			b.pauses++
		}
	}
	return down != !b.until.IsZero()
}

func (b *breaker) state() GateState {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return GateState{Name: "api", State: GateOpen}
	}
	return GateState{Name: "api", State: GateDown, Until: b.until, Reason: b.reason}
}

// Unavailable says that GitHub did not answer several times in a row, and that it is not asked before Until.
type Unavailable struct {
	Until  time.Time
	Reason string // how it did not answer
}

// Error says when GitHub is asked again.
func (e *Unavailable) Error() string {
	return fmt.Sprintf("GitHub does not answer (%s), next try after %s", e.Reason, e.Until.UTC().Format(time.RFC3339))
}

// RetryAt returns when it makes sense to try again.
func (e *Unavailable) RetryAt() time.Time { return e.Until }
