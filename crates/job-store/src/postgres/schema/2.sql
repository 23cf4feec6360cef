-- Objects that hold runs of blocks. An object counts from the moment its row is here.
CREATE TABLE objects (
    job uuid NOT NULL,
    attempt bigint NOT NULL,
    segment bigint NOT NULL,
    -- The row after the last row of the object, as for a block.
    end_row bigint NOT NULL,
    first_row bigint NOT NULL,
    -- The name below the place of all objects of the store.
    name text NOT NULL,
    size bigint NOT NULL,
    -- For each block, the row after its last row, and the byte after its last byte.
    ends bigint[] NOT NULL,
    offsets bigint[] NOT NULL,
    PRIMARY KEY (job, attempt, segment, end_row)
);

-- Attempts that may have objects. The row of an attempt exists before its first object is put, and until its last object
-- is deleted.
CREATE TABLE uploads (
    job uuid NOT NULL,
    attempt bigint NOT NULL,
    -- Whether objects without a row in `objects` are to be deleted, once the attempt is over.
    due boolean NOT NULL,
    -- Counts how often the row became due, so that a store that was deleting objects meanwhile looks again.
    revision bigint NOT NULL,
    PRIMARY KEY (job, attempt)
);

CREATE INDEX uploads_due ON uploads (job, attempt) WHERE due;
