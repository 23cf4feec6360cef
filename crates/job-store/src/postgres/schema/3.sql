-- A job that is not complete has its only row in the queue, with its record. A job that ends moves to the table
-- `finished`, which grows by plain insertions. So a submission writes one row, and a row of the large table dies only
-- when its job is removed.
ALTER TABLE queue
    ADD COLUMN record bytea,
    -- Whether the job has at most one attempt. A claim does not start such a job, since a worker may not be free.
    ADD COLUMN once boolean NOT NULL DEFAULT false,
    -- The start of an attempt that is not in the record yet, in microseconds since 1970.
    ADD COLUMN started bigint,
    -- The claim that has started the attempt. A claimant that has lost the answer of a claim asks for it again.
    ADD COLUMN started_by bigint,
    ADD COLUMN last_read bigint,
    ADD COLUMN pinned boolean NOT NULL DEFAULT false;

UPDATE queue SET record = jobs.record, last_read = jobs.last_read, pinned = jobs.pinned FROM jobs WHERE id = job;
ALTER TABLE queue ALTER COLUMN record SET NOT NULL;

-- Graph and idempotency key of the jobs that have one, complete or not.
CREATE TABLE names (
    name bytea PRIMARY KEY,
    job uuid NOT NULL
);

INSERT INTO names (name, job) SELECT name, id FROM jobs WHERE name IS NOT NULL;

DELETE FROM jobs WHERE id IN (SELECT job FROM queue);
DROP INDEX jobs_name;
ALTER TABLE jobs DROP COLUMN name;
ALTER TABLE jobs RENAME TO finished;

-- Every job for as long as it is kept.
CREATE VIEW jobs AS
    SELECT id, revision, record, NULL::bigint AS started, last_read, pinned FROM finished
    UNION ALL
    SELECT job, revision, record, started, last_read, pinned FROM queue;
