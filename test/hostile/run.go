package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"catalyst.dev/catalyst/internal/chart"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/render"
)

// The promises.
const (
	maxTime   = 20 * time.Second
	maxGrowth = 32 << 20 // bytes of resident memory of the server's process, for one chart
	maxRatio  = 1.2      // of what an honest preview takes beside hostile charts, to what it takes alone
)

// unpackedTooLong is in the sentence of an archive whose time was over before anything else about it was found: on a busy machine, any
// large one.
const unpackedTooLong = "to unpack: "

// tooLong is the promise of maxTime broken.
const tooLong = "it took too long"

// untilStopped is in the sentence of a chart that worked until its time was up.
const untilStopped = "takes longer than"

// field is where hostile charts are let loose: with a file and a server that they are after, and a renderer as the server's.
type field struct {
	bait
	renderer *render.Renderer
	hits     atomic.Int32 // requests that reached the server
	log      lockedBuffer // what the renderer logs

	dir    string
	server *http.Server
}

func newField(limits render.Limits) (*field, error) {
	f := &field{}
	var err error
	if f.dir, err = os.MkdirTemp("", "catalyst-hostile-"); err != nil {
		return nil, err
	}
	f.canary = "canary-7f3a9c51e0"
	f.file = filepath.Join(f.dir, "canary")
	if err := os.WriteFile(f.file, []byte(f.canary), 0o644); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.bait.server = "http://" + listener.Addr().String()
	f.server = &http.Server{ReadHeaderTimeout: time.Second, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.hits.Add(1)
		}
	}}
	go func() { _ = f.server.Serve(listener) }()
	f.renderer = render.New(render.Options{Limits: limits, Log: slog.New(slog.NewTextHandler(&f.log, nil))})
	return f, f.renderer.Check(context.Background())
}

func (f *field) close() {
	f.renderer.Close()
	_ = f.server.Close()
	_ = os.RemoveAll(f.dir)
}

// outcome is how one chart ended.
type outcome struct {
	code  string // of the failure; empty: none
	cause string
	took  time.Duration
	wrong []string // promises that were broken
}

// try does with a chart what the server does with a pull request's, up to where the cluster would come in.
func (f *field) try(ctx context.Context, h hostile) outcome {
	ctx, cancel := context.WithTimeout(ctx, 10*maxTime)
	defer cancel()
	start := time.Now()
	result, waited, err := f.deploy(ctx, h)
	o := outcome{took: time.Since(start) - waited}
	failure, named := errors.AsType[*preview.Failure](err)
	if named {
		o.code, o.cause = failure.Diagnosis.Code, failure.Diagnosis.Cause
	}
	switch {
	case err == nil:
		o.wrong = append(o.wrong, "it came through")
	case !named:
		o.wrong = append(o.wrong, "no name for: "+err.Error())
	case !slices.Contains(h.codes, o.code):
		o.wrong = append(o.wrong, fmt.Sprintf("the code is none of %v", h.codes))
	case o.cause == "" || failure.Diagnosis.Fix == "" || failure.Diagnosis.Blame == "":
		o.wrong = append(o.wrong, "the diagnosis is not complete")
	case !strings.Contains(o.cause, h.text) && o.code != preview.CodeRenderLimit && !strings.Contains(o.cause, unpackedTooLong):
		o.wrong = append(o.wrong, fmt.Sprintf("the sentence has no %q", h.text))
	}
	if o.took > maxTime {
		o.wrong = append(o.wrong, tooLong)
	}
	told := fmt.Sprintf("%v %+v %+v", err, failure, result)
	if f.leaks(told) || f.leaks(f.log.String()) {
		o.wrong = append(o.wrong, "the canary got out")
	}
	if strings.ContainsFunc(o.cause, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		o.wrong = append(o.wrong, "characters that are not for reading got out")
	}
	if f.hits.Load() > 0 {
		o.wrong = append(o.wrong, "the server was asked")
	}
	return o
}

func (f *field) leaks(text string) bool { return strings.Contains(text, f.canary) }

// deploy goes as far as a deployment goes without a cluster. waited is how long the archive was waited for: it is made while it is read.
func (f *field) deploy(ctx context.Context, h hostile) (_ *render.Result, waited time.Duration, _ error) {
	body := &slow{ReadCloser: h.archive()}
	defer func() { _ = body.Close() }()
	opened, err := chart.Open(ctx, body, chart.Spec{})
	if err != nil {
		return nil, body.waited, err
	}
	if h.values != "" {
		opened.Values = &chart.File{Name: "deploy/values-preview.yaml", Data: []byte(h.values)}
	}
	result, err := f.renderer.Render(ctx, render.Request{
		Files: opened.Files, Layers: &chart.ValuesInput{Chart: opened, ImageTag: "0a0a0a0", Host: "pr-web-7.preview.example.com", Number: 7, Branch: "x"},
		Release:      render.Release{Name: preview.Release, Namespace: "pr-web-7", Revision: 1, Install: true},
		Capabilities: render.Capabilities{Version: "v1.34.0", Major: "1", Minor: "34", APIVersions: []string{"v1", "apps/v1"}},
	})
	return result, body.waited, err
}

// slow counts how long its reads take.
type slow struct {
	io.ReadCloser
	waited time.Duration
}

// Read implements io.Reader.
func (s *slow) Read(p []byte) (int, error) {
	start := time.Now()
	n, err := s.ReadCloser.Read(p)
	s.waited += time.Since(start)
	return n, err
}

// watched is try, with an eye on this process's memory.
func (f *field) watched(ctx context.Context, h hostile) (o outcome, growth int64) {
	h, err := ahead(h)
	if err != nil {
		return outcome{wrong: []string{"the archive: " + err.Error()}}, 0
	}
	debug.FreeOSMemory()
	before := resident()
	done := make(chan struct{})
	most := make(chan int64)
	go func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		peak := before
		for {
			select {
			case <-done:
				most <- peak
				return
			case <-ticker.C:
				peak = max(peak, resident())
			}
		}
	}()
	o = f.try(ctx, h)
	close(done)
	growth = <-most - before
	if growth > maxGrowth {
		o.wrong = append(o.wrong, fmt.Sprintf("the server's memory grew by %d MiB", growth>>20))
	}
	return o, growth
}

// ahead makes the archive, or the first MiB of it, so that making it is not counted.
func ahead(h hostile) (hostile, error) {
	made := h.archive()
	begin, err := io.ReadAll(io.LimitReader(made, 1<<20))
	if err != nil {
		return h, err
	}
	h.archive = func() io.ReadCloser {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(begin), made), made}
	}
	return h, nil
}

// resident is the resident memory of this process in bytes.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, pages int64
	if _, err := fmt.Sscan(string(b), &total, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
