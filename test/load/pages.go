package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

const (
	tabs      = 4  // that each person keeps open
	readers   = 20 // pages that people open, each second
	pushes    = 3 * time.Second
	memoryBar = 250 // MiB
	pageBar   = 200 * time.Millisecond
)

type pagesResult struct {
	Previews   int     `json:"previews"`
	Streams    int     `json:"streams"`
	Changes    int64   `json:"changes"` // that streams told of
	Pages      int     `json:"pages"`   // fetched
	MedianMS   float64 `json:"p50_ms"`
	P99MS      float64 `json:"p99_ms"`
	WorstMS    float64 `json:"worst_ms"`
	PeakRSSMiB float64 `json:"peak_rss_mib"` // of the server
	Family     float64 `json:"peak_family_mib"`
	Violations int     `json:"violations"`
}

// crowd are the people that look.
type crowd struct {
	site    *site
	changes atomic.Int64
	open    atomic.Int64

	mu   sync.Mutex
	took []time.Duration
	of   map[string][]time.Duration // by what the page is
	errs []error
}

// pages keeps the streams open for a while, and measures each page that is fetched meanwhile.
func pages(ctx context.Context, previews, streams int, lasts time.Duration) (err error) {
	s, err := start(ctx, "bench-many", "--node", "simulated", "--simulated-nodes", "2")
	defer func() { err = s.end(err) }()
	if err != nil {
		return err
	}
	family := s.server.WatchFamily(ctx)
	pulls := make([]*fakegithub.Pull, previews)
	for i := range pulls {
		branch, _ := s.github.Change(s.github.Repo.SHA("main"), map[string]string{"NOTES.md": fmt.Sprint(i)})
		pulls[i] = s.github.Repo.OpenPull(fakegithub.PullOptions{Title: fmt.Sprint("Load ", i), Author: s.github.Author, Head: branch})
	}
	for _, pull := range pulls {
		if err := says(ctx, pull, "| success |"); err != nil {
			return err
		}
	}
	fmt.Printf("%d previews are ready\n", previews)

	c := &crowd{site: s, of: map[string][]time.Duration{}}
	browsers := make([]*http.Client, (streams+tabs-1)/tabs)
	for i := range browsers {
		if browsers[i], err = s.signIn(ctx, fmt.Sprint("Person ", i)); err != nil {
			return err
		}
	}
	looking, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	for i := range streams {
		path, live := "/", "/live"
		if i%4 != 0 { // a quarter looks at the list, the others at one preview each
			about := fmt.Sprintf("/acme/hello/%d", pulls[i%previews].Number())
			path, live = "/p"+about, "/live"+about
		}
		running.Go(func() { c.watch(looking, browsers[i/tabs], path, live) })
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // they do not all come in the same moment
		}
	}
	err = rig.Until(ctx, time.Minute, "all streams are open", func() (bool, error) { return c.open.Load() == int64(streams), c.failed() })
	if err == nil {
		fmt.Printf("%d streams are open\n", streams)
		running.Go(func() { c.read(looking, browsers, pulls) })
		err = push(ctx, s, pulls, lasts)
	}
	kept := c.open.Load()
	stop()
	running.Wait()
	if err = errors.Join(err, c.failed()); err != nil {
		return err
	}
	for _, pull := range pulls {
		pull.Close(false)
	}
	for _, pull := range pulls {
		if err := says(ctx, pull, "| deleted |"); err != nil {
			return err
		}
	}
	peak, err := s.server.PeakMemoryMiB()
	if err != nil {
		return err
	}
	r := pagesResult{
		Previews: previews, Streams: int(kept), Changes: c.changes.Load(), Pages: len(c.took), PeakRSSMiB: peak, Family: family(),
		MedianMS: millis(percentile(c.took, 0.5)), P99MS: millis(percentile(c.took, 0.99)), WorstMS: millis(percentile(c.took, 1)),
	}
	for _, page := range slices.Sorted(maps.Keys(c.of)) {
		took := c.of[page]
		fmt.Printf("%-16s %6d fetched, median %s, p99 %s\n", page, len(took), percentile(took, 0.5).Round(time.Millisecond), percentile(took, 0.99).Round(time.Millisecond))
	}
	err = missed(map[string]bool{
		fmt.Sprintf("memory of %.0f MiB is above %d", r.PeakRSSMiB, memoryBar):              r.PeakRSSMiB <= memoryBar,
		fmt.Sprintf("the 99th percentile of pages, %.0f ms, is above %s", r.P99MS, pageBar): percentile(c.took, 0.99) <= pageBar,
		fmt.Sprintf("%d of %d streams were still open", kept, streams):                      int(kept) == streams,
		"void: no stream told of a change":                                                  r.Changes > int64(2*streams),
	})
	if err != nil {
		r.Violations = 1
	}
	fmt.Println(rig.JSON(r))
	return err
}

