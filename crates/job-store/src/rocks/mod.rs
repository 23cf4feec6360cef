//! [`RocksStore`]: jobs and rows in RocksDB. [`keys`](crate::key_value::keys) has the layout, [`options`] the options.

mod database;
mod failure;
mod file;
mod files;
mod host;
mod limits;
mod links;
mod log;
mod open;
mod options;
mod reclaim;
mod state;
mod torn;

use std::{fmt, mem, path::Path, sync::Arc};

use rocksdb::{DBWithThreadMode, ReadOptions, ReadTier, SingleThreaded, WriteOptions, properties};

pub use self::{database::Database, options::RocksOptions};
use self::{
    failure::failure,
    file::File,
    files::Files,
    reclaim::Reclaimer,
    state::{Changes, State},
};
use crate::{
    Durability, ErrorKind, Packing, StoreError, backup,
    key_value::{Dropped, Facts, KeyValue, KeyValueStore, Pinned, SortedRun, Table},
    lock::Lock,
    place::Place,
};

/// The database of a store with a directory of its own.
type Db = DBWithThreadMode<SingleThreaded>;

/// Keeps jobs and rows in a RocksDB directory.
///
/// Clones share one database; it closes with the last of them. One process at a time may write; others may
/// [`open_read_only`](Self::open_read_only) meanwhile. The file system identifies the directory, in every spelling
/// of its path. The process that opens it for writing locks the file `job_engine.lock` in it. The lock lasts until
/// the store is closed or the process and its forks have ended.
///
/// # Moves and forks
/// Do not move the directory while a store is open. Writes are refused (`Unavailable`) while the path leads to no
/// directory or to another one. Buffered writes are refused after 1 MiB at most, all others at once. They go on
/// when the directory is back. A store that is closed elsewhere opens there.
///
/// A process that was forked while a store was open may read from it, and changes nothing (`AlreadyOpen`). The
/// store stays locked while the fork lives and has not started another program, even if the process that opened it
/// has ended. The next opening is refused with an error that names the fork.
///
/// # Files
/// Large segments are written to files that become part of the database as they are. Small segments and records go
/// through its log. One thread of the store gives back the space of removed jobs.
///
/// ```
/// use job_store::{RocksOptions, RocksStore, Store};
///
/// let directory = tempfile::tempdir()?;
/// let store = RocksStore::open(directory.path(), RocksOptions::default())?;
/// assert!(store.unfinished()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type RocksStore<D = DBWithThreadMode<SingleThreaded>> = KeyValueStore<Rocks<D>>;

/// The engine of a [`RocksStore`]: column families of one RocksDB database.
pub struct Rocks<D: Database = DBWithThreadMode<SingleThreaded>> {
    db: Arc<D>,
    /// Whether the store opened the database by itself, for writing. Then it flushes the database when it closes.
    owned: bool,
    options: RocksOptions,
    files: Files,
    reclaimer: Reclaimer<D>,
    place: Arc<Place>,
    /// The lock of a store that may write. It is the last field, so that it is released after the database is
    /// closed.
    lock: Option<Lock>,
}

impl RocksStore {
    /// Opens the store in `path`, or makes one. Cost after a clean end: constant; after a crash: the log since
    /// the last flush (at most 64 MiB). Never the jobs in the store.
    ///
    /// # Errors
    /// `AlreadyOpen` when a process (this one too) has it open for writing. `Format` when another version wrote it,
    /// `Corrupt` when files are damaged or missing. `Unavailable` when there are fewer threads than RocksDB needs.
    /// `Invalid` when it is the database of a host, with column families of its own, or for a level that ZSTD does not
    /// have.
    pub fn open(path: impl AsRef<Path>, options: RocksOptions) -> Result<Self, StoreError> {
        options.packing.check_level(open::OPERATION)?;
        let place = open::directory(path.as_ref())?;
        let lock = Lock::take(place.path())?;
        let db = Arc::new(open::open(place.path(), &options)?);
        Rocks::new(db, true, options, place, Some(lock)).into_store()
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
        Rocks::new(db, false, options, place, None).into_store()
    }
}

impl<D: Database> Rocks<D> {
    fn new(db: Arc<D>, owned: bool, options: RocksOptions, place: Place, lock: Option<Lock>) -> Self {
        let place = Arc::new(place);
        let reclaimer = Reclaimer::new(Arc::clone(&db), Arc::clone(&place));
        Self { files: Files::new(place.path()), db, owned, options, reclaimer, place, lock }
    }

    /// Makes the store, and finishes the unfinished work of a dead process.
    fn into_store(self) -> Result<RocksStore<D>, StoreError> {
        let writable = self.lock.is_some();
        self.families().map_err(|error| error.during(open::OPERATION, None))?;
        let store = RocksStore::new(self)?;
        if writable {
            store.engine().files.remove_left_over()?;
        }
        Ok(store)
    }

