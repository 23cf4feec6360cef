//! A store of `job-runner` in tables of SQLite.
//!
//! The store uses only public items of `job_store`. It is the example of the chapter "Write a store"
//! (`job_store::contract`). Read it in this order: the tables in [`mod@schema`], the transaction of every write in
//! [`SqliteStore::write`], then one trait after the other.
//!
//! * A write is one transaction. It checks and changes under SQLite's lock of writers, so no other write comes in
//!   between.
//! * `Durability::Buffered` is `synchronous = NORMAL` in WAL mode. `Durability::Synced` is `FULL`, which syncs the
//!   log with every earlier write.
//! * Rows, records, results and checkpoints have the checksums of `job_store::codec` and of blocks, because SQLite
//!   checks none of its pages.

mod jobs;
mod results;
mod rows;
mod schema;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use job_core::{JobId, JobRecord};
use job_store::{Durability, ErrorKind, Seats, StoreError, codec};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

const OPEN: &str = "open the store";
/// How long `open` waits for a process that has the file open and is about to end.
const BUSY: Duration = Duration::from_secs(1);

/// Jobs and their results in one file of SQLite. Clones are handles of the same store; each writer of rows holds
/// one.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Mutex<Connection>,
    seats: Seats,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in this file, or makes a new one there. No other process may have it open.
    ///
    /// # Errors
    /// `AlreadyOpen` when another process has the file open; `Corrupt` when the file is no database.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(Connection::open(path).map_err(|error| failed(OPEN, &error))?)
    }

    /// The store in the file that this connection has open.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn over(connection: Connection) -> Result<Self, StoreError> {
        schema::prepare(&connection).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::new(ErrorKind::AlreadyOpen, OPEN, "another process has the file open").because(error)
            }
            _ => failed(OPEN, &error),
        })?;
        Ok(Self { inner: Arc::new(Inner { connection: Mutex::new(connection), seats: Seats::default() }) })
    }

    /// Reads the tables. No caller holds the connection while it calls code of others.
    fn read<T>(
        &self,
        operation: &'static str,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        body(&self.connection()).map_err(|error| failed(operation, &error))
    }

    /// Changes the tables in one transaction. If `body` fails, none of its changes are made.
    fn write<T>(
        &self,
        operation: &'static str,
        durability: Durability,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, Refused>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let done = Self::transaction(&mut connection, durability, body);
        done.map_err(|refused| match refused {
            Refused::By(error) => *error,
            Refused::Failed(error) => failed(operation, &error),
        })
    }

    fn transaction<T>(
        connection: &mut Connection,
        durability: Durability,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let synchronous = match durability {
            Durability::Buffered => "NORMAL",
            Durability::Synced => "FULL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = body(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.inner.connection.lock()
    }
}

/// The reason why a transaction was rolled back: the contract forbids it, or SQLite failed.
enum Refused {
    By(Box<StoreError>),
    Failed(rusqlite::Error),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::By(Box::new(error))
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// An error of SQLite. The code of SQLite decides the class of the error.
fn failed(operation: &'static str, error: &rusqlite::Error) -> StoreError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Corrupt,
        Some(ErrorCode::DiskFull) => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    };
    StoreError::new(kind, operation, error.to_string())
}

/// The stored record of a job, and whether it is pinned.
struct Stored {
    record: Vec<u8>,
    pinned: bool,
    has_result: bool,
}

/// The row of a job.
fn stored(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Stored>> {
    let mut statement =
        connection.prepare_cached("SELECT record, pinned, result IS NOT NULL FROM jobs WHERE id = ?1")?;
    statement
        .query_row(params![id.as_bytes()], |row| {
            Ok(Stored { record: row.get(0)?, pinned: row.get(1)?, has_result: row.get(2)? })
        })
        .optional()
}

/// Reads the record of a job in a transaction.
fn record(connection: &Connection, id: JobId, operation: &'static str) -> Result<Option<JobRecord>, Refused> {
    let found = stored(connection, id)?;
    Ok(found.map(|found| decoded(id, &found.record, operation)).transpose()?)
}

fn decoded(id: JobId, bytes: &[u8], operation: &'static str) -> Result<JobRecord, StoreError> {
    codec::decode_record(id, bytes).map_err(|error| corrupt(id, operation, error.to_string()))
}

fn corrupt(id: JobId, operation: &'static str, detail: String) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, operation, detail).on(id)
}

/// SQLite's integers are signed: a number that is greater is stored as the one with the same bits.
const fn signed(number: u64) -> i64 {
    number.cast_signed()
}
