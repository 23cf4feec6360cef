//! [`Database`]: the databases of the crate `rocksdb` that a store can be in.

use std::{ops::Range, path::Path, sync::Arc};

use rocksdb::{
    AsColumnFamilyRef, BoundColumnFamily, ColumnFamily, CompactOptions, DBAccess, DBRawIteratorWithThreadMode,
    DBWithThreadMode, Error, FlushOptions, IngestExternalFileOptions, MultiThreaded, OptimisticTransactionDB,
    ReadOptions, SingleThreaded, WriteBatch, WriteBatchWithTransaction, WriteOptions, checkpoint::Checkpoint,
};

/// A database that a store can be [in](super::RocksStore::in_database): `DBWithThreadMode` and `OptimisticTransactionDB` of the
/// crate `rocksdb`, each single-threaded or multi-threaded. No other type can be one.
///
/// `TransactionDB` is not one: RocksDB refuses to delete a range there, and the crate has no call to ingest a file
/// of rows.
pub trait Database: Calls {}

impl<D: Calls> Database for D {}

/// The calls that the adaptor makes to a database, with the names of the crate `rocksdb`.
pub trait Calls: DBAccess + Sized + Send + Sync + 'static {
    type Family<'d>: AsColumnFamilyRef;

    /// Whether a batch may delete ranges. Otherwise it deletes each of their keys.
    const RANGES_IN_BATCHES: bool;

    fn cf_handle(&self, name: &str) -> Option<Self::Family<'_>>;
    fn write_opt(&self, batch: WriteBatch, options: &WriteOptions) -> Result<(), Error>;
    fn path(&self) -> &Path;
    fn raw_iterator<'d>(
        &'d self,
        family: &Self::Family<'d>,
        options: ReadOptions,
    ) -> DBRawIteratorWithThreadMode<'d, Self>;
    fn delete(&self, family: &Self::Family<'_>, key: &[u8]) -> Result<(), Error>;
    fn delete_files(&self, family: &Self::Family<'_>, keys: &Range<Vec<u8>>) -> Result<(), Error>;
    fn compact(&self, family: &Self::Family<'_>, keys: &Range<Vec<u8>>, options: &CompactOptions);
    fn approximate_size(&self, family: &Self::Family<'_>, keys: &Range<Vec<u8>>) -> u64;
    fn property(&self, family: &Self::Family<'_>, name: &std::ffi::CStr) -> Result<Option<u64>, Error>;
    fn ingest(
        &self,
        family: &Self::Family<'_>,
        options: &IngestExternalFileOptions,
        file: &Path,
    ) -> Result<(), Error>;
    fn sync_log(&self) -> Result<(), Error>;
    fn checkpoint(&self, to: &Path) -> Result<(), Error>;
    fn flush(&self, families: &[Self::Family<'_>; 3]) -> Result<(), Error>;
    fn stop_background_work(&self);
}

/// Implements [`Calls`]. The databases differ in whether a batch may delete ranges, and in the type of a batch.
macro_rules! calls {
    ($database:ty, $family:ty, $ranges:literal, $batch:ident => $taken:expr) => {
        impl Calls for $database {
            type Family<'d> = $family;

            const RANGES_IN_BATCHES: bool = $ranges;

            fn cf_handle(&self, name: &str) -> Option<Self::Family<'_>> {
                self.cf_handle(name)
            }

            fn write_opt(&self, $batch: WriteBatch, options: &WriteOptions) -> Result<(), Error> {
                self.write_opt($taken, options)
            }

            fn path(&self) -> &Path {
                self.path()
            }

            fn raw_iterator<'d>(
                &'d self,
                family: &Self::Family<'d>,
                options: ReadOptions,
            ) -> DBRawIteratorWithThreadMode<'d, Self> {
                self.raw_iterator_cf_opt(family, options)
            }

            fn delete(&self, family: &Self::Family<'_>, key: &[u8]) -> Result<(), Error> {
                self.delete_cf(family, key)
            }

            fn delete_files(&self, family: &Self::Family<'_>, keys: &Range<Vec<u8>>) -> Result<(), Error> {
                self.delete_file_in_range_cf(family, &keys.start, &keys.end)
            }

            fn compact(&self, family: &Self::Family<'_>, keys: &Range<Vec<u8>>, options: &CompactOptions) {
                self.compact_range_cf_opt(family, Some(&keys.start), Some(&keys.end), options);
            }

            fn approximate_size(&self, family: &Self::Family<'_>, keys: &Range<Vec<u8>>) -> u64 {
                let range = rocksdb::Range::new(&keys.start, &keys.end);
                self.get_approximate_sizes_cf(family, &[range]).into_iter().sum()
            }

            fn property(&self, family: &Self::Family<'_>, name: &std::ffi::CStr) -> Result<Option<u64>, Error> {
                self.property_int_value_cf(family, name)
            }

            fn ingest(
                &self,
                family: &Self::Family<'_>,
                options: &IngestExternalFileOptions,
                file: &Path,
            ) -> Result<(), Error> {
                self.ingest_external_file_cf_opts(family, options, vec![file])
            }

            fn sync_log(&self) -> Result<(), Error> {
                self.flush_wal(true)
            }

            fn checkpoint(&self, to: &Path) -> Result<(), Error> {
                Checkpoint::new(self)?.create_checkpoint(to)
            }

            fn flush(&self, families: &[Self::Family<'_>; 3]) -> Result<(), Error> {
                self.flush_cfs_opt(&families.each_ref(), &FlushOptions::default())
            }

            fn stop_background_work(&self) {
                self.cancel_all_background_work(true);
            }
        }
    };
}

calls!(DBWithThreadMode<SingleThreaded>, &'d ColumnFamily, true, batch => batch);
calls!(DBWithThreadMode<MultiThreaded>, Arc<BoundColumnFamily<'d>>, true, batch => batch);
calls!(OptimisticTransactionDB<SingleThreaded>, &'d ColumnFamily, false, batch => transactional(&batch));
calls!(OptimisticTransactionDB<MultiThreaded>, Arc<BoundColumnFamily<'d>>, false, batch => transactional(&batch));

/// Copies the batch into the type that a database with transactions takes.
fn transactional(batch: &WriteBatch) -> WriteBatchWithTransaction<true> {
    WriteBatchWithTransaction::from_data(batch.data())
}
