package ui

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/diagnose"
	"catalyst.dev/catalyst/internal/kept"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/usage"
)

// logsView is the log page. What it shows stands in its address, so that whoever opens it sees the same.
type logsView struct {
	head
	Select     logs.Select
	Containers []cluster.Container
	Lines      []logs.Line
	More       bool
	Note       string
	Tail       int
	Levels     []logs.Level
	Kept       []kept.Entry
	Marks      []usage.Mark // deployments and ends of containers, shown between the lines
	API        string       // where the script gets lines
}

// refreshes is the header by which a page's own script fetches it again. What has a stream of its own need not be read then.
const refreshes = "Catalyst-Refresh"

// tail is how many lines a log shows at first (S5).
const tail = 500

func (u *ui) logs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	h, err := u.head(r, "logs")
	if err != nil {
		u.fail(w, r, err)
		return
	}
	v := logsView{
		head: h, Tail: tail, Levels: []logs.Level{logs.LevelDebug, logs.LevelInfo, logs.LevelWarn, logs.LevelError},
		Select: logs.Select{
			Pod: q.Get("pod"), Container: q.Get("container"), Grep: q.Get("grep"), Exclude: q.Get("exclude"), Level: logs.Level(q.Get("level")), Previous: q.Get("previous") == "true",
		},
		API: "/api/v1/previews/" + h.Repository + "/" + strconv.Itoa(h.Number) + "/logs",
	}
	if h.NamespaceUID == "" {
		v.Note = "Nothing runs: the preview has no namespace now."
	} else if r.Header.Get(refreshes) == "" {
		if err := u.readLogs(r, &v); err != nil {
			u.fail(w, r, err)
			return
		}
	}
	if v.Kept, err = u.entries(h.Preview); err != nil {
		u.fail(w, r, err)
		return
	}
	if q.Get("view") == "plain" {
		plainLogs(w, v)
		return
	}
	v.Marks = u.marks(r, h.Preview)
	u.show(w, r, "logs.html", view{Title: "Logs · " + about(h.Preview), State: h.Status, Section: "previews", Live: liveAt(h.Preview), Data: v})
}

// marks are what happened in the last day. A log is shown without them when they cannot be told.
func (u *ui) marks(r *http.Request, p preview.Preview) []usage.Mark {
	report, err := u.Resources.Of(r.Context(), p, 24*time.Hour)
	if err != nil {
		u.Log.WarnContext(r.Context(), "a log without what happened meanwhile", "preview", p.Ref(), "err", err)
	}
	return report.Marks
}

func (u *ui) readLogs(r *http.Request, v *logsView) (err error) {
	v.Containers, err = u.Cluster.Containers(r.Context(), identity(v.Preview))
	if err == nil {
		var page logs.Page
		page, err = u.Logs.Last(r.Context(), identity(v.Preview), v.Select, nil, v.Tail)
		v.Lines, v.More = page.Lines, page.More
	}
	if errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrConflict) {
		v.Note, err = "The preview's namespace is not there any more.", nil
	}
	if v.Note == "" && len(v.Lines) == 0 {
		v.Note = waitsFor(v.Containers, v.Select)
	}
	return err
}

// waitsFor says why there are no lines.
func waitsFor(list []cluster.Container, s logs.Select) string {
	for _, c := range list {
		if c.StartedAt.IsZero() && c.Reason != "" {
			return "Waiting for container " + c.Name + " of pod " + c.Pod + ": " + c.Reason + "."
		}
	}
	if (s != logs.Select{}) {
		return "No line matches."
	}
	return "Nothing was written yet."
}

// plainLogs is the log as text: for a browser's own search, for screen readers and for curl.
func plainLogs(w http.ResponseWriter, v logsView) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if v.Note != "" {
		_, _ = w.Write([]byte(v.Note + "\n"))
	}
	for _, l := range v.Lines {
		_, _ = w.Write([]byte(stamp(l.At) + " " + l.Pod + "/" + l.Container + " " + logs.Plain(l.Text) + "\n"))
	}
}

// eventsView is what the cluster says about a preview.
type eventsView struct {
	head
	Events []diagnose.Event
	Note   string
}

func (u *ui) events(w http.ResponseWriter, r *http.Request) {
	h, err := u.head(r, "events")
	v := eventsView{head: h}
	if err == nil && h.NamespaceUID != "" {
		v.Events, err = u.Cluster.Events(r.Context(), identity(h.Preview))
	}
	switch {
	case errors.Is(err, preview.ErrNotFound), errors.Is(err, preview.ErrConflict), err == nil && h.NamespaceUID == "":
		v.Note = "The preview has no namespace now, so nothing happens in it."
	case err != nil:
		u.fail(w, r, err)
		return
	case len(v.Events) == 0:
		v.Note = "The cluster has nothing to tell. Events are kept for about an hour."
	}
	u.show(w, r, "events.html", view{Title: "Events · " + about(h.Preview), State: h.Status, Section: "previews", Live: liveAt(h.Preview), Data: v})
}

// configView is the configuration that counts for a preview.
type configView struct {
	head
	Settings []Setting
}

func (u *ui) config(w http.ResponseWriter, r *http.Request) {
	h, err := u.head(r, "config")
	if err != nil {
		u.fail(w, r, err)
		return
	}
	u.show(w, r, "config.html", view{
		Title: "Configuration · " + about(h.Preview), State: h.Status, Section: "previews", Data: configView{h, u.Settings(h.Preview)},
	})
}
