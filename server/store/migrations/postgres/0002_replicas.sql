-- The servers that use these tables now. beats: counted on while the server lives; process, started_us: the session that
-- writes for it.
CREATE TABLE replicas(no BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, address BYTEA NOT NULL DEFAULT '',
  beats BIGINT NOT NULL DEFAULT 0, process BIGINT NOT NULL DEFAULT 0, started_us BIGINT NOT NULL DEFAULT 0);

-- The replica that runs the experiment; nobody if there is none of this number.
ALTER TABLE experiments ADD COLUMN owner BIGINT NOT NULL DEFAULT 0;
CREATE INDEX experiments_running ON experiments(owner) WHERE state IN ('QUEUED', 'RUNNING');
