// Package problem is the one table of how errors are told: as an HTTP status, and as problem details (RFC 9457). It must not tell what only operators may
// know: an error of no kind is logged under an id and told as that.
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"catalyst.dev/catalyst/internal/preview"
)

// Problem is an error as it is told.
type Problem struct {
	Title  string `json:"title" doc:"What kind of problem it is; the same for all of its kind."`
	Status int    `json:"status" doc:"The HTTP status."`
	Code   string `json:"code" doc:"The kind, stable for programs."`
	Detail string `json:"detail,omitempty" doc:"What was wrong this time, for people."`
	ID     string `json:"id,omitempty" doc:"Under which the server's log tells more."`
	Errors []At   `json:"errors,omitempty" doc:"What is wrong in the request, and where."`
}

// At is one mistake in a request.
type At struct {
	Location string `json:"location,omitempty" doc:"Like body.label or query.limit."`
	Message  string `json:"message"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is how the API's library asks for the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is how the API's library asks for the content type.
func (p *Problem) ContentType(string) string { return ContentType }

// ContentType is that of problem details.
const ContentType = "application/problem+json"

// kinds is the table. The first kind that an error is of counts.
var kinds = []struct {
	kind   error
	status int
	code   string
	title  string
}{
	{preview.ErrSignIn, http.StatusUnauthorized, "not_signed_in", "Not signed in"},
	{preview.ErrForbidden, http.StatusForbidden, "forbidden", "Not allowed"},
	{preview.ErrNotFound, http.StatusNotFound, "not_found", "Not found"},
	{preview.ErrGone, http.StatusNotFound, "not_found", "Not found"},
	{preview.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large", "Too large"},
	{preview.ErrConflict, http.StatusConflict, "conflict", "Conflict"},
	{preview.ErrStale, http.StatusConflict, "conflict", "Conflict"},
	{preview.ErrInvalid, http.StatusUnprocessableEntity, "invalid", "Invalid"},
	{preview.ErrNotReady, http.StatusServiceUnavailable, "not_ready", "Not ready"},
}

// told is an error whose words are for whoever asked.
type told struct {
	error
	words string
}

func (t told) Unwrap() error { return t.error }

// Say gives an error of the kind whose words are told as they are.
func Say(kind error, words string) error { return told{kind, words} }

// Of returns the problem that an error is. The words of one that was not made to be told (Say) stay in the log, with what it is.
func Of(err error, log *slog.Logger) *Problem {
	var already *Problem
	if errors.As(err, &already) {
		return already
	}
	var t told
	for _, k := range kinds {
		if !errors.Is(err, k.kind) {
			continue
		}
		p := &Problem{Title: k.title, Status: k.status, Code: k.code, Detail: k.title + "."}
		if errors.As(err, &t) {
			p.Detail = t.words
		} else {
			log.Debug("told as a problem", "code", k.code, "error", err)
		}
		return p
	}
	id := uuid.NewString()
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelDebug // who asked has gone, and nobody is told
	}
	log.Log(context.Background(), level, "internal error", "id", id, "error", err)
	p := &Problem{Title: "Internal error", Status: http.StatusInternalServerError, Code: "internal", ID: id, Detail: "Something that Catalyst needs did not work. The log tells more under " + id + "."}
	return p
}

// Kind returns the code of the problem that an error is.
func Kind(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return k.code
		}
	}
	return "internal"
}

// Outage reports whether an error is of no kind: something did not work, and may the next time.
func Outage(err error) bool {
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return false
		}
	}
	return err != nil
}

// Write answers with the problem.
func Write(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
