-- The fields by which lists are filtered, and the order in which complete jobs were used. Null of a row that an
-- earlier version wrote and no store has read yet, or none can read.
ALTER TABLE finished
    ADD COLUMN graph bytea,
    ADD COLUMN kind bytea,
    -- 0 succeeded, 1 failed, 2 cancelled
    ADD COLUMN outcome smallint,
    ADD COLUMN owner bytea,
    -- Of its rows.
    ADD COLUMN bytes bigint,
    -- When it ended; microseconds since 1970.
    ADD COLUMN ended bigint;

-- By an expression that is the id: so neither can the primary key stand in for them and be read whole, nor they for it.
CREATE INDEX finished_graph ON finished (graph, outcome, greatest(id));
CREATE INDEX finished_kind ON finished (kind, outcome, greatest(id));
CREATE INDEX finished_owner ON finished (owner, outcome, greatest(id)) WHERE owner IS NOT NULL;
CREATE INDEX finished_used ON finished ((bytes > 0), greatest(ended, last_read), id) WHERE NOT pinned;
CREATE INDEX finished_unread ON finished (greatest(id)) WHERE graph IS NULL;

-- Of complete jobs.
CREATE TABLE labels (
    label bytea NOT NULL,
    outcome smallint NOT NULL,
    job uuid NOT NULL,
    PRIMARY KEY (label, outcome, job)
);

-- Complete jobs that are not pinned, and the bytes of their rows: the sum of all rows. A transaction that changes them
-- adds a row, so that none waits for another; now and then some become one.
CREATE TABLE kept (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    jobs bigint NOT NULL,
    bytes numeric NOT NULL
);
