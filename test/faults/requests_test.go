//go:build faults

package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/lab"
)

func status(code int, reason string, header map[string]string) *edge.Answer {
	h := map[string]string{"Content-Type": "application/json"}
	for k, v := range header {
		h[k] = v
	}
	return &edge.Answer{Status: code, Header: h, Body: fmt.Sprintf(
		`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected: %s","reason":%q,"code":%d}`, reason, reason, code)}
}

// effect matches the writes that begin so.
func effect(prefix string) func(*edge.Request) bool {
	return func(r *edge.Request) bool { return lab.Effect(r) != "" && strings.HasPrefix(lab.Effect(r), prefix) }
}

// kubeWrite matches what changes the cluster.
func kubeWrite(r *edge.Request) bool {
	return lab.Effect(r) != "" && !strings.HasPrefix(r.URL.Path, "/api/v3/")
}

func kubeWatch(r *edge.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Get("watch") == "true"
}

// TestRequests: the API servers answer as they do on a bad day.
func TestRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		inShort bool
		rules   func(end <-chan struct{}) []*edge.Rule
	}{
		"429 with Retry-After": {false, func(<-chan struct{}) []*edge.Rule {
			return []*edge.Rule{{Match: kubeWrite, Times: 6, Answer: status(http.StatusTooManyRequests, "TooManyRequests", map[string]string{"Retry-After": "1"})}}
		}},
		"409": {true, func(<-chan struct{}) []*edge.Rule {
			conflict := status(http.StatusConflict, "Conflict", nil)
			return []*edge.Rule{{Match: effect("delete namespaces"), Times: 2, Answer: conflict}, {Match: effect("update secrets"), Times: 2, Answer: conflict}, {Match: effect("apply"), Times: 2, Answer: conflict}}
		}},
		"500": {false, func(<-chan struct{}) []*edge.Rule {
			return []*edge.Rule{{Match: kubeWrite, Times: 6, Answer: status(http.StatusInternalServerError, "InternalError", nil)}}
		}},
		"503": {false, func(<-chan struct{}) []*edge.Rule {
			return []*edge.Rule{{Match: kubeWrite, Times: 6, Answer: status(http.StatusServiceUnavailable, "ServiceUnavailable", nil)}}
		}},
		"410 instead of a watch": {false, func(<-chan struct{}) []*edge.Rule {
			return []*edge.Rule{{Match: kubeWatch, Times: 8, Answer: status(http.StatusGone, "Expired", nil)}}
		}},
		"410 in a watch": {false, func(<-chan struct{}) []*edge.Rule {
			gone := status(http.StatusGone, "Expired", nil)
			return []*edge.Rule{{Match: kubeWatch, Times: 8, Answer: &edge.Answer{
				Status: http.StatusOK, Header: gone.Header, Body: `{"type":"ERROR","object":` + gone.Body + "}\n",
			}}}
		}},
		"silent watch": {false, func(end <-chan struct{}) []*edge.Rule {
			return []*edge.Rule{{Match: kubeWatch, Times: 8, Answer: &edge.Answer{
				Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json"}, Open: end,
			}}}
		}},
		"replies lost": {true, func(<-chan struct{}) []*edge.Rule {
			var rules []*edge.Rule
			for _, e := range []string{"create namespaces", "create secrets", "apply", "update secrets", "delete namespaces", "create comment", "edit comment"} {
				rules = append(rules, &edge.Rule{Match: effect(e), Times: 1, Lose: true})
			}
			return rules
		}},
		"requests lost": {false, func(<-chan struct{}) []*edge.Rule {
			var rules []*edge.Rule
			for _, e := range []string{"create namespaces", "create secrets", "apply", "update secrets", "delete namespaces", "create comment", "edit comment"} {
				rules = append(rules, &edge.Rule{Match: effect(e), Times: 1, Break: true})
			}
			return rules
		}},
		"comments refused by GitHub's secondary limit": {false, func(<-chan struct{}) []*edge.Rule {
			return []*edge.Rule{{Match: effect("create comment"), Times: 2, Answer: &edge.Answer{
				Status: http.StatusForbidden, Header: map[string]string{"Retry-After": "1", "Content-Type": "application/json"},
				Body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`,
			}}}
		}},
		"GitHub answers 502": {false, func(<-chan struct{}) []*edge.Rule {
			hub := func(r *edge.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/v3/") }
			return []*edge.Rule{{Match: hub, Times: 6, Answer: &edge.Answer{Status: http.StatusBadGateway, Body: "Unicorn!"}}}
		}},
	} {
		if !*full && !test.inShort {
			continue
		}
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := setup(t, lab.Options{})
			spoil := &edge.Rules{}
			s.start(spoil)
			work := s.before()
			end := make(chan struct{})
			rules := test.rules(end)
			spoil.Add(rules...)
			began := time.Now()
			s.during(work)
			for i, rule := range rules {
				s.met(fmt.Sprintf("%s (%d)", name, i+1), began, rule.Hits)
			}
			spoil.Clear()
			met := 0
			for _, rule := range rules {
				met += rule.Hits()
			}
			s.healed(name, met)
			close(end)
		})
	}
}
