//! [`RocksStore`]: jobs and rows in RocksDB. [`keys`](crate::keys) has the layout, [`options`] the options.

mod cache;
mod checkpoints;
mod failure;
mod files;
mod host;
mod jobs;
mod limits;
mod links;
mod locks;
mod log;
mod open;
mod options;
mod reclaim;
mod results;
mod segment;
mod torn;

use std::{fmt, mem, path::Path, sync::Arc};

use job_core::{JobId, JobRecord, JobResult};
use rocksdb::{ColumnFamily, DBWithThreadMode, SingleThreaded, WriteBatch, WriteOptions};

pub use self::options::{Compression, RocksOptions};
use self::{
    cache::{Blocks, Decoded},
    failure::failure,
    files::Files,
    locks::{Locks, Newest},
    reclaim::Reclaimer,
};
use crate::{Durability, ErrorKind, Seats, StoreError, codec, key_value::keys, lock::Lock, place::Place};

type Db = DBWithThreadMode<SingleThreaded>;

const JOBS: &str = "job_engine.jobs";
const CHECKPOINTS: &str = "job_engine.checkpoints";
const ROWS: &str = "job_engine.rows";

/// Keeps jobs and rows in a RocksDB directory.
///
/// Clones share one database; it closes with the last of them. One process at a time may write;
/// others may [`open_read_only`](Self::open_read_only) meanwhile. A store is known by its directory, however the path to it
/// is spelled: who opens it for writing locks the file `job_engine.lock` in it, until the store is closed or the process
/// and those that it forked have ended.
///
/// # Moves and forks
/// While a store is open, its directory stays where it is. Writes are refused (`Unavailable`) as long as the path leads to no
/// or another directory: to buffered ones after 1 MiB at most, to all others at once. They go on when it is back. Closed
/// elsewhere, it opens there.
///
/// A process that was forked while a store was open may read from it, and changes nothing (`AlreadyOpen`). As long as it
/// lives and has not started another program, the store stays locked, also when the process that opened it has ended: the
/// next open is refused, and names it.
///
/// # Files
/// Large segments are written to files that become part of the database as they are; small ones and records go
/// through its log. The space of removed jobs is given back by one thread of the store's own.
///
/// ```
/// use job_store::{JobStore, RocksOptions, RocksStore};
///
/// let directory = tempfile::tempdir()?;
/// let store = RocksStore::open(directory.path(), RocksOptions::default())?;
/// assert!(store.unfinished()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RocksStore {
    inner: Arc<Inner>,
}

struct Inner {
    db: Arc<Db>,
    seats: Seats,
    /// Whether the database is this store's alone, and not read-only: then closing flushes it.
    owned: bool,
    options: RocksOptions,
    files: Files,
    locks: Locks,
    newest: Newest,
    records: Decoded<JobRecord>,
    results: Decoded<JobResult>,
    blocks: Blocks,
    reclaimer: Reclaimer,
    place: Arc<Place>,
    /// Of a store that may write. The last field: it is let go when the database is closed.
    _lock: Option<Lock>,
}

impl RocksStore {
    /// Opens the store in `path`, or makes one. Cost after a clean end: constant; after a crash: the log since
    /// the last flush (at most 64 MiB). Never the jobs in the store.
    ///
    /// # Errors
    /// `AlreadyOpen` when a process (this one too) has it open for writing, `Format` when another version wrote
    /// it, `Corrupt` when files are damaged or missing, `Unavailable` when there are fewer threads than RocksDB needs,
    /// `Invalid` when it is the database of a host, with column families of its own.
    pub fn open(path: impl AsRef<Path>, options: RocksOptions) -> Result<Self, StoreError> {
        let place = open::directory(path.as_ref())?;
        let lock = Lock::take(place.path())?;
        let db = Arc::new(open::open(place.path(), &options)?);
        Self::over(db, options, true, place, lock)
    }

