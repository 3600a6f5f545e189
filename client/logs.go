package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// LogOptions say which lines are wanted. What is empty lets everything pass.
type LogOptions struct {
	Pod, Container string
	Grep, Exclude  string // parts of the text, in any case
	Level          string // at least: debug, info, warn or error
	Previous       bool   // only the runs before the present ones
	Tail           int    // how many of the last lines; 500 when zero
	Cursor         string // of a page: the one before; of a stream: what comes behind
}

func (o LogOptions) query() url.Values {
	q := query("pod", o.Pod, "container", o.Container, "grep", o.Grep, "exclude", o.Exclude, "level", o.Level, "tail", number(o.Tail), "cursor", o.Cursor)
	if o.Previous {
		q.Set("previous", "true")
	}
	return q
}

// Logs returns a page of a preview's logs.
func (c *Client) Logs(ctx context.Context, r Ref, o LogOptions) (out Logs, err error) {
	return out, c.get(ctx, r.path()+"/logs", o.query(), &out)
}

// DownloadLogs returns all of a preview's logs as text; the caller closes it.
func (c *Client) DownloadLogs(ctx context.Context, r Ref, o LogOptions) (io.ReadCloser, error) {
	response, err := c.do(ctx, "GET", r.path()+"/logs/download", o.query(), nil, "text/plain")
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// FollowLogs calls do with the last lines and with those that come, until ctx ends, do fails or the server ends the stream for good. A connection that
// breaks is made anew where it broke: no line is left out, and none comes twice.
func (c *Client) FollowLogs(ctx context.Context, r Ref, o LogOptions, do func([]Line) error) error {
	const first, last = 100 * time.Millisecond, 5 * time.Second
	for pause := first; ; pause = min(2*pause, last) {
		before := o.Cursor
		err := c.follow(ctx, r, &o, do)
		var p *Problem
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &p) && p.Status < 500 && p.Status != 429, errors.As(err, new(stop)):
			return err
		}
		if o.Cursor != before {
			pause = first
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// stop is an error of whoever takes the lines.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

func (c *Client) follow(ctx context.Context, r Ref, o *LogOptions, do func([]Line) error) error {
	response, err := c.do(ctx, "GET", r.path()+"/logs/stream", o.query(), nil, "text/event-stream")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return ReadStream(response.Body, func(e StreamEvent) error {
		if e.Name != "lines" {
			return nil
		}
		var lines []Line
		if err := json.Unmarshal([]byte(e.Data), &lines); err != nil {
			return stop{fmt.Errorf("read the lines of %s: %w", r, err)}
		}
		if err := do(lines); err != nil {
			return stop{err}
		}
		o.Cursor = e.ID
		return nil
	})
}

// StreamEvent is one event of a stream.
type StreamEvent struct{ ID, Name, Data string }

// ReadStream reads server-sent events until the stream or do fails.
func ReadStream(in io.Reader, do func(StreamEvent) error) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, 64<<20)
	var e StreamEvent
	for scanner.Scan() {
		field, value, _ := strings.Cut(scanner.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case scanner.Text() == "":
			if e.Data != "" || e.Name != "" {
				if err := do(e); err != nil {
					return err
				}
			}
			e = StreamEvent{}
		case field == "id":
			e.ID = value
		case field == "event":
			e.Name = value
		case field == "data":
			if e.Data != "" {
				e.Data += "\n"
			}
			e.Data += value
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	return io.ErrUnexpectedEOF
}

// Kept lists what is kept of a preview's last logs and events.
func (c *Client) Kept(ctx context.Context, r Ref) (out Kept, err error) {
	return out, c.get(ctx, r.path()+"/kept", nil, &out)
}

// KeptFile copies a kept file into w.
func (c *Client) KeptFile(ctx context.Context, r Ref, e KeptEntry, name string, w io.Writer) error {
	path := r.path() + "/kept/" + url.PathEscape(e.Deployment) + "/" + url.PathEscape(e.Reason) + "/" + url.PathEscape(name)
	response, err := c.do(ctx, "GET", path, nil, nil, "text/plain")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("read %s of %s: %w", name, r, err)
	}
	return nil
}
