// Command catalyst is the server with its database connections watched: before and after each commit it tells a test what is
// written, and goes on when the test lets it. It takes the arguments of `catalyst serve` that the tests use, and -watch.
package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"catalyst.dev/catalyst/internal/app"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/redact"
	"catalyst.dev/catalyst/internal/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		slog.Error("catalyst", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "serve" {
		return errors.New("usage: catalyst serve --config FILE --migrate --watch URL")
	}
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	file := flags.String("config", "catalyst.yaml", "configuration `file`")
	migrate := flags.Bool("migrate", false, "apply missing migrations first")
	watch := flags.String("watch", "", "`URL` that is told of every commit")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	c, err := config.Load(*file, os.Environ())
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.Log.SlogLevel()}))
	d := app.Deps{Log: log, Known: &redact.Book{}, Version: "killpoints", Migrate: *migrate}
	if *watch != "" {
		through := func(c driver.Connector) driver.Connector { return watched{Connector: c, tell: teller{url: *watch}} }
		d.Store = []store.Option{store.Through(through)}
	}
	a, err := app.New(ctx, c, d)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	return a.Run(ctx, nil)
}
