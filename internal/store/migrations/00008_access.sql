-- +goose Up
ALTER TABLE commands ADD COLUMN origin TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN reason TEXT NOT NULL DEFAULT '';
CREATE TABLE sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    login      TEXT    NOT NULL,
    user_id    BIGINT  NOT NULL,
    name       TEXT    NOT NULL,
    operator   BOOLEAN NOT NULL,
    data       TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE TABLE tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    hash       TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    scopes     TEXT    NOT NULL,
    login      TEXT    NOT NULL,
    user_id    BIGINT  NOT NULL,
    name       TEXT    NOT NULL,
    operator   BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    used_at    BIGINT  NOT NULL,
    UNIQUE (hash)
);
CREATE TABLE audit (
    id      TEXT   NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT   NOT NULL,
    user_id BIGINT NOT NULL,
    via     TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    outcome TEXT   NOT NULL,
    detail  TEXT   NOT NULL
);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX audit_at ON audit (at);

-- +goose Down
ALTER TABLE commands DROP COLUMN origin;
ALTER TABLE commands DROP COLUMN reason;
DROP TABLE audit;
DROP TABLE tokens;
DROP TABLE sessions;
