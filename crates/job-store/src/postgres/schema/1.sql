CREATE TABLE schema_version (
    version integer PRIMARY KEY,
    migrated_at timestamptz NOT NULL DEFAULT now()
);

-- Every job for as long as it is kept.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    revision bigint NOT NULL,
    -- Graph and idempotency key.
    name bytea,
    record bytea NOT NULL,
    result bytea,
    last_read bigint,
    pinned boolean NOT NULL DEFAULT false
);

CREATE UNIQUE INDEX jobs_name ON jobs (name) WHERE name IS NOT NULL;

-- Jobs that are not complete: the searched values and those that change often, in short rows. A job that ends leaves the
-- table.
CREATE TABLE queue (
    job uuid PRIMARY KEY,
    revision bigint NOT NULL,
    attempt bigint NOT NULL,
    -- 0 waiting, 1 running, 2 cancelling
    state smallint NOT NULL,
    kind bytea NOT NULL,
    priority smallint NOT NULL,
    -- Microseconds since 1970.
    not_before bigint NOT NULL,
    -- The claimant that has the job, or had it until the lease ended.
    claimant uuid,
    -- The end of the lease. Null for a job that was never claimed.
    until timestamptz
);

CREATE INDEX queue_claimable ON queue (kind, priority DESC, job) WHERE claimant IS NULL;
CREATE INDEX queue_leases ON queue (until) WHERE until IS NOT NULL;

-- For each finished work, the job that did it last.
CREATE TABLE works (
    hash bytea PRIMARY KEY,
    job uuid NOT NULL
);

CREATE TABLE checkpoints (
    job uuid PRIMARY KEY,
    bytes bytea NOT NULL
);

CREATE TABLE blocks (
    job uuid NOT NULL,
    attempt bigint NOT NULL,
    segment bigint NOT NULL,
    -- The row after the last row of the block, so that the block of a row is the first one after that row.
    end_row bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (job, attempt, segment, end_row)
);
