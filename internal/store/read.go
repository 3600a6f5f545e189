package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// Preview returns the preview with this id. preview.ErrNotFound when there is none.
func (s *Store) Preview(ctx context.Context, id string) (preview.Preview, error) {
	row, err := s.q.PreviewByID(ctx, id)
	if err != nil {
		return preview.Preview{}, notFound(err, "read preview %s", id)
	}
	return toPreview(row)
}

// PreviewOf returns the preview of a pull request. preview.ErrNotFound when there is none.
func (s *Store) PreviewOf(ctx context.Context, k preview.Key) (preview.Preview, error) {
	row, err := s.q.PreviewByKey(ctx, db.PreviewByKeyParams{RepositoryID: k.RepositoryID, Number: int64(k.Number)})
	if err != nil {
		return preview.Preview{}, notFound(err, "read preview of %s", k)
	}
	return toPreview(row)
}

// Previews returns at most limit previews, the one that changed last first.
func (s *Store) Previews(ctx context.Context, limit int) ([]preview.Preview, error) {
	rows, err := s.q.ListPreviews(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("list previews: %w", err)
	}
	return convert(rows, toPreview)
}

// Deployments returns at most limit deployments of a preview, the newest first.
func (s *Store) Deployments(ctx context.Context, previewID string, limit int) ([]preview.Deployment, error) {
	rows, err := s.q.ListDeployments(ctx, db.ListDeploymentsParams{PreviewID: previewID, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list deployments of preview %s: %w", previewID, err)
	}
	return convert(rows, toDeployment)
}

// Usual returns how long a successful deployment of the repository usually takes: the median of the last twenty. Zero when there was none.
func (s *Store) Usual(ctx context.Context, repositoryID int64) (time.Duration, error) {
	const last = 20
	rows, err := s.q.LastSuccesses(ctx, db.LastSuccessesParams{RepositoryID: repositoryID, MaxRows: last})
	if err != nil {
		return 0, fmt.Errorf("read the last successful deployments of repository %d: %w", repositoryID, err)
	}
	if len(rows) == 0 {
		return 0, nil
	}
	took := make([]int64, len(rows))
	for i, r := range rows {
		took[i] = r.FinishedAt - r.StartedAt
	}
	slices.Sort(took)
	return time.Duration(took[len(took)/2]) * time.Millisecond, nil
}

// Deliveries returns at most limit deliveries, the newest first.
func (s *Store) Deliveries(ctx context.Context, limit int) ([]preview.Delivery, error) {
	rows, err := s.q.ListDeliveries(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return convert(rows, toDelivery)
}

// Unfinished returns every preview that is not deleted, or that something is due for.
func (s *Store) Unfinished(ctx context.Context) ([]preview.Preview, error) {
	rows, err := s.q.ListUnfinished(ctx)
	if err != nil {
		return nil, fmt.Errorf("list unfinished previews: %w", err)
	}
	return convert(rows, toPreview)
}

// Line returns the previews that hold a deployment slot or a namespace, or wait for one.
func (s *Store) Line(ctx context.Context) ([]preview.Place, error) { return places(ctx, s.q) }

func places(ctx context.Context, q *db.Queries) ([]preview.Place, error) {
	rows, err := q.ListPlaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the line: %w", err)
	}
	out := make([]preview.Place, len(rows))
	for i, r := range rows {
		out[i] = preview.Place{
			PreviewID: r.ID, Key: preview.Key{RepositoryID: r.RepositoryID, Number: int(r.Number)}, Repository: r.Repository,
			Status: preview.Status(r.Status), Live: r.NamespaceUid != "", QueuedAt: fromMS(r.QueuedAt),
		}
	}
	return out, nil
}

// CountPreviews returns the number of previews by status.
func (s *Store) CountPreviews(ctx context.Context) (map[preview.Status]int64, error) {
	rows, err := s.q.CountPreviews(ctx)
	if err != nil {
		return nil, fmt.Errorf("count previews: %w", err)
	}
	counts := make(map[preview.Status]int64, len(rows))
	for _, r := range rows {
		counts[preview.Status(r.Status)] = r.Previews
	}
	return counts, nil
}

// CountJobs returns the number of unfinished jobs by kind.
func (s *Store) CountJobs(ctx context.Context) (map[preview.JobKind]int64, error) {
	rows, err := s.q.CountJobs(ctx)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	counts := make(map[preview.JobKind]int64, len(rows))
	for _, r := range rows {
		counts[preview.JobKind(r.Kind)] = r.Jobs
	}
	return counts, nil
}

func convert[R, T any](rows []R, one func(R) (T, error)) ([]T, error) {
	out := make([]T, 0, len(rows))
	for _, r := range rows {
		v, err := one(r)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
