package ui

import (
	"embed"
	"net/http"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/access"
)

const (
	// beats is how often a stream gives a sign of life: what stands in between may cut one that is silent for 30 s.
	beats = 15 * time.Second
	// slow is how long a browser may leave what was sent to it.
	slow = 30 * time.Second
)

// live tells a page when to fetch itself again: once at the beginning, as it may be old by then, and whenever something about its preview changed.
func (u *ui) live(w http.ResponseWriter, r *http.Request) {
	reader := u.Live.Look(access.Preview(r.Context()).ID)
	defer reader.Close()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(slow))
		_, err := w.Write([]byte(text))
		return err == nil && control.Flush() == nil
	}
	ticker := time.NewTicker(beats)
	defer ticker.Stop()
	text := "retry: 1000\nevent: change\ndata: now\n\n"
	for send(text) {
		select {
		case <-r.Context().Done():
			return
		case <-reader.C:
			text = "event: change\ndata: now\n\n"
		case <-ticker.C:
			text = ": still here\n\n"
		}
	}
}

//go:embed static
var staticFiles embed.FS

var contentTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// static serves the pages' own files.
func static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	text, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", contentTypes[name[max(0, strings.LastIndex(name, ".")):]])
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(text)
}
