package fakegithub

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"catalyst.dev/catalyst/test/ghspec"
)

// Fault is a rule that spoils requests. The first rule that matches and is not used up has the request.
type Fault struct {
	Method string `json:"method,omitempty"` // any when empty
	Path   string `json:"path,omitempty"`   // a regular expression on the path after /api/v3, names instead of /repositories/{id}; any when empty
	Skip   int    `json:"skip,omitempty"`   // matching requests to let pass first
	Times  int    `json:"times,omitempty"`  // how often; 1 when zero, for ever when negative

	Delay  time.Duration     `json:"delay_ns,omitempty"` // wait first, or until the caller is gone
	Status int               `json:"status,omitempty"`   // answer this instead; the request is not done unless After
	Header map[string]string `json:"header,omitempty"`   // of the answer
	Body   string            `json:"body,omitempty"`     // of the answer; GitHub's error object when empty
	After  bool              `json:"after,omitempty"`    // do the request first: the effect happens, its answer is lost
	Reset  bool              `json:"reset,omitempty"`    // break the connection instead of answering
	// Unchecked lets a forged answer break GitHub's description. Otherwise one below 500 is checked as if it were ours.
	Unchecked bool `json:"unchecked,omitempty"`

	path *regexp.Regexp
	seen int
}

// On returns the fault for requests of that method (any when empty) whose path matches the regular expression.
func (f Fault) On(method, path string) Fault { f.Method, f.Path = method, path; return f }

// Repeat returns the fault for that many requests, for ever when negative.
func (f Fault) Repeat(times int) Fault { f.Times = times; return f }

// ServerError answers 500, 502 or the like and does nothing.
func ServerError(status int) Fault { return Fault{Status: status} }

// LostAnswer does the request and answers 502.
func LostAnswer() Fault { return Fault{Status: http.StatusBadGateway, After: true} }

// BrokenConnection breaks the connection and does nothing; with After set it does the request first.
func BrokenConnection() Fault { return Fault{Reset: true} }

// Slow waits before the request is done.
func Slow(delay time.Duration) Fault { return Fault{Delay: delay} }

// PrimaryLimit refuses for want of requests in the hour that ends at reset; status is 403 or 429.
func PrimaryLimit(status int, reset time.Time) Fault {
	return Fault{Status: status, Body: `{"message":"API rate limit exceeded for installation ID 1.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"}`,
		Header: map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": strconv.FormatInt(reset.Unix(), 10)}}
}

// SecondaryLimit refuses for asking too fast; status is 403 or 429, and Retry-After is left out when wait is zero.
func SecondaryLimit(status int, wait time.Duration) Fault {
	f := Fault{Status: status, Header: map[string]string{}, Body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",` +
		`"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`}
	if wait > 0 {
		f.Header["Retry-After"] = strconv.Itoa(int(wait.Seconds()))
	}
	return f
}

// ExpiredToken answers as to a token that has ended.
func ExpiredToken() Fault {
	return Fault{Status: http.StatusUnauthorized, Body: `{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}`}
}

// Forged answers with any body instead of the truth.
func Forged(status int, body string) Fault { return Fault{Status: status, Body: body} }

// Inject adds a fault.
func (s *Server) Inject(f Fault) {
	expr, err := regexp.Compile(f.Path)
	if err != nil {
		misuse("inject a fault on %q: %v", f.Path, err)
	}
	f.path, f.Times = expr, cmp.Or(f.Times, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults takes every fault away.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// PendingFaults returns how many of the injected faults have not had all their requests yet; those for ever count.
func (s *Server) PendingFaults() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, f := range s.faults {
		if f.Times < 0 || f.seen < f.Skip+f.Times {
			n++
		}
	}
	return n
}

func (s *Server) fault(method, path string) *Fault {
	for _, f := range s.faults {
		if f.Method != "" && f.Method != method || !f.path.MatchString(path) || f.Times >= 0 && f.seen >= f.Skip+f.Times {
			continue
		}
		f.seen++
		if f.seen <= f.Skip {
			return nil
		}
		return f
	}
	return nil
}

// before delays and breaks; it reports whether the request goes on.
func (f *Fault) before(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		}
	}
	if f.Reset && !f.After {
		reset(w)
		return false
	}
	return true
}

// reset ends the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// writeFault answers what the fault says, with the headers of the lost answer when there was one.
func (s *Server) writeFault(w http.ResponseWriter, r *http.Request, route ghspec.Route, found bool, f *Fault, lost http.Header) {
	body := f.Body
	header := http.Header{}
	if lost == nil {
		s.mu.Lock()
		s.limitHeaders(header, nil)
		s.mu.Unlock()
	} else {
		for name, values := range lost {
			if len(name) > 11 && name[:11] == "X-Ratelimit" {
				header[name] = values
			}
		}
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	if body == "" && f.Status != http.StatusNoContent {
		body = fmt.Sprintf(`{"message":%q}`, cmp.Or(http.StatusText(f.Status), "Error"))
	}
	for name, value := range f.Header {
		header.Set(name, value)
	}
	if found && f.Status < 500 && !f.Unchecked {
		s.mu.Lock()
		s.violate("answer", route.Operation, s.spec.Response(route, r, f.Status, header, []byte(body)))
		s.mu.Unlock()
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(body))
}
