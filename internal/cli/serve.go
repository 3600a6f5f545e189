package cli

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/internal/app"
	"catalyst.dev/catalyst/internal/config"
)

// ServeOptions are the flags of `catalyst serve`.
type ServeOptions struct {
	Config  string // path of the configuration file
	Migrate bool   // apply missing migrations first
}

func newServeCmd(s Streams) *cobra.Command {
	var o ServeOptions
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		Long: "Run the server until it is told to stop (SIGINT or SIGTERM). Every key of the configuration file has an environment\n" +
			"variable, which wins: `catalyst config reference` lists them.",
		RunE: func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), s, o) },
	}
	configFlag(cmd, &o.Config)
	cmd.Flags().BoolVar(&o.Migrate, "migrate", false, "apply missing database migrations before serving")
	return cmd
}

func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "catalyst.yaml", "configuration `file`; \"\" reads the environment alone")
}

func runServe(ctx context.Context, s Streams, o ServeOptions) error {
	c, err := load(o.Config, s)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, c, app.Deps{Log: newLogger(s, c.Log), Known: s.known, Version: version, Migrate: o.Migrate})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	return a.Run(ctx, nil)
}

func newLogger(s Streams, l config.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.SlogLevel()}
	out := s.known.Writer(s.Err)
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
