package logs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"catalyst.dev/catalyst/internal/cluster"
	"catalyst.dev/catalyst/internal/logs"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node writes the logs of containers while they are read, and answers as a kubelet does: whole seconds, from the beginning of one.
type node struct {
	mu      sync.Mutex
	grown   chan struct{} // closed when there is more
	written map[string][]string
	times   map[string][]time.Time
	broken  map[string]int // after how many lines a stream breaks
}

func newNode() *node {
	return &node{grown: make(chan struct{}), written: map[string][]string{}, times: map[string][]time.Time{}, broken: map[string]int{}}
}

var start = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

func (n *node) write(name string, at time.Time, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.written[name] = append(n.written[name], at.Format(time.RFC3339Nano)+" "+text+"\n")
	n.times[name] = append(n.times[name], at)
	close(n.grown)
	n.grown = make(chan struct{})
}

func (n *node) Containers(context.Context, cluster.Identity) ([]cluster.Container, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []cluster.Container
	for name := range n.written {
		pod, container, _ := strings.Cut(name, "/")
		all = append(all, cluster.Container{Pod: pod, Name: container, State: "running", StartedAt: start})
	}
	return all, nil
}

func (n *node) Hide(context.Context, cluster.Identity) (*redact.Redactor, error) {
	return redact.New("hunter2hunter2"), nil
}

func (n *node) Log(ctx context.Context, _ cluster.Identity, r cluster.LogRequest) (io.ReadCloser, error) {
	if r.Previous {
		return nil, preview.ErrNotFound
	}
	in, out := io.Pipe()
	go n.serve(ctx, r, out)
	return in, nil
}

// serve gives what is there, and what comes when it is followed, until the stream breaks.
func (n *node) serve(ctx context.Context, r cluster.LogRequest, out *io.PipeWriter) {
	name := r.Pod + "/" + r.Container
	for at, sent := 0, 0; ; {
		n.mu.Lock()
		lines, times, grown, breaks := n.written[name], n.times[name], n.grown, n.broken[name]
		n.mu.Unlock()
		for ; at < len(lines); at++ {
			if times[at].Before(r.Since) {
				continue
			}
			if r.Follow && breaks > 0 && sent >= breaks {
				_, _ = io.WriteString(out, lines[at][:len(lines[at])/2]) // in the middle of a line
				_ = out.CloseWithError(errors.New("connection reset"))
				return
			}
			if _, err := io.WriteString(out, lines[at]); err != nil {
				return
			}
			sent++
		}
		if !r.Follow {
			_ = out.Close()
			return
		}
		select {
		case <-ctx.Done():
			_ = out.CloseWithError(ctx.Err())
			return
		case <-grown:
		}
	}
}

func texts(lines []logs.Line) []string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}

// TestPages: merged by time, in pages that follow each other without a gap or a repetition even where times are the same.
func TestPages(t *testing.T) {
	t.Parallel()
	n := newNode()
	var want []string
	for i := range 50 {
		at := start.Add(time.Duration(i/7) * time.Millisecond) // seven at the same time
		n.write([]string{"a/web", "b/web"}[i%2], at, fmt.Sprintf("line %02d", i))
	}
	r := logs.New(n)
	err := r.Each(t.Context(), cluster.Identity{}, logs.Select{}, func(l logs.Line) bool { want = append(want, l.Text); return true })
	if err != nil || len(want) != 50 {
		t.Fatalf("%d lines, %v", len(want), err)
	}
	var got []string
	var before *logs.Line
	for {
		page, err := r.Last(t.Context(), cluster.Identity{}, logs.Select{}, before, 8)
		if err != nil {
			t.Fatal(err)
		}
		got = append(texts(page.Lines), got...)
		if !page.More {
			break
		}
		before = &page.Lines[0]
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestSelect: over the whole log, and nothing that is hidden can be searched for.
func TestSelect(t *testing.T) {
	t.Parallel()
	n := newNode()
	for i, text := range []string{"GET / 200", `{"level":"error","msg":"boom"}`, "password hunter2hunter2", "W0501 10:00:00.1 slow", strings.Repeat("x", 100_000)} {
		n.write("a/web", start.Add(time.Duration(i)), text)
	}
	r := logs.New(n)
	for name, c := range map[string]struct {
		s    logs.Select
		want int
	}{
		"grep": {logs.Select{Grep: "get"}, 1}, "exclude": {logs.Select{Exclude: "GET"}, 4}, "level": {logs.Select{Level: logs.LevelWarn}, 2},
		"pod": {logs.Select{Pod: "b"}, 0}, "secret": {logs.Select{Grep: "hunter2"}, 0},
	} {
		page, err := r.Last(t.Context(), cluster.Identity{}, c.s, nil, 10)
		if err != nil || len(page.Lines) != c.want {
			t.Errorf("%s: %q, %v", name, texts(page.Lines), err)
		}
	}
	page, err := r.Last(t.Context(), cluster.Identity{}, logs.Select{}, nil, 1)
	if err != nil || !page.Lines[0].Cut || len(page.Lines[0].Text) > logs.MaxLine {
		t.Errorf("a long line has %d bytes, cut: %v, %v", len(page.Lines[0].Text), page.Lines[0].Cut, err)
	}
}

// TestFollowThroughBreaks: streams break in the middle of lines again and again, and so does the reader, who goes on from its cursor. Every line comes once.
func TestFollowThroughBreaks(t *testing.T) {
	t.Parallel()
	const each = 150
	n := newNode()
	n.broken["a/web"], n.broken["b/web"] = 37, 53
	n.write("a/web", start, "a 0")
	n.write("b/web", start, "b 0")
	go func() {
		for i := 1; i < each; i++ {
			at := start.Add(time.Duration(i/3) * 500 * time.Millisecond) // three at the same time
			n.write("a/web", at, fmt.Sprintf("a %d", i))
			n.write("b/web", at, fmt.Sprintf("b %d", i))
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cut := errors.New("the reader's connection broke")
	seen := map[string]int{}
	total, cursor := 0, logs.Cursor{}
	for total < 2*each {
		patience := 1 + rand.IntN(3)
		err := logs.New(n).Follow(ctx, cluster.Identity{}, logs.Select{}, cursor, func(lines []logs.Line, behind logs.Cursor) error {
			for _, l := range lines {
				seen[l.Text]++
				total++
			}
			parsed, ok := logs.ParseCursor(behind.String())
			if !ok {
				t.Error("the cursor's text is not a cursor")
			}
			cursor = parsed
			if patience--; patience == 0 || total >= 2*each {
				return cut
			}
			return nil
		})
		if !errors.Is(err, cut) {
			t.Fatalf("%v, after %d of %d lines", err, total, 2*each)
		}
	}
	for i := range each {
		for _, c := range []string{"a", "b"} {
			if text := fmt.Sprintf("%s %d", c, i); seen[text] != 1 {
				t.Errorf("%q came %d times", text, seen[text])
			}
		}
	}
}

func TestLevelOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]logs.Level{
		`{"level":"warn","msg":"x"}`: "warn", `{"severity": "ERROR"}`: "error", `time=… level=debug msg=x`: "debug", "[ERROR] x": "error", "<info> x": "info",
		"E0521 10:00:00.000000 1 x.go:1] no": "error", "2026-05-01 10:00:00 WARNING: x": "warn", `{"level":30,"time":1}`: "info", "lvl=eror": "", "Listening on :8080": "",
		"no errors were found": "", "2026/05/01 10:00:00 [notice] x": "info",
	} {
		if got := logs.LevelOf(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
