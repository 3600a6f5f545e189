//go:build simulate

package simulate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// The worker's times: those of the product, except that it polls more rarely, because polling costs time and finds nothing.
const (
	lease       = 30 * time.Second
	poll        = time.Minute
	sweepEvery  = 5 * time.Minute
	healthEvery = 30 * time.Second
	readyLimit  = 3 * time.Minute
	goneLimit   = 2 * time.Minute
)

// world is everything outside of the workers, and what is known of a history so far. mu guards all of it: each effect
// happens at one moment.
type world struct {
	history
	start time.Time

	mu         sync.Mutex
	db         *memory
	hub        *hub
	kube       *kube
	processes  []*process // by slot
	all        []*process // those that died too
	trouble    trouble
	ticks      map[tick]uint64
	faults     map[kind]int // that met somebody
	done       int          // operations
	underway   int          // deliveries that were not answered yet
	violations []violation
	tracing    bool
	trace      []string
	background sync.WaitGroup
	incarnated int

	late    bool          // what arrives now was sent by somebody who no longer waits for it
	settled time.Duration // how long it took until nothing was left to do
}

// trouble is what is wrong at the moment, and until when.
type trouble struct {
	database, github, limited, cluster                time.Time
	throttled, silent                                 time.Time
	emptyList, failList, shortList, staleList         time.Time
	lostCommits, lostComments, conflicts, lostReplies int
	blips                                             int
}

type violation struct {
	invariant, text string
}

// tick counts the calls of one sort, so that each gets a latency of its own that does not hang on what others do meanwhile.
type tick struct {
	slot int
	what port
	pull int
}

// port is what a call goes to.
type port int

const (
	toStore port = iota
	toGitHub
	toCluster
	ofHistory
	ofNature
)

func newWorld(h history) *world {
	w := &world{history: h, start: time.Now(), db: newMemory(), ticks: map[tick]uint64{}, faults: map[kind]int{}}
	w.hub = newHub(w)
	w.kube = newKube(w)
	return w
}

// now is the database's time.
func (w *world) now() time.Time { return time.Now().Truncate(time.Millisecond) }

// violate notes that an invariant does not hold. Call it with mu held.
func (w *world) violate(invariant, format string, args ...any) {
	v := violation{invariant, fmt.Sprintf("%s %s: ", time.Since(w.start), invariant) + fmt.Sprintf(format, args...)}
	w.note("VIOLATION %s", v.text)
	w.violations = append(w.violations, v)
}

// note adds a line to the timeline. Call it with mu held.
func (w *world) note(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf("%12.6fs  ", time.Since(w.start).Seconds())+fmt.Sprintf(format, args...))
	}
}

// hit counts that a fault met somebody. Call it with mu held.
func (w *world) hit(k kind) { w.faults[k]++ }

// roll gives the next number for a sort of call: the same one in each run of the history. Call it with mu held.
func (w *world) roll(slot int, what port, pull int) uint64 {
	t := tick{slot, what, pull}
	w.ticks[t]++
	x := w.Salt ^ uint64(slot)<<56 ^ uint64(what)<<48 ^ uint64(pull+1)<<40 ^ w.ticks[t]
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// latency is how long a message to a port takes.
func (w *world) latency(slot int, what port, pull int) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	least, most := 200*time.Microsecond, 3*time.Millisecond
	switch what {
	case toGitHub:
		least, most = 20*time.Millisecond, 250*time.Millisecond
	case toCluster:
		least, most = 3*time.Millisecond, 40*time.Millisecond
	}
	return least + time.Duration(w.roll(slot, what, pull)%uint64(most-least))
}

// run plays the history inside a bubble and returns the world at its end.
func run(h history, tracing bool) *world {
	w := newWorld(h)
	w.tracing = tracing
	for slot := range h.Replicas {
		w.processes = append(w.processes, nil)
		w.spawn(slot)
	}
	for _, o := range h.Ops {
		o.Pull %= h.Pulls
		w.mu.Lock()
		jitter := time.Duration(w.roll(9, ofHistory, 0) % uint64(o.gap()))
		w.mu.Unlock()
		time.Sleep(o.gap()/2 + jitter)
		w.do(o)
	}
	w.heal()
	w.settle()
	w.idle()
	for _, p := range w.all {
		p.cancel()
	}
	for _, p := range w.all {
		<-p.ended
	}
	w.background.Wait()
	return w
}

