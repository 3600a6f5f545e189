package policy

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
)

// noticed is how long the answer to a command stands above the comment.
const noticed = 10 * time.Minute

// commanded takes a command in. Whether who gave it may, and what comes of it, is the job's to find out: here it is only stored, once
// for each comment, in the transaction that asks for the job.
func commanded(s preview.State, e preview.Event, r Rules) preview.Decision {
	why := r.notMeant(s, e.PullRequest)
	switch {
	case why != "":
		return ignored("%s", why)
	case s.Duplicate && !e.Replayed:
		return preview.Decision{Outcome: preview.DeliveryDuplicate, Reason: "the same delivery was received before"}
	case s.Command != nil:
		return preview.Decision{Outcome: preview.DeliveryDuplicate, Reason: "the comment gave its command before"}
	case s.Preview == nil && e.Closed:
		return ignored("pull request #%d is closed and has no preview", e.Key.Number)
	}
	c := *e.Command
	c.Outcome, c.Told, c.Reason, c.ReceivedAt = "", "", "", s.Now
	d := preview.Decision{Outcome: preview.DeliveryAccepted, Command: &c, Jobs: []preview.JobRequest{{Kind: preview.JobCommand}}}
	if s.Preview == nil {
		d.Preview = unknown(s, e)
		d.Names = preview.Names(r.GitHubHost, e.PullRequest.Repository, e.Key)
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobReconcile})
		return d
	}
	c.SHA, c.Generation = s.Preview.HeadSHA, s.Preview.Generation
	return d
}

// told notes which outcome a reaction tells.
func told(s preview.State, e preview.Event) preview.Decision {
	if s.Command == nil || s.Command.Told == e.Command.Told {
		return preview.Decision{}
	}
	c := *s.Command
	c.Told = e.Command.Told
	return preview.Decision{Command: &c}
}

// execution is one command on its way through execute.
type execution struct {
	preview.Decision
	now time.Time
	p   preview.Preview
	c   preview.Command
}

// execute decides what becomes of a command that the job has looked at: the refusal is what GitHub says against who gave it. A
// command is executed once; one that is under way comes to its end with the preview.
func execute(s preview.State, p preview.Preview, e preview.Event, r Rules) preview.Decision {
	if s.Command == nil || s.Command.Outcome.Final() {
		return preview.Decision{}
	}
	x := &execution{now: s.Now, p: p, c: *s.Command}
	switch {
	case x.c.Outcome == preview.CommandAccepted:
		if p.Settled < x.c.Generation {
			return preview.Decision{}
		}
		x.end()
	case e.Refusal != "":
		x.refuse("%s", e.Refusal)
	default:
		x.obey(s, e, r)
	}
	x.Command = &x.c
	if x.p != p {
		x.Preview = &x.p
	}
	return x.Decision
}

// obey does what the command asks for, or says why it cannot be done.
func (x *execution) obey(s preview.State, e preview.Event, r Rules) {
	verb := x.c.Order.Verb
	if x.c.Order.Argument != "" && verb != preview.VerbApprove && verb != preview.VerbLogs && verb != preview.VerbExtend && verb != preview.VerbPin {
		x.refuse("The command takes nothing more. `/preview help` lists the commands.")
		return
	}
	switch verb {
	case preview.VerbHelp:
		x.answer(help)
	case preview.VerbApprove:
		x.approve(s, r)
	case preview.VerbDeploy, preview.VerbRedeploy, preview.VerbRetry:
		x.deploy(s, r)
	case preview.VerbDestroy:
		x.destroy(s)
	case preview.VerbDiagnose:
		x.diagnose(e)
	case preview.VerbLogs:
		x.logs(r)
	case preview.VerbSleep, preview.VerbWake, preview.VerbPin, preview.VerbExtend:
		x.refuse("The command does not exist yet. `/preview help` lists those that do.")
	default:
		x.refuse("There is no such command. `/preview help` lists the commands.")
	}
}

