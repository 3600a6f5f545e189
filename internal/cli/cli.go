// Package cli is the command line: it reads flags, calls the server's parts or its client, and prints. Results go to
// standard output, talk and logs to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/client"
	"catalyst.dev/catalyst/internal/config"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
)

// Exit codes, stable for scripts.
const (
	ExitOK        = 0
	ExitFailure   = 1  // something did not work
	ExitNotFound  = 3  // there is no such preview or delivery
	ExitForbidden = 4  // not signed in, or not allowed
	ExitFailed    = 5  // the command worked: the preview failed
	ExitUnhealthy = 6  // a check of `catalyst doctor` failed, or a step has to come first, for example a migration
	ExitPending   = 8  // what was waited for still goes on
	ExitUsage     = 64 // the command line or the configuration is wrong
)

// Version is set when a release is built.
var version = "dev"

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string

	known *redact.Book // what is never printed
}

// Main runs the command line and returns the exit code. The context ends the command.
func Main(ctx context.Context, args []string, s Streams) int {
	s.known = &redact.Book{}
	root := newRootCmd(s)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	if errors.Is(err, errUnhealthy) {
		return ExitUnhealthy
	}
	_, _ = fmt.Fprintf(s.Err, "catalyst: %s%s\n", s.known.String(err.Error()), next(err))
	return exitCode(err)
}

// exitCode is the table of exit codes.
func exitCode(err error) int {
	var usage *usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, preview.ErrInvalid):
		return ExitUsage
	case errors.Is(err, preview.ErrNotReady):
		return ExitUnhealthy
	case errors.Is(err, errPreviewFailed):
		return ExitFailed
	case errors.Is(err, errPending):
		return ExitPending
	case client.IsStatus(err, http.StatusNotFound):
		return ExitNotFound
	case client.IsStatus(err, http.StatusUnauthorized), client.IsStatus(err, http.StatusForbidden):
		return ExitForbidden
	}
	return ExitFailure
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() + "\nSee 'catalyst --help'." }
func (e *usageError) Unwrap() error { return e.err }

func newRootCmd(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalyst",
		Short: "A running copy of the application for every pull request",
		Long: "Catalyst gives every pull request its own running copy of the application on your Kubernetes, says where it is in one\n" +
			"comment on the pull request, and leaves nothing behind when the pull request closes.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.AddCommand(newServeCmd(s), newMigrateCmd(s), newConfigCmd(s), newDoctorCmd(s), newKeysCmd(s), newVersionCmd(s),
		newPreviewsCmd(s), newDeliveriesCmd(s), newProbeNetworkCmd(s))
	return cmd
}

// load reads the configuration, and keeps its secrets out of everything that is printed from then on.
func load(path string, s Streams) (config.Config, error) {
	c, err := config.Load(path, s.Environ)
	s.known.Add(c.Secrets()...)
	return c, err
}

func newVersionCmd(s Streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.Out, version)
			return err
		},
	}
}
