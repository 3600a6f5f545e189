-- +goose Up
CREATE INDEX jobs_open ON jobs (kind, not_before) WHERE done < generation;
DROP INDEX jobs_due;

-- +goose Down
CREATE INDEX jobs_due ON jobs (not_before);
DROP INDEX jobs_open;
