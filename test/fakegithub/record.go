package fakegithub

import (
	"slices"
	"strings"
	"time"
)

// Request is one request the API got. A status of zero is a connection broken on purpose.
type Request struct {
	Method    string        `json:"method"`
	Path      string        `json:"path"` // after /api/v3, with names for /repositories/{id}
	Operation string        `json:"operation"`
	Status    int           `json:"status"`
	Start     time.Time     `json:"start"`
	Duration  time.Duration `json:"duration_ns"`
	Token     string        `json:"token"` // "jwt", "installation", "personal", "basic" or "none"
}

// Requests returns every request the API got, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Counters returns how often each operation was asked for, by "METHOD /template". Refused and spoilt requests count.
func (s *Server) Counters() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counters := map[string]int{}
	for _, r := range s.requests {
		counters[r.Operation]++
	}
	return counters
}

// ResetCounters forgets the requests until now.
func (s *Server) ResetCounters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func tokenKind(authorization string) string {
	scheme, credential, _ := strings.Cut(authorization, " ")
	switch {
	case authorization == "":
		return "none"
	case strings.EqualFold(scheme, "basic"):
		return "basic"
	case strings.HasPrefix(credential, "ghs_"):
		return "installation"
	case strings.Count(credential, ".") == 2:
		return "jwt"
	}
	return "personal"
}
