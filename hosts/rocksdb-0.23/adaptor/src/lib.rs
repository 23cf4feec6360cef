//! The store of `job-runner` in a database of RocksDB 0.23 that a host has open.
//!
//! `job-runner` brings a newer RocksDB, and cargo links one of them into a build. So a host with another version turns
//! that feature off, and takes an adaptor like this one. It uses public items alone, and a host may copy it.
//!
//! ```
//! use std::sync::Arc;
//! use adaptor::rocksdb::{ColumnFamilyDescriptor, DB, Options};
//! use job_runner::store::Store;
//!
//! let directory = tempfile::tempdir()?;
//! let mut options = Options::default();
//! options.create_if_missing(true);
//! options.create_missing_column_families(true);
//! let mut families = vec![ColumnFamilyDescriptor::new("vertices", Options::default())];
//! families.extend(adaptor::column_families());
//! let db = Arc::new(DB::open_cf_descriptors(&options, directory.path(), families)?);
//!
//! let store = adaptor::in_database(Arc::clone(&db))?;
//! assert!(store.unfinished()?.is_empty());
//! db.put_cf(db.cf_handle("vertices").ok_or("no such column family")?, b"Sarah", b"{}")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod failure;
mod state;

use std::{fmt, path::Path, process, sync::Arc};

use job_runner::{
    Durability,
    store::{
        ErrorKind, KeyValueStore, StoreError,
        key_value::{Facts, KeyValue, Table},
    },
};
/// The RocksDB of this adaptor and its hosts.
pub use rocksdb;
use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBRecoveryMode, Options, WriteOptions, checkpoint::Checkpoint,
    properties,
};

use self::failure::failure;
pub use self::state::{Changes, State};

/// Keeps jobs and rows in the database of a host.
pub type HostStore = KeyValueStore<HostDatabase>;

/// The column families of the jobs, which the host opens together with its own.
#[must_use]
pub fn column_families() -> Vec<ColumnFamilyDescriptor> {
    Table::ALL.map(|table| ColumnFamilyDescriptor::new(table.name(), Options::default())).into()
}

/// The store in a database that the host has open, with the [families](column_families) of the jobs. The host makes one
/// store of a database, and closes the database after the last clone of the store is dropped.
///
/// # Errors
/// `Corrupt` when a column family is missing, `Format` when another version wrote the jobs.
pub fn in_database(db: Arc<DB>) -> Result<HostStore, StoreError> {
    let host = HostDatabase { db, process: process::id() };
    Table::ALL.iter().try_for_each(|&table| host.family(table).map(drop)).map_err(opening)?;
    HostStore::new(host)
}

/// The store in a directory of its own, for a host whose database is not in its hands. The RocksDB is the host's.
///
/// # Errors
/// `AlreadyOpen` when a process has it open, `Format` when another version wrote it, `Corrupt` when it is damaged.
pub fn open(directory: impl AsRef<Path>) -> Result<HostStore, StoreError> {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // Damage inside of the log is an error, and not a loss of all that follows.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    let db = DB::open_cf_descriptors(&options, directory, column_families());
    in_database(Arc::new(db.map_err(|error| opening(failure(error)))?))
}

/// Names the call that failed. In all others the store does.
fn opening(mut error: StoreError) -> StoreError {
    error.operation = "open the store";
    error
}

/// The engine of a [`HostStore`]: column families of a database.
pub struct HostDatabase {
    db: Arc<DB>,
    /// The process that opened the store. A fork of it must not write.
    process: u32,
}

impl HostDatabase {
    fn family(&self, table: Table) -> Result<&ColumnFamily, StoreError> {
        family(&self.db, table)
    }
}

impl KeyValue for HostDatabase {
    type View<'k> = State<'k>;
    type Batch<'k> = Changes<'k>;

    fn view(&self) -> Result<State<'_>, StoreError> {
        Ok(State::frozen(&self.db))
    }

    fn latest(&self) -> Result<State<'_>, StoreError> {
        Ok(State::latest(&self.db))
    }

    fn batch(&self) -> Result<Changes<'_>, StoreError> {
        let [jobs, checkpoints, rows] = Table::ALL.map(|table| self.family(table));
        Ok(Changes::new([jobs?, checkpoints?, rows?]))
    }

    fn commit(&self, changes: Changes<'_>, durability: Durability) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        self.db.write_opt(changes.into_batch(), &options).map_err(failure)
    }

    fn check_process(&self) -> Result<(), StoreError> {
        if process::id() == self.process {
            return Ok(());
        }
        let detail = format!("process {} has the database open, and this one was forked from it", self.process);
        Err(StoreError::new(ErrorKind::AlreadyOpen, "", detail))
    }

    /// RocksDB compares the checksum of each block that it reads from a file.
    fn facts(&self) -> Facts {
        Facts { checks_reads: true, ..Facts::default() }
    }

    /// The copy is of the whole database, with the families of the host.
    fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        Checkpoint::new(&self.db).and_then(|checkpoint| checkpoint.create_checkpoint(to)).map_err(failure)
    }

    fn size(&self) -> Result<Option<u64>, StoreError> {
        let rows = self.family(Table::Rows)?;
        let read = |name| self.db.property_int_value_cf(rows, name).map_err(failure);
        let files = read(properties::LIVE_SST_FILES_SIZE)?.unwrap_or_default();
        Ok(Some(files + read(properties::CUR_SIZE_ALL_MEM_TABLES)?.unwrap_or_default()))
    }
}

impl fmt::Debug for HostDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostDatabase").field("path", &self.db.path()).finish_non_exhaustive()
    }
}

fn family(db: &DB, table: Table) -> Result<&ColumnFamily, StoreError> {
    let missing = || {
        let detail =
            format!("there is no column family {}: open the database with `column_families`", table.name());
        StoreError::new(ErrorKind::Corrupt, "", detail)
    };
    db.cf_handle(table.name()).ok_or_else(missing)
}
