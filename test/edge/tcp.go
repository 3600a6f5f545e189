package edge

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Mode is what a TCP edge does to its connections.
type Mode int

// The modes of a TCP edge.
const (
	Pass      Mode = iota
	Down           // nothing listens, and what was open is reset
	Reset          // whoever connects or sends is reset
	HalfOpen       // connections are accepted and what is sent is taken, but nothing arrives and nothing comes back
	ReplyLost      // what is sent arrives; instead of the first reply the connection is reset
	Slow           // everything arrives, each piece after a while
)

// String names the mode for reports.
func (m Mode) String() string {
	return [...]string{"pass", "down", "reset", "half-open", "reply lost", "slow"}[m]
}

// slowness is how much later each piece arrives on a slow edge.
const slowness = 150 * time.Millisecond

// TCP passes connections on to a server, and spoils them when told to. A connection that was spoilt stays so; new ones are
// as the mode is when they come.
type TCP struct {
	hits atomic.Int64

	mu       sync.Mutex // guards what follows
	address  string
	dial     func(ctx context.Context) (net.Conn, error)
	listener net.Listener
	mode     Mode
	pairs    map[*pair]struct{}
	closed   bool
}

// NewTCP listens on a loopback port of its own and passes connections on to where dial leads.
func NewTCP(dial func(ctx context.Context) (net.Conn, error)) (*TCP, error) {
	e := &TCP{dial: dial, pairs: map[*pair]struct{}{}, address: "127.0.0.1:0"}
	return e, e.listen()
}

// Dial returns what dials always the same server.
func Dial(network, address string) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, network, address) }
}

// Address is where the edge listens, or would.
func (e *TCP) Address() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.address
}

// Hits returns how often the edge has spoilt something since it was made. An edge that is down cannot count who is refused: it
// counts the connections that it cut.
func (e *TCP) Hits() int { return int(e.hits.Load()) }

// Redirect has new connections go elsewhere, and resets the ones there are.
func (e *TCP) Redirect(dial func(ctx context.Context) (net.Conn, error)) {
	e.mu.Lock()
	e.dial = dial
	e.mu.Unlock()
	e.cut()
}

// Set changes the mode, for the connections there are and for new ones.
func (e *TCP) Set(mode Mode) error {
	e.mu.Lock()
	was := e.mode
	e.mode = mode
	for p := range e.pairs {
		if p.spoilt == Pass || p.spoilt == Slow {
			p.spoilt = mode
		}
	}
	e.mu.Unlock()
	switch mode { //nolint:exhaustive // the others cut nothing
	case Down:
		e.stop()
		e.hits.Add(int64(e.cut()))
	case Reset:
		e.hits.Add(int64(e.cut()))
	}
	if was == Down && mode != Down {
		return e.listen()
	}
	return nil
}

// Close ends the edge and its connections. Calling it twice is safe.
func (e *TCP) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	e.cut()
}

func (e *TCP) listen() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", e.address)
	if err != nil {
		return fmt.Errorf("listen as an edge: %w", err)
	}
	e.address, e.listener = l.Addr().String(), l
	go e.serve(l)
	return nil
}

func (e *TCP) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listener != nil {
		_ = e.listener.Close()
		e.listener = nil
	}
}

// cut resets every connection there is and returns how many there were.
func (e *TCP) cut() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range e.pairs {
		p.reset()
	}
	return len(e.pairs)
}

func (e *TCP) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		go e.carry(c)
	}
}
