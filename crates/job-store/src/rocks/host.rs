//! A store inside a database that the graph engine has open anyway.

use std::sync::Arc;

use rocksdb::ColumnFamilyDescriptor;

use super::{Database, Rocks, RocksOptions, RocksStore, open};
use crate::{StoreError, lock::Lock};

impl RocksStore {
    /// The column families that a store lives in, to be opened together with the host's own; their names start with
    /// `job_engine.`.
    #[must_use]
    pub fn column_families(options: &RocksOptions) -> Vec<ColumnFamilyDescriptor> {
        open::column_families(options)
    }
}

impl<D: Database> RocksStore<D> {
    /// A store in a database that the host has open, beside the host's own column families. The host opened it with
    /// [`column_families`](Self::column_families), and closes it when the last clone of the store is gone.
    ///
    /// One store per database: a second one would not know of the first one's locks, and is refused. The database's
    /// own options (log, background jobs) are the host's. It should use
    /// [`TolerateCorruptedTailRecords`](rocksdb::DBRecoveryMode::TolerateCorruptedTailRecords), so that damage inside
    /// the log is an error and not a loss. [`open`](Self::open) tells a log that a power cut tore from damage; the
    /// host's opening does not, unless it does the same: both are errors there.
    ///
    /// # Types of databases
    /// Any [`Database`]: of either thread mode (the feature `multi-threaded-cf` makes no difference), with optimistic
    /// transactions or without. The store writes with the database's own `write`, outside of any transaction, also
    /// where there are some. A host's transactions are about its own column families. They may read the store's, and
    /// change nothing there: the store knows of jobs without a look at them. A transaction that has read them with
    /// `get_for_update` fails to commit when the store has written the same keys since. No other transaction fails
    /// because of the store.
    ///
    /// RocksDB deletes no range in a batch beside optimistic transactions. There a batch that drops rows deletes each of their
    /// blocks, and reads them for it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_store::{RocksOptions, RocksStore, Store, rocksdb};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let mut options = rocksdb::Options::default();
    /// options.create_if_missing(true);
    /// options.create_missing_column_families(true);
    /// let mut families = vec![rocksdb::ColumnFamilyDescriptor::new("vertices", rocksdb::Options::default())];
    /// families.extend(RocksStore::column_families(&RocksOptions::default()));
    /// let db = Arc::new(rocksdb::DB::open_cf_descriptors(&options, directory.path(), families)?);
    ///
    /// let store = RocksStore::in_database(Arc::clone(&db), RocksOptions::default())?;
    /// assert!(store.unfinished()?.is_empty());
    /// db.put_cf(db.cf_handle("vertices").ok_or("no such column family")?, b"Sarah", b"{}")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Corrupt` when the column families are missing, `Format` when another version wrote them, `AlreadyOpen` when there
    /// is a store over it.
    pub fn in_database(db: Arc<D>, options: RocksOptions) -> Result<Self, StoreError> {
        let place = open::existing(db.path())?;
        let lock = Lock::take(place.path())?;
        Rocks::new(db, false, options, place, Some(lock)).into_store()
    }
}
