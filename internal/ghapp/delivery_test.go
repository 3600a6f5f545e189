package ghapp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/test/fakegithub"
)

const (
	listDeliveries = "GET /app/hook/deliveries"
	redeliver      = "POST /app/hook/deliveries/{delivery_id}/attempts"
)

// receiver takes the App's webhooks with the status that it is set to.
type receiver struct{ status atomic.Int64 }

// receive points the App's webhook at a receiver, from now on, and gives the client a pace for tests.
func (b *bundle) receive(t *testing.T, status int64) *receiver {
	t.Helper()
	r := &receiver{}
	r.status.Store(status)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(r.status.Load())) }))
	t.Cleanup(server.Close)
	b.app.SetWebhook(server.URL, "secret")
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM(), WritesPerMinute: 60_000, WriteBurst: 100})
	return r
}

// redeliver asks for what failed in the last three days and waits until it was sent.
func (b *bundle) redeliver(t *testing.T, want int) {
	t.Helper()
	n, err := b.client.RedeliverFailed(t.Context(), b.clock.now().Add(-72*time.Hour))
	if n != want || err != nil {
		t.Errorf("%d deliveries asked for, %v; want %d", n, err, want)
	}
	b.settle(t)
}

func (b *bundle) settle(t *testing.T) {
	t.Helper()
	if err := b.github.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// redelivered tells each delivery that was sent again, as "event action code".
func (b *bundle) redelivered() []string {
	var list []string
	for _, d := range b.github.Deliveries() {
		if d.Redelivery {
			list = append(list, strings.TrimSpace(fmt.Sprint(d.Event, " ", d.Action)+" "+fmt.Sprint(d.Code)))
		}
	}
	return list
}

// TestRedeliverFailed (T8): what failed comes again once; what arrived, in the first or a later attempt, does not; and nothing that is of no use.
func TestRedeliverFailed(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	hook := b.receive(t, 202)
	b.pull.Push(fakegithub.Text(map[string]string{"a": "arrives"}), "arrives")
	b.settle(t)
	b.redeliver(t, 0)
	if got := b.redelivered(); len(got) != 0 {
		t.Fatalf("sent again although nothing failed: %q", got)
	}
	hook.status.Store(503)
	b.pull.Push(fakegithub.Text(map[string]string{"a": "fails"}), "fails")
	b.settle(t)
	b.pull.SetDraft(true)
	b.settle(t)
	hook.status.Store(202)
	for _, d := range b.github.Deliveries() { // somebody redelivers one by hand
		if d.Action == "converted_to_draft" {
			b.github.Redeliver(d.ID)
		}
	}
	b.settle(t)
	b.redeliver(t, 1)
	want := []string{"pull_request converted_to_draft 202", "pull_request synchronize 202"}
	if diff := cmp.Diff(want, b.redelivered()); diff != "" {
		t.Errorf("sent again (-want +got):\n%s", diff)
	}
	b.clock.add(time.Hour)
	b.github.ResetCounters()
	b.redeliver(t, 0)
	if n := len(b.github.Requests()); n != 1 {
		t.Errorf("%d requests when all is settled, want 1", n)
	}
	b.client = b.connect(t, ghapp.Options{AppID: b.app.ID(), PrivateKey: b.app.KeyPEM()}) // one that remembers nothing
	b.redeliver(t, 0)
	if diff := cmp.Diff(want, b.redelivered()); diff != "" {
		t.Errorf("sent again later (-want +got):\n%s", diff)
	}
}

// TestRedeliverIdle: with nothing new it is one request, however much failed before.
func TestRedeliverIdle(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	hook := b.receive(t, 500)
	b.openMany(110)
	b.settle(t)
	hook.status.Store(202)
	for _, n := range []int{50, 50, 10, 0} {
		b.redeliver(t, n) // at most 50 at once
		b.clock.add(2 * time.Minute)
	}
	if got := len(b.redelivered()); got != 110 {
		t.Errorf("%d sent again, want 110", got)
	}
	for range 3 {
		b.github.ResetCounters()
		b.redeliver(t, 0)
		b.clock.add(2 * time.Minute)
		if n := len(b.github.Requests()); n != 1 || b.count(listDeliveries) != 1 {
			t.Errorf("%d requests with nothing new, want 1", n)
		}
	}
}

// TestRedeliverPauses: while it goes on failing, each failed attempt brings one more, after pauses that grow.
func TestRedeliverPauses(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	b.receive(t, 500)
	b.pull.SetDraft(true)
	b.settle(t)
	b.redeliver(t, 1)
	for _, pause := range []time.Duration{5, 10, 20, 40} {
		b.clock.add(pause*time.Minute - 10*time.Second)
		b.redeliver(t, 0)
		b.clock.add(20 * time.Second)
		b.redeliver(t, 1)
		b.redeliver(t, 0)
	}
	if n := b.count(redeliver); n != 5 {
		t.Errorf("asked %d times, want 5", n)
	}
}

func TestRedeliverSince(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	b.receive(t, 500)
	b.pull.SetDraft(true)
	b.settle(t)
	b.clock.add(time.Hour)
	if n, err := b.client.RedeliverFailed(t.Context(), b.clock.now().Add(-30*time.Minute)); n != 0 || err != nil {
		t.Errorf("%d, %v; want nothing from before", n, err)
	}
	b.clock.add(80 * time.Hour) // GitHub sends again for three days
	for range 2 {
		if n, err := b.client.RedeliverFailed(t.Context(), b.clock.now().Add(-100*time.Hour)); n != 0 || err != nil {
			t.Errorf("%d, %v; want nothing, as GitHub refuses", n, err)
		}
	}
	if n := b.count(redeliver); n != 1 {
		t.Errorf("asked %d times for what is too old, want once", n)
	}
	b.github.ResetCounters()
	b.client = b.connect(t, ghapp.Options{Token: b.github.CreateUser("robot").Token()})
	if n, err := b.client.RedeliverFailed(t.Context(), time.Time{}); n != 0 || err != nil || len(b.github.Requests()) != 0 {
		t.Errorf("with a token: %d, %v, %d requests; want nothing at all", n, err, len(b.github.Requests()))
	}
}

// TestRedeliverOutage: what could not be asked for is asked for the next time, and nothing twice.
func TestRedeliverOutage(t *testing.T) {
	t.Parallel()
	b := oneClock(t)
	hook := b.receive(t, 500)
	b.openMany(5)
	b.settle(t)
	hook.status.Store(202)
	for _, fault := range []fakegithub.Fault{
		fakegithub.ServerError(502).On("GET", "/deliveries"),
		fakegithub.Fault{Status: 200, Body: "null", Unchecked: true}.On("GET", "/deliveries"),
		fakegithub.Fault{Status: 200, Body: `[{"id":1,"status_code":500,"event":"pull_request"}]`, Unchecked: true}.On("GET", "/deliveries"),
	} {
		b.github.Inject(fault)
		if n, err := b.client.RedeliverFailed(t.Context(), b.clock.now().Add(-time.Hour)); n != 0 || err == nil {
			t.Errorf("%+v: %d, %v; want an error", fault, n, err)
		}
	}
	// A GitHub that does not know the filter lists all: what arrived is not asked for.
	arrived := fmt.Sprintf(`[{"id":1,"guid":"x","status_code":202,"event":"pull_request","delivered_at":%q}]`, b.clock.now().UTC().Format(time.RFC3339))
	b.github.Inject(fakegithub.Fault{Status: 200, Body: arrived, Unchecked: true}.On("GET", "/deliveries"))
	b.redeliver(t, 0)
	if n := b.count(redeliver); n != 0 {
		t.Errorf("%d asked for, want 0", n)
	}
	fault := fakegithub.ServerError(502).On("POST", "/attempts$")
	fault.Skip = 2
	b.github.Inject(fault)
	if n, err := b.client.RedeliverFailed(t.Context(), b.clock.now().Add(-time.Hour)); n != 2 || err == nil {
		t.Errorf("%d, %v; want 2 and an error", n, err)
	}
	b.settle(t)
	b.redeliver(t, 3)
	b.redeliver(t, 0)
	if got := b.redelivered(); len(got) != 5 {
		t.Errorf("sent again: %q, want 5", got)
	}
}
