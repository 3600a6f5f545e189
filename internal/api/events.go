package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"catalyst.dev/catalyst/internal/logs"
)

// beats is how often a stream gives a sign of life: what stands in between may cut one that is silent for 30 s.
const beats = 15 * time.Second

// slow is how long a reader may leave what was sent to it.
const slow = 30 * time.Second

// events is a stream of server-sent events. Safe for concurrent use.
type events struct {
	mu      sync.Mutex
	w       io.Writer
	control *http.ResponseController
}

func newEvents(hc huma.Context) *events {
	hc.SetHeader("Content-Type", "text/event-stream")
	hc.SetHeader("Cache-Control", "no-store")
	hc.SetHeader("X-Accel-Buffering", "no")
	s := &events{w: hc.BodyWriter()}
	if w, ok := s.w.(http.ResponseWriter); ok {
		s.control = http.NewResponseController(w)
	}
	return s
}

// send writes one event; data is one line.
func (s *events) send(name, id, data string) error {
	text := "event: " + name + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	return s.write(text + "data: " + data + "\n\n")
}

// lines sends lines with the cursor behind them.
func (s *events) lines(l []logs.Line, behind logs.Cursor) error {
	return s.send("lines", behind.String(), encodeJSON(encodeLines(l)))
}

func (s *events) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.control != nil {
		_ = s.control.SetWriteDeadline(time.Now().Add(slow))
	}
	_, err := io.WriteString(s.w, text)
	if err == nil && s.control != nil {
		err = s.control.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errReader, err)
	}
	return nil
}

// beat gives signs of life until stop is called.
func (s *events) beat(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var beating sync.WaitGroup
	beating.Go(func() {
		ticker := time.NewTicker(beats)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if s.write(": still here\n\n") != nil {
					return
				}
			}
		}
	})
	return func() { cancel(); beating.Wait() }
}
