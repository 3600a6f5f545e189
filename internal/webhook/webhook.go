// Package webhook receives GitHub's deliveries: verified, stored, answered. It decides nothing and acts on nothing; what
// follows from a delivery follows from the job that lifecycle stores with it.
package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
)

// MaxBody is the largest accepted body. GitHub's own limit is 25 MB, payloads about pull requests are 12 to 30 KB.
const MaxBody = 5 << 20

// maxStoring is how many deliveries are stored at once, and storeWait how long one waits for its turn.
const (
	maxStoring = 32
	storeWait  = 4 * time.Second
)

// Lifecycle takes events.
type Lifecycle interface {
	Handle(ctx context.Context, e preview.Event) (preview.Preview, preview.Decision, error)
}

// Options are the handler's dependencies.
type Options struct {
	Lifecycle Lifecycle
	Secrets   [][]byte // accepted webhook secrets, at least one; none of them empty
	Log       *slog.Logger
	Observe   func(outcome string) // metrics
}

// New returns the handler of POST /webhooks/github, which GitHub calls. It answers 200 to every authentic delivery once
// that is stored, whatever follows from it (S8); 401 to a forged one, of which nothing is stored; 503 when it cannot be stored, so
// that it shows as failed on GitHub and can be delivered again. preview.ErrInvalid without a usable secret.
func New(o Options) (http.Handler, error) {
	if len(o.Secrets) == 0 {
		return nil, fmt.Errorf("webhook without a secret: %w", preview.ErrInvalid)
	}
	for _, s := range o.Secrets {
		if len(s) == 0 {
			return nil, fmt.Errorf("webhook with an empty secret: %w", preview.ErrInvalid)
		}
	}
	if o.Observe == nil {
		o.Observe = func(string) {}
	}
	return &handler{Options: o, intake: newIntake(), storing: make(turns, maxStoring)}, nil
}

type handler struct {
	Options
	intake  *intake
	storing turns
}

// answer is the body of every reply.
type answer struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// ServeHTTP handles one delivery.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, a := h.receive(w, r)
	h.Observe(a.Outcome)
	if status >= 400 {
		h.Log.Warn("delivery refused", "status", status, "reason", a.Reason, "guid", r.Header.Get("X-GitHub-Delivery"), "from", r.RemoteAddr)
		w.Header().Set("Connection", "close") // what is left of the body is not waited for
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a)
}

func (h *handler) receive(w http.ResponseWriter, r *http.Request) (int, answer) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, "deliveries come by POST")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "set the webhook's content type to application/json")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return refuse(http.StatusUnsupportedMediaType, "deliveries come without a content encoding")
	}
	if err := ghapp.Signed(r.Header); err != nil {
		return refuse(http.StatusUnauthorized, notSigned)
	}
	if r.ContentLength > MaxBody {
		return refuse(http.StatusRequestEntityTooLarge, tooLarge)
	}
	body, leave, err := h.intake.read(w, r)
	defer leave()
	if err != nil {
		return unread(err)
	}
	if err := ghapp.Verify(h.Secrets, r.Header, body); err != nil {
		return refuse(http.StatusUnauthorized, notSigned)
	}
	if !h.storing.wait(r.Context(), storeWait) {
		return refuse(http.StatusServiceUnavailable, "too many deliveries at once, deliver again")
	}
	defer h.storing.back()
	_, decision, err := h.Lifecycle.Handle(r.Context(), event(r.Header, body))
	if err != nil {
		h.Log.Error("delivery not stored", "guid", r.Header.Get("X-GitHub-Delivery"), "error", err)
		return refuse(http.StatusServiceUnavailable, "the delivery could not be stored, deliver again")
	}
	return http.StatusOK, answer{string(decision.Outcome), decision.Reason}
}

// What is said to whom is refused.
const (
	notSigned = "the signature is missing or wrong: the secret of the webhook and of the server must be the same"
	tooLarge  = "the body is larger than 5 MiB"
)

func refuse(status int, reason string) (int, answer) { return status, answer{"refused", reason} }

// unread is the answer to a body that did not come in.
func unread(err error) (int, answer) {
	var tooMuch *http.MaxBytesError
	switch {
	case errors.As(err, &tooMuch):
		return refuse(http.StatusRequestEntityTooLarge, tooLarge)
	case errors.Is(err, errCrowded):
		return refuse(http.StatusServiceUnavailable, "too many deliveries at once, deliver again")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, fmt.Sprintf("the body did not come within %s", bodyLimit))
	default:
		return refuse(http.StatusBadRequest, "the body could not be read")
	}
}

// event turns an authentic delivery into a hint, or into a command that is yet to be checked. The headers are not signed, so nothing but the log rests on them.
func event(header http.Header, body []byte) preview.Event {
	sum := sha256.Sum256(body)
	return read(&preview.Delivery{
		GUID: short(header.Get("X-GitHub-Delivery")), Event: short(header.Get("X-GitHub-Event")),
		BodySHA256: hex.EncodeToString(sum[:]), Body: body,
	})
}

// Replay hands a stored delivery in once more, as if it had just come: what was ignored because of the configuration, or before something was mended,
// is looked at by today's rules. It is stored as a delivery of its own.
func Replay(ctx context.Context, l Lifecycle, stored preview.Delivery) (preview.Decision, error) {
	e := read(&preview.Delivery{GUID: stored.GUID, Event: stored.Event, BodySHA256: stored.BodySHA256, Body: stored.Body})
	e.Replayed = true
	_, d, err := l.Handle(ctx, e)
	return d, err
}

// read makes an event of a delivery's body, and notes in the delivery what it is about.
func read(d *preview.Delivery) preview.Event {
	e := preview.Event{Kind: preview.EventHint, Delivery: d}
	hint, err := ghapp.Parse(d.Event, d.Body)
	if err != nil {
		e.Unused = fmt.Sprintf("the body is not that of a %s event: %v", d.Event, err)
		return e
	}
	d.Action, d.Repository = short(hint.Action), hint.Repository
	if !hint.HasPullRequest {
		e.Unused = hint.Reason
		return e
	}
	d.Number = hint.PullRequest.Number
	if c := hint.Comment; c != nil {
		order, _ := preview.ParseOrder(c.Body)
		e.Kind = preview.EventCommand
		e.Command = &preview.Command{CommentID: c.ID, Order: order, Author: short(c.Author), AuthorID: c.AuthorID}
	}
	e.Key, e.PullRequest, e.Closed = hint.PullRequest.Key, hint.PullRequest, !hint.PullRequest.Open
	return e
}

// short bounds a text that the sender chose.
func short(s string) string { return s[:min(len(s), 100)] }
