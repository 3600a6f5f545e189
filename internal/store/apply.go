package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// Decide turns what is known into what changes. It must be pure: Apply may call it more than once.
type Decide func(preview.State) (preview.Decision, error)

// Apply stores what the event changes: the delivery, the preview, its deployments and the jobs that follow, in one
// transaction, and returns the preview as it then is (its zero value when there is none) and the decision.
// An event with a fence is refused with preview.ErrStale once the job's lease was lost. Jobs are announced with the commit.
// Events of one preview are applied one after the other, in whatever process. Text is stored as valid UTF-8, with what is
// not replaced. After an error nothing is stored; only when the connection broke during the commit nobody knows, and the
// event may be handed in again.
func (s *Store) Apply(ctx context.Context, e preview.Event, decide Decide) (p preview.Preview, d preview.Decision, err error) {
	err = s.tx(ctx, scope{preview: e.Key, line: readsLine(e)}, func(q *db.Queries, now int64) (due bool, err error) {
		p, d = preview.Preview{}, preview.Decision{}
		if err := checkFence(ctx, q, e.Fence, now); err != nil {
			return false, err
		}
		state, version, err := load(ctx, q, e, now)
		if err != nil {
			return false, err
		}
		if d, err = decide(state); err != nil {
			return false, err
		}
		if err := s.insertDelivery(ctx, q, e.Delivery, d, now); err != nil {
			return false, err
		}
		if p, err = writePreview(ctx, q, state.Preview, d, version, now); err != nil {
			return false, err
		}
		if err := writeDeployments(ctx, q, p.ID, d.Deployments); err != nil {
			return false, err
		}
		if err := writeApprovals(ctx, q, p.ID, d.Approvals); err != nil {
			return false, err
		}
		if err := writeCommand(ctx, q, p.ID, d.Command, state.Command != nil); err != nil {
			return false, err
		}
		if err := writeNotifications(ctx, q, p.ID, d); err != nil {
			return false, err
		}
		return len(d.Jobs) > 0, requestJobs(ctx, q, p.ID, d.Jobs, now)
	})
	return p, d, err
}

// readsLine says that the decision rests on what all previews hold: no other such event may be decided meanwhile.
func readsLine(e preview.Event) bool { return e.Kind == preview.EventStarted }

// checkFence locks the job's row and refuses a writer whose lease is over.
func checkFence(ctx context.Context, q *db.Queries, f *preview.Fence, now int64) error {
	if f == nil {
		return nil
	}
	n, err := q.HoldJob(ctx, db.HoldJobParams{Kind: string(f.Kind), PreviewID: f.PreviewID, Token: f.Token, Now: now})
	if err != nil {
		return fmt.Errorf("check lease of %s for preview %s: %w", f.Kind, f.PreviewID, err)
	}
	if n == 0 {
		return fmt.Errorf("lease %d of %s for preview %s is over: %w", f.Token, f.Kind, f.PreviewID, preview.ErrStale)
	}
	return nil
}

func load(ctx context.Context, q *db.Queries, e preview.Event, now int64) (preview.State, int64, error) {
	state := preview.State{Now: fromMS(now)}
	if e.Delivery != nil {
		seen, err := q.SeenBody(ctx, db.SeenBodyParams{BodySha256: e.Delivery.BodySHA256, Event: e.Delivery.Event})
		if err != nil {
			return state, 0, fmt.Errorf("look for delivery %s: %w", e.Delivery.GUID, err)
		}
		state.Duplicate = seen > 0
	}
	if e.Key == (preview.Key{}) {
		return state, 0, nil
	}
	row, err := q.PreviewByKey(ctx, db.PreviewByKeyParams{RepositoryID: e.Key.RepositoryID, Number: int64(e.Key.Number)})
	if errors.Is(err, sql.ErrNoRows) {
		if readsBindings(e) {
			state.Bindings, err = bindings(ctx, q, e.PullRequest.Repository, e.Key.RepositoryID)
			return state, 0, err
		}
		return state, 0, nil
	}
	if err != nil {
		return state, 0, fmt.Errorf("read preview of %s: %w", e.Key, err)
	}
	p, err := toPreview(row)
	if err != nil {
		return state, 0, err
	}
	state.Preview = &p
	if readsBindings(e) {
		name := p.Repository
		if e.PullRequest.Repository != "" {
			name = e.PullRequest.Repository
		}
		if state.Bindings, err = bindings(ctx, q, name, p.RepositoryID); err != nil {
			return state, 0, err
		}
	}
	if readsLine(e) {
		if state.Line, err = places(ctx, q); err != nil {
			return state, 0, err
		}
	}
	if e.Command != nil {
		if state.Command, err = command(ctx, q, e.Command.CommentID); err != nil {
			return state, 0, err
		}
	}
	if readsApprovals(e) {
		if state.Approvals, err = approvals(ctx, q, p.ID); err != nil {
			return state, 0, err
		}
	}
	last, err := q.LastDeployment(ctx, p.ID)
	if err == nil {
		dep, convErr := toDeployment(last)
		state.Deployment, err = &dep, convErr
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return state, 0, fmt.Errorf("read last deployment of %s: %w", p.Ref(), err)
	}
	return state, row.Version, nil
}

