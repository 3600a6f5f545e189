package worker

import (
	"context"
	"errors"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
)

// commands is how many previews' commands are looked at at once.
const commands = 2

// The reactions that answer a command, as GitHub names them.
const (
	accepted = "eyes"
	done     = "rocket"
	refused  = "confused" // also when what was asked for failed; the comment says why
)

// command looks at the commands that people gave in comments on one pull request, in their order, and answers each with
// a reaction. Asked for by the delivery that brings a command, and by the end of the work that one waits for. A delivery is only a
// hint here too: the comment, who wrote it, what that person may do and where the pull request is are all asked of GitHub now.
func (w *Worker) command(ctx context.Context, c *claim) error {
	c.cover()
	open, err := w.Records.Commands(ctx, c.PreviewID)
	if err != nil {
		return err
	}
	for _, cmd := range open {
		p, err := w.Reader.Preview(ctx, c.PreviewID)
		if err != nil {
			return err
		}
		if cmd, err = w.execute(ctx, c, p, cmd); err != nil {
			return err
		}
		if err := w.tell(ctx, c, p, cmd); err != nil {
			return err
		}
	}
	return nil
}

// execute finds out what GitHub knows, and hands the command in. It returns the command as it then is.
func (w *Worker) execute(ctx context.Context, c *claim, p preview.Preview, cmd preview.Command) (preview.Command, error) {
	if cmd.Outcome.Final() {
		return cmd, nil
	}
	e := preview.Event{Kind: preview.EventExecute, Command: &cmd}
	if cmd.Outcome == "" {
		var err error
		if e.Refusal, err = w.refusal(ctx, p, cmd); err == nil && e.Refusal == "" && cmd.Order.Verb != preview.VerbHelp {
			if p, err = w.read(ctx, c, p); err == nil && !p.MissingSince.IsZero() && p.Open {
				err = &errAgain{after: confirm, why: "GitHub says that the pull request does not exist; the command waits until that is sure"}
			}
		}
		if err == nil && e.Refusal == "" && cmd.Order.Verb == preview.VerbDiagnose && p.LiveSHA != "" {
			e.Diagnosis, err = w.Estate.Health(ctx, identity(p))
		}
		if err != nil {
			if !w.hopeless(c, err) {
				return cmd, fmt.Errorf("look at comment %d on %s: %w", cmd.CommentID, p.Ref(), err)
			}
			w.Log.Error("command refused: GitHub or the cluster does not answer", "preview", p.Ref(), "comment", cmd.CommentID, "error", err)
			e.Refusal = "Catalyst could not find out what it needs to know, and has given up. Give the command again."
		}
	}
	_, d, err := w.handle(ctx, c, p, e)
	if err != nil || d.Command == nil {
		return cmd, err
	}
	w.Log.Info("command", "preview", p.Ref(), "comment", cmd.CommentID, "verb", cmd.Order.Verb, "by", cmd.Author, "outcome", d.Command.Outcome)
	return *d.Command, nil
}

// hopeless reports whether an outage has lasted so long that the command is better refused than carried out out of the blue.
func (w *Worker) hopeless(c *claim, err error) bool {
	var again *errAgain
	var limited later
	return c.Attempt > refusals && !errors.As(err, &again) && !errors.As(err, &limited) && c.ctx.Err() == nil
}

// refusal says what GitHub holds against a command now, or nothing. Help is for everybody; everything else needs the right to
// write to the repository.
func (w *Worker) refusal(ctx context.Context, p preview.Preview, cmd preview.Command) (string, error) {
	switch cmd.Origin {
	case preview.OriginOperator:
		return "", nil
	case preview.OriginPerson:
		return w.unlessWriter(ctx, p, cmd.Author, cmd.AuthorID)
	}
	comment, err := w.People.IssueComment(ctx, repo(p), cmd.CommentID)
	switch {
	case errors.Is(err, preview.ErrNotFound), errors.Is(err, preview.ErrGone):
		return "The comment is not there any more.", nil
	case err != nil:
		return "", err
	}
	order, ok := preview.ParseOrder(comment.Body)
	switch {
	case comment.Number != p.Number:
		return "The comment is on another pull request.", nil
	case comment.ByApp || comment.AuthorID != cmd.AuthorID:
		return "Commands come from people, in comments of their own.", nil
	case !ok || order != cmd.Order:
		return "The comment was edited: give the command in a new one.", nil
	case order.Verb == preview.VerbHelp:
		return "", nil
	}
	return w.unlessWriter(ctx, p, comment.Author, cmd.AuthorID)
}

// unlessWriter is the refusal of who may not write to the repository now, under that login and with that id.
func (w *Worker) unlessWriter(ctx context.Context, p preview.Preview, login string, id int64) (string, error) {
	may, err := w.People.Permission(ctx, repo(p), login)
	if err == nil && (!may.Write || may.UserID != id) {
		return "It takes somebody who may write to this repository.", nil
	}
	return "", err
}

// tell answers the comment with the reaction that goes with what became of the command.
func (w *Worker) tell(ctx context.Context, c *claim, p preview.Preview, cmd preview.Command) error {
	if cmd.Told == cmd.Outcome {
		return nil
	}
	reaction := refused
	switch cmd.Outcome {
	case preview.CommandAccepted:
		reaction = accepted
	case preview.CommandDone:
		reaction = done
	}
	if !c.held() {
		return preview.ErrStale // somebody else may do it by now
	}
	var err error
	if cmd.Origin == preview.OriginComment { // who gave it otherwise reads the outcome
		err = w.People.React(ctx, repo(p), cmd.CommentID, reaction)
	}
	if errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrForbidden) || errors.Is(err, preview.ErrGone) {
		w.Log.Warn("GitHub refuses the reaction", "preview", p.Ref(), "comment", cmd.CommentID, "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	_, _, err = w.handle(ctx, c, p, preview.Event{Kind: preview.EventTold, Command: &preview.Command{CommentID: cmd.CommentID, Told: cmd.Outcome}})
	return err
}