// do carries one operation out.
func (w *world) do(o op) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done++
	w.note("--- %s pull %d replica %d for %s", o.Kind, o.Pull, o.Slot, o.length())
	until := time.Now().Add(o.length())
	p := w.processes[o.Slot%len(w.processes)]
	switch o.Kind {
	case opCrash, opStop:
		w.end(p, o)
	case opPause:
		if until.After(p.until) {
			p.until = until
		}
	case opSkew:
		p.skew = o.length() / 2
		if o.Pull%2 == 0 {
			p.skew = -p.skew
		}
	case opDatabase:
		w.trouble.database = until
	case opNoDatabase:
		p.noDatabase = until
	case opLostCommit:
		w.trouble.lostCommits++
	case opGitHub:
		w.trouble.github = until
	case opLimited:
		w.trouble.limited = until
	case opLostComment:
		w.trouble.lostComments++
	case opBlip:
		w.trouble.blips++
	case opEmptyList:
		w.trouble.emptyList = until.Add(sweepEvery)
	case opFailList:
		w.trouble.failList = until.Add(sweepEvery)
	case opShortList:
		w.trouble.shortList = until.Add(sweepEvery)
	case opStaleList:
		w.trouble.staleList = until.Add(sweepEvery)
		w.hub.remember()
		w.kube.remember()
	case opCluster:
		w.trouble.cluster = until
	case opNoCluster:
		p.noCluster = until
	case opThrottle:
		w.trouble.throttled = until
	case opSilent:
		w.trouble.silent = until
	case opConflict:
		w.trouble.conflicts += o.Copies
	case opLostReply:
		w.trouble.lostReplies++
	case opStuck, opPods, opDeleted:
		w.kube.operate(o, until)
	default:
		w.hub.operate(o, until)
	}
}

// end lets a process die or stop, and another one start in its place later.
func (w *world) end(p *process, o op) {
	if p.over {
		return
	}
	p.over = true
	if o.Kind == opCrash {
		p.dead = true
		w.hit(opCrash)
	} else {
		w.hit(opStop)
	}
	p.cancel()
	after := o.length() / 4
	w.background.Go(func() {
		time.Sleep(after)
		<-p.ended
		w.spawn(p.slot)
	})
}

// heal waits until everybody is up again and every delivery has come, and ends all that is wrong.
func (w *world) heal() {
	for {
		w.mu.Lock()
		wait := time.Duration(0)
		if w.underway > 0 {
			wait = time.Second
		}
		for _, p := range w.processes {
			if p.over {
				wait = max(wait, time.Second)
			}
			p.skew, p.noDatabase, p.noCluster = 0, time.Time{}, time.Time{}
		}
		for _, p := range w.all { // one that stopped while it was paused may have a delivery in hand
			if !p.dead {
				wait = max(wait, time.Until(p.until))
			}
		}
		if wait <= 0 {
			w.trouble = trouble{}
			w.hub.heal()
			w.kube.heal()
			w.note("--- healed")
		}
		w.mu.Unlock()
		if wait <= 0 {
			return
		}
		time.Sleep(wait)
	}
}

// deliver hands a delivery to a process, as GitHub does: it waits ten seconds and never tries again by itself.
// Call it with mu held.
func (w *world) deliver(d *delivery, late time.Duration) {
	w.underway++
	w.background.Go(func() {
		time.Sleep(late)
		w.mu.Lock()
		if d.sent > 0 {
			w.hit("delivery twice")
		}
		if slices.ContainsFunc(w.hub.deliveries, func(o *delivery) bool { return o.event.Key == d.event.Key && o.at > d.at && o.sent > 0 }) {
			w.hit("delivery overtaken")
		}
		if late > time.Minute {
			w.hit("delivery late")
		}
		d.sent++
		p := w.processes[w.roll(9, ofHistory, 1)%uint64(len(w.processes))]
		w.mu.Unlock()

		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		answer := make(chan error, 1)
		go func() {
			_, decision, err := p.Handle(context.WithoutCancel(ctx), d.event)
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.note("delivery %s to %s: %s %v", d.event.Delivery.GUID, p.name, decision.Outcome, err); err == nil {
				w.accepted(d, decision)
			}
			answer <- err
		}()
		var err error
		select {
		case err = <-answer:
		case <-ctx.Done():
			err = ctx.Err()
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.underway--
		if d.arrived = d.arrived || err == nil; err != nil {
			d.failed = true
			w.hit("delivery refused")
		}
	})
}

// accepted checks I1: what was answered with success is stored, and somebody will look.
func (w *world) accepted(d *delivery, decision preview.Decision) {
	i := slices.IndexFunc(w.db.deliveries, func(o preview.Delivery) bool { return o.GUID == d.event.Delivery.GUID })
	if i < 0 {
		w.violate("I1", "delivery %s was answered with success and is not stored", d.event.Delivery.GUID)
	} else if decision.Outcome == preview.DeliveryAccepted {
		d.accepted = w.db.deliveries[i].ReceivedAt
	}
}
