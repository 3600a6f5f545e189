package worker_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"catalyst.dev/catalyst/internal/notify"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/worker"
)

// inbox is a receiver of notifications as one is built by the book: it checks the signature and drops what it has got already.
type inbox struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	ids   map[string]bool
	got   []preview.Notification // each once, in the order in which they came
	posts int
	spoil func(n int, w http.ResponseWriter) (received bool) // what goes wrong with the n-th post; nil: nothing
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{t: t, ids: map[string]bool{}}
	in.Server = httptest.NewServer(in)
	t.Cleanup(in.Close)
	return in
}

// ServeHTTP receives one notification.
func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
	}
	if r.Header.Get(notify.HeaderSignature) != notify.Sign(secret, r.Header.Get(notify.HeaderTimestamp), body) {
		in.t.Errorf("a notification with the signature %q", r.Header.Get(notify.HeaderSignature))
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.posts++
	if in.spoil != nil && !in.spoil(in.posts, w) {
		return
	}
	var n preview.Notification
	if err := json.Unmarshal(body, &n); err != nil || n.ID != r.Header.Get(notify.HeaderID) {
		in.t.Errorf("%v: %s", err, body)
	}
	if !in.ids[n.ID] {
		in.ids[n.ID] = true
		in.got = append(in.got, n)
	}
}

// told gives in words what the receiver was told, in the order in which it came.
func (in *inbox) told() (words []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, n := range in.got {
		word := string(n.Kind)
		if n.Kind == preview.NotifyStatus {
			word = string(n.Status)
		}
		words = append(words, word)
	}
	return words
}

var life = []string{"pending", "deploying", "running", "deleting", "deleted"}

// TestNotifications shows that a receiver is told each change of status, in order.
func TestNotifications(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	pull.Close(false)
	b.becomes(pull, preview.StatusDeleted)
	b.until("all is told", func() bool { return slices.Equal(b.inbox.told(), life) })
	b.inbox.mu.Lock()
	defer b.inbox.mu.Unlock()
	if n := b.inbox.got[2]; n.Repository != "acme/web" || n.Before != preview.StatusDeploying || n.URL == "" || n.SHA != pull.HeadSHA() || n.Text == "" {
		t.Errorf("%+v", n)
	}
	if b.inbox.posts != len(life) {
		t.Errorf("%d posts for %d notifications", b.inbox.posts, len(life))
	}
}

// TestReceiverInTrouble shows that a receiver which refuses, breaks off, is slow to answer or loses its answers gets everything in the end, in order, and
// nothing twice that it could not tell; and that the preview does not wait for it.
func TestReceiverInTrouble(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.inbox.spoil = func(n int, w http.ResponseWriter) bool {
		switch n {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return false
		case 2: // received, and the answer is lost
			w.WriteHeader(http.StatusBadGateway)
			return true
		case 4:
			panic(http.ErrAbortHandler) // the connection breaks
		case 5:
			<-time.After(300 * time.Millisecond) // a slow receiver
		}
		return true
	}
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	pull.Close(false)
	b.becomes(pull, preview.StatusDeleted)
	b.until("all is told", func() bool { return slices.Equal(b.inbox.told(), life) })
	b.until("nothing is left to tell", func() bool {
		left, err := b.store.Notifications(t.Context(), b.preview(pull).ID, 10)
		return err == nil && len(left) == 0
	})
}

// TestStuckRemovalIsTold shows that operators are told, once, what holds a namespace.
func TestStuckRemovalIsTold(t *testing.T) {
	t.Parallel()
	var stuck sync.Mutex
	stuck.Lock()
	b := setup(t)
	b.ground.onRemove = func() error {
		if !stuck.TryLock() {
			return preview.Fail(nil, preview.Diagnosis{Code: preview.CodeStuckDelete, Cause: "ConfigMap keep has the finalizer example.com/keep", Fix: "Remove the finalizer."})
		}
		stuck.Unlock()
		return nil
	}
	pull := b.own("gift")
	b.becomes(pull, preview.StatusRunning)
	pull.Close(false)
	b.until("it is told", func() bool { return slices.Contains(b.inbox.told(), "removal_stuck") })
	stuck.Unlock()
	b.becomes(pull, preview.StatusDeleted)
	b.until("the end is told", func() bool { return slices.Contains(b.inbox.told(), "deleted") })
	if words := b.inbox.told(); !slices.Equal(words, []string{"pending", "deploying", "running", "deleting", "removal_stuck", "deleted"}) {
		t.Errorf("told: %v", words)
	}
}

// TestStoppedSweepIsTold shows that operators are told that the sweep stopped itself, and not at every sweep.
func TestStoppedSweepIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *worker.Options) { o.SweepEvery, o.SweepShare = 100*time.Millisecond, 0.1 })
	for i := range int64(10) { // previews whose pull requests GitHub has never heard of
		e := preview.Event{Kind: preview.EventHint, Key: preview.Key{RepositoryID: b.web.ID(), Number: int(1000 + i)}, PullRequest: preview.PullRequest{
			Key: preview.Key{RepositoryID: b.web.ID(), Number: int(1000 + i)}, Repository: "acme/web", Open: true, HeadSHA: "0123456789012345678901234567890123456789",
		}}
		if _, _, err := b.door.Handle(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	b.until("it is told", func() bool { return slices.Contains(b.inbox.told(), "sweep_stopped") })
	sweeps := b.github.Counters()["GET /app/hook/deliveries"]
	b.until("some more sweeps were made", func() bool { return b.github.Counters()["GET /app/hook/deliveries"] > sweeps+3 })
	n := 0
	for _, word := range b.inbox.told() {
		if word == "sweep_stopped" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("told %d times", n)
	}
}
