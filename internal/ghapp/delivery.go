package ghapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v92/github"
)

const (
	maxRedeliveries  = 50              // asked for in one call
	redeliveryPause  = 5 * time.Minute // after the second failed attempt at one delivery, doubled after each further one
	longestRedeliver = 6 * time.Hour   // of those
	stillOut         = time.Minute     // a delivery may be under way for so long, and be listed then
)

// deliveries is what is known of deliveries that failed.
type deliveries struct {
	busy sync.Mutex // one call at a time; guards what follows
	lost map[string]*lostDelivery
	read time.Time // failures up to here are known
}

// lostDelivery is one delivery, told by its GUID, of which attempts failed.
type lostDelivery struct {
	attempts    map[int64]bool // that failed
	newest      int64
	first, last time.Time // when they were made
	asked       int64     // the attempt after which another one was asked for
	checked     time.Time // successes up to here were looked through
	settled     bool      // it arrived in the end, or GitHub does not want to send it again
}

// RedeliverFailed asks GitHub to send again what it could not deliver since then, and returns how many deliveries it asked
// for: those about pull requests, repositories and installations that no attempt brought here, each once for every failed
// attempt, after growing pauses, at most 50 in a call. When nothing new failed it costs one request. With a token instead
// of an App, or while another call is at it, it does nothing.
func (c *Client) RedeliverFailed(ctx context.Context, since time.Time) (int, error) {
	if c.key == nil || !c.deliveries.busy.TryLock() {
		return 0, nil
	}
	defer c.deliveries.busy.Unlock()
	n, err := c.redeliverFailed(ctx, since)
	if err != nil {
		return n, fmt.Errorf("redeliver webhooks that failed since %s: %w", since.UTC().Format(time.RFC3339), err)
	}
	return n, nil
}

func (c *Client) redeliverFailed(ctx context.Context, since time.Time) (int, error) {
	if err := c.readFailures(ctx, since); err != nil {
		return 0, err
	}
	var due []*lostDelivery
	for guid, l := range c.deliveries.lost {
		if l.last.Before(since) {
			delete(c.deliveries.lost, guid)
		} else if l.due(c.now()) {
			due = append(due, l)
		}
	}
	if len(due) == 0 {
		return 0, nil
	}
	slices.SortFunc(due, func(a, b *lostDelivery) int { return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.newest, b.newest)) })
	due = due[:min(len(due), maxRedeliveries)]
	if err := c.readSuccesses(ctx, due); err != nil {
		return 0, err
	}
	n := 0
	for _, l := range due {
		if l.settled {
			continue
		}
		err := c.redeliver(ctx, l.newest)
		var a *answer
		switch {
		case errors.As(err, &a) && (a.status == 400 || a.status == 404 || a.status == 422):
			c.log.Warn("GitHub does not deliver again", "delivery", l.newest, "error", err)
			l.settled = true
		case err != nil:
			return n, err
		default:
			l.asked = l.newest
			n++
		}
	}
	return n, nil
}

func (l *lostDelivery) due(now time.Time) bool {
	if l.settled || l.asked == l.newest {
		return false
	}
	again := len(l.attempts) - 2
	return again < 0 || !now.Before(l.last.Add(min(redeliveryPause<<min(again, 10), longestRedeliver)))
}

// readFailures gets to know what failed since the last time.
func (c *Client) readFailures(ctx context.Context, since time.Time) error {
	known := &c.deliveries
	back := known.read
	if back.Before(since) {
		back = since
	}
	read, err := c.readDeliveries(ctx, "failure", back, func(d *github.HookDelivery) {
		if arrived(d) || !wanted(d.GetEvent()) {
			return
		}
		l := known.lost[d.GetGUID()]
		if l == nil {
			l = &lostDelivery{attempts: map[int64]bool{}}
			known.lost[d.GetGUID()] = l
		}
		l.failed(d.GetID(), d.GetDeliveredAt().Time)
	})
	if err == nil {
		known.read = read
	}
	return err
}

