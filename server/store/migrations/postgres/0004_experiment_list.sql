-- Experiments as lists find them: what they are filtered and ordered by has columns of its own, and one index has all of
-- these. create_ms: below 0 until they are filled from spec, which the server does when it opens the database. delete_ms: 0 of
-- one that is not deleted.
ALTER TABLE experiments ADD COLUMN split TEXT COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN architecture TEXT COLLATE "C" NOT NULL DEFAULT '', ADD COLUMN task TEXT COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN create_ms BIGINT NOT NULL DEFAULT -1, ADD COLUMN delete_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX experiments_listed ON experiments(name, state, split, architecture, task, create_ms, delete_ms, no);
CREATE INDEX experiments_unlisted ON experiments(no) WHERE create_ms < 0;

CREATE TABLE experiment_labels(experiment BIGINT NOT NULL, key TEXT COLLATE "C" NOT NULL, value BYTEA NOT NULL,
  PRIMARY KEY(experiment, key));
CREATE INDEX experiment_labels_value ON experiment_labels(key, value, experiment);
