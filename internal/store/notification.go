package store

import (
	"context"
	"encoding/json"
	"fmt"

	"catalyst.dev/catalyst/internal/preview"
	"catalyst.dev/catalyst/internal/store/db"
)

// Notifications returns at most limit notifications of a preview that are not delivered, in the order in which things happened; for the empty id
// those that concern no preview.
func (s *Store) Notifications(ctx context.Context, previewID string, limit int) ([]preview.Notification, error) {
	rows, err := s.q.ListNotifications(ctx, db.ListNotificationsParams{PreviewID: previewID, MaxRows: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list notifications of preview %s: %w", previewID, err)
	}
	return convert(rows, func(r db.Notification) (preview.Notification, error) {
		var n preview.Notification
		if err := json.Unmarshal([]byte(r.Body), &n); err != nil {
			return n, fmt.Errorf("read notification %s: %w", r.ID, err)
		}
		n.ID, n.PreviewID, n.Receiver = r.ID, r.PreviewID, r.Receiver
		return n, nil
	})
}

// writeNotifications stores new ones, and takes the delivered ones away.
func writeNotifications(ctx context.Context, q *db.Queries, previewID string, d preview.Decision) error {
	for _, n := range d.Notifications {
		n.ID, n.PreviewID = newID(), previewID
		body, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("store notification of %s: %w", n.Kind, err)
		}
		if err := q.InsertNotification(ctx, db.InsertNotificationParams{ID: n.ID, PreviewID: previewID, Receiver: n.Receiver, Body: string(body)}); err != nil {
			return fmt.Errorf("store notification of %s: %w", n.Kind, err)
		}
	}
	for _, id := range d.Delivered {
		if err := q.DeleteNotification(ctx, id); err != nil {
			return fmt.Errorf("take notification %s away: %w", id, err)
		}
	}
	return nil
}
