package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/test/edge"
	"catalyst.dev/catalyst/test/fakegithub"
	"catalyst.dev/catalyst/test/rig"
)

const (
	fast, calm = 5000, 200 // lines a second
	cutEvery   = 3 * time.Second
	lagBar     = time.Second
)

type linesResult struct {
	Lines      int     `json:"lines"`
	PerSecond  int     `json:"lines_per_second"`
	LagP99MS   float64 `json:"lag_p99_ms"` // from the moment the node had the line until the reader had it
	LagWorstMS float64 `json:"lag_worst_ms"`
	CutLines   int     `json:"cut_lines"` // of the second part
	Cuts       int     `json:"cuts"`
	PeakRSSMiB float64 `json:"peak_rss_mib"`
	Violations int     `json:"violations"` // lines that are missing, doubled or out of order
}

// lines follows the log of a pod that prints fast, and of one whose reader is cut off again and again.
func lines(ctx context.Context, lasts time.Duration) (err error) {
	s, err := start(ctx, "bench")
	defer func() { err = s.end(err) }()
	if err != nil {
		return err
	}
	browser, err := s.signIn(ctx, "Reader")
	if err != nil {
		return err
	}
	binary, err := talker(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(binary) }()
	r := linesResult{PerSecond: fast}

	quick, err := s.talk(ctx, binary, fast, lasts)
	if err != nil {
		return err
	}
	if err := quick.follow(ctx, s.server.URL, browser.Jar); err != nil {
		return err
	}
	r.Lines, r.Violations = quick.got, quick.wrong
	r.LagP99MS, r.LagWorstMS = millis(percentile(quick.lags, 0.99)), millis(percentile(quick.lags, 1))
	fmt.Printf("%d lines, %d a second: 99 of 100 after %.0f ms, the slowest after %.0f ms, %d wrong\n", r.Lines, fast, r.LagP99MS, r.LagWorstMS, quick.wrong)

	slow, err := s.talk(ctx, binary, calm, 2*lasts)
	if err != nil {
		return err
	}
	way, err := edge.NewTCP(edge.Dial("tcp", strings.TrimPrefix(s.server.URL, "http://")))
	if err != nil {
		return err
	}
	defer way.Close()
	cutting, stop := context.WithCancel(ctx)
	var cuts sync.WaitGroup
	cuts.Go(func() {
		ticker := time.NewTicker(cutEvery)
		defer ticker.Stop()
		for {
			select {
			case <-cutting.Done():
				return
			case <-ticker.C:
				way.Redirect(edge.Dial("tcp", strings.TrimPrefix(s.server.URL, "http://"))) // cuts what is open
				r.Cuts++
			}
		}
	})
	err = slow.follow(ctx, "http://"+way.Address(), browser.Jar)
	stop()
	cuts.Wait()
	if err != nil {
		return err
	}
	r.CutLines = slow.got
	r.Violations += slow.wrong
	fmt.Printf("%d lines through %d cuts: %d wrong\n", r.CutLines, r.Cuts, slow.wrong)
	if r.PeakRSSMiB, err = s.server.PeakMemoryMiB(); err != nil {
		return err
	}
	err = missed(map[string]bool{
		fmt.Sprintf("%d lines are missing, doubled or out of order", r.Violations): r.Violations == 0,
		fmt.Sprintf("the slowest line came after %.0f ms", r.LagWorstMS):           percentile(quick.lags, 1) <= lagBar,
		"void: nothing was cut": r.Cuts >= int(lasts/cutEvery),
	})
	fmt.Println(rig.JSON(r))
	return errors.Join(err, s.close(ctx, quick, slow))
}

// talk opens a pull request whose pod prints, and returns its reader once it runs.
func (s *site) talk(ctx context.Context, binary string, perSecond int, lasts time.Duration) (*reader, error) {
	root, err := rig.Root()
	if err != nil {
		return nil, err
	}
	const file = "chart/templates/deployment.yaml"
	text, err := os.ReadFile(filepath.Join(root, "examples", "hello", file))
	if err != nil {
		return nil, err
	}
	const image = "          imagePullPolicy:"
	if !strings.Contains(string(text), image) {
		return nil, fmt.Errorf("%s of the sample has no %q", file, strings.TrimSpace(image))
	}
	args := fmt.Sprintf("          args: [-chatter=%d, -chattering=%s]\n", perSecond, lasts)
	branch, sha := s.github.Change(s.github.Repo.SHA("main"), map[string]string{file: strings.Replace(string(text), image, args+image, 1)})
	if _, err := s.cluster.PushImage(ctx, "hello:"+sha, binary); err != nil {
		return nil, err
	}
	pull := s.github.Repo.OpenPull(fakegithub.PullOptions{Title: "Talk", Author: s.github.Author, Head: branch})
	r := &reader{pull: pull, wanted: int(lasts.Seconds() * float64(perSecond))}
	return r, rig.Until(ctx, time.Minute, "the pod runs", func() (bool, error) {
		out, err := s.cluster.Kubectl(ctx, "get", "pods", "-n", fmt.Sprintf("pr-hello-%d", pull.Number()), "-o", "jsonpath={.items[*].status.phase}")
		return err == nil && strings.Contains(out, "Running"), nil
	})
}

// close closes the pull requests and waits until nothing is left.
func (s *site) close(ctx context.Context, all ...*reader) error {
	for _, r := range all {
		r.pull.Close(false)
	}
	for _, r := range all {
		if err := says(ctx, r.pull, "| deleted |"); err != nil {
			return err
		}
	}
	return nil
}

// reader follows the log of one pull request.
type reader struct {
	pull   *fakegithub.Pull
	wanted int // lines
	got    int
	next   int // the line that has to come
	wrong  int
	lags   []time.Duration
}

var errAll = errors.New("all lines have come")

// follow reads until the last line has come. The first lines may be long written; how late a line is counts once the reader has caught up.
func (r *reader) follow(ctx context.Context, address string, jar http.CookieJar) error {
	c, err := client.New(address, "", &http.Client{Jar: jar})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	caughtUp := false
	err = c.FollowLogs(ctx, client.Ref{Repository: "acme/hello", Number: int(r.pull.Number())}, client.LogOptions{Tail: 5000}, func(lines []client.Line) error {
		now := time.Now()
		for _, l := range lines {
			text, numbered := strings.CutPrefix(l.Text, "line ")
			if !numbered {
				continue
			}
			n, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("line %q: %w", l.Text, err)
			}
			if r.got++; n != r.next && r.got > 1 { // what was printed before the reader came may be long
				r.wrong++
				fmt.Printf("line %d where %d should be\n", n, r.next)
			}
			r.next = n + 1
			lag := now.Sub(l.At)
			if caughtUp = caughtUp || lag < lagBar/2; caughtUp {
				r.lags = append(r.lags, lag)
			}
			if r.next == r.wanted {
				return errAll
			}
		}
		return nil
	})
	if errors.Is(err, errAll) {
		return nil
	}
	return fmt.Errorf("after line %d of %d: %w", r.next, r.wanted, err)
}
