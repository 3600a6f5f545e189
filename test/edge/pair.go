package edge

import (
	"context"
	"net"
	"time"
)

// pair is a connection and the one it is passed on over.
type pair struct {
	client, server net.Conn
	spoilt         Mode // guarded by the edge's mu; only Pass and Slow heal
}

// reset ends both with a TCP reset, as a process that dies does.
func (p *pair) reset() {
	for _, c := range []net.Conn{p.client, p.server} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		if c != nil {
			_ = c.Close()
		}
	}
}

// carry passes one connection on until it ends.
func (e *TCP) carry(client net.Conn) {
	p := &pair{client: client}
	e.mu.Lock()
	p.spoilt = e.mode
	dial := e.dial
	refuse := e.closed || p.spoilt == Reset || p.spoilt == Down
	e.mu.Unlock()
	if refuse {
		e.hits.Add(1)
		p.reset()
		return
	}
	if p.spoilt != HalfOpen {
		var err error
		if p.server, err = dial(context.Background()); err != nil {
			p.reset()
			return
		}
	}
	if !e.add(p) {
		p.reset()
		return
	}
	defer func() {
		p.reset()
		e.mu.Lock()
		delete(e.pairs, p)
		e.mu.Unlock()
	}()
	if p.server == nil { // it is accepted, and nobody is there
		e.pump(p, client, nil, false)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.pump(p, p.server, client, true)
		if e.spoilt(p) != HalfOpen { // from there not even the end is heard
			_ = client.Close()
		}
	}()
	e.pump(p, client, p.server, false)
	_ = p.server.Close()
	<-done
}

// add notes the pair, unless the edge has been closed or cut meanwhile.
func (e *TCP) add(p *pair) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.mode == Down || e.mode == Reset {
		return false
	}
	e.pairs[p] = struct{}{}
	return true
}

func (e *TCP) spoilt(p *pair) Mode {
	e.mu.Lock()
	defer e.mu.Unlock()
	return p.spoilt
}

// pump passes what comes from one side on to the other, as far as the mode lets it.
func (e *TCP) pump(p *pair, from, to net.Conn, reply bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		mode := e.spoilt(p)
		if mode != Pass {
			e.hits.Add(1)
		}
		switch {
		case mode == HalfOpen || to == nil:
			continue
		case mode == ReplyLost && reply:
			p.reset()
			return
		case mode == Slow:
			time.Sleep(slowness) //nolint:forbidigo // the fault itself
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
