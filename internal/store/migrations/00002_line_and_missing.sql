-- +goose Up
ALTER TABLE previews ADD COLUMN queued_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE previews ADD COLUMN missing_since BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE previews DROP COLUMN queued_at;
ALTER TABLE previews DROP COLUMN missing_since;
