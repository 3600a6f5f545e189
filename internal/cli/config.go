package cli

//go:generate sh -c "{ printf '# Configuration\\n\\nWritten by `catalyst config reference`; do not edit.\\n\\n'; go run ../../cmd/catalyst config reference; } > ../../docs/configuration.md"

import (
	"fmt"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/internal/config"
)

func newConfigCmd(s Streams) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and explain the configuration"}
	var path string
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration and say every mistake in it", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := load(path, s); err != nil {
				return err
			}
			_, err := fmt.Fprintln(s.Out, "The configuration is valid.")
			return err
		},
	}
	configFlag(check, &path)
	reference := &cobra.Command{
		Use: "reference", Short: "Print every key, its variable, default and meaning (Markdown)", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(s.Out, config.Reference())
			return err
		},
	}
	cmd.AddCommand(check, reference)
	return cmd
}
