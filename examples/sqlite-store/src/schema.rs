//! The tables.

use rusqlite::Connection;

use crate::BUSY;

/// The version of the tables. A store of another one is refused, so that no version misreads another's.
const VERSION: i64 = 1;

/// `unfinished` is 1 for a job that is not complete. Its index has only these jobs, so that finding them costs
/// nothing for the others. Names of graphs and keys are compared byte by byte, which is the default of SQLite for
/// text.
const TABLES: &str = "
    CREATE TABLE jobs (
        id BLOB PRIMARY KEY,
        revision INTEGER NOT NULL,
        unfinished INTEGER NOT NULL,
        record BLOB NOT NULL,
        result BLOB,
        last_read INTEGER,
        pinned INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX unfinished ON jobs (id) WHERE unfinished = 1;
    CREATE TABLE keys (graph TEXT, key TEXT, job BLOB NOT NULL, PRIMARY KEY (graph, key)) WITHOUT ROWID;
    CREATE INDEX keys_of_job ON keys (job);
    CREATE TABLE works (hash BLOB PRIMARY KEY, job BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX works_of_job ON works (job);
    CREATE TABLE checkpoints (job BLOB PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE failures (job BLOB PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE blocks (
        job BLOB, attempt INTEGER, segment INTEGER, end INTEGER, bytes BLOB NOT NULL,
        PRIMARY KEY (job, attempt, segment, end)
    );
";

/// Makes the tables if the file has none.
pub(crate) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // Only one process has the file open, since a seat does not guard against writes of a second process.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        VERSION => Ok(()),
        0 => {
            connection.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT"))
        }
        other => Err(rusqlite::Error::InvalidParameterName(format!(
            "its tables are of version {other}, and this store knows version {VERSION}"
        ))),
    }
}