    /// Opens the store in `path` as it is at this moment, beside a process that writes. Every change is
    /// refused with `ReadOnly`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `Unavailable` when there is no store.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let options = RocksOptions::default();
        let place = open::existing(path.as_ref())?;
        let db = Arc::new(open::open_read_only(place.path(), &options)?);
        let place = Arc::new(place);
        let reclaimer = Reclaimer::new(Arc::clone(&db), Arc::clone(&place));
        Ok(Self::new(db, options, false, reclaimer, place, None))
    }

    /// A store that may write, over an open database. Finishes what a dead process left undone.
    fn over(
        db: Arc<Db>,
        options: RocksOptions,
        owned: bool,
        place: Place,
        lock: Lock,
    ) -> Result<Self, StoreError> {
        Files::new(place.path()).remove_left_over()?;
        let place = Arc::new(place);
        let reclaimer = Reclaimer::new(Arc::clone(&db), Arc::clone(&place));
        reclaimer.resume()?;
        Ok(Self::new(db, options, owned, reclaimer, place, Some(lock)))
    }

    fn new(
        db: Arc<Db>,
        options: RocksOptions,
        owned: bool,
        reclaimer: Reclaimer,
        place: Arc<Place>,
        lock: Option<Lock>,
    ) -> Self {
        let inner = Inner {
            files: Files::new(place.path()),
            seats: Seats::default(),
            db,
            owned,
            options,
            locks: Locks::default(),
            newest: Newest::default(),
            records: Decoded::default(),
            results: Decoded::default(),
            blocks: Blocks::default(),
            reclaimer,
            place,
            _lock: lock,
        };
        Self { inner: Arc::new(inner) }
    }

    fn family(&self, name: &'static str, operation: &'static str) -> Result<&ColumnFamily, StoreError> {
        family(&self.inner.db, name, operation)
    }

    fn record(&self, id: JobId, operation: &'static str) -> Result<Option<JobRecord>, StoreError> {
        let jobs = self.family(JOBS, operation)?;
        let found = self
            .inner
            .db
            .get_pinned_cf(jobs, keys::key(keys::RECORD, id))
            .map_err(|e| failure(operation, Some(id), &e))?;
        found.map(|bytes| decode(id, &bytes, operation)).transpose()
    }

    /// Whether a key of the jobs is there.
    fn has(&self, key: &[u8], operation: &'static str, job: JobId) -> Result<bool, StoreError> {
        let found = self.inner.db.get_pinned_cf(self.family(JOBS, operation)?, key);
        Ok(found.map_err(|e| failure(operation, Some(job), &e))?.is_some())
    }

    /// Whether this process may change anything; asked before any lock, which a forked process may find locked for ever.
    fn enter(&self, operation: &'static str) -> Result<(), StoreError> {
        self.inner.place.check_process(operation)
    }

    /// Of the calls that [`enter`](Self::enter) let in.
    fn write(
        &self,
        batch: WriteBatch,
        durability: Durability,
        operation: &'static str,
        job: Option<JobId>,
    ) -> Result<(), StoreError> {
        match durability {
            Durability::Synced => self.inner.place.check(operation)?,
            Durability::Buffered => self.inner.place.check_now_and_then(operation, batch.size_in_bytes())?,
        }
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        self.inner.db.write_opt(batch, &options).map_err(|e| failure(operation, job, &e))
    }
}

impl Drop for Inner {
    /// A flushed store has no log to replay when it is opened again.
    fn drop(&mut self) {
        const OPERATION: &str = "close the store";
        if let Err(error) = self.place.check_process(OPERATION) {
            tracing::warn!(%error, "the store is left to the process that opened it");
            return self.abandon();
        }
        self.reclaimer.stop();
        if !self.owned {
            return;
        }
        if let Err(error) = self.place.check(OPERATION) {
            tracing::warn!(%error, "the store was closed without a flush: opening it again replays its log");
            self.db.cancel_all_background_work(true);
            return self.abandon();
        }
        let families: Vec<_> =
            [JOBS, CHECKPOINTS, ROWS].into_iter().filter_map(|name| self.db.cf_handle(name)).collect();
        if let Err(error) = self.db.flush_cfs_opt(&families, &rocksdb::FlushOptions::default()) {
            tracing::warn!(%error, "the store was closed without a flush: opening it again replays its log");
        }
    }
}

impl Inner {
    /// Never closes the database: closing deletes files by their names, and waits for threads.
    fn abandon(&self) {
        if self.owned {
            mem::forget(Arc::clone(&self.db));
        }
    }
}

impl fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksStore").field("path", &self.inner.place.path()).finish_non_exhaustive()
    }
}

fn family<'a>(db: &'a Db, name: &'static str, operation: &'static str) -> Result<&'a ColumnFamily, StoreError> {
    db.cf_handle(name)
        .ok_or_else(|| StoreError::new(ErrorKind::Corrupt, operation, format!("column family {name} is missing")))
}

fn decode(id: JobId, bytes: &[u8], operation: &'static str) -> Result<JobRecord, StoreError> {
    codec::decode_record(id, bytes)
        .map_err(|e| StoreError::new(ErrorKind::Corrupt, operation, e.to_string()).on(id))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    #[test]
    fn what_the_database_tells_of_its_work_is_bounded_in_one_life() {
        let directory = tempfile::tempdir().unwrap();
        let store = RocksStore::open(directory.path(), RocksOptions::default()).unwrap();
        let rows = store.family(ROWS, "test").unwrap();
        let mut seen = BTreeSet::new();
        // More of them than are kept.
        for _ in 0..20_000 {
            // Each is told with all the options that there are.
            store.inner.db.set_options_cf(rows, &[("max_compaction_bytes", "1000000000")]).unwrap();
            let entries = fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
            let logs: Vec<_> =
                entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("LOG")).collect();
            let bytes: u64 = logs.iter().filter_map(|log| log.metadata().ok()).map(|log| log.len()).sum();
            assert!(bytes <= 6 << 20, "{bytes} bytes in {} files", logs.len());
            seen.extend(logs.iter().map(fs::DirEntry::file_name));
            if seen.len() > 8 {
                return;
            }
        }
        panic!("not enough was told: {seen:?}");
    }
}
