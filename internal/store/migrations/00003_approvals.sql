-- +goose Up
ALTER TABLE previews ADD COLUMN bot BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE previews ADD COLUMN head_repository TEXT NOT NULL DEFAULT '';
ALTER TABLE previews ADD COLUMN removed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE previews ADD COLUMN notice TEXT NOT NULL DEFAULT '';
ALTER TABLE previews ADD COLUMN awaited BOOLEAN NOT NULL DEFAULT FALSE;
CREATE TABLE approvals (
    id                 TEXT   NOT NULL PRIMARY KEY,
    preview_id         TEXT   NOT NULL,
    repository_id      BIGINT NOT NULL,
    number             BIGINT NOT NULL,
    sha                TEXT   NOT NULL,
    head_repository_id BIGINT NOT NULL,
    base_branch        TEXT   NOT NULL,
    approver           TEXT   NOT NULL,
    approver_id        BIGINT NOT NULL,
    comment_id         BIGINT NOT NULL,
    approved_at        BIGINT NOT NULL,
    withdrawn_at       BIGINT NOT NULL
);
CREATE TABLE commands (
    comment_id  BIGINT NOT NULL PRIMARY KEY,
    preview_id  TEXT   NOT NULL,
    verb        TEXT   NOT NULL,
    argument    TEXT   NOT NULL,
    author      TEXT   NOT NULL,
    author_id   BIGINT NOT NULL,
    sha         TEXT   NOT NULL,
    outcome     TEXT   NOT NULL,
    told        TEXT   NOT NULL,
    generation  BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL
);
CREATE INDEX approvals_preview ON approvals (preview_id, approved_at);
CREATE INDEX commands_preview ON commands (preview_id, comment_id);

-- +goose Down
ALTER TABLE previews DROP COLUMN bot;
ALTER TABLE previews DROP COLUMN head_repository;
ALTER TABLE previews DROP COLUMN removed_by;
ALTER TABLE previews DROP COLUMN notice;
ALTER TABLE previews DROP COLUMN awaited;
DROP TABLE commands;
DROP TABLE approvals;
