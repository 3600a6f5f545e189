package fakegithub

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// hook is a webhook of an App.
type hook struct {
	id          int64
	app         *App
	url, secret string
	form        bool // GitHub's default content type, which a receiver should refuse
}

func (h *hook) contentType() string {
	if h.form {
		return "form"
	}
	return "json"
}

type delivery struct {
	id                       int64
	guid                     string
	hook                     *hook
	event, action            string
	installation, repository int64
	payload                  []byte
	redelivery               bool

	// Set when it was tried:
	done            bool
	at              time.Time
	took            time.Duration
	code            int
	status          string
	sent            http.Header
	answer          http.Header
	answerBody, url string
}

// Delivery is one webhook delivery: waiting, or with the answer it got.
type Delivery struct {
	ID         int64         `json:"id"`
	GUID       string        `json:"guid"` // the same for redeliveries
	Event      string        `json:"event"`
	Action     string        `json:"action,omitempty"`
	Redelivery bool          `json:"redelivery"`
	Done       bool          `json:"done"`
	Status     string        `json:"status"` // "OK", "Invalid HTTP Response: 503", "timed out" or "failed to connect to host"
	Code       int           `json:"status_code"`
	Duration   time.Duration `json:"duration_ns"`
	Payload    []byte        `json:"-"`
}

func (d *delivery) view() Delivery {
	return Delivery{ID: d.id, GUID: d.guid, Event: d.event, Action: d.action, Redelivery: d.redelivery, Done: d.done,
		Status: d.status, Code: d.code, Duration: d.took, Payload: d.payload}
}

// deliverer sends deliveries one after the other, in the order they were made, in the background.
type deliverer struct {
	s       *Server
	client  *http.Client
	cancel  context.CancelFunc
	stopped chan struct{}
	wake    chan struct{} // holds one signal at most: something is queued

	mu      sync.Mutex
	all     []*delivery
	queue   []*delivery
	held    []*delivery
	holding bool
	idle    chan struct{} // closed when nothing is queued or under way
}

func (d *deliverer) start(s *Server) {
	ctx, cancel := context.WithCancel(context.Background())
	d.s, d.cancel, d.stopped, d.wake = s, cancel, make(chan struct{}), make(chan struct{}, 1)
	d.idle = make(chan struct{})
	close(d.idle)
	d.client = &http.Client{
		Timeout:   s.options.DeliveryTimeout,
		Transport: &http.Transport{DisableKeepAlives: true},
		// GitHub does not follow redirects of a webhook.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	go d.run(ctx)
}

func (d *deliverer) stop() {
	d.cancel()
	<-d.stopped
}

func (d *deliverer) run(ctx context.Context) {
	defer close(d.stopped)
	for {
		next := d.next()
		if next == nil {
			select {
			case <-ctx.Done():
				return
			case <-d.wake:
			}
			continue
		}
		d.try(ctx, next)
		if ctx.Err() != nil {
			return
		}
	}
}

func (d *deliverer) next() *delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		select {
		case <-d.idle:
		default:
			close(d.idle)
		}
		return nil
	}
	first := d.queue[0]
	d.queue = d.queue[1:]
	return first
}

func (d *deliverer) add(one *delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, one)
	if d.holding {
		d.held = append(d.held, one)
		return
	}
	d.enqueue(one)
}

