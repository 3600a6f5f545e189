package store

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// Filter says which previews are looked for. What is empty lets everything pass.
type Filter struct {
	Repository string // full name, in any case
	Status     string // a status, or "current": all but deleted
	Author     string // login, in any case
	Text       string // part of the title or the branch, in any case

	Before   time.Time // with BeforeID: what comes after this preview in the list
	BeforeID string
	Limit    int
}

// Search returns the previews that the filter lets pass, the one that changed last first.
func (s *Store) Search(ctx context.Context, f Filter) ([]preview.Preview, error) {
	p := db.SearchPreviewsParams{
		Repository: f.Repository, Status: f.Status, Author: f.Author, Text: contains(f.Text), Before: math.MaxInt64, BeforeID: "", MaxRows: int32(f.Limit),
	}
	if f.BeforeID != "" {
		p.Before, p.BeforeID = toMS(f.Before), f.BeforeID
	}
	rows, err := s.q.SearchPreviews(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("search previews: %w", err)
	}
	return convert(rows, toPreview)
}

// contains is the pattern of LIKE for a part of a text; empty for an empty part.
func contains(part string) string {
	if part == "" {
		return ""
	}
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(part)) + "%"
}

// Named returns the preview of a pull request of the repository with this full name, in any case. preview.ErrNotFound when there is none.
func (s *Store) Named(ctx context.Context, repository string, number int) (preview.Preview, error) {
	row, err := s.q.PreviewByName(ctx, db.PreviewByNameParams{Repository: repository, Number: int64(number)})
	if err != nil {
		return preview.Preview{}, notFound(err, "find the preview of %s#%d", repository, number)
	}
	return toPreview(row)
}

// AtHost returns the preview that answers, or is to answer, under the host. preview.ErrNotFound when there is none.
func (s *Store) AtHost(ctx context.Context, host string) (preview.Preview, error) {
	row, err := s.q.PreviewByHost(ctx, host)
	if err != nil {
		return preview.Preview{}, notFound(err, "find the preview at %s", host)
	}
	return toPreview(row)
}

// AtSHA returns the preview that a commit was deployed to last. sha is its beginning, at least seven hex digits. preview.ErrNotFound when
// there is none.
func (s *Store) AtSHA(ctx context.Context, sha string) (preview.Preview, error) {
	if len(sha) < 7 || strings.Trim(sha, "0123456789abcdef") != "" {
		return preview.Preview{}, fmt.Errorf("find the preview of commit %.40q: not a commit: %w", sha, preview.ErrNotFound)
	}
	row, err := s.q.PreviewBySHA(ctx, sha+"%")
	if err != nil {
		return preview.Preview{}, notFound(err, "find the preview of commit %s", sha)
	}
	return toPreview(row)
}

// Deployment returns the deployment with the id. preview.ErrNotFound when there is none.
func (s *Store) Deployment(ctx context.Context, id string) (preview.Deployment, error) {
	row, err := s.q.DeploymentByID(ctx, id)
	if err != nil {
		return preview.Deployment{}, notFound(err, "read deployment %s", id)
	}
	return toDeployment(row)
}

