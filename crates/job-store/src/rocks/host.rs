//! A store inside a database that the graph engine has open anyway.

use std::sync::Arc;

use rocksdb::ColumnFamilyDescriptor;

use super::{Database, Rocks, RocksOptions, RocksStore, open};
use crate::{StoreError, lock::Lock};

impl RocksStore {
    /// The column families of a store, which the host opens together with its own. Their names start with
    /// `job_engine.`.
    #[must_use]
    pub fn column_families(options: &RocksOptions) -> Vec<ColumnFamilyDescriptor> {
        open::column_families(options)
    }
}

impl<D: Database> RocksStore<D> {
    /// Opens a store in a database that the host has open, beside the host's own column families. The host opens
    /// it with [`column_families`](Self::column_families), and closes it after the last clone of the store is
    /// dropped.
    ///
    /// A database has one store: a second one would not know the first one's locks, and is refused. The host sets
    /// the database's own options (log, background jobs). It should use
    /// [`TolerateCorruptedTailRecords`](rocksdb::DBRecoveryMode::TolerateCorruptedTailRecords), so that damage
    /// inside the log is an error and not a loss. [`open`](Self::open) tells a log that a power cut tore from a
    /// damaged one. In a host's own opening both are errors.
    ///
    /// # Types of databases
    /// The database may be of any type of [`Database`]: of either thread mode (the feature `multi-threaded-cf`
    /// makes no difference), with or without optimistic transactions. The store always writes with the database's
    /// own `write`, outside of transactions. Transactions of the host may read the store's column families, but
    /// must not change them: the store knows jobs without reading them. A transaction that has read them with
    /// `get_for_update` fails to commit if the store has written the same keys since. No other transaction fails
    /// because of the store.
    ///
    /// With optimistic transactions RocksDB deletes no range in a batch. There a batch that drops rows reads and
    /// deletes each of their blocks.
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
    /// is a store over it. `Invalid` for a level that ZSTD does not have.
    pub fn in_database(db: Arc<D>, options: RocksOptions) -> Result<Self, StoreError> {
        options.packing.check_level(open::OPERATION)?;
        let place = open::existing(db.path())?;
        let lock = Lock::take(place.path())?;
        Rocks::new(db, false, options, place, Some(lock)).into_store()
    }
}
