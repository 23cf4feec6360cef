//! The tables.

use rusqlite::Connection;

use crate::BUSY;

/// The version of the tables. A store of another one is refused, so that no version misreads another's.
const VERSION: i64 = 1;

/// `unfinished` is 1 for a job that is not complete; its index holds those jobs alone, so that finding them costs nothing for
/// the others. The name of a graph and a key are compared byte by byte, which is what SQLite does with text.
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
    CREATE TABLE blocks (
        job BLOB, attempt INTEGER, segment INTEGER, end INTEGER, bytes BLOB NOT NULL,
        PRIMARY KEY (job, attempt, segment, end)
    );
";

/// Makes the tables where there are none.
pub(crate) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // One process has the file: what a second one wrote, its seat would not guard.
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
