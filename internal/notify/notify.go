// Package notify sends notifications to the receivers that the operator has configured: signed JSON, or what Slack takes.
//
// It sends to the configured addresses and to no other: no redirect is followed. It must not decide what is sent, nor keep anything.
package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// The headers of a notification.
const (
	HeaderID        = "Catalyst-Id"        // the same when it is sent again
	HeaderTimestamp = "Catalyst-Timestamp" // of the sending, in Unix seconds
	HeaderSignature = "Catalyst-Signature" // see Sign
)

// Format is how a receiver wants to be told.
type Format string

// The formats.
const (
	JSON  Format = "json"  // preview.Notification
	Slack Format = "slack" // an incoming webhook of Slack's, or of what takes the same
)

// Receiver is where notifications go.
type Receiver struct {
	Name   string
	URL    string
	Secret string // signs; empty: nothing is signed
	Format Format
}

// sendLimit bounds one delivery.
const sendLimit = 10 * time.Second

// Sender sends. Safe for concurrent use.
type Sender struct {
	receivers map[string]Receiver
	client    *http.Client
	agent     string
	now       func() time.Time
}

// New returns a sender to the receivers. transport is nil for the usual one; agent is what it calls itself.
func New(receivers []Receiver, agent string, transport http.RoundTripper) *Sender {
	s := &Sender{receivers: map[string]Receiver{}, agent: agent, now: time.Now}
	for _, r := range receivers {
		s.receivers[r.Name] = r
	}
	s.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// Send delivers a notification to its receiver. Anything but an answer of 2xx is an error, and says nothing about whether it was received. One
// to a receiver that is not configured any more is preview.ErrNotFound.
func (s *Sender) Send(ctx context.Context, n preview.Notification) error {
	r, ok := s.receivers[n.Receiver]
	if !ok {
		return fmt.Errorf("notify %s: no such receiver is configured: %w", n.Receiver, preview.ErrNotFound)
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	if err := s.post(ctx, r, n); err != nil {
		return fmt.Errorf("notify %s of %s: %w", r.Name, n.ID, err)
	}
	return nil
}

func (s *Sender) post(ctx context.Context, r Receiver, n preview.Notification) error {
	body, err := r.body(n)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL cannot be used")
	}
	stamp := strconv.FormatInt(s.now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", s.agent)
	request.Header.Set(HeaderID, n.ID)
	request.Header.Set(HeaderTimestamp, stamp)
	if r.Secret != "" {
		request.Header.Set(HeaderSignature, Sign(r.Secret, stamp, body))
	}
	answer, err := s.client.Do(request)
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err // the address may be a secret
	}
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("it answers %d", answer.StatusCode)
	}
	return nil
}

// Sign returns the signature of a body sent at a time: "sha256=" and, in hex, the HMAC-SHA256 over the time, a dot and the body.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func (r Receiver) body(n preview.Notification) ([]byte, error) {
	if r.Format != Slack {
		return json.Marshal(n)
	}
	return json.Marshal(map[string]string{"text": slackText(n)})
}

// slackText is one line; what is foreign in it can neither mention anybody nor hide a link.
func slackText(n preview.Notification) string {
	icon := map[preview.Status]string{
		preview.StatusRunning: ":white_check_mark: ", preview.StatusFailed: ":x: ", preview.StatusDegraded: ":large_orange_circle: ",
	}[n.Status]
	if n.Kind != preview.NotifyStatus {
		icon = ":warning: "
	}
	text := strings.Join(strings.Fields(n.Text), " ")
	if n.Fix != "" {
		text += " Fix: " + strings.Join(strings.Fields(n.Fix), " ")
	}
	return icon + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
