//! [`RedbStore`]: jobs and rows in redb, a store of Rust alone.

mod file;
mod jobs;
mod results;

use std::{fmt, path::Path, sync::Arc};

use job_core::{JobId, JobRecord};
use redb::{Database, ReadableTable, TableDefinition};

use self::file::File;

use crate::{ErrorKind, Seats, StoreError, codec, keys, lock};

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Table<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

const JOBS: Definition = TableDefinition::new("job_engine.jobs");
const CHECKPOINTS: Definition = TableDefinition::new("job_engine.checkpoints");
const ROWS: Definition = TableDefinition::new("job_engine.rows");

/// The version of the whole store: which tables there are and what their keys mean.
const FORMAT_VERSION: u8 = 1;

/// Keeps jobs and rows in one redb file: no C++ in the build, for engines whose results are small.
///
/// Clones share one database; it closes with the last of them. redb has one writer at a time and no log that
/// outlives a process, so every write is synced, a [`Buffered`](crate::Durability::Buffered) one as well, and
/// writers wait for each other. Blocks are verified whenever they are read: redb does not check its pages then.
///
/// While a store is open, its file stays where it is: writes are refused (`Unavailable`) as long as the path leads to no or
/// another file. A process that was forked while a store was open changes nothing (`AlreadyOpen`), and keeps the file locked
/// until it ends or starts another program.
///
/// ```
/// use job_store::{JobStore, RedbStore};
///
/// let directory = tempfile::tempdir()?;
/// let store = RedbStore::open(directory.path().join("jobs.redb"))?;
/// assert!(store.unfinished()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RedbStore {
    file: Arc<File>,
    seats: Seats,
}

impl RedbStore {
    /// Opens the store in the file `path`, or makes one.
    ///
    /// # Errors
    /// `AlreadyOpen` when a process (this one too) has it open, `Format` when another version wrote it, `Corrupt`
    /// when the file is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let store = Self { file: Arc::new(File::open(path.as_ref())?), seats: Seats::default() };
        store.write(file::OPERATION, None, |tables| match tables.get(keys::FORMAT)?.as_deref() {
            Some([FORMAT_VERSION]) => Ok(()),
            Some(other) => {
                let detail = format!("it has format version {other:?}, this library reads {FORMAT_VERSION}");
                Err(StoreError::new(ErrorKind::Format, file::OPERATION, detail))
            }
            None => tables.put(keys::FORMAT, &[FORMAT_VERSION]),
        })?;
        Ok(store)
    }

    /// Runs one write transaction: all of `body` or nothing.
    fn write<T>(
        &self,
        operation: &'static str,
        job: Option<JobId>,
        body: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let db = self.file.writable(operation)?;
        transact(&db, operation, job, body).inspect_err(|error| self.file.note(error))
    }

    /// A table as it is now, for reading.
    fn read_table(
        &self,
        definition: Definition,
        operation: &'static str,
        job: Option<JobId>,
    ) -> Result<redb::ReadOnlyTable<&'static [u8], &'static [u8]>, StoreError> {
        use redb::ReadableDatabase;
        let transaction =
            self.file.database(operation)?.begin_read().map_err(|e| self.failure(operation, job, e))?;
        transaction.open_table(definition).map_err(|e| self.failure(operation, job, e))
    }

    fn failure(&self, operation: &'static str, job: Option<JobId>, error: impl Into<redb::Error>) -> StoreError {
        let error = failure(operation, job, error);
        self.file.note(&error);
        error
    }

    fn value(
        &self,
        definition: Definition,
        key: &[u8],
        operation: &'static str,
        job: Option<JobId>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        // Outlives the value: its pages are not given to others meanwhile.
        let table = self.read_table(definition, operation, job)?;
        let found = table.get(key).map_err(|e| self.failure(operation, job, e))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn record(&self, id: JobId, operation: &'static str) -> Result<Option<JobRecord>, StoreError> {
        let found = self.value(JOBS, &keys::key(keys::RECORD, id), operation, Some(id))?;
        found.map(|bytes| decode(id, &bytes, operation)).transpose()
    }
}

fn transact<T>(
    db: &Database,
    operation: &'static str,
    job: Option<JobId>,
    body: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = db.begin_write().map_err(|e| failure(operation, job, e))?;
    let value = {
        let open = |definition| transaction.open_table(definition).map_err(|e| failure(operation, job, e));
        let mut tables =
            Tables { jobs: open(JOBS)?, checkpoints: open(CHECKPOINTS)?, rows: open(ROWS)?, operation, job };
        // Dropped without a commit, the transaction is undone.
        body(&mut tables)?
    };
    transaction.commit().map_err(|e| failure(operation, job, e))?;
    Ok(value)
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}

/// The tables of one write transaction.
struct Tables<'t> {
    jobs: Table<'t>,
    checkpoints: Table<'t>,
    rows: Table<'t>,
    operation: &'static str,
    job: Option<JobId>,
}

impl Tables<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.jobs.get(key).map_err(|e| failure(self.operation, self.job, e))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.jobs.insert(key, value).map(drop).map_err(|e| failure(self.operation, self.job, e))
    }

    fn delete(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.jobs.remove(key).map(drop).map_err(|e| failure(self.operation, self.job, e))
    }

    fn record(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        let found = self.get(&keys::key(keys::RECORD, id))?;
        found.map(|bytes| decode(id, &bytes, self.operation)).transpose()
    }

    fn drop_rows(&mut self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        let range = keys::blocks_until(job, attempt);
        let dropped = self.rows.retain_in(range.start.as_slice()..range.end.as_slice(), |_, _| false);
        dropped.map(drop).map_err(|e| failure(self.operation, Some(job), e))
    }

    fn drop_checkpoint(&mut self, job: JobId) -> Result<(), StoreError> {
        let dropped = self.checkpoints.remove(job.as_bytes().as_slice());
        dropped.map(drop).map_err(|e| failure(self.operation, Some(job), e))
    }
}

fn decode(id: JobId, bytes: &[u8], operation: &'static str) -> Result<JobRecord, StoreError> {
    codec::decode_record(id, bytes)
        .map_err(|e| StoreError::new(ErrorKind::Corrupt, operation, e.to_string()).on(id))
}

fn failure(operation: &'static str, job: Option<JobId>, error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    let kind = match &error {
        redb::Error::Corrupted(_) => ErrorKind::Corrupt,
        redb::Error::DatabaseAlreadyOpen => ErrorKind::AlreadyOpen,
        redb::Error::UpgradeRequired(_) => ErrorKind::Format,
        redb::Error::Io(error) if lock::is_full(error) => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    };
    let failed = StoreError::new(kind, operation, error.to_string()).because(error);
    job.map_or(failed.clone(), |job| failed.on(job))
}
