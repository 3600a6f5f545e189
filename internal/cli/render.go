package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/internal/render"
)

// newRenderCmd is the command that the server starts itself with to have one chart rendered in a process of its own.
func newRenderCmd(s Streams) *cobra.Command {
	return &cobra.Command{
		Use: render.Command, Short: "Render one chart for the server, shut in", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := render.Main(args, s.In, s.Out); code != 0 {
				return fmt.Errorf("%s ended with code %d", render.Command, code)
			}
			return nil
		},
	}
}
