-- Objects that hold runs of blocks. An object counts from the moment its row is here.
CREATE TABLE objects (
    job uuid NOT NULL,
    attempt bigint NOT NULL,
    segment bigint NOT NULL,
    -- The row after the last, as of a block.
    end_row bigint NOT NULL,
    first_row bigint NOT NULL,
    -- Below the place where all objects of the store are.
    name text NOT NULL,
    size bigint NOT NULL,
    -- Of each block: the row after its last, and the byte after its last.
    ends bigint[] NOT NULL,
    offsets bigint[] NOT NULL,
    PRIMARY KEY (job, attempt, segment, end_row)
);

-- Attempts that have objects or may have: a row is here before the first is put and until the last is deleted.
CREATE TABLE uploads (
    job uuid NOT NULL,
    attempt bigint NOT NULL,
    -- Once the attempt is over, its objects that no row names are to be deleted.
    due boolean NOT NULL,
    -- Counts the rows that became due: a store that has deleted objects meanwhile looks again.
    revision bigint NOT NULL,
    PRIMARY KEY (job, attempt)
);

CREATE INDEX uploads_due ON uploads (job, attempt) WHERE due;
