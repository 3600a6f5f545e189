package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"catalyst.dev/catalyst/client"
)

// errPreviewFailed ends a command that worked and found a preview that failed.
var errPreviewFailed = errors.New("the preview failed")

func newPreviewsCmd(s Streams) *cobra.Command {
	r := &remote{streams: s}
	cmd := &cobra.Command{
		Use: "previews", Aliases: []string{"preview"}, Short: "Look at previews, and act on them",
		Long: "Look at previews, and act on them. A preview is named OWNER/NAME#NUMBER, or by the address of its pull request.\n" +
			"Exit codes: 3 there is no such preview, 4 not signed in or not allowed, 5 the preview failed, 8 it still goes on.",
	}
	r.flags(cmd)
	cmd.AddCommand(newListCmd(r), newGetCmd(r), newLogsCmd(r), newActionCmd(r, "redeploy", "Deploy the same commit once more, or bring a removed preview back", (*client.Client).Redeploy),
		newActionCmd(r, "retry", "Deploy a commit that failed once more", (*client.Client).Retry), newDeleteCmd(r), newApproveCmd(r))
	return cmd
}

// ListOptions are the flags of `catalyst previews list`.
type ListOptions struct {
	client.Filter
	All bool // deleted ones, too
}

func newListCmd(r *remote) *cobra.Command {
	var o ListOptions
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List previews", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runList(cmd.Context(), r, o) },
	}
	cmd.Flags().StringVar(&o.Repository, "repo", "", "only of this repository, `OWNER/NAME`")
	cmd.Flags().StringVar(&o.Status, "status", "", "only in this `status`")
	cmd.Flags().StringVar(&o.Author, "author", "", "only of pull requests by this `login`")
	cmd.Flags().StringVarP(&o.Text, "search", "q", "", "only with this `text` in the title or the branch")
	cmd.Flags().IntVar(&o.Limit, "limit", 50, "how many at most")
	cmd.Flags().BoolVar(&o.All, "all", false, "deleted ones, too")
	return cmd
}

func runList(ctx context.Context, r *remote, o ListOptions) error {
	if o.Status == "" && !o.All {
		o.Status = "current"
	}
	c, err := r.client()
	if err != nil {
		return err
	}
	list, err := c.Previews(ctx, o.Filter)
	if err != nil {
		return err
	}
	return r.show(list, func(w io.Writer) error {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, "PREVIEW\tSTATUS\tCOMMIT\tLIVE\tCHANGED\tURL")
		for _, p := range list.Previews {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Ref(), p.Status, short(p.Commit), or(short(p.LiveCommit), "-"), ago(p.ChangedAt), or(p.URL, cause(p), "-"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if len(list.Previews) == 0 {
			_, _ = fmt.Fprintln(r.streams.Err, "No previews.")
		}
		if list.Next != "" {
			_, _ = fmt.Fprintln(r.streams.Err, "There are more: --limit, or look for some of them alone.")
		}
		return nil
	})
}

func newGetCmd(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "get PREVIEW", Short: "Show a preview, and why it failed", Args: exactlyOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, ref, err := r.preview(args[0])
			if err != nil {
				return err
			}
			p, err := c.Preview(cmd.Context(), ref)
			if err != nil {
				return err
			}
			if err := r.show(p, func(w io.Writer) error { return printPreview(w, p) }); err != nil {
				return err
			}
			if p.Status == "failed" {
				return errPreviewFailed
			}
			return nil
		},
	}
}

func printPreview(w io.Writer, p client.Preview) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	row("Preview", p.Ref().String()+"  "+p.Title)
	row("Status", p.Status)
	row("URL", p.URL)
	row("Commit", p.Commit)
	row("Live commit", p.LiveCommit)
	row("Branch", p.Branch+" by "+p.Author)
	if p.Waiting != nil {
		row("In line", fmt.Sprintf("%d of %d: %s", p.Waiting.Position, p.Waiting.Of, p.Waiting.Reason))
	}
	row("Changed", ago(p.ChangedAt)+" ago")
	if d := p.Diagnosis; d != nil {
		row("Cause", d.Cause+" ("+d.Code+")")
		row("Fix", d.Fix)
		row("Whose turn", d.Blame)
		for _, line := range d.Evidence {
			row("", "  "+plain(line))
		}
	}
	return t.Flush()
}

// LogsOptions are the flags of `catalyst previews logs`.
type LogsOptions struct {
	client.LogOptions
	Follow bool
	All    bool // the whole log
}

