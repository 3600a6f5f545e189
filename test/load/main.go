// Command load shows that Catalyst's pages and logs hold under load, against the bars they are built to. Without -logs it keeps many pages of many
// previews open in many browsers at once, on simulated nodes: each has a live stream and fetches its page when that says so, while others read
// pages and pull requests are pushed to. With -logs one pod on a real node prints thousands of numbered lines a second, and a reader has to get each
// of them once and in time; then again more slowly, while the reader's connection is cut every few seconds.
//
// The last line is one JSON object for scripts; the exit code is 1 when a bar was missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"catalyst.dev/catalyst/test/fakeoidc"
	"catalyst.dev/catalyst/test/rig"
)

func main() {
	logs := flag.Bool("logs", false, "lines instead of pages")
	previews := flag.Int("previews", 50, "previews")
	streams := flag.Int("streams", 200, "open pages")
	lasts := flag.Duration("for", time.Minute, "how long")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *logs {
		err = lines(ctx, *lasts)
	} else {
		err = pages(ctx, *previews, *streams, *lasts)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// site is a Catalyst as it is released, and a provider at which people sign in to it.
type site struct {
	cluster *rig.Cluster
	github  *rig.GitHub
	server  *rig.Catalyst
	people  *fakeoidc.Server
	undo    []func() error
}

// start sets a site up on a local cluster. Call end in any case.
func start(ctx context.Context, name string, flags ...string) (s *site, err error) {
	s = &site{}
	if s.cluster, err = rig.StartCluster(ctx, name, os.Stderr, flags...); err != nil {
		return s, err
	}
	binary, err := rig.BuildCatalyst(ctx)
	if err != nil {
		return s, err
	}
	listen, err := rig.FreeAddress()
	if err != nil {
		return s, err
	}
	if s.github, err = rig.StartGitHub("http://"+listen+"/webhooks/github", slog.New(slog.DiscardHandler)); err != nil {
		return s, err
	}
	s.undo = append(s.undo, func() error { s.github.Stop(); return nil })
	dir, err := os.MkdirTemp("", "catalyst-load-")
	if err != nil {
		return s, err
	}
	s.undo = append(s.undo, func() error { return os.RemoveAll(dir) })
	config := rig.Config(listen, s.github, s.cluster)
	config["log"] = map[string]any{"level": "info"}
	config["public_url"] = "http://" + listen
	if s.people, err = fakeoidc.New(); err != nil {
		return s, err
	}
	s.undo = append(s.undo, func() error { s.people.Close(); return nil })
	config["access"] = map[string]any{"oidc": map[string]any{
		"issuer": s.people.URL, "client_id": fakeoidc.ClientID, "client_secret": fakeoidc.ClientSecret, "viewer_groups": []string{"team"},
	}}
	if s.server, err = rig.StartCatalyst(ctx, binary, dir, config); err != nil {
		return s, err
	}
	s.undo = append(s.undo, s.server.Stop)
	return s, nil
}

// signIn signs somebody in, and returns the browser. One at a time.
func (s *site) signIn(ctx context.Context, name string) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	s.undo = append(s.undo, func() error { browser.CloseIdleConnections(); return nil })
	s.people.Person = fakeoidc.Claims{"sub": name, "name": name, "groups": []string{"team"}}
	return browser, fetch(ctx, browser, s.server.URL+"/login/oidc")
}

// end undoes what start did, the last first, and adds what goes wrong to err. The cluster stays, for the next run.
func (s *site) end(err error) error {
	if err != nil && s.server != nil {
		err = fmt.Errorf("%w\n%s", err, s.server.Log())
	}
	for _, undo := range slices.Backward(s.undo) {
		err = errors.Join(err, undo())
	}
	return err
}

func percentile(took []time.Duration, p float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	s := slices.Clone(took)
	slices.Sort(s)
	return s[min(len(s)-1, int(p*float64(len(s))))]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()/100) / 10 }

// missed is the error of a run that did not meet its bars.
func missed(bars map[string]bool) error {
	var all []error
	for bar, met := range bars {
		if !met {
			all = append(all, errors.New("missed: "+bar))
		}
	}
	return errors.Join(all...)
}

// talker builds the application that prints lines, and returns its path.
func talker(ctx context.Context) (string, error) {
	path, err := rig.Build(ctx, "talker", "./test/app")
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}
