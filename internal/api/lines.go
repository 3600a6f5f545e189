package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/access"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/problem"
)

// Selection says which lines are wanted.
type Selection struct {
	About
	Pod       string `query:"pod" maxLength:"253"`
	Container string `query:"container" maxLength:"63"`
	Grep      string `query:"grep" maxLength:"200" doc:"Part of the text, in any case."`
	Exclude   string `query:"exclude" maxLength:"200" doc:"Not part of the text."`
	Level     string `query:"level" enum:"debug,info,warn,error" doc:"At least this level."`
	Previous  bool   `query:"previous" doc:"Only the runs before the present ones."`
}

func (s Selection) wanted() logs.Select {
	return logs.Select{Pod: s.Pod, Container: s.Container, Grep: s.Grep, Exclude: s.Exclude, Level: logs.Level(s.Level), Previous: s.Previous}
}

type pageInput struct {
	Selection
	Tail   int    `query:"tail" minimum:"1" maximum:"5000" default:"500" doc:"How many lines at most."`
	Cursor string `query:"cursor" maxLength:"600" doc:"previous of the page behind."`
}

type streamInput struct {
	Selection
	Tail   int    `query:"tail" minimum:"1" maximum:"5000" default:"100" doc:"How many of the last lines come first."`
	Cursor string `query:"cursor" maxLength:"20000" doc:"The id of an event: what came behind it comes first."`
	Last   string `header:"Last-Event-ID" maxLength:"20000" doc:"The same, as browsers send it."`
}

// lines are a preview's logs. What leaves has gone through what hides the preview's secrets.
func (a *api) lines() {
	register(a, get("get-logs", pull+"/logs", "Get the last lines of a preview's logs, all containers merged by time", "logs"), a.page)
	stream := get("stream-logs", pull+"/logs/stream", "Follow a preview's logs: server-sent events named lines, each an array of lines", "logs")
	stream.Responses = plain("text/event-stream", "Events `lines` (an array of Line, the id is a cursor), `note` (what is waited for) and, as comments, a sign of life.")
	register(a, stream, a.stream)
	download := get("download-logs", pull+"/logs/download", "Download all of a preview's logs as text", "logs")
	download.Responses = plain("text/plain", "A line each: time, pod/container, text.")
	register(a, download, a.download)
}

func plain(contentType, description string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: description, Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString}}}}}
}

func (a *api) page(ctx context.Context, in *pageInput) (*answer[client.Logs], error) {
	p := access.Preview(ctx)
	out := client.Logs{Lines: []client.Line{}}
	if out.Note = empty(p); out.Note != "" {
		return ok(out), nil
	}
	before, err := parseLine(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := a.Logs.Last(ctx, identity(p), in.wanted(), before, in.Tail)
	if absent(err) {
		out.Note = gone
		return ok(out), nil
	}
	if err != nil {
		return nil, cannot(err)
	}
	out.Lines = encodeLines(found.Lines)
	if found.More {
		out.Previous = lineCursor(found.Lines[0])
	}
	if len(found.Lines) == 0 {
		out.Note = a.silence(ctx, p)
	}
	return ok(out), nil
}

// silence says why there are no lines.
func (a *api) silence(ctx context.Context, p preview.Preview) string {
	list, err := a.Cluster.Containers(ctx, identity(p))
	if err != nil {
		return ""
	}
	return waitsFor(list)
}

// stream sends the last lines and then what comes. It ends when the reader goes, loses the right to it, or the server stops.
func (a *api) stream(ctx context.Context, in *streamInput) (*huma.StreamResponse, error) {
	p := access.Preview(ctx)
	if note := empty(p); note != "" {
		return nil, problem.Say(preview.ErrNotFound, note)
	}
	given := in.Cursor
	if in.Last != "" {
		given = in.Last
	}
	from, known := logs.ParseCursor(given)
	if given != "" && !known {
		return nil, problem.Say(preview.ErrInvalid, "The cursor is not the id of an event of this stream.")
	}
	var first []logs.Line
	if !known {
		from = logs.Cursor{}
		err := a.Logs.Each(ctx, identity(p), logs.Select{Pod: in.Pod, Container: in.Container}, func(l logs.Line) bool { from.Advance(l); return true })
		if err != nil && !absent(err) {
			return nil, cannot(err)
		}
		found, err := a.Logs.LastUntil(ctx, identity(p), in.wanted(), from, in.Tail)
		if err != nil && !absent(err) {
			return nil, cannot(err)
		}
		first = found
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		s := newEvents(hc)
		if len(first) > 0 || !known {
			if s.lines(first, from) != nil {
				return
			}
		}
		if len(first) == 0 {
			if note := a.silence(ctx, p); note != "" && s.send("note", "", note) != nil {
				return
			}
		}
		stop := s.beat(ctx)
		defer stop()
		err := a.Logs.Follow(ctx, identity(p), in.wanted(), from, s.lines)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errReader) && !absent(err) {
			a.Log.Info("stream of logs ended", "preview", p.Ref(), "error", err)
		}
	}}, nil
}

func (a *api) download(ctx context.Context, in *struct{ Selection }) (*huma.StreamResponse, error) {
	p := access.Preview(ctx)
	if note := empty(p); note != "" {
		return nil, problem.Say(preview.ErrNotFound, note)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		name := fmt.Sprintf("%s-%d-%s.log", strings.ReplaceAll(p.Repository, "/", "-"), p.Number, time.Now().UTC().Format("20060102T150405Z"))
		hc.SetHeader("Content-Type", "text/plain; charset=utf-8")
		hc.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
		hc.SetHeader("X-Content-Type-Options", "nosniff")
		lasting(hc)
		w := hc.BodyWriter()
		err := a.Logs.Each(ctx, identity(p), in.wanted(), func(l logs.Line) bool {
			_, err := fmt.Fprintf(w, "%s %s/%s %s\n", l.At.Format(time.RFC3339Nano), l.Pod, l.Container, l.Text)
			return err == nil
		})
		if err != nil && ctx.Err() == nil {
			a.Log.Info("download of logs ended", "preview", p.Ref(), "error", err)
			_, _ = fmt.Fprintln(w, "(the log breaks off here: the cluster did not give the rest)")
		}
	}}, nil
}

func encodeLines(lines []logs.Line) []client.Line {
	out := make([]client.Line, len(lines))
	for i, l := range lines {
		out[i] = client.Line{ID: l.Place.String(), At: l.At, Pod: l.Pod, Container: l.Container, Level: string(l.Level), Text: l.Text, Cut: l.Cut}
	}
	return out
}

// lineCursor is the place of a line among those of all containers.
func lineCursor(l logs.Line) string {
	return base64.RawURLEncoding.EncodeToString([]byte(l.Place.String() + " " + l.Pod + " " + l.Container))
}

func parseLine(s string) (*logs.Line, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // no cursor is a value of its own: the end
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.Split(string(b), " ")
	if err == nil && len(parts) == 3 {
		if place, ok := logs.ParsePlace(parts[0]); ok {
			return &logs.Line{Place: place, Pod: parts[1], Container: parts[2]}, nil
		}
	}
	return nil, problem.Say(preview.ErrInvalid, "The cursor is not one that these logs gave.")
}

var errReader = errors.New("the reader is gone")

// lasting lets an answer take as long as it takes.
func lasting(hc huma.Context) {
	if w, ok := hc.BodyWriter().(http.ResponseWriter); ok {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	}
}

func encodeJSON(v any) string {
	b, _ := json.Marshal(v) // texts and times always encode
	return string(b)
}
