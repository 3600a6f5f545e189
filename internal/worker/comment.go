package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

// shown is how many deployments the comment lists.
const shown = 5

// refusals is how often GitHub must refuse a comment, over some ten minutes, until that is believed. The next change of the preview tries again.
const refusals = 8

// remember is how long it may take to store what was written when the work was stopped meanwhile.
const remember = 5 * time.Second

// comment brings the one comment on the pull request up to date with what is stored. Asked for by every change a person
// would care about. It reads the state when it runs, so of many changes only the last is written. It never gives up: when
// GitHub is away the comment catches up later.
func (w *Worker) comment(ctx context.Context, c *claim) error {
	c.cover()
	p, err := w.Reader.Preview(ctx, c.PreviewID)
	if err != nil {
		return err
	}
	deployments, err := w.Reader.Deployments(ctx, p.ID, shown)
	if err != nil {
		return err
	}
	if len(deployments) == 0 && p.CommentID == 0 && !p.CommentAttempted && !p.Open {
		return nil // closed before anything happened: nobody needs to be told
	}
	var waiting *preview.Waiting
	if place, waits, err := w.Lifecycle.Waiting(ctx, p); err != nil {
		return err
	} else if waits {
		waiting = &place
	}
	notice := w.notice(&p)
	if !p.MayEdit() {
		return nil // the end of the deployment will be written
	}
	usual, err := w.Reader.Usual(ctx, p.RepositoryID)
	if err != nil {
		return err
	}
	body := report.Comment(report.View{Preview: p, Deployments: deployments, Waiting: waiting, Usual: usual, Logs: p.Private || w.PublicLogs, Pages: w.Pages})
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	if hash == p.CommentHash {
		return notice
	}
	if wait := p.Channels.Comment.Wait(time.Now()); wait > 0 {
		return &errAgain{after: wait, why: "the comment was written often just now; the last word follows"}
	}
	mayExist := p.CommentAttempted || p.Comments != 0
	if p.CommentHash != "" || p.CommentID == 0 && !p.CommentAttempted {
		if p, _, err = w.handle(ctx, c, p, preview.Event{Kind: preview.EventCommenting}); err != nil {
			return err
		}
	}
	if !c.held() {
		return preview.ErrStale // somebody else may write it by now
	}
	id, err := w.GitHub.Comment(ctx, repo(p), p.Number, ghapp.CommentRequest{ID: p.CommentID, MayExist: mayExist, Body: body})
	switch {
	case (errors.Is(err, preview.ErrForbidden) || errors.Is(err, preview.ErrGone) || errors.Is(err, preview.ErrNotFound)) && c.Attempt > refusals:
		w.Log.Error("GitHub refuses the comment", "preview", p.Ref(), "error", err)
		_, _, err = w.handle(ctx, c, p, preview.Event{Kind: preview.EventCommentGone, CommentHash: hash})
		return err
	case err != nil:
		return fmt.Errorf("comment on %s: %w", p.Ref(), err)
	}
	ctx, cancel := preview.Linger(ctx, remember) // a comment that was written is not to be searched for later
	defer cancel()
	if _, _, err = w.handle(ctx, c, p, preview.Event{Kind: preview.EventCommented, CommentID: id, CommentHash: hash}); err != nil {
		return err
	}
	return notice
}

// notice takes a notice whose time is over off the preview. One that stands has the comment looked at again at its end.
func (w *Worker) notice(p *preview.Preview) error {
	if p.Notice == nil {
		return nil
	}
	left := time.Until(p.Notice.Until)
	if left > 0 {
		return &errAgain{after: left + time.Second, why: "the notice in the comment is taken away then"}
	}
	p.Notice = nil
	return nil
}
