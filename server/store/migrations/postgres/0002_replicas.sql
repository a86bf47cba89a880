-- The servers that use these tables now. beats: counted on while the server lives.
CREATE TABLE replicas(no INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, address BYTEA NOT NULL DEFAULT '',
  beats BIGINT NOT NULL DEFAULT 0);

-- The replica that runs the experiment; nobody if there is none of this number.
ALTER TABLE experiments ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;
CREATE INDEX experiments_running ON experiments(owner) WHERE state IN ('QUEUED', 'RUNNING');