func newLogsCmd(r *remote) *cobra.Command {
	var o LogsOptions
	cmd := &cobra.Command{
		Use: "logs PREVIEW", Short: "Print a preview's logs, all containers merged by time", Args: exactlyOne,
		RunE: func(cmd *cobra.Command, args []string) error { return runLogs(cmd.Context(), r, args[0], o) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.Follow, "follow", "f", false, "go on with the lines that come")
	f.IntVar(&o.Tail, "tail", 500, "how many of the last lines")
	f.BoolVar(&o.All, "all", false, "all lines, instead of --tail")
	f.StringVar(&o.Pod, "pod", "", "only of this `pod`")
	f.StringVarP(&o.Container, "container", "c", "", "only of this `container`")
	f.StringVar(&o.Grep, "grep", "", "only lines with this `text`, in any case")
	f.StringVar(&o.Exclude, "exclude", "", "no lines with this `text`")
	f.StringVar(&o.Level, "level", "", "at least this `level`: debug, info, warn or error")
	f.BoolVarP(&o.Previous, "previous", "p", false, "of the runs before the present ones")
	return cmd
}

func runLogs(ctx context.Context, r *remote, name string, o LogsOptions) error {
	if o.Follow && (o.All || o.Previous) {
		return &usageError{errors.New("--follow goes with neither --all nor --previous")}
	}
	c, ref, err := r.preview(name)
	if err != nil {
		return err
	}
	each := func(lines []client.Line) error {
		for _, l := range lines {
			if err := r.line(l); err != nil {
				return err
			}
		}
		return nil
	}
	switch {
	case o.Follow:
		return c.FollowLogs(ctx, ref, o.LogOptions, each)
	case o.All:
		body, err := c.DownloadLogs(ctx, ref, o.LogOptions)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		_, err = io.Copy(r.streams.Out, body)
		return err
	}
	page, err := c.Logs(ctx, ref, o.LogOptions)
	if err != nil {
		return err
	}
	if page.Note != "" {
		_, _ = fmt.Fprintln(r.streams.Err, page.Note)
	}
	return each(page.Lines)
}

// line prints a line of a log; as JSON one object a line.
func (r *remote) line(l client.Line) error {
	if r.output == "json" {
		return json.NewEncoder(r.streams.Out).Encode(l)
	}
	_, err := fmt.Fprintf(r.streams.Out, "%s %s/%s %s\n", l.At.Format(time.RFC3339), l.Pod, l.Container, plain(l.Text))
	return err
}

// ActionOptions are the flags of the commands that act.
type ActionOptions struct {
	Wait    bool
	Timeout time.Duration
}

func (o *ActionOptions) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.Wait, "wait", false, "wait until it came to its end")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 5*time.Minute, "with --wait: how long")
}

func newActionCmd(r *remote, name, short string, do func(*client.Client, context.Context, client.Ref) (client.Command, error)) *cobra.Command {
	var o ActionOptions
	cmd := &cobra.Command{
		Use: name + " PREVIEW", Short: short, Args: exactlyOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.act(cmd.Context(), args[0], o, func(ctx context.Context, c *client.Client, ref client.Ref) (client.Command, error) {
				return do(c, ctx, ref)
			})
		},
	}
	o.flags(cmd)
	return cmd
}

func newDeleteCmd(r *remote) *cobra.Command {
	var o ActionOptions
	var yes bool
	cmd := &cobra.Command{
		Use: "delete PREVIEW", Short: "Remove a preview although its pull request is open", Args: exactlyOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				return &usageError{fmt.Errorf("this removes the preview %s with all that it holds; say --yes", args[0])}
			}
			return r.act(cmd.Context(), args[0], o, func(ctx context.Context, c *client.Client, ref client.Ref) (client.Command, error) {
				return c.Delete(ctx, ref)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "yes, remove it")
	o.flags(cmd)
	return cmd
}

func newApproveCmd(r *remote) *cobra.Command {
	var o ActionOptions
	var commit string
	cmd := &cobra.Command{
		Use: "approve PREVIEW --sha SHA", Short: "Allow one commit of a fork or a bot to be deployed", Args: exactlyOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if commit == "" {
				return &usageError{errors.New("say which commit, after you have looked at it: --sha SHA")}
			}
			return r.act(cmd.Context(), args[0], o, func(ctx context.Context, c *client.Client, ref client.Ref) (client.Command, error) {
				return c.Approve(ctx, ref, client.Approval{Commit: strings.ToLower(commit)})
			})
		},
	}
	cmd.Flags().StringVar(&commit, "sha", "", "the whole `SHA` of the commit")
	o.flags(cmd)
	return cmd
}

// looked is how long a command is waited for to be looked at, polled how often it is asked for.
const (
	looked = 30 * time.Second
	polled = 500 * time.Millisecond
)

// act asks for something and tells what became of it: that it was refused is known within seconds, its end only with --wait.
func (r *remote) act(ctx context.Context, name string, o ActionOptions, do func(context.Context, *client.Client, client.Ref) (client.Command, error)) error {
	c, ref, err := r.preview(name)
	if err != nil {
		return err
	}
	cmd, err := do(ctx, c, ref)
	if err != nil {
		return err
	}
	limit, enough := looked, func(c client.Command) bool { return c.Outcome != "waiting" }
	if o.Wait {
		limit, enough = o.Timeout, client.Command.Final
	}
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd, err = c.WaitFor(waiting, ref, cmd, polled, enough)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := r.show(cmd, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s %s: %s\n", cmd.Verb, ref, or(cmd.Outcome))
		return err
	}); err != nil {
		return err
	}
	switch {
	case cmd.Outcome == "refused":
		return fmt.Errorf("refused: %s", cmd.Reason)
	case cmd.Outcome == "failed":
		return errPreviewFailed
	case !enough(cmd):
		return errPending
	}
	return nil
}
