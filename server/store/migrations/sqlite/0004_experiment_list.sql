-- Experiments as lists find them: what they are filtered and ordered by has columns of its own, and one index has all of
-- these. create_ms: below 0 until they are filled from spec, which the server does when it opens the database. delete_ms: 0 of
-- one that is not deleted. AUTOINCREMENT: the number of a purged one is never another's.
CREATE TABLE listed_experiments(no INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '', state_ms INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0, etag INTEGER NOT NULL, numerics TEXT NOT NULL DEFAULT '',
  split TEXT NOT NULL DEFAULT '', architecture TEXT NOT NULL DEFAULT '', task TEXT NOT NULL DEFAULT '',
  create_ms INTEGER NOT NULL DEFAULT -1, delete_ms INTEGER NOT NULL DEFAULT 0, spec BLOB NOT NULL);
INSERT INTO listed_experiments(no, name, state, reason, state_ms, attempt, revision, etag, numerics, spec)
  SELECT no, name, state, reason, state_ms, attempt, revision, etag, numerics, spec FROM experiments;
DROP TABLE experiments;
ALTER TABLE listed_experiments RENAME TO experiments;
CREATE INDEX experiments_listed ON experiments(name, state, split, architecture, task, create_ms, delete_ms);
CREATE INDEX experiments_unlisted ON experiments(no) WHERE create_ms < 0;

CREATE TABLE experiment_labels(experiment INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(experiment, key)) WITHOUT ROWID;
CREATE INDEX experiment_labels_value ON experiment_labels(key, value, experiment);