const help = "Commands, in the first line of a comment of its own: `/preview deploy` (again, or after `destroy`; also `redeploy`, `retry`), " +
	"`/preview approve SHA` (a commit of a fork or a bot), `/preview destroy` (removed until `deploy`), `/preview diagnose` (look at it now), " +
	"`/preview logs NAME` (where to read them), `/preview help`."

const nameOfAnother = "This repository has the name of another one that Catalyst was configured for."

// hex is the least and the most of a SHA that people may write.
var hex = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// approve allows the commit that the pull request is at, and nothing else. What is written is compared with it, and never used. A short
// SHA can be forged, and a pull request can be turned to another branch: so nothing about it may have changed since the comment.
func (x *execution) approve(s preview.State, r Rules) {
	given, head := strings.ToLower(x.c.Order.Argument), x.p.HeadSHA
	verdict := r.judge(s, x.p.PullRequest, head, s.Approvals)
	switch {
	case !x.p.Open:
		x.refuse("The pull request is closed.")
		return
	case verdict == unmeant:
		x.refuse(nameOfAnother)
		return
	case verdict == shut:
		x.refuse("Forks get no previews in this repository (`forks: never` in the server's configuration).")
		return
	case !hex.MatchString(given):
		x.refuse("Say which commit: `/preview approve %s`. At least 7 characters of it are needed.", head)
		return
	case !strings.HasPrefix(head, given):
		x.refuse("That is not the commit that the pull request is at. It is at `%s` now: look at that one first.", head)
		return
	case verdict == unapproved && (x.c.SHA != head || x.c.Generation != x.p.Generation):
		x.refuse("The pull request changed while this was written. It is at `%s` now: look at it, and say so again.", head)
		return
	}
	if _, given := preview.Covering(s.Approvals, x.p.PullRequest, head); verdict == admitted && !given {
		x.answer("This pull request needs no approval.")
		return
	}
	if verdict == unapproved {
		x.Approvals = []preview.Approval{{
			PreviewID: x.p.ID, Key: x.p.Key, SHA: head, HeadRepositoryID: x.p.HeadRepositoryID, BaseBranch: x.p.BaseBranch,
			Approver: x.c.Author, ApproverID: x.c.AuthorID, CommentID: x.c.CommentID, ApprovedAt: x.now,
		}}
		if x.c.Origin == preview.OriginOperator {
			x.Approvals[0].ApproverID = preview.Operators
		}
	} else if x.p.Wanted() && !x.p.Due() && x.p.LiveSHA == head {
		x.finish(preview.CommandDone) // allowed before, and there
		return
	}
	x.p.RemovedBy = ""
	x.bring()
}

// deploy brings the commit that the pull request is at once more, and brings a preview back that somebody had removed.
func (x *execution) deploy(s preview.State, r Rules) {
	switch v := r.judge(s, x.p.PullRequest, x.p.HeadSHA, s.Approvals); {
	case !x.p.Open:
		x.refuse("The pull request is closed.")
	case v == unmeant:
		x.refuse(nameOfAnother)
	case v == shut:
		x.refuse("Forks get no previews in this repository (`forks: never` in the server's configuration).")
	case v == unapproved:
		x.refuse("This commit is not approved: `/preview approve %s` allows it.", x.p.HeadSHA)
	default:
		x.p.RemovedBy = ""
		x.bring()
	}
}

// bring makes a deployment due; one that is on its way to the same commit is only waited for.
func (x *execution) bring() {
	p := &x.p
	wasOnItsWay := p.Due() && (p.Status == preview.StatusDeploying || p.Status == preview.StatusQueued)
	if !wasOnItsWay {
		p.Generation++
	}
	if p.Status == preview.StatusDeleting || p.Status == preview.StatusDeleted || p.Status == preview.StatusBlocked {
		p.Status, p.Diagnosis, p.ChangedAt = preview.StatusPending, nil, x.now
	}
	x.accept(preview.JobRequest{Kind: preview.JobReconcile})
}

