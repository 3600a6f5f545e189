// Package lifecycle is the one door through which state changes: webhook, button, timer and finished job all hand in an
// event, policy decides, store keeps. Surfaces and workers never write state in any other way.
package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"catalyst.dev/catalyst/internal/policy"
	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/redact"
	"catalyst.dev/catalyst/internal/store"
)

// Lifecycle applies events. Safe for concurrent use.
type Lifecycle struct {
	store *store.Store
	rules policy.Rules
	log   *slog.Logger
	hide  *redact.Redactor
}

// New returns the door to s, under the rules r. What hide knows, and what looks like a credential, does not go through it in the words of a diagnosis;
// nil knows nothing but the looks.
func New(s *store.Store, r policy.Rules, log *slog.Logger, hide *redact.Redactor) *Lifecycle {
	return &Lifecycle{store: s, rules: r, log: log, hide: hide}
}

// Handle decides on the event and stores state, deployments, delivery and jobs in one transaction. It returns the preview
// as it then is and what was decided. Handling the same event again changes nothing. Errors: preview.ErrStale
// when the speaker lost its lease or was overtaken, preview.ErrNotFound for a preview that does not exist; anything else is an outage of the database.
func (l *Lifecycle) Handle(ctx context.Context, e preview.Event) (preview.Preview, preview.Decision, error) {
	if e.Diagnosis != nil {
		d := e.Diagnosis.Rewrite(l.hide.String, l.hide.Lines)
		e.Diagnosis = &d
	}
	e.Unused = l.hide.String(e.Unused)
	p, d, err := l.store.Apply(ctx, e, func(s preview.State) (preview.Decision, error) {
		return policy.Decide(s, e, l.rules)
	})
	if err != nil {
		return p, d, fmt.Errorf("apply %s to %s: %w", e.Kind, e.Key, err)
	}
	if e.Delivery != nil {
		l.log.Info("delivery", "guid", e.Delivery.GUID, "event", e.Delivery.Event, "action", e.Delivery.Action,
			"repository", e.Delivery.Repository, "number", e.Delivery.Number, "outcome", d.Outcome, "reason", d.Reason)
	} else if d.Preview != nil {
		l.log.Debug("event", "kind", e.Kind, "preview", p.Ref(), "status", p.Status, "generation", p.Generation, "settled", p.Settled)
	}
	if len(d.Names) > 0 && p.Namespace != d.Names[0] {
		l.log.Info("a name is another pull request's: the preview gets the next one", "preview", p.Ref(), "taken", d.Names[0], "namespace", p.Namespace)
	}
	if d.Advance {
		l.advance(ctx)
	}
	return p, d, nil
}

// standing is how long the comments of those who go on waiting may lag: their position changes often while the line moves.
const standing = 10 * time.Second

// advance asks again for whoever may go now that a place is free. When it fails, or the process dies before it, the
// waiting jobs ask by themselves a little later.
func (l *Lifecycle) advance(ctx context.Context) {
	if l.rules.Limits == (policy.Limits{}) {
		return
	}
	places, err := l.store.Line(ctx)
	if err != nil {
		l.log.Warn("advance the line", "error", err)
		return
	}
	for _, p := range policy.Line(places) {
		job := preview.JobRequest{Kind: preview.JobReconcile}
		if _, waits := policy.Wait(places, l.rules.Limits, p, p.QueuedAt); waits {
			job = preview.JobRequest{Kind: preview.JobComment, Delay: standing}
		}
		if err := l.store.Request(ctx, p.PreviewID, job); err != nil {
			l.log.Warn("advance the line", "preview", p.PreviewID, "error", err)
		}
	}
}

// Waiting returns why the preview waits in line, and false when it does not.
func (l *Lifecycle) Waiting(ctx context.Context, p preview.Preview) (preview.Waiting, bool, error) {
	if p.Status != preview.StatusQueued {
		return preview.Waiting{}, false, nil
	}
	places, err := l.store.Line(ctx)
	if err != nil {
		return preview.Waiting{}, false, err
	}
	self := preview.Place{PreviewID: p.ID, Key: p.Key, Repository: p.Repository, QueuedAt: p.QueuedAt}
	waiting, waits := policy.Wait(places, l.rules.Limits, self, p.QueuedAt)
	return waiting, waits, nil
}
