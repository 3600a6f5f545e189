-- +goose Up
CREATE TABLE bindings (
    name          TEXT   NOT NULL PRIMARY KEY,
    repository_id BIGINT NOT NULL,
    learnt_at     BIGINT NOT NULL
);

-- +goose Down
DROP TABLE bindings;
