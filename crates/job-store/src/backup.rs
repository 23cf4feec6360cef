//! [`Backup`]: a copy of a whole store at one moment, made by the process that has it open.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use crate::{ErrorKind, StoreError};

pub(crate) const OPERATION: &str = "back up the store";

/// Makes copies of itself while it is in use: a store belongs to one process, which is the one that can.
///
/// The copy is the store at one moment after the call began. Every job, row and checkpoint that was acknowledged before is in
/// it, with either durability; all changes of one write are in it or none. It is on the disk when the call returns.
/// It opens as the store itself does, and jobs that ran wait there for another attempt.
///
/// ```
/// use job_core::{JobId, JobRecord, JobSpec, Timestamp};
/// # #[cfg(feature = "rocksdb")] {
/// use job_store::{Backup, Durability, JobStore, RocksOptions, RocksStore, Store};
///
/// let directory = tempfile::tempdir()?;
/// let [store, copy] = ["store", "copy"].map(|name| directory.path().join(name));
/// let store = RocksStore::open(store, RocksOptions::default())?;
/// let job = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().with_graph("movies"), Timestamp::default());
/// store.insert(&[job.clone()], Durability::Buffered)?;
/// store.back_up(&copy)?;
/// assert_eq!(RocksStore::open(copy, RocksOptions::default())?.unfinished()?, [job]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Backup {
    /// Makes a copy at `to`, where nothing is yet: a directory or a file, as the store itself is. Its parent is there.
    /// Readers and writers go on meanwhile.
    ///
    /// # Errors
    /// `AlreadyExists` when something is at `to`; `Full` or `Unavailable` when it cannot be written; `ReadOnly` when the store
    /// was opened for reading. `Invalid` of a store that cannot copy itself; the error says what to use. After an
    /// error nothing is at `to`.
    fn back_up(&self, to: &Path) -> Result<(), StoreError>;
}

/// Refuses a place where something is.
#[cfg_attr(not(any(feature = "rocksdb", feature = "redb")), allow(dead_code, reason = "for stores in files"))]
pub(crate) fn check_free(to: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(to) {
        Ok(_) => {
            let detail = format!("there is something at {} already: name a place where nothing is", to.display());
            Err(StoreError::new(ErrorKind::AlreadyExists, OPERATION, detail))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unusable(to, error)),
    }
}

/// The error of a place that cannot be written.
#[cfg_attr(not(any(feature = "rocksdb", feature = "redb")), allow(dead_code, reason = "for stores in files"))]
pub(crate) fn unusable(to: &Path, error: io::Error) -> StoreError {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let kind = if is_full { ErrorKind::Full } else { ErrorKind::Unavailable };
    StoreError::new(kind, OPERATION, format!("{}: {error}", to.display())).because(error)
}

/// Makes the entry of a new file or directory survive a power cut.
#[cfg_attr(not(any(feature = "rocksdb", feature = "redb")), allow(dead_code, reason = "for stores in files"))]
pub(crate) fn sync_parent(to: &Path) -> Result<(), StoreError> {
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(|error| unusable(parent, error))
}

impl Backup for crate::MemoryStore {
    fn back_up(&self, _to: &Path) -> Result<(), StoreError> {
        let detail = "it is in memory alone: copy its jobs into a store on disk with `job_store::copy`";
        Err(StoreError::new(ErrorKind::Invalid, OPERATION, detail))
    }
}

#[cfg(feature = "postgres")]
impl Backup for crate::PostgresStore {
    fn back_up(&self, _to: &Path) -> Result<(), StoreError> {
        let detail = "PostgreSQL has tools of its own, such as pg_dump: docs/operate.md tells in which order the database and \
                      the objects are saved";
        Err(StoreError::new(ErrorKind::Invalid, OPERATION, detail))
    }
}
