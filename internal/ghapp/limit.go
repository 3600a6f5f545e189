package ghapp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RateLimited says that GitHub wants no request before Until, or that Catalyst holds one back to stay within GitHub's limits.
type RateLimited struct {
	Until   time.Time
	Message string // why; GitHub's words when it was GitHub
}

// Error says when GitHub may be asked again.
func (e *RateLimited) Error() string {
	return fmt.Sprintf("GitHub must not be asked again before %s: %s", e.Until.UTC().Format(time.RFC3339), e.Message)
}

// RetryAt returns when it makes sense to try again.
func (e *RateLimited) RetryAt() time.Time { return e.Until }

// maxRefusal bounds what is read of a refusal.
const maxRefusal = 64 << 10

// limited reports whether an answer says "later", and what GitHub says with it. The body can be read afterwards as before.
func limited(resp *http.Response) (message string, yes bool) {
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return "", false
	}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what cannot be read says nothing
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(data))
	var said struct {
		Message string `json:"message"`
		URL     string `json:"documentation_url"`
	}
	_ = json.Unmarshal(data, &said) // what is no JSON says nothing either
	return said.Message, resp.StatusCode == http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "" ||
		resp.Header.Get("X-RateLimit-Remaining") == "0" || strings.Contains(said.Message, "rate limit") ||
		strings.HasSuffix(said.URL, "secondary-rate-limits") || strings.HasSuffix(said.URL, "#abuse-rate-limits")
}

// limitedUntil reads GitHub's wish: retry-after, else x-ratelimit-reset when nothing remains. It is zero when there is none.
func limitedUntil(h http.Header, now time.Time) time.Time {
	latest := now.Add(longestLimit)
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds > 0 {
		return earlier(now.Add(time.Duration(min(seconds, 1<<30))*time.Second), latest)
	}
	if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && h.Get("X-RateLimit-Remaining") == "0" {
		// A second more: the reset is told in whole seconds.
		if until := time.Unix(at, 0).Add(time.Second); until.After(now) {
			return earlier(until, latest)
		}
	}
	return time.Time{}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
