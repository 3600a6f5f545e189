-- +goose Up
ALTER TABLE previews ADD COLUMN channels TEXT NOT NULL DEFAULT '';
CREATE TABLE notifications (
    id         TEXT NOT NULL PRIMARY KEY,
    preview_id TEXT NOT NULL,
    receiver   TEXT NOT NULL,
    body       TEXT NOT NULL
);
CREATE INDEX notifications_preview ON notifications (preview_id, id);

-- +goose Down
DROP TABLE notifications;
ALTER TABLE previews DROP COLUMN channels;
