-- +goose Up
ALTER TABLE previews ADD COLUMN channels TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE previews DROP COLUMN channels;
