-- Datasets and splits.
CREATE TABLE datasets(no INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, spec BLOB NOT NULL);
CREATE TABLE items(dataset INTEGER NOT NULL, item INTEGER NOT NULL, uri TEXT NOT NULL, label INTEGER NOT NULL,
  PRIMARY KEY(dataset, item)) WITHOUT ROWID;
CREATE TABLE splits(no INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, dataset INTEGER NOT NULL, spec BLOB NOT NULL);
CREATE INDEX splits_dataset ON splits(dataset);
-- position: the item's place within its part, in dataset order.
CREATE TABLE split_items(split INTEGER NOT NULL, part INTEGER NOT NULL, position INTEGER NOT NULL, item INTEGER NOT NULL,
  PRIMARY KEY(split, part, position)) WITHOUT ROWID;
CREATE UNIQUE INDEX split_items_item ON split_items(split, item);

-- Experiments and what they report. Heads and phases are numbers; a record with one value is about 90 bytes.
CREATE TABLE experiments(no INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '', state_ms INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL DEFAULT 0, etag INTEGER NOT NULL, numerics TEXT NOT NULL DEFAULT '', spec BLOB NOT NULL);
CREATE TABLE attempts(experiment INTEGER NOT NULL, attempt INTEGER NOT NULL, token BLOB NOT NULL,
  world_size INTEGER NOT NULL, first_epoch INTEGER NOT NULL, numerics TEXT NOT NULL, state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '', PRIMARY KEY(experiment, attempt)) WITHOUT ROWID;
CREATE TABLE ranks(experiment INTEGER NOT NULL, attempt INTEGER NOT NULL, rank INTEGER NOT NULL, instance BLOB,
  fence INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, committed_seq INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(experiment, attempt, rank)) WITHOUT ROWID;
-- vals: numerator and denominator of each component; metrics: the deltas; both little-endian doubles.
CREATE TABLE records(experiment INTEGER NOT NULL, attempt INTEGER NOT NULL, phase INTEGER NOT NULL,
  epoch INTEGER NOT NULL, step INTEGER NOT NULL, rank INTEGER NOT NULL, head INTEGER NOT NULL, part INTEGER NOT NULL,
  seq INTEGER NOT NULL, digest BLOB NOT NULL, code INTEGER NOT NULL, items INTEGER NOT NULL, vals BLOB NOT NULL,
  metrics BLOB, PRIMARY KEY(experiment, attempt, phase, epoch, step, rank, head, part)) WITHOUT ROWID;
CREATE UNIQUE INDEX records_seq ON records(experiment, attempt, rank, seq);
CREATE TABLE phase_ends(experiment INTEGER NOT NULL, attempt INTEGER NOT NULL, phase INTEGER NOT NULL,
  epoch INTEGER NOT NULL, rank INTEGER NOT NULL, seq INTEGER NOT NULL, records INTEGER NOT NULL,
  PRIMARY KEY(experiment, attempt, phase, epoch, rank)) WITHOUT ROWID;
CREATE TABLE seals(experiment INTEGER NOT NULL, attempt INTEGER NOT NULL, phase INTEGER NOT NULL,
  epoch INTEGER NOT NULL, verdict TEXT NOT NULL, missing TEXT NOT NULL DEFAULT '', result BLOB NOT NULL,
  directive BLOB NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY(experiment, attempt, phase, epoch)) WITHOUT ROWID;
CREATE UNIQUE INDEX seals_revision ON seals(experiment, revision);
CREATE TABLE events(experiment INTEGER NOT NULL, revision INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(experiment, revision)) WITHOUT ROWID;
CREATE TABLE incidents(no INTEGER PRIMARY KEY, experiment INTEGER NOT NULL, attempt INTEGER NOT NULL,
  rank INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB, at_ms INTEGER NOT NULL);
CREATE INDEX incidents_experiment ON incidents(experiment, no);

-- Answers to requests that may be repeated, kept for a day.
CREATE TABLE requests(caller TEXT NOT NULL, request_id TEXT NOT NULL, digest BLOB NOT NULL, response BLOB NOT NULL,
  at_ms INTEGER NOT NULL, PRIMARY KEY(caller, request_id)) WITHOUT ROWID;
CREATE INDEX requests_age ON requests(at_ms);
