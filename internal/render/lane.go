package render

import (
	"sync/atomic"
	"syscall"
	"time"
)

// lane has those children that work for long go on one after the other, with a rest between two turns. Behind everything else they already are; but what
// several of them do to the memory's bandwidth and the processors' caches slows down everything else all the same, and no niceness shares that out. A
// child that is alone in the lane goes on without a stop.
type lane struct {
	turn    chan struct{} // holds one while a child has its turn
	waiting atomic.Int32
}

// turnOf is how long a child's turn is, and the rest after it, when others wait.
const turnOf = 50 * time.Millisecond

func newLane() *lane { return &lane{turn: make(chan struct{}, 1)} }

// share returns when the process has ended.
func (l *lane) share(p *process) {
	for l.enter(p) {
		for over := false; !over; {
			select {
			case <-p.done:
				<-l.turn
				return
			case <-time.After(turnOf):
				over = l.waiting.Load() > 0
			}
		}
		p.signal(syscall.SIGSTOP)
		select {
		case <-p.done:
		case <-time.After(turnOf):
		}
		<-l.turn
	}
}

// enter waits for the process's turn, with the process stopped, and reports whether it has come.
func (l *lane) enter(p *process) bool {
	select {
	case l.turn <- struct{}{}:
		p.signal(syscall.SIGCONT)
		return true
	default:
	}
	p.signal(syscall.SIGSTOP)
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	select {
	case <-p.done:
		return false
	case l.turn <- struct{}{}:
		p.signal(syscall.SIGCONT)
		return true
	}
}