// DeploymentsBefore returns at most limit deployments of a preview that began before the one with the id, or all when that is empty; the newest first.
func (s *Store) DeploymentsBefore(ctx context.Context, previewID, before string, limit int) ([]preview.Deployment, error) {
	rows, err := s.q.PageDeployments(ctx, db.PageDeploymentsParams{PreviewID: previewID, BeforeID: orLast(before), MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list deployments of preview %s: %w", previewID, err)
	}
	return convert(rows, toDeployment)
}

// DeliveryFilter says which deliveries are looked for. What is empty lets everything pass.
type DeliveryFilter struct {
	Repository string // full name, in any case
	Outcome    preview.DeliveryOutcome
	Before     string // id: older ones
	Limit      int
}

// SearchDeliveries returns the deliveries that the filter lets pass, without their bodies, the newest first.
func (s *Store) SearchDeliveries(ctx context.Context, f DeliveryFilter) ([]preview.Delivery, error) {
	rows, err := s.q.SearchDeliveries(ctx, db.SearchDeliveriesParams{
		Repository: f.Repository, Outcome: string(f.Outcome), BeforeID: orLast(f.Before), MaxRows: int32(f.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("search deliveries: %w", err)
	}
	out := make([]preview.Delivery, len(rows))
	for i, r := range rows {
		out[i] = preview.Delivery{
			ID: r.ID, GUID: r.Guid, Event: r.Event, Action: r.Action, BodySHA256: r.BodySha256, Repository: r.Repository, Number: int(r.Number),
			Outcome: preview.DeliveryOutcome(r.Outcome), Reason: r.Reason, ReceivedAt: fromMS(r.ReceivedAt),
		}
	}
	return out, nil
}

// Delivery returns the delivery with the id, with its body. preview.ErrNotFound when there is none.
func (s *Store) Delivery(ctx context.Context, id string) (preview.Delivery, error) {
	row, err := s.q.DeliveryByID(ctx, id)
	if err != nil {
		return preview.Delivery{}, notFound(err, "read delivery %s", id)
	}
	return s.toDelivery(row)
}

// Command returns the command with the id. preview.ErrNotFound when there is none.
func (s *Store) Command(ctx context.Context, id int64) (preview.Command, error) {
	row, err := s.q.CommandByComment(ctx, id)
	if err != nil {
		return preview.Command{}, notFound(err, "read command %d", id)
	}
	return toCommand(row), nil
}

// CommandsOf returns at most limit commands of a preview, whatever became of them, the newest first.
func (s *Store) CommandsOf(ctx context.Context, previewID string, limit int) ([]preview.Command, error) {
	rows, err := s.q.ListRecentCommands(ctx, db.ListRecentCommandsParams{PreviewID: previewID, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list commands of preview %s: %w", previewID, err)
	}
	out := make([]preview.Command, len(rows))
	for i, r := range rows {
		out[i] = toCommand(r)
	}
	return out, nil
}

// WaitingJob is a job that waits or runs, for people.
type WaitingJob struct {
	Kind      preview.JobKind
	PreviewID string // empty for a job of the whole instance
	DueAt     time.Time
	Attempt   int
	Holder    string // who runs it; empty when nobody does
	LastError string // of the attempt before
}

// WaitingJobs returns at most limit jobs that wait or run, the one that is due first first.
func (s *Store) WaitingJobs(ctx context.Context, limit int) ([]WaitingJob, error) {
	now, err := s.now(ctx, s.sql)
	if err != nil {
		return nil, fmt.Errorf("ask the database for its time: %w", err)
	}
	rows, err := s.q.ListWaitingJobs(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("list waiting jobs: %w", err)
	}
	out := make([]WaitingJob, len(rows))
	for i, r := range rows {
		out[i] = WaitingJob{Kind: preview.JobKind(r.Kind), PreviewID: r.PreviewID, DueAt: fromMS(r.NotBefore), Attempt: int(r.Attempt), LastError: r.LastError}
		if r.LeaseUntil > now {
			out[i].Holder = r.Holder
		}
	}
	return out, nil
}

// recent is how long a deleted preview still counts as one that may change.
const recent = time.Hour

// Versions returns, for every preview that may still change, a text that differs whenever something about it did.
func (s *Store) Versions(ctx context.Context) (map[string]string, error) {
	now, err := s.now(ctx, s.sql)
	if err != nil {
		return nil, fmt.Errorf("ask the database for its time: %w", err)
	}
	previews, err := s.q.PreviewVersions(ctx, now-recent.Milliseconds())
	if err != nil {
		return nil, fmt.Errorf("read what previews have changed: %w", err)
	}
	all := make(map[string]string, len(previews))
	for _, p := range previews {
		all[p.ID] = strconv.FormatInt(p.Version, 10)
	}
	running, err := s.q.RunningSteps(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the steps of what is being deployed: %w", err)
	}
	for _, r := range running {
		all[r.PreviewID] += " " + r.ID + " " + r.Steps
	}
	return all, nil
}