// failed notes an attempt that failed; it may be known.
func (l *lostDelivery) failed(id int64, at time.Time) {
	if len(l.attempts) == 0 || at.Before(l.first) {
		l.first, l.checked = at, at
	}
	if len(l.attempts) == 0 || cmp.Or(at.Compare(l.last), cmp.Compare(id, l.newest)) > 0 {
		l.newest, l.last = id, at
	}
	l.attempts[id] = true
}

// readSuccesses finds out which of the deliveries arrived after all.
func (c *Client) readSuccesses(ctx context.Context, due []*lostDelivery) error {
	back := due[0].checked
	for _, l := range due {
		if l.checked.Before(back) {
			back = l.checked
		}
	}
	read, err := c.readDeliveries(ctx, "success", back, func(d *github.HookDelivery) {
		if l := c.deliveries.lost[d.GetGUID()]; l != nil && arrived(d) {
			l.settled = true
		}
	})
	if err != nil {
		return err
	}
	for _, l := range due {
		l.checked = read
	}
	return nil
}

// readDeliveries shows the App's deliveries with the status, newest first, in whole pages until those before back. All that were
// made before the time it returns are known then; it is GitHub's time, as the times in the list are.
func (c *Client) readDeliveries(ctx context.Context, status string, back time.Time, see func(*github.HookDelivery)) (read time.Time, err error) {
	for cursor := ""; ; {
		list, resp, err := c.readDeliveryPage(ctx, status, cursor)
		if err != nil {
			return read, fmt.Errorf("list deliveries: %w", err)
		}
		if cursor == "" {
			at, err := http.ParseTime(resp.Header.Get("Date"))
			if err != nil {
				return read, fmt.Errorf("list deliveries: the answer's date: %w", err)
			}
			read = at.Add(-stillOut)
		}
		reached := false
		for _, d := range list {
			if d.GetID() <= 0 || d.GetGUID() == "" || d.GetDeliveredAt().IsZero() {
				return read, fmt.Errorf("list deliveries: the answer has one without id, GUID or time: %d %q", d.GetID(), d.GetGUID())
			}
			reached = reached || d.GetDeliveredAt().Before(back)
			see(d)
		}
		switch {
		case reached || resp.Cursor == "":
			return read, nil
		case resp.Cursor == cursor:
			return read, fmt.Errorf("list deliveries: cursor %q is followed by itself", cursor)
		}
		cursor = resp.Cursor
	}
}

// readDeliveryPage asks without an ETag: GitHub's description has no "not modified" here.
func (c *Client) readDeliveryPage(ctx context.Context, status, cursor string) ([]*github.HookDelivery, *github.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	query := url.Values{"per_page": {"100"}, "status": {status}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	req, err := c.gh.NewRequest(with(ctx, "/app/hook/deliveries", c.asApp()), http.MethodGet, "app/hook/deliveries?"+query.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	var list []*github.HookDelivery
	resp, err := c.gh.Do(req, &list)
	if err != nil {
		return nil, nil, kind(err)
	}
	if list == nil {
		return nil, nil, errors.New("the answer is not a list")
	}
	return list, resp, nil
}

func (c *Client) redeliver(ctx context.Context, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	_, _, err := c.gh.Apps.RedeliverHookDelivery(with(ctx, "/app/hook/deliveries/{delivery}/attempts", c.asApp()), id)
	var accepted *github.AcceptedError
	if errors.As(err, &accepted) {
		return nil
	}
	if err = kind(err); err != nil {
		return fmt.Errorf("ask for delivery %d again: %w", id, err)
	}
	return nil
}

// arrived reports whether the attempt counts as delivered for GitHub.
func arrived(d *github.HookDelivery) bool {
	return d.GetStatusCode() >= 200 && d.GetStatusCode() < 400
}

// wanted reports whether Catalyst learns anything from the event.
func wanted(event string) bool {
	return event == "pull_request" || event == "repository" || strings.HasPrefix(event, "installation")
}
