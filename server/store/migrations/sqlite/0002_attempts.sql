-- How each attempt ended, and the messages of its workers that came afterwards. Until now an experiment had one attempt.
UPDATE attempts SET state = (SELECT state FROM experiments WHERE no = attempts.experiment) WHERE state = 'CLOSED';
ALTER TABLE attempts ADD COLUMN late INTEGER NOT NULL DEFAULT 0;

-- Why a refused batch was refused.
ALTER TABLE records ADD COLUMN refusal BLOB;
