//! [`RocksStore`]: jobs and rows in RocksDB. [`keys`] has the layout, [`open`] the options.

mod jobs;
mod keys;
mod open;
mod results;

use std::{
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    path::Path,
    sync::Arc,
};

use job_core::{JobId, JobRecord};
use parking_lot::{Mutex, MutexGuard};
use rocksdb::{ColumnFamily, DB, WriteBatch, WriteOptions};

pub use self::open::{Compression, RocksOptions};
use crate::{Durability, ErrorKind, StoreError, codec};

const JOBS: &str = "job_engine.jobs";
const ROWS: &str = "job_engine.rows";

/// Keeps jobs and rows in a RocksDB directory.
///
/// Clones share one database; it closes with the last of them. One process at a time may write;
/// others may [`open_read_only`](Self::open_read_only) meanwhile.
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
    db: DB,
    locks: Locks,
}

impl RocksStore {
    /// Opens the store in `path`, or makes one. Cost: the log since the last flush (at most 64 MiB), not the
    /// jobs in the store.
    ///
    /// # Errors
    /// `AlreadyOpen` when a process (this one too) has it open for writing, `Format` when another version wrote
    /// it, `Corrupt` when files are damaged or missing.
    pub fn open(path: impl AsRef<Path>, options: RocksOptions) -> Result<Self, StoreError> {
        let db = open::open(path.as_ref(), &options)?;
        Ok(Self { inner: Arc::new(Inner { db, locks: Locks::default() }) })
    }

    /// Opens the store in `path` as it is at this moment, beside a process that writes. Every change is
    /// refused with `ReadOnly`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and `Unavailable` when there is no store.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let db = open::open_read_only(path.as_ref(), &RocksOptions::default())?;
        Ok(Self { inner: Arc::new(Inner { db, locks: Locks::default() }) })
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

    fn write(
        &self,
        batch: WriteBatch,
        durability: Durability,
        operation: &'static str,
        job: Option<JobId>,
    ) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        self.inner.db.write_opt(batch, &options).map_err(|e| failure(operation, job, &e))
    }

    fn lock(&self, id: JobId) -> MutexGuard<'_, ()> {
        self.inner.locks.one(id)
    }
}

impl fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksStore").field("path", &self.inner.db.path()).finish()
    }
}

fn family<'a>(db: &'a DB, name: &'static str, operation: &'static str) -> Result<&'a ColumnFamily, StoreError> {
    db.cf_handle(name)
        .ok_or_else(|| StoreError::new(ErrorKind::Corrupt, operation, format!("column family {name} is missing")))
}

fn decode(id: JobId, bytes: &[u8], operation: &'static str) -> Result<JobRecord, StoreError> {
    codec::decode_record(id, bytes)
        .map_err(|e| StoreError::new(ErrorKind::Corrupt, operation, e.to_string()).on(id))
}

/// Puts RocksDB's error into our classes. Its kinds come from the text it starts with, and a full disk and a
/// held lock are both plain I/O errors there.
fn failure(operation: &'static str, job: Option<JobId>, error: &rocksdb::Error) -> StoreError {
    let detail = error.to_string();
    let kind = match error.kind() {
        rocksdb::ErrorKind::Corruption => ErrorKind::Corrupt,
        rocksdb::ErrorKind::NotSupported if detail.contains("read only") => ErrorKind::ReadOnly,
        rocksdb::ErrorKind::IOError if detail.contains("No space left") => ErrorKind::Full,
        rocksdb::ErrorKind::IOError if detail.contains("lock") => ErrorKind::AlreadyOpen,
        _ => ErrorKind::Unavailable,
    };
    StoreError { kind, operation, job, detail }
}

/// One lock per job, more or less: RocksDB has no compare-and-set, so read, compare and write happen under it.
/// More stripes than any likely number of submitters, because a stripe is held during an fsync.
struct Locks {
    stripes: Vec<Mutex<()>>,
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            stripes: (0..Self::STRIPES).map(|_| Mutex::default()).collect(),
            hasher: BuildHasherDefault::default(),
        }
    }
}

impl Locks {
    const STRIPES: usize = 1024;

    fn stripe(&self, id: JobId) -> usize {
        usize::try_from(self.hasher.hash_one(id) % Self::STRIPES as u64).unwrap_or_default()
    }

    #[expect(clippy::indexing_slicing, reason = "stripe() is below STRIPES")]
    fn one(&self, id: JobId) -> MutexGuard<'_, ()> {
        self.stripes[self.stripe(id)].lock()
    }

    /// Locks all of `ids`, in the order of the stripes, so that two callers cannot wait for each other.
    #[expect(clippy::indexing_slicing, reason = "stripe() is below STRIPES")]
    fn all(&self, ids: impl Iterator<Item = JobId>) -> Vec<MutexGuard<'_, ()>> {
        let mut stripes: Vec<usize> = ids.map(|id| self.stripe(id)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        stripes.into_iter().map(|stripe| self.stripes[stripe].lock()).collect()
    }
}