func (s *Store) insertDelivery(ctx context.Context, q *db.Queries, in *preview.Delivery, d preview.Decision, now int64) error {
	if in == nil {
		return nil
	}
	id := newID()
	err := q.InsertDelivery(ctx, db.InsertDeliveryParams{
		ID: id, Guid: in.GUID, Event: in.Event, Action: in.Action, Repository: in.Repository, Number: int64(in.Number),
		BodySha256: in.BodySHA256, Body: s.keys.Seal(bodyPlace(id), in.Body), Outcome: string(d.Outcome), Reason: d.Reason, ReceivedAt: now,
	})
	if err != nil {
		return fmt.Errorf("store delivery %s: %w", in.GUID, err)
	}
	return nil
}

// writePreview creates or updates the row; with no change decided it returns the preview as it was.
func writePreview(ctx context.Context, q *db.Queries, old *preview.Preview, d preview.Decision, version, now int64) (preview.Preview, error) {
	if d.Preview == nil {
		if old == nil {
			return preview.Preview{}, nil
		}
		return *old, nil
	}
	p := *d.Preview
	var rows int64
	var err error
	if old == nil {
		p.ID, p.CreatedAt = newID(), fromMS(now)
		if p.Namespace, err = freeName(ctx, q, d.Names); err != nil {
			return p, err
		}
		rows, err = q.InsertPreview(ctx, insertParams(p))
	} else {
		p.Namespace = old.Namespace
		if len(d.Names) > 0 {
			if p.Namespace, err = freeName(ctx, q, d.Names); err != nil {
				return p, err
			}
		}
		rows, err = q.UpdatePreview(ctx, updateParams(p, version))
	}
	if err != nil {
		return p, fmt.Errorf("write preview %s: %w", p.Ref(), err)
	}
	if rows == 0 {
		return p, errConflict
	}
	return p, nil
}

func freeName(ctx context.Context, q *db.Queries, names []string) (string, error) {
	for _, name := range names {
		taken, err := q.NameTaken(ctx, name)
		if err != nil {
			return "", fmt.Errorf("look whether the name %s is free: %w", name, err)
		}
		if taken == 0 {
			return name, nil
		}
	}
	return "", fmt.Errorf("every name of %v is taken: %w", names, preview.ErrConflict)
}

func writeDeployments(ctx context.Context, q *db.Queries, previewID string, deployments []preview.Deployment) error {
	for _, d := range deployments {
		diagnosis, err := encodeDiagnosis(d.Diagnosis)
		if err != nil {
			return err
		}
		steps, err := encodeSteps(d.Steps)
		if err != nil {
			return err
		}
		if d.ID != "" {
			err = q.UpdateDeployment(ctx, db.UpdateDeploymentParams{
				ID: d.ID, Status: string(d.Status), Diagnosis: diagnosis, FinishedAt: toMS(d.FinishedAt), Steps: steps,
			})
		} else {
			var before int64
			if before, err = q.CountAttempts(ctx, db.CountAttemptsParams{PreviewID: previewID, Sha: d.SHA}); err == nil {
				err = q.InsertDeployment(ctx, db.InsertDeploymentParams{
					ID: newID(), PreviewID: previewID, Sha: d.SHA, Attempt: before + 1, Generation: d.Generation,
					Status: string(d.Status), Diagnosis: diagnosis, StartedAt: toMS(d.StartedAt), FinishedAt: toMS(d.FinishedAt), Steps: steps,
				})
			}
		}
		if err != nil {
			return fmt.Errorf("write deployment of %s: %w", preview.ShortSHA(d.SHA), err)
		}
	}
	return nil
}

func requestJobs(ctx context.Context, q *db.Queries, previewID string, jobs []preview.JobRequest, now int64) error {
	for _, j := range jobs {
		err := q.RequestJob(ctx, db.RequestJobParams{Kind: string(j.Kind), PreviewID: previewID, NotBefore: now + j.Delay.Milliseconds(), Now: now})
		if err != nil {
			return fmt.Errorf("request job %s: %w", j.Kind, err)
		}
	}
	return nil
}

// newID returns a UUIDv7, whose text sorts by time.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