    fn families(&self) -> Result<[D::Family<'_>; 3], StoreError> {
        let [jobs, checkpoints, rows] = Table::ALL.map(|table| family(&*self.db, table));
        Ok([jobs?, checkpoints?, rows?])
    }

    /// Keeps the database from being closed: closing deletes files by their names, and waits for threads.
    fn abandon(&self) {
        if self.owned {
            mem::forget(Arc::clone(&self.db));
        }
    }
}

impl<D: Database> KeyValue for Rocks<D> {
    type View<'k> = State<'k, D>;
    type Batch<'k> = Changes<'k, D>;

    fn view(&self) -> Result<State<'_, D>, StoreError> {
        Ok(State::frozen(&*self.db))
    }

    fn latest(&self) -> Result<State<'_, D>, StoreError> {
        Ok(State::latest(&*self.db))
    }

    fn pinned(&self, table: Table, key: &[u8]) -> Result<Option<Pinned<'_>>, StoreError> {
        let family = family(&*self.db, table)?;
        let mut options = ReadOptions::default();
        options.set_read_tier(ReadTier::BlockCache);
        match self.db.get_pinned_cf_opt(&family, key, &options) {
            Ok(found) => Ok(found.map(|value| Box::new(value) as Pinned<'_>)),
            // The value is not in memory.
            Err(error) if error.kind() == rocksdb::ErrorKind::Incomplete => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    fn batch(&self) -> Result<Changes<'_, D>, StoreError> {
        Ok(Changes::new(&self.db, self.families()?))
    }

    fn commit(&self, changes: Changes<'_, D>, durability: Durability) -> Result<(), StoreError> {
        match durability {
            Durability::Synced => self.place.check("")?,
            Durability::Buffered => self.place.check_now_and_then("", changes.batch.size_in_bytes())?,
        }
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        changes.write(&options)
    }

    fn check_process(&self) -> Result<(), StoreError> {
        self.place.check_process("")
    }

    fn facts(&self) -> Facts {
        Facts {
            checks_reads: true,
            read_only: self.lock.is_none(),
            block_bytes: self.options.block_bytes,
            // RocksDB packs what it writes by itself.
            packing: Packing::None,
            gathered_bytes: self.options.small_segment,
            run_bytes: self.options.file_bytes,
            reclaims: true,
        }
    }

    fn sorted_run(&self) -> Result<Option<Box<dyn SortedRun>>, StoreError> {
        Ok(Some(Box::new(File::create(self)?)))
    }

    fn reclaim(&self, dropped: Dropped) {
        self.reclaimer.queue(dropped);
    }

    fn wait_for_reclaim(&self) {
        self.reclaimer.wait();
    }

    /// Links the files of rows, so that it takes a moment where both places are in one file system, and copies them elsewhere.
    fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        self.place.check("")?;
        self.db.checkpoint(to).map_err(failure)?;
        backup::sync_parent(to)
    }

    fn size(&self) -> Result<Option<u64>, StoreError> {
        let rows = family(&*self.db, Table::Rows)?;
        let read = |name| self.db.property(&rows, name).map(Option::unwrap_or_default).map_err(failure);
        // Unflushed writes are counted too, since they are in the log.
        Ok(Some(read(properties::LIVE_SST_FILES_SIZE)? + read(properties::CUR_SIZE_ALL_MEM_TABLES)?))
    }
}

impl<D: Database> Drop for Rocks<D> {
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
            self.db.stop_background_work();
            return self.abandon();
        }
        if let Err(error) = self.families().and_then(|families| self.db.flush(&families).map_err(failure)) {
            tracing::warn!(%error, "the store was closed without a flush: opening it again replays its log");
        }
    }
}

impl<D: Database> fmt::Debug for Rocks<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rocks").field("path", &self.place.path()).finish_non_exhaustive()
    }
}

fn family<D: Database>(db: &D, table: Table) -> Result<D::Family<'_>, StoreError> {
    let missing = || StoreError::new(ErrorKind::Corrupt, "", format!("column family {} is missing", table.name()));
    db.cf_handle(table.name()).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    #[test]
    fn what_the_database_tells_of_its_work_is_bounded_in_one_life() {
        let directory = tempfile::tempdir().unwrap();
        let store = RocksStore::open(directory.path(), RocksOptions::default()).unwrap();
        let db = &store.engine().db;
        let mut seen = BTreeSet::new();
        // More calls than the kept logs have room for.
        for _ in 0..20_000 {
            // RocksDB logs each change with all options.
            let rows = family(&**db, Table::Rows).unwrap();
            db.set_options_cf(rows, &[("max_compaction_bytes", "1000000000")]).unwrap();
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
