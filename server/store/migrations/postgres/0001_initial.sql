-- The tables of migrations/sqlite up to its 0002, in PostgreSQL's types. The numbers of the two dialects are their own.
-- TEXT holds our own words, in the order of their bytes whatever the database's collation. What others wrote is BYTEA: text
-- in UTF-8 that may hold a zero byte, which TEXT refuses, in a database of any encoding.

-- Datasets and splits.
CREATE TABLE datasets(no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT COLLATE "C" UNIQUE NOT NULL,
  spec BYTEA NOT NULL);
CREATE TABLE items(dataset BIGINT NOT NULL, item BIGINT NOT NULL, uri BYTEA NOT NULL, label INTEGER NOT NULL,
  PRIMARY KEY(dataset, item));
CREATE TABLE splits(no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT COLLATE "C" UNIQUE NOT NULL,
  dataset BIGINT NOT NULL, spec BYTEA NOT NULL);
CREATE INDEX splits_dataset ON splits(dataset);
-- position: the item's place within its part, in dataset order.
CREATE TABLE split_items(split BIGINT NOT NULL, part SMALLINT NOT NULL, position BIGINT NOT NULL, item BIGINT NOT NULL,
  PRIMARY KEY(split, part, position));
CREATE UNIQUE INDEX split_items_item ON split_items(item, split);

-- Experiments and what they report. Heads and phases are numbers. The revision is counted in the experiment's row, which
-- a transaction locks before it takes the next one: so revisions become visible in their order.
CREATE TABLE experiments(no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT COLLATE "C" UNIQUE NOT NULL,
  state TEXT COLLATE "C" NOT NULL, reason BYTEA NOT NULL DEFAULT '', state_ms BIGINT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0, revision BIGINT NOT NULL DEFAULT 0, etag BIGINT NOT NULL,
  numerics BYTEA NOT NULL DEFAULT '', spec BYTEA NOT NULL);
CREATE TABLE attempts(experiment BIGINT NOT NULL, attempt INTEGER NOT NULL, token BYTEA NOT NULL,
  world_size INTEGER NOT NULL, first_epoch BIGINT NOT NULL, numerics BYTEA NOT NULL, state TEXT COLLATE "C" NOT NULL,
  reason BYTEA NOT NULL DEFAULT '', late BIGINT NOT NULL DEFAULT 0, PRIMARY KEY(experiment, attempt));
CREATE TABLE ranks(experiment BIGINT NOT NULL, attempt INTEGER NOT NULL, rank INTEGER NOT NULL, instance BYTEA,
  fence BIGINT NOT NULL DEFAULT 0, state TEXT COLLATE "C" NOT NULL, committed_seq BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY(experiment, attempt, rank));
-- vals: numerator and denominator of each component; metrics: the deltas; both little-endian doubles. refusal: why a
-- refused batch was refused. The last two are empty where there is none.
CREATE TABLE records(experiment BIGINT NOT NULL, attempt INTEGER NOT NULL, phase SMALLINT NOT NULL,
  epoch BIGINT NOT NULL, step BIGINT NOT NULL, rank INTEGER NOT NULL, head INTEGER NOT NULL, part INTEGER NOT NULL,
  seq BIGINT NOT NULL, digest BYTEA NOT NULL, code INTEGER NOT NULL, items BIGINT NOT NULL, vals BYTEA NOT NULL,
  metrics BYTEA NOT NULL, refusal BYTEA NOT NULL,
  PRIMARY KEY(experiment, attempt, phase, epoch, step, rank, head, part));
-- Nothing is looked for by seq, and with seq first no plan, however old its statistics, takes this index for a key.
CREATE UNIQUE INDEX records_seq ON records(seq, rank, attempt, experiment);
CREATE TABLE phase_ends(experiment BIGINT NOT NULL, attempt INTEGER NOT NULL, phase SMALLINT NOT NULL,
  epoch BIGINT NOT NULL, rank INTEGER NOT NULL, seq BIGINT NOT NULL, records BIGINT NOT NULL,
  PRIMARY KEY(experiment, attempt, phase, epoch, rank));
CREATE TABLE seals(experiment BIGINT NOT NULL, attempt INTEGER NOT NULL, phase SMALLINT NOT NULL, epoch BIGINT NOT NULL,
  verdict TEXT COLLATE "C" NOT NULL, missing TEXT COLLATE "C" NOT NULL DEFAULT '', result BYTEA NOT NULL,
  directive BYTEA NOT NULL, revision BIGINT NOT NULL, PRIMARY KEY(experiment, attempt, phase, epoch));
CREATE UNIQUE INDEX seals_revision ON seals(experiment, revision);
CREATE TABLE events(experiment BIGINT NOT NULL, revision BIGINT NOT NULL, kind TEXT COLLATE "C" NOT NULL,
  body BYTEA NOT NULL, PRIMARY KEY(experiment, revision));
CREATE TABLE incidents(no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, experiment BIGINT NOT NULL,
  attempt INTEGER NOT NULL, rank INTEGER NOT NULL, kind TEXT COLLATE "C" NOT NULL, body BYTEA, at_ms BIGINT NOT NULL);
CREATE INDEX incidents_experiment ON incidents(experiment, no);

-- Answers to requests that may be repeated, kept for a day.
CREATE TABLE requests(caller TEXT COLLATE "C" NOT NULL, request_id BYTEA NOT NULL, digest BYTEA NOT NULL,
  response BYTEA NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY(caller, request_id));
CREATE INDEX requests_age ON requests(at_ms);