// push pushes to one pull request after the other for a while, so that there is something to tell.
func push(ctx context.Context, s *site, pulls []*fakegithub.Pull, lasts time.Duration) error {
	ticker := time.NewTicker(pushes)
	defer ticker.Stop()
	for i := range int(lasts / pushes) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		pull := pulls[i%len(pulls)]
		_, sha := s.github.Change(s.github.Repo.SHA("main"), map[string]string{"NOTES.md": fmt.Sprint("push ", i)})
		pull.ForcePush(sha)
	}
	return nil
}

// watch is one open page: it fetches the page, and again whenever its stream says that something changed.
func (c *crowd) watch(ctx context.Context, browser *http.Client, path, live string) {
	c.fetch(ctx, browser, path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.site.server.URL+live, nil)
	if err != nil {
		c.fail(err)
		return
	}
	resp, err := browser.Do(req)
	if err != nil {
		c.fail(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		c.fail(fmt.Errorf("GET %s: %s", live, resp.Status))
		return
	}
	c.open.Add(1)
	defer c.open.Add(-1)
	// As the pages' script does: what is told while the page is being fetched is one more fetch, a moment later.
	told := make(chan struct{}, 1)
	var showing sync.WaitGroup
	defer showing.Wait()
	defer close(told)
	showing.Go(func() {
		for range told {
			c.fetch(ctx, browser, path)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	in := bufio.NewScanner(resp.Body)
	for in.Scan() {
		if strings.HasPrefix(in.Text(), "event: change") {
			c.changes.Add(1)
			select {
			case told <- struct{}{}:
			default:
			}
		}
	}
	if ctx.Err() == nil {
		c.fail(fmt.Errorf("the stream %s ended: %w", live, errors.Join(in.Err(), io.EOF)))
	}
}

// read is people who open pages, whether or not the ones before have come.
func (c *crowd) read(ctx context.Context, browsers []*http.Client, pulls []*fakegithub.Pull) {
	ticker := time.NewTicker(time.Second / readers)
	defer ticker.Stop()
	var reading sync.WaitGroup
	defer reading.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		about := fmt.Sprintf("/p/acme/hello/%d", pulls[rand.IntN(len(pulls))].Number())
		paths := []string{"/", "/", about, about, about + "/resources", about + "/events", about + "/config", "/queue"}
		reading.Go(func() { c.fetch(ctx, browsers[rand.IntN(len(browsers))], paths[rand.IntN(len(paths))]) })
	}
}

func (c *crowd) fetch(ctx context.Context, browser *http.Client, path string) {
	started := time.Now()
	err := fetch(ctx, browser, c.site.server.URL+path)
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	took, page := time.Since(started), path
	if about, ok := strings.CutPrefix(path, "/p/acme/hello/"); ok {
		_, tab, _ := strings.Cut(about, "/")
		page = "/p/…/" + tab
	}
	c.took, c.of[page] = append(c.took, took), append(c.of[page], took)
	c.mu.Unlock()
	if err != nil {
		c.fail(err)
	}
}

func (c *crowd) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
}

func (c *crowd) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.errs[:min(3, len(c.errs))]...)
}

// fetch reads a whole page.
func fetch(ctx context.Context, browser *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("read %s: %w", address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", address, resp.Status)
	}
	return nil
}

func says(ctx context.Context, pull *fakegithub.Pull, word string) error {
	return rig.Until(ctx, 10*time.Minute, "the comment says "+word, func() (bool, error) {
		for _, c := range pull.Comments() {
			if strings.Contains(c.Body, word) {
				return true, nil
			}
		}
		return false, nil
	})
}
