package ghapp

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

// RateLimited says that GitHub wants no request before Until.
type RateLimited struct {
	Until   time.Time
	Message string // GitHub's
}

// Error says when GitHub may be asked again.
func (e *RateLimited) Error() string {
	return fmt.Sprintf("GitHub's rate limit is used up until %s: %s", e.Until.UTC().Format(time.RFC3339), e.Message)
}

// limitedFor is how long to wait when GitHub names no time (its documentation asks for a minute at least).
const limitedFor = time.Minute

// answer is an answer of GitHub that is not the one asked for. kind is one of preview's, or nil for an outage.
type answer struct {
	status  int
	message string
	kind    error
}

func (e *answer) Error() string {
	text := fmt.Sprintf("GitHub answers %d", e.status)
	if e.message != "" {
		text += ", " + e.message
	}
	if e.kind != nil {
		text += ": " + e.kind.Error()
	}
	return text
}

func (e *answer) Unwrap() error { return e.kind }

// as is the same answer as another kind.
func (e *answer) as(kind error) error {
	return &answer{status: e.status, message: e.message, kind: kind}
}

// kind turns an error of go-github into *RateLimited or *answer. Other errors (the network, a deadline, a token that
// could not be had) stay as they are.
func kind(err error, now time.Time) error {
	var primary *github.RateLimitError
	var secondary *github.AbuseRateLimitError
	var redirect *github.RedirectionError
	var other *github.ErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &primary):
		return &RateLimited{Until: limitedUntil(primary.Response, now), Message: primary.Message}
	case errors.As(err, &secondary):
		return &RateLimited{Until: limitedUntil(secondary.Response, now), Message: secondary.Message}
	case errors.As(err, &redirect):
		return &answer{status: redirect.StatusCode, message: "a redirect to " + redirect.Response.Header.Get("Location") + ", which is not followed for a write"}
	case !errors.As(err, &other) || other.Response == nil:
		return err
	}
	status := other.Response.StatusCode
	refused := status == http.StatusForbidden || status == http.StatusTooManyRequests
	if refused && (status == http.StatusTooManyRequests || other.Response.Header.Get("Retry-After") != "" || strings.Contains(other.Message, "rate limit")) {
		return &RateLimited{Until: limitedUntil(other.Response, now), Message: other.Message}
	}
	a := &answer{status: status, message: other.Message}
	for _, e := range other.Errors {
		a.message += ", " + strings.TrimSpace(strings.Join([]string{e.Field, e.Code, e.Message}, " "))
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusUnavailableForLegalReasons:
		a.kind = preview.ErrForbidden
	case http.StatusNotFound:
		a.kind = preview.ErrNotFound
	case http.StatusGone:
		a.kind = preview.ErrGone
	case http.StatusConflict:
		a.kind = preview.ErrConflict
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		a.kind = preview.ErrInvalid
	}
	return a
}

// limitedUntil reads GitHub's wish: retry-after, else x-ratelimit-reset when nothing remains, else a minute.
func limitedUntil(resp *http.Response, now time.Time) time.Time {
	if resp == nil {
		return now.Add(limitedFor)
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		return now.Add(time.Duration(seconds) * time.Second)
	}
	if at, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil && resp.Header.Get("X-RateLimit-Remaining") == "0" {
		// A second more: the reset is told in whole seconds.
		if until := time.Unix(at, 0).Add(time.Second); until.After(now) {
			return until
		}
	}
	return now.Add(limitedFor)
}
