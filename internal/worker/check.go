package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"catalyst.dev/catalyst/internal/ghapp"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

// checkName is what the check run is called in the list of checks.
const checkName = "Catalyst preview"

// check brings the check run on the head commit up to date with what is stored. Asked for by every change it tells of. A check run that was
// left unfinished on a commit before it is ended first.
func (w *Worker) check(ctx context.Context, c *claim) error {
	c.cover()
	v, err := w.view(ctx, c.PreviewID)
	if err != nil {
		return err
	}
	p := v.Preview
	if w.turnedAway(c.Kind, p.RepositoryID) {
		return nil
	}
	now := p.Channels.Check
	want, ok := report.Check(v)
	if !w.Checks {
		ok = false
	}
	if now.Open && (!ok || want.SHA != now.SHA) {
		if err := w.checkRun(ctx, c, p, &now, report.Overtaken(v, now.SHA)); err != nil {
			return w.aside(c, p, err)
		}
	}
	if !ok {
		return nil
	}
	return w.aside(c, p, w.checkRun(ctx, c, p, &now, want))
}

// checkRun writes one check run unless it says the same already, and notes in now what is written then.
func (w *Worker) checkRun(ctx context.Context, c *claim, p preview.Preview, now *preview.Check, text report.CheckText) error {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", text))
	hash := hex.EncodeToString(sum[:])
	if now.SHA == text.SHA && now.Hash == hash {
		return nil
	}
	if now.SHA != text.SHA {
		*now = preview.Check{SHA: text.SHA}
	}
	mayExist := now.Attempted
	if now.ID == 0 && !now.Attempted {
		now.Attempted = true
		if _, _, err := w.handle(ctx, c, p, preview.Event{Kind: preview.EventChecked, Check: now}); err != nil {
			return err
		}
	}
	run := ghapp.CheckRun{
		ID: now.ID, MayExist: mayExist, Name: checkName, ExternalID: p.ID, SHA: text.SHA, Conclusion: text.Conclusion, Waiting: text.Waiting,
		DetailsURL: text.URL, Title: text.Title, Summary: text.Summary, Started: text.Started, Finished: text.Finished,
	}
	for _, a := range text.Annotations {
		run.Annotations = append(run.Annotations, ghapp.Annotation{Path: a.Path, Line: a.Line, Title: a.Title, Message: a.Message})
	}
	id, err := w.Channels.CheckRun(ctx, repo(p), run)
	if err != nil {
		return err
	}
	now.ID, now.Hash, now.Open = id, hash, text.Conclusion == ""
	return w.kept(ctx, c, p, preview.Event{Kind: preview.EventChecked, Check: now})
}
