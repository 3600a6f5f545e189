package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/report"
)

// patience is how long a repository that forbids a channel is left alone: its owner may give the permission any time.
const patience = time.Hour

// refusal is what a repository refuses.
type refusal struct {
	kind       preview.JobKind
	repository int64
}

// turnedAway reports whether the repository has lately forbidden what the job writes. Then it is not asked: a preview needs no channel but
// its comment.
func (w *Worker) turnedAway(kind preview.JobKind, repositoryID int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.refused[refusal{kind, repositoryID}])
}

// aside says what becomes of a channel's job that ended with err. What is forbidden is said once and left alone; what GitHub goes on refusing
// for another reason is given up until the preview changes again; an outage is tried again.
func (w *Worker) aside(c *claim, p preview.Preview, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, preview.ErrForbidden):
		w.mu.Lock()
		w.refused[refusal{c.Kind, p.RepositoryID}] = time.Now().Add(patience)
		w.mu.Unlock()
		w.Log.Warn("GitHub forbids it, so it is left out: give the App the permission, or switch it off in the configuration",
			"what", c.Kind, "repository", p.Repository, "permission", permissions[c.Kind], "again_in", patience, "error", err)
		return nil
	case refuses(err) && c.Attempt > refusals:
		w.Log.Error("GitHub refuses it, given up until the preview changes", "what", c.Kind, "preview", p.Ref(), "error", err)
		return nil
	}
	return err
}

// permissions are what the channels need of an App, for people.
var permissions = map[preview.JobKind]string{preview.JobCheck: "checks: write", preview.JobEnvironment: "deployments: write"}

func refuses(err error) bool {
	return errors.Is(err, preview.ErrInvalid) || errors.Is(err, preview.ErrNotFound) || errors.Is(err, preview.ErrGone) || errors.Is(err, preview.ErrConflict)
}

// view reads all that a channel is rendered from.
func (w *Worker) view(ctx context.Context, previewID string) (report.View, error) {
	p, err := w.Reader.Preview(ctx, previewID)
	if err != nil {
		return report.View{}, err
	}
	deployments, err := w.Reader.Deployments(ctx, p.ID, shown)
	if err != nil {
		return report.View{}, err
	}
	return report.View{Preview: p, Deployments: deployments, Logs: p.Private || w.PublicLogs}, nil
}

// kept stores what a channel has written, also when the work was stopped meanwhile: what is not stored has to be searched for.
func (w *Worker) kept(ctx context.Context, c *claim, p preview.Preview, e preview.Event) error {
	ctx, cancel := preview.Linger(ctx, remember)
	defer cancel()
	if _, _, err := w.handle(ctx, c, p, e); err != nil {
		return fmt.Errorf("store what was written about %s: %w", p.Ref(), err)
	}
	return nil
}
