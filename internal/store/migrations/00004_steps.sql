-- +goose Up
ALTER TABLE previews ADD COLUMN comment_writes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deployments ADD COLUMN steps TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE previews DROP COLUMN comment_writes;
ALTER TABLE deployments DROP COLUMN steps;
