package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newDeliveriesCmd(s Streams) *cobra.Command {
	r := &remote{streams: s}
	cmd := &cobra.Command{Use: "deliveries", Short: "Look at webhook deliveries: why one was ignored, and once more at one"}
	r.flags(cmd)
	cmd.AddCommand(newDeliveriesListCmd(r), newReplayCmd(r))
	return cmd
}

// DeliveriesListOptions are the flags of `catalyst deliveries list`.
type DeliveriesListOptions struct {
	Repository, Outcome string
	Limit               int
}

func newDeliveriesListCmd(r *remote) *cobra.Command {
	var o DeliveriesListOptions
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List deliveries, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			list, err := c.Deliveries(cmd.Context(), o.Repository, o.Outcome, o.Limit, "")
			if err != nil {
				return err
			}
			return r.show(list, func(w io.Writer) error {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				_, _ = fmt.Fprintln(t, "ID\tAGO\tEVENT\tABOUT\tOUTCOME\tREASON")
				for _, d := range list.Deliveries {
					about := d.Repository
					if d.Number != 0 {
						about = fmt.Sprintf("%s#%d", d.Repository, d.Number)
					}
					event := d.Event
					if d.Action != "" {
						event += "." + d.Action
					}
					_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, ago(d.ReceivedAt), plain(event), plain(or(about, "-")), d.Outcome, plain(d.Reason))
				}
				return t.Flush()
			})
		},
	}
	cmd.Flags().StringVar(&o.Repository, "repo", "", "only of this repository, `OWNER/NAME`")
	cmd.Flags().StringVar(&o.Outcome, "outcome", "", "only with this `outcome`: accepted, duplicate or ignored")
	cmd.Flags().IntVar(&o.Limit, "limit", 50, "how many at most")
	return cmd
}

func newReplayCmd(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "replay ID", Short: "Have a delivery looked at once more, as if it had just come", Args: exactlyOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			answer, err := c.Replay(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(answer, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s%s\n", answer.Outcome, map[bool]string{true: ": " + plain(answer.Reason)}[answer.Reason != ""])
				return err
			})
		},
	}
}
