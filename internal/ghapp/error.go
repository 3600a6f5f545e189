package ghapp

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"catalyst.dev/catalyst/internal/preview"
)

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

// kind turns an error of go-github into *answer. Other errors (a limit, the network, a deadline, a token that could not be
// had) stay as they are.
func kind(err error) error {
	var later interface{ RetryAt() time.Time }
	var outer *url.Error
	var redirect *github.RedirectionError
	var other *github.ErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &later) && errors.As(err, &outer):
		return outer.Err // it was not sent, so where to says nothing
	case errors.As(err, &redirect):
		return &answer{status: redirect.StatusCode, message: "a redirect to " + redirect.Response.Header.Get("Location") + ", which is not followed for a write"}
	case !errors.As(err, &other) || other.Response == nil:
		return err
	}
	status := other.Response.StatusCode
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
