package webhook

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// What bodies may take before anybody has vouched for them. Deliveries about pull requests are a few times ten kilobytes and come in at once.
const (
	room      = 64 << 20        // bytes, of all bodies together
	entrance  = 32 << 10        // bytes that each counts for from its beginning: its first buffer, and what its connection takes
	bodyLimit = 5 * time.Second // for a whole body; GitHub itself gives up on a delivery after ten
)

// errCrowded ends the reading of a body that had to make room for others.
var errCrowded = errors.New("it had to make room for other deliveries")

// intake is the room in which bodies wait until they are whole. Nobody is turned away because it is full: whoever has taken the most
// of it for the longest, of the client that has, makes room. So a delivery that comes in at once comes in, however many others linger.
type intake struct {
	mu      sync.Mutex
	free    int64
	senders map[*sender]struct{}
}

// sender is one body on its way in.
type sender struct {
	in     *intake
	client string
	since  time.Time
	held   int64
	out    bool   // it had to make room
	cut    func() // ends a read that waits
}

func newIntake() *intake { return &intake{free: room, senders: map[*sender]struct{}{}} }

// read returns the body when it is whole, and what gives its room back once nobody needs it any more; to be called in any case.
func (in *intake) read(w http.ResponseWriter, r *http.Request) (body []byte, leave func(), err error) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyLimit)) // a connection always can
	s := &sender{in: in, client: client(r.RemoteAddr), since: time.Now(), cut: func() { _ = connection.SetReadDeadline(time.Unix(1, 0)) }}
	leave = func() { in.leave(s) }
	in.mu.Lock()
	in.senders[s] = struct{}{}
	in.mu.Unlock()
	if body, err = s.readAll(http.MaxBytesReader(w, r.Body, MaxBody)); err != nil {
		return nil, leave, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if s.out {
		return nil, leave, errCrowded
	}
	s.cut = func() {}                           // it is past reading, and no longer in the way of others for long
	_ = connection.SetReadDeadline(time.Time{}) // else its end would be taken for the sender's having gone
	return body, leave, nil
}

// readAll takes room only for what has come, whatever was announced.
func (s *sender) readAll(r io.Reader) ([]byte, error) {
	if err := s.take(entrance); err != nil {
		return nil, err
	}
	body := make([]byte, 0, entrance/2)
	for {
		if len(body) == cap(body) {
			if err := s.take(int64(cap(body))); err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, 2*cap(body)), body...)
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil && s.evicted():
			return nil, errCrowded
		case err != nil:
			return nil, err
		}
	}
}

// take takes n more bytes of the room, and has others make room while there is none.
func (s *sender) take(n int64) error {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if s.out {
		return errCrowded
	}
	s.held, s.in.free = s.held+n, s.in.free-n
	for s.in.free < 0 {
		s.in.evict(s.in.worst(time.Now()))
	}
	if s.out {
		return errCrowded
	}
	return nil
}

func (s *sender) evicted() bool {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.out
}

// worst is whose body has taken the most room for the longest, among those of the client whose bodies have.
func (in *intake) worst(now time.Time) *sender {
	taken := func(s *sender) float64 { return float64(s.held) * now.Sub(s.since).Seconds() }
	clients := map[string]float64{}
	for s := range in.senders {
		clients[s.client] += taken(s)
	}
	var worst *sender
	for s := range in.senders {
		if s.out {
			continue
		}
		if worst == nil || clients[s.client] > clients[worst.client] || s.client == worst.client && taken(s) > taken(worst) {
			worst = s
		}
	}
	return worst
}

// evict has a sender make room. Its own goroutine ends right after, as its read returns.
func (in *intake) evict(s *sender) {
	s.out = true
	in.free += s.held
	s.held = 0
	s.cut()
}

func (in *intake) leave(s *sender) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.free += s.held
	s.held = 0
	delete(in.senders, s)
}

// client is who sends, as far as the network tells: the address, of IPv6 the network of it, as each customer has one. Behind a
// reverse proxy it is the proxy for all; what that forwards about them, anybody could say.
func client(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	address, err := netip.ParseAddr(host)
	if err != nil || address.Unmap().Is4() {
		return host
	}
	network, err := address.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}

// turns bounds how many deliveries are stored at once.
type turns chan struct{}

// wait takes a turn, and reports false when none came in time. Whoever got one gives it back.
func (t turns) wait(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case t <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t turns) back() { <-t }