func (d *deliverer) enqueue(list ...*delivery) {
	d.queue = append(d.queue, list...)
	select {
	case <-d.idle:
		d.idle = make(chan struct{})
	default:
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Signature returns the X-Hub-Signature-256 header GitHub gives a body.
func Signature(secret string, body []byte) string { return "sha256=" + sign(sha256.New, secret, body) }

func sign(h func() hash.Hash, secret string, body []byte) string {
	mac := hmac.New(h, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func (d *deliverer) try(ctx context.Context, v *delivery) {
	d.s.mu.Lock()
	address, secret, form, app := v.hook.url, v.hook.secret, v.hook.form, v.hook.app.id
	d.s.mu.Unlock()
	body := v.payload
	header := http.Header{
		"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {"GitHub-Hookshot/fa4e0c1"},
		"X-Github-Delivery": {v.guid}, "X-Github-Event": {v.event}, "X-Github-Hook-Id": {strconv.FormatInt(v.hook.id, 10)},
		"X-Github-Hook-Installation-Target-Id":   {strconv.FormatInt(app, 10)},
		"X-Github-Hook-Installation-Target-Type": {"integration"},
	}
	if form {
		body = []byte(url.Values{"payload": {string(v.payload)}}.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if secret != "" {
		header.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, body))
		header.Set("X-Hub-Signature-256", Signature(secret, body))
	}
	start := time.Now()
	code, status, answer, text := d.post(ctx, address, header, body)
	took := time.Since(start)
	if code < 200 || code > 299 {
		d.s.options.Log.Warn("webhook delivery was not taken", "event", v.event, "action", v.action, "id", v.id, "status", status)
	}
	at := d.s.options.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	v.done, v.at, v.took, v.code, v.status = true, at, took, code, status
	v.sent, v.answer, v.answerBody, v.url = header, answer, text, address
}

func (d *deliverer) post(ctx context.Context, address string, header http.Header, body []byte) (int, string, http.Header, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 502, "failed to connect to host", nil, err.Error()
	}
	request.Header = header
	response, err := d.client.Do(request)
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() || os.IsTimeout(err) {
		return 504, "timed out", nil, err.Error()
	}
	if err != nil {
		return 502, "failed to connect to host", nil, err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if response.StatusCode >= 200 && response.StatusCode <= 299 {
		return response.StatusCode, "OK", response.Header, string(text)
	}
	return response.StatusCode, fmt.Sprintf("Invalid HTTP Response: %d", response.StatusCode), response.Header, string(text)
}

// Deliveries returns every delivery, oldest first: those that wait, too.
func (s *Server) Deliveries() []Delivery {
	d := &s.deliverer
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []Delivery{}
	for _, v := range d.all {
		list = append(list, v.view())
	}
	return list
}

// Redeliver sends a delivery again as a new one with the same GUID and body, and returns its id.
func (s *Server) Redeliver(id int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	again, ok := s.redeliver(id)
	if !ok {
		misuse("redeliver %d: there is no such delivery", id)
	}
	return again
}

func (s *Server) redeliver(id int64) (int64, bool) {
	d := &s.deliverer
	old := d.find(id)
	if old == nil {
		return 0, false
	}
	again := &delivery{id: s.id(), guid: old.guid, hook: old.hook, event: old.event, action: old.action,
		installation: old.installation, repository: old.repository, payload: old.payload, redelivery: true}
	d.add(again)
	return again.id, true
}

func (d *deliverer) find(id int64) *delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.all {
		if v.id == id {
			return v
		}
	}
	return nil
}

// HoldDeliveries keeps back the deliveries made from now on, until Release or ResumeDeliveries.
func (s *Server) HoldDeliveries() {
	d := &s.deliverer
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holding = true
}

// Held returns the deliveries kept back, oldest first.
func (s *Server) Held() []Delivery {
	d := &s.deliverer
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []Delivery{}
	for _, v := range d.held {
		list = append(list, v.view())
	}
	return list
}

// Release sends deliveries that are kept back, in the order of the ids; an id given twice is delivered twice.
func (s *Server) Release(ids ...int64) {
	d := &s.deliverer
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*delivery
	for _, id := range ids {
		i := slices.IndexFunc(d.held, func(v *delivery) bool { return v.id == id })
		if i < 0 {
			misuse("release delivery %d: it is not kept back", id)
		}
		list = append(list, d.held[i])
	}
	d.held = slices.DeleteFunc(d.held, func(v *delivery) bool { return slices.Contains(ids, v.id) })
	d.enqueue(list...)
}

// Drop loses deliveries that are kept back, as GitHub may; they can still be redelivered.
func (s *Server) Drop(ids ...int64) {
	d := &s.deliverer
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = slices.DeleteFunc(d.held, func(v *delivery) bool { return slices.Contains(ids, v.id) })
}

// ResumeDeliveries ends HoldDeliveries and sends what was kept back.
func (s *Server) ResumeDeliveries() {
	d := &s.deliverer
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holding = false
	d.enqueue(d.held...)
	d.held = nil
}

// Settle waits until every delivery that is not kept back was tried.
func (s *Server) Settle(ctx context.Context) error {
	d := &s.deliverer
	d.mu.Lock()
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the webhook deliveries: %w", ctx.Err())
	}
}

// SendRaw posts any body to the App's webhook as if GitHub had, signed with the App's secret, outside the order of the
// other deliveries, and returns the status of the answer: for recorded payloads and for what GitHub would never send.
func (a *App) SendRaw(ctx context.Context, event string, body []byte) (int, error) {
	a.s.mu.Lock()
	address, secret := a.hook.url, a.hook.secret
	a.s.mu.Unlock()
	code, status, _, text := a.s.deliverer.post(ctx, address, http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"GitHub-Hookshot/fa4e0c1"}, "X-Github-Delivery": {uuid()},
		"X-Github-Event": {event}, "X-Hub-Signature-256": {Signature(secret, body)},
	}, body)
	if code == 502 || code == 504 {
		return code, fmt.Errorf("send %s to %s: %s: %s", event, address, status, text)
	}
	return code, nil
}

// SetFormContentType makes the App's webhook send forms, GitHub's default for new webhooks, instead of JSON.
func (a *App) SetFormContentType(form bool) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.hook.form = form
}

func (s *Server) deliveryObject(v *delivery, full bool) object {
	o := object{"id": v.id, "guid": v.guid, "delivered_at": stamp(v.at), "redelivery": v.redelivery, "duration": v.took.Seconds(),
		"status": v.status, "status_code": v.code, "event": v.event, "action": orNil(v.action),
		"installation_id": orNil(v.installation), "repository_id": orNil(v.repository), "throttled_at": nil}
	if full {
		var payload object
		_ = json.Unmarshal(v.payload, &payload) // it was made by json.Marshal
		o["url"] = v.url
		o["request"] = object{"headers": flat(v.sent), "payload": payload}
		o["response"] = object{"headers": flat(v.answer), "payload": v.answerBody}
	}
	return o
}

func flat(h http.Header) object {
	o := object{}
	for key := range h {
		o[key] = h.Get(key)
	}
	return o
}