// destroy removes the preview of an open pull request. What was approved has to be approved again.
func (x *execution) destroy(s preview.State) {
	switch {
	case !x.p.Open:
		x.refuse("The pull request is closed: its preview is removed anyway.")
		return
	case x.p.RemovedBy != "":
		x.finish(preview.CommandDone)
		return
	}
	for _, a := range s.Approvals {
		if a.WithdrawnAt.IsZero() {
			a.WithdrawnAt = x.now
			x.Approvals = append(x.Approvals, a)
		}
	}
	x.p.RemovedBy = x.c.Author
	x.p.Generation++
	x.p.ChangedAt = x.now
	x.Advance = leave(&x.p)
	x.accept(preview.JobRequest{Kind: preview.JobReconcile})
}

// diagnose answers with what the job has just seen.
func (x *execution) diagnose(e preview.Event) {
	switch {
	case e.Diagnosis != nil:
		x.answer("Looked at right now. What is wrong:")
		if x.p.Notice != nil {
			x.p.Notice.Detail = e.Diagnosis.Cause
		}
	case x.p.LiveSHA != "":
		x.answer("Looked at right now: everything that the live commit runs on is ready.")
	case x.p.Diagnosis != nil:
		x.answer("Nothing is running. Why stands below.")
	default:
		x.answer("Nothing is running yet.")
	}
}

// container is the name of one, as Kubernetes has them.
var container = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// logs leads to the logs. They are never shown on GitHub: whoever reads the pull request could read them.
func (x *execution) logs(r Rules) {
	name := x.c.Order.Argument
	switch {
	case name != "" && !container.MatchString(name):
		x.refuse("Name one container, `/preview logs NAME`, or none for all of them.")
	case r.Pages == "":
		x.refuse("This Catalyst has no web pages to read logs on. Who may reach the cluster finds them with `kubectl --namespace %s logs`.", x.p.Namespace)
	case name != "":
		x.answer(fmt.Sprintf("The logs of `%s` are [here](%s%s/logs?container=%s).", name, r.Pages, x.p.Page(), name))
	default:
		x.answer(fmt.Sprintf("The logs are [here](%s%s/logs).", r.Pages, x.p.Page()))
	}
}

// accept puts the command under way: it ends when the preview has settled what is wanted now.
func (x *execution) accept(jobs ...preview.JobRequest) {
	x.c.Outcome, x.c.Generation = preview.CommandAccepted, x.p.Generation
	x.p.Awaited = true
	x.p.Notice = nil
	x.Jobs = append(x.Jobs, jobs...)
	x.Jobs = append(x.Jobs, preview.JobRequest{Kind: preview.JobComment, Delay: settle})
}

// end is the end of a command that was under way.
func (x *execution) end() {
	if x.c.Order.Verb == preview.VerbDestroy || x.p.Status == preview.StatusRunning || x.p.Status == preview.StatusDegraded {
		x.finish(preview.CommandDone)
		return
	}
	x.finish(preview.CommandFailed)
}

// awaited has the commands that wait for the preview looked at once it has settled.
func awaited(d preview.Decision) preview.Decision {
	if d.Preview != nil && d.Preview.Awaited && !d.Preview.Due() {
		d.Preview.Awaited = false
		d.Jobs = append(d.Jobs, preview.JobRequest{Kind: preview.JobCommand})
	}
	return d
}

func (x *execution) refuse(format string, args ...any) {
	x.notice(fmt.Sprintf(format, args...), true)
	x.finish(preview.CommandRefused)
}

func (x *execution) answer(text string) {
	x.notice(text, false)
	x.finish(preview.CommandDone)
}

// notice tells the answer: above the comment for a command that came by a comment, and with the command itself.
func (x *execution) notice(text string, refused bool) {
	x.c.Reason = text
	if x.c.Origin != preview.OriginComment {
		return
	}
	x.p.Notice = &preview.Notice{Order: x.c.Order.String(), By: x.c.Author, Text: text, Refused: refused, Until: x.now.Add(noticed)}
	x.Jobs = append(x.Jobs, preview.JobRequest{Kind: preview.JobComment})
}

func (x *execution) finish(outcome preview.CommandOutcome) {
	x.c.Outcome, x.c.FinishedAt = outcome, x.now
}
