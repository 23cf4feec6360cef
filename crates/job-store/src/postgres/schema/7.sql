-- The failed attempts of a job, unfinished or complete.
CREATE TABLE failures (
    job uuid PRIMARY KEY,
    bytes bytea NOT NULL
);
