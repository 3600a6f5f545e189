package fakegithub

import (
	"net/http"
	"strconv"
	"time"
)

// limit counts the requests of one token owner in the running hour.
type limit struct {
	used  int
	reset time.Time
}

func (s *Server) limitOf(who *caller) *limit {
	key := "nobody"
	if who != nil {
		key = who.limitKey()
	}
	now := s.options.Now()
	l := s.limits[key]
	if l == nil || !now.Before(l.reset) {
		l = &limit{reset: now.Add(time.Hour).Truncate(time.Second)}
		s.limits[key] = l
	}
	return l
}

// spend counts a request, and refuses it when the hour's are used up.
func (s *Server) spend(who *caller) *answer {
	l := s.limitOf(who)
	if l.used >= s.options.RateLimit {
		return fail(http.StatusForbidden, "API rate limit exceeded for "+who.limitKey()+".")
	}
	l.used++
	return nil
}

// refund takes a request back: an answer "not modified" is free.
func (s *Server) refund(who *caller) { s.limitOf(who).used-- }

func (s *Server) limitHeaders(h http.Header, who *caller) {
	l := s.limitOf(who)
	h.Set("X-Ratelimit-Limit", strconv.Itoa(s.options.RateLimit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(s.options.RateLimit-l.used))
	h.Set("X-Ratelimit-Used", strconv.Itoa(l.used))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(l.reset.Unix(), 10))
	h.Set("X-Ratelimit-Resource", "core")
}

// SetRateUsed says how many requests of the hour an installation has used.
func (s *Server) SetRateUsed(i *Installation, used int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limitOf(&caller{kind: "installation", token: &token{install: i}}).used = used
}
