-- The desired schema, for SQLite and PostgreSQL alike: TEXT ids (UUIDv7), BIGINT times (Unix milliseconds, 0 for never),
-- TEXT for JSON. `make migration NAME=x` compares it with the migrations and writes what is missing.

CREATE TABLE deliveries (
    id          TEXT    NOT NULL PRIMARY KEY,
    guid        TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    repository  TEXT    NOT NULL,
    number      BIGINT  NOT NULL,
    body_sha256 TEXT    NOT NULL,
    body        BYTEA   NOT NULL,
    outcome     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    received_at BIGINT  NOT NULL
);
CREATE INDEX deliveries_body_sha256 ON deliveries (body_sha256);
CREATE INDEX deliveries_received_at ON deliveries (received_at);

CREATE TABLE previews (
    id                 TEXT    NOT NULL PRIMARY KEY,
    version            BIGINT  NOT NULL,
    repository_id      BIGINT  NOT NULL,
    number             BIGINT  NOT NULL,
    repository         TEXT    NOT NULL,
    installation_id    BIGINT  NOT NULL,
    private            BOOLEAN NOT NULL,
    title              TEXT    NOT NULL,
    author             TEXT    NOT NULL,
    branch             TEXT    NOT NULL,
    base_branch        TEXT    NOT NULL,
    head_sha           TEXT    NOT NULL,
    head_repository_id BIGINT  NOT NULL,
    open               BOOLEAN NOT NULL,
    merged             BOOLEAN NOT NULL,
    draft              BOOLEAN NOT NULL,
    comments           BIGINT  NOT NULL,
    namespace          TEXT    NOT NULL,
    namespace_uid      TEXT    NOT NULL,
    host               TEXT    NOT NULL,
    url                TEXT    NOT NULL,
    status             TEXT    NOT NULL,
    generation         BIGINT  NOT NULL,
    settled            BIGINT  NOT NULL,
    live_sha           TEXT    NOT NULL,
    live_since         BIGINT  NOT NULL,
    diagnosis          TEXT    NOT NULL,
    comment_id         BIGINT  NOT NULL,
    comment_hash       TEXT    NOT NULL,
    comment_attempted  BOOLEAN NOT NULL,
    created_at         BIGINT  NOT NULL,
    changed_at         BIGINT  NOT NULL,
    closed_at          BIGINT  NOT NULL,
    queued_at          BIGINT  NOT NULL DEFAULT 0,
    missing_since      BIGINT  NOT NULL DEFAULT 0,
    bot                BOOLEAN NOT NULL DEFAULT FALSE,
    head_repository    TEXT    NOT NULL DEFAULT '',
    removed_by         TEXT    NOT NULL DEFAULT '',
    notice             TEXT    NOT NULL DEFAULT '',
    awaited            BOOLEAN NOT NULL DEFAULT FALSE,
    comment_writes     BIGINT  NOT NULL DEFAULT 0,
    channels           TEXT    NOT NULL DEFAULT '',
    UNIQUE (repository_id, number),
    UNIQUE (namespace)
);

CREATE TABLE deployments (
    id          TEXT   NOT NULL PRIMARY KEY,
    preview_id  TEXT   NOT NULL,
    sha         TEXT   NOT NULL,
    attempt     BIGINT NOT NULL,
    generation  BIGINT NOT NULL,
    status      TEXT   NOT NULL,
    diagnosis   TEXT   NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    steps       TEXT   NOT NULL DEFAULT '',
    UNIQUE (preview_id, sha, attempt)
);
CREATE INDEX deployments_preview ON deployments (preview_id, started_at);

CREATE TABLE jobs (
    kind        TEXT   NOT NULL,
    preview_id  TEXT   NOT NULL,
    generation  BIGINT NOT NULL,
    done        BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    since       BIGINT NOT NULL DEFAULT 0, -- when not_before was set
    attempt     BIGINT NOT NULL,
    token       BIGINT NOT NULL,
    holder      TEXT   NOT NULL,
    lease_until BIGINT NOT NULL,
    last_error  TEXT   NOT NULL,
    PRIMARY KEY (kind, preview_id)
);
CREATE INDEX jobs_open ON jobs (kind, not_before) WHERE done < generation;

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
CREATE INDEX approvals_preview ON approvals (preview_id, approved_at);

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
    finished_at BIGINT NOT NULL,
    origin      TEXT   NOT NULL DEFAULT '',
    reason      TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX commands_preview ON commands (preview_id, comment_id);

-- Which repository each configured name stands for. The name is in lower case.
CREATE TABLE bindings (
    name          TEXT   NOT NULL PRIMARY KEY,
    repository_id BIGINT NOT NULL,
    learnt_at     BIGINT NOT NULL
);

CREATE TABLE notifications (
    id         TEXT NOT NULL PRIMARY KEY,
    preview_id TEXT NOT NULL,
    receiver   TEXT NOT NULL,
    body       TEXT NOT NULL
);
CREATE INDEX notifications_preview ON notifications (preview_id, id);

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
CREATE INDEX sessions_expires_at ON sessions (expires_at);

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
CREATE INDEX audit_at ON audit (at);
