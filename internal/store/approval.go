package store

import (
	"context"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// readsApprovals says that the decision rests on what was approved. It is read in the transaction that acts on it.
func readsApprovals(e preview.Event) bool {
	return e.Kind == preview.EventStarted || e.Kind == preview.EventProceed
}

// Approvals returns the approvals of a preview, the newest first, those that were withdrawn too.
func (s *Store) Approvals(ctx context.Context, previewID string) ([]preview.Approval, error) {
	return approvals(ctx, s.q, previewID)
}

func approvals(ctx context.Context, q *db.Queries, previewID string) ([]preview.Approval, error) {
	rows, err := q.ListApprovals(ctx, previewID)
	if err != nil {
		return nil, fmt.Errorf("list approvals of preview %s: %w", previewID, err)
	}
	out := make([]preview.Approval, len(rows))
	for i, r := range rows {
		out[i] = preview.Approval{
			ID: r.ID, PreviewID: r.PreviewID, Key: preview.Key{RepositoryID: r.RepositoryID, Number: int(r.Number)}, SHA: r.Sha,
			HeadRepositoryID: r.HeadRepositoryID, BaseBranch: r.BaseBranch, Approver: r.Approver, ApproverID: r.ApproverID,
			CommentID: r.CommentID, ApprovedAt: fromMS(r.ApprovedAt), WithdrawnAt: fromMS(r.WithdrawnAt),
		}
	}
	return out, nil
}

func writeApprovals(ctx context.Context, q *db.Queries, previewID string, changed []preview.Approval) error {
	for _, a := range changed {
		var err error
		if a.ID != "" {
			err = q.WithdrawApproval(ctx, db.WithdrawApprovalParams{ID: a.ID, WithdrawnAt: toMS(a.WithdrawnAt)})
		} else {
			err = q.InsertApproval(ctx, db.InsertApprovalParams{
				ID: newID(), PreviewID: previewID, RepositoryID: a.RepositoryID, Number: int64(a.Number), Sha: a.SHA,
				HeadRepositoryID: a.HeadRepositoryID, BaseBranch: a.BaseBranch, Approver: a.Approver, ApproverID: a.ApproverID,
				CommentID: a.CommentID, ApprovedAt: toMS(a.ApprovedAt), WithdrawnAt: toMS(a.WithdrawnAt),
			})
		}
		if err != nil {
			return fmt.Errorf("write approval of %s: %w", preview.ShortSHA(a.SHA), err)
		}
	}
	return nil
}
