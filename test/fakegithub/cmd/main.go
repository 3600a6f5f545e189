// Command fakegithub serves the fake GitHub for a demonstration: the API under /api/v3/, pages for people, and the
// routes under /_fake/ with which a script plays the people. It keeps nothing when it ends.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"catalyst.dev/catalyst/test/fakegithub"
)

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8081", "address of the API and the pages")
	flag.StringVar(&o.archive, "archive-listen", "127.0.0.1:0", "address of the archives, another host as GitHub's is")
	flag.StringVar(&o.url, "url", "", "address that clients reach --listen at (default http://<listen>)")
	flag.StringVar(&o.webhookURL, "webhook-url", "", "where the App's deliveries go")
	flag.StringVar(&o.webhookSecret, "webhook-secret", "", "secret that signs them")
	flag.StringVar(&o.slug, "app", "catalyst", "slug of the App made at the start")
	flag.StringVar(&o.key, "app-key", "", "file to write the App's private key to")
	flag.StringVar(&o.org, "org", "acme", "organization made at the start, with the App installed for all its repositories")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		slog.Error("fake GitHub", "error", err)
		os.Exit(1)
	}
}

type options struct {
	listen, archive, url, webhookURL, webhookSecret, slug, key, org string
}

// run prints one JSON line with the addresses and the App's numbers when it is ready, and serves until ctx ends.
func run(ctx context.Context, o options) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.listen, err)
	}
	archives, err := net.Listen("tcp", o.archive)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.archive, err)
	}
	if o.url == "" {
		o.url = "http://" + listener.Addr().String()
	}
	_, port, err := net.SplitHostPort(archives.Addr().String())
	if err != nil {
		return fmt.Errorf("find the port of the archives: %w", err)
	}
	s, err := fakegithub.New(fakegithub.Options{URL: o.url, ArchiveURL: "http://localhost:" + port, Log: slog.Default()})
	if err != nil {
		return err
	}
	defer s.Close()
	servers := []*http.Server{
		{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second},
		{Handler: s.ArchiveHandler(), ReadHeaderTimeout: 10 * time.Second},
	}
	if err := prepare(s, o); err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- servers[0].Serve(listener) }()
	go func() { failed <- servers[1].Serve(archives) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	for _, server := range servers {
		_ = server.Close() // it ends with the program
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func prepare(s *fakegithub.Server, o options) error {
	app := s.CreateApp(fakegithub.AppOptions{Slug: o.slug, WebhookURL: o.webhookURL, WebhookSecret: o.webhookSecret})
	installation := app.Install(s.CreateOrg(o.org))
	if o.key != "" {
		if err := os.WriteFile(o.key, app.KeyPEM(), 0o600); err != nil {
			return fmt.Errorf("write the App's key: %w", err)
		}
	}
	err := json.NewEncoder(os.Stdout).Encode(map[string]any{"url": s.URL(), "api": strings.TrimSuffix(s.APIURL(), "/"), "app_id": app.ID(),
		"installation_id": installation.ID(), "organization": o.org, "key_file": o.key})
	if err != nil {
		return fmt.Errorf("say where it listens: %w", err)
	}
	return nil
}
