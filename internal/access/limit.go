package access

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter bounds how often one actor asks; who is not known counts by address.
type limiter struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// maxBuckets bounds the memory; when it is full everybody starts anew.
const maxBuckets = 10_000

func newLimiter(perSecond float64) *limiter {
	if perSecond == 0 {
		perSecond = 50
	}
	return &limiter{rate: rate.Limit(perSecond), burst: int(2*perSecond) + 1, buckets: map[string]*rate.Limiter{}}
}

// limited says that somebody asks too often.
type limited struct{ until time.Time }

// Error implements error.
func (limited) Error() string { return "too many requests" }

// RetryAt is when to ask again.
func (l limited) RetryAt() time.Time { return l.until }

func (l *limiter) take(who Actor, r *http.Request) error {
	key := string(who.Via) + " " + who.Who()
	if !who.Known() {
		key, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	l.mu.Lock()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			clear(l.buckets)
		}
		b = rate.NewLimiter(l.rate, l.burst)
		l.buckets[key] = b
	}
	l.mu.Unlock()
	now := time.Now()
	reservation := b.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return limited{now.Add(wait)}
	}
	return nil
}
