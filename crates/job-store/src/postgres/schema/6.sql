-- The fields by which lists are filtered, and the order of last use of complete jobs. They are null in a row of an
-- earlier version that no store has read yet or that no store can read.
ALTER TABLE finished
    ADD COLUMN graph bytea,
    ADD COLUMN kind bytea,
    -- 0 succeeded, 1 failed, 2 cancelled
    ADD COLUMN outcome smallint,
    ADD COLUMN owner bytea,
    -- Bytes of JSON of the rows of the job.
    ADD COLUMN bytes bigint,
    -- The end of the job, in microseconds since 1970.
    ADD COLUMN ended bigint;

-- The indexes have `greatest(id)`, which is the id, in place of the id. So the planner never reads the whole primary key
-- in place of one of these indexes. Nor does it read one of these in place of the primary key.
CREATE INDEX finished_graph ON finished (graph, outcome, greatest(id));
CREATE INDEX finished_kind ON finished (kind, outcome, greatest(id));
CREATE INDEX finished_owner ON finished (owner, outcome, greatest(id)) WHERE owner IS NOT NULL;
CREATE INDEX finished_used ON finished ((bytes > 0), greatest(ended, last_read), id) WHERE NOT pinned;
CREATE INDEX finished_unread ON finished (greatest(id)) WHERE graph IS NULL;

-- The labels of complete jobs.
CREATE TABLE labels (
    label bytea NOT NULL,
    outcome smallint NOT NULL,
    job uuid NOT NULL,
    PRIMARY KEY (label, outcome, job)
);

-- The number of complete jobs that are not pinned, and the bytes of their rows, are the sums of this table. A transaction
-- that changes them adds a row, which may be negative, so that no transaction waits for another. Now and then many rows
-- are replaced by one.
CREATE TABLE kept (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    jobs bigint NOT NULL,
    bytes numeric NOT NULL
);
