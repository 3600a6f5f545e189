package worker

import (
	"context"
	"errors"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// Outbox holds what is to be told to receivers.
type Outbox interface {
	Notifications(ctx context.Context, previewID string, limit int) ([]preview.Notification, error)
}

// Notifier delivers.
type Notifier interface {
	Send(ctx context.Context, n preview.Notification) error
}

const (
	// notifications is how many jobs deliver at once, atOnce how many notifications one of them takes up.
	notifications, atOnce = 4, 100
	// stale is how old a notification is when nobody needs it any more.
	stale = 24 * time.Hour
)

// notify delivers what receivers are to be told of one preview, or of none. Asked for by every change they are told of. To each receiver things
// are told in the order in which they happened; one that does not answer keeps no other waiting. It is tried again for a day.
func (w *Worker) notify(ctx context.Context, c *claim) error {
	c.cover()
	list, err := w.Outbox.Notifications(ctx, c.PreviewID, atOnce)
	if err != nil {
		return err
	}
	var errs []error
	failed := map[string]bool{}
	for _, n := range list {
		if failed[n.Receiver] {
			continue
		}
		if !c.held() {
			return preview.ErrStale
		}
		err := w.Notifier.Send(ctx, n)
		switch {
		case errors.Is(err, preview.ErrNotFound):
			w.Log.Info("nobody to notify", "receiver", n.Receiver, "id", n.ID)
		case err != nil && time.Since(n.At) < stale:
			failed[n.Receiver] = true
			errs = append(errs, err)
			continue
		case err != nil:
			w.Log.Error("a notification was not delivered within a day, given up", "receiver", n.Receiver, "id", n.ID, "kind", n.Kind, "error", err)
		}
		if err := w.delivered(ctx, c, n); err != nil {
			return err
		}
	}
	if len(errs) == 0 && len(list) == atOnce {
		return &errAgain{why: "there may be more"}
	}
	return errors.Join(errs...)
}

// delivered takes a notification out of the outbox, also when the work was stopped meanwhile.
func (w *Worker) delivered(ctx context.Context, c *claim, n preview.Notification) error {
	ctx, cancel := preview.Linger(ctx, remember)
	defer cancel()
	f := c.Fence()
	_, _, err := w.Lifecycle.Handle(ctx, preview.Event{Kind: preview.EventNotified, Fence: &f, Notified: n.ID})
	return err
}

// alarms is how long an alarm is not told again.
const alarms = time.Hour

// alarm tells the operators what concerns no preview alone, once in a while.
func (w *Worker) alarm(ctx context.Context, text string) {
	w.mu.Lock()
	again := time.Since(w.alarmed) < alarms && !w.alarmed.IsZero()
	if !again {
		w.alarmed = time.Now()
	}
	w.mu.Unlock()
	if again {
		return
	}
	if _, _, err := w.Lifecycle.Handle(ctx, preview.Event{Kind: preview.EventAlarm, Alarm: text}); err != nil {
		w.Log.Warn("tell of an alarm", "error", err)
	}
}
