//! One test per law and backend.

use std::sync::Arc;

use job_store::{
    FaultStore, MemoryStore, SharedMemory, SharedStore, Store,
    conformance::{Fixture, SharedFixture},
};

#[derive(Default)]
struct Memory(MemoryStore);

impl Fixture for Memory {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
}

/// A [`FaultStore`] without a planned fault keeps every law.
struct Faultless(MemoryStore, SharedMemory);

impl Default for Faultless {
    fn default() -> Self {
        Self(MemoryStore::default(), SharedMemory::new(MemoryStore::default()))
    }
}

impl Fixture for Faultless {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(FaultStore::new(Arc::new(self.0.clone())))
    }
}

/// Claimants are opened and dropped; the shared store stays.
struct Shared(SharedMemory);

impl Default for Shared {
    fn default() -> Self {
        Self(SharedMemory::new(MemoryStore::default()))
    }
}

impl Fixture for Shared {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.claimant())
    }
}

impl SharedFixture for Shared {
    fn open(&self) -> Arc<dyn SharedStore> {
        Arc::new(self.0.claimant())
    }
}

impl SharedFixture for Faultless {
    fn open(&self) -> Arc<dyn SharedStore> {
        Arc::new(FaultStore::new(Arc::new(self.1.claimant())))
    }
}

mod shared {
    job_store::conformance_tests!(super::Shared::default());
    mod sharing {
        job_store::sharing_tests!(super::super::Shared::default());
    }
}

mod faultless_shared {
    job_store::sharing_tests!(super::Faultless::default());
}

mod memory {
    job_store::conformance_tests!(super::Memory::default());
}

/// Stores outside of the library, written with its public items alone.
mod outside {
    use std::sync::Arc;

    use job_store::{Store, conformance::Fixture};

    use crate::memory::MemoryStore;

    impl Fixture for MemoryStore {
        fn open(&self) -> Arc<dyn Store> {
            Arc::new(self.clone())
        }
    }

    job_store::conformance_tests!(MemoryStore::default());
}

mod faultless {
    job_store::conformance_tests!(super::Faultless::default());
}

/// The adaptor of the documentation.
mod map {
    use std::sync::Arc;

    use job_core::JobId;
    use job_store::{
        Durability, KeyValueStore, Store,
        conformance::Fixture,
        key_value::{Batch, Changes, KeyValue, Table},
    };

    use crate::btree_map::Map;

    impl Fixture for Map {
        fn open(&self) -> Arc<dyn Store> {
            Arc::new(KeyValueStore::new(self.clone()).unwrap())
        }

        fn overwrite(&self, job: JobId, record: &[u8]) -> bool {
            let mut changes = Changes::default();
            changes.put(Table::Jobs, &[b"j", job.as_bytes().as_slice()].concat(), record);
            self.commit(changes, Durability::Buffered).unwrap();
            true
        }
    }

    job_store::conformance_tests!(Map::default());
}

/// The adaptor of the example.
mod fjall {
    use std::sync::Arc;

    use job_core::JobId;
    use job_store::{
        Durability, KeyValueStore, Store,
        conformance::{Death, Fixture},
        key_value::{Batch, Changes, KeyValue, Table},
    };

    use crate::{files::Place, fjall_store::Fjall};

    #[derive(Default)]
    struct Directory(Place);

    impl Fixture for Directory {
        fn open(&self) -> Arc<dyn Store> {
            Arc::new(KeyValueStore::new(Fjall::open(&self.0.path()).unwrap()).unwrap())
        }

        fn crash(&self, store: Arc<dyn Store>, death: Death) -> bool {
            self.0.crash(store, death)
        }

        fn overwrite(&self, job: JobId, record: &[u8]) -> bool {
            let mut changes = Changes::default();
            changes.put(Table::Jobs, &[b"j", job.as_bytes().as_slice()].concat(), record);
            Fjall::open(&self.0.path()).unwrap().commit(changes, Durability::Buffered).unwrap();
            true
        }
    }

    job_store::conformance_tests!(Directory::default());
}

#[cfg(feature = "rocksdb")]
mod rocks {
    use std::sync::Arc;

    use job_core::JobId;
    use job_store::{
        Packing, RocksOptions, RocksStore, Store, StoreError,
        conformance::{Death, Fixture},
    };
    use rocksdb::{
        DB, Options,
        perf::{PerfContext, PerfMetric, PerfStatsLevel, set_perf_stats},
    };

    use crate::files::Place;

    #[derive(Default)]
    pub struct Rocks(Place, Packing);

    impl Rocks {
        pub fn packed(packing: Packing) -> Self {
            Self(Place::default(), packing)
        }

        /// The database itself, without the store, and its column families.
        fn database(&self) -> (DB, Vec<String>) {
            let names = DB::list_cf(&Options::default(), self.0.path()).unwrap();
            (DB::open_cf(&Options::default(), self.0.path(), &names).unwrap(), names)
        }
    }

    impl Fixture for Rocks {
        fn open(&self) -> Arc<dyn Store> {
            set_perf_stats(PerfStatsLevel::EnableCount);
            self.open_damaged().expect("an empty directory opens")
        }

        fn overwrite(&self, job: JobId, record: &[u8]) -> bool {
            let (db, _) = self.database();
            let key = [b"j", job.as_bytes().as_slice()].concat();
            db.put_cf(db.cf_handle("job_engine.jobs").unwrap(), key, record).unwrap();
            true
        }

        fn crash(&self, store: Arc<dyn Store>, death: Death) -> bool {
            self.0.crash(store, death)
        }

        /// Damages tables only: in a log, a damaged end counts as torn.
        fn damage(&self, bytes: &[u8]) -> bool {
            let (db, names) = self.database();
            for name in names {
                db.flush_cf(db.cf_handle(&name).unwrap()).unwrap();
            }
            drop(db);
            self.0.damage(".sst", bytes)
        }

        fn open_damaged(&self) -> Result<Arc<dyn Store>, StoreError> {
            Ok(Arc::new(RocksStore::open(self.0.path(), RocksOptions::default().packing(self.1))?))
        }

        /// The count of this thread since its beginning.
        fn looked_at(&self) -> Option<u64> {
            let context = PerfContext::default();
            let counts = [
                PerfMetric::GetFromMemtableCount,
                PerfMetric::SeekOnMemtableCount,
                PerfMetric::NextOnMemtableCount,
                PerfMetric::InternalKeySkippedCount,
                PerfMetric::BlockReadCount,
            ];
            Some(counts.into_iter().map(|metric| context.metric(metric)).sum())
        }
    }

    job_store::conformance_tests!(Rocks::default());

    /// The cache of records must not keep a removed job after its rows are gone. Otherwise a reader gets an error
    /// about damage once in a thousand removals.
    #[test]
    fn a_removed_job_is_not_remembered_beyond_its_rows() {
        for _ in 0..10 {
            job_store::conformance::a_reader_beside_a_removal_sees_rows_or_no_job(&Rocks::default());
        }
    }
}

#[cfg(feature = "redb")]
pub mod redb {
    use std::sync::Arc;

    use job_core::JobId;
    use job_store::{
        Packing, RedbOptions, RedbStore, Store,
        conformance::{Death, Fixture},
    };

    use crate::files::Place;

    #[derive(Default)]
    pub struct Redb(Place, Packing);

    impl Redb {
        pub fn packed(packing: Packing) -> Self {
            Self(Place::default(), packing)
        }
    }

    impl Fixture for Redb {
        fn open(&self) -> Arc<dyn Store> {
            let options = RedbOptions::default().packing(self.1);
            Arc::new(
                RedbStore::open_with(self.0.path().join("jobs.redb"), options).expect("an empty directory opens"),
            )
        }

        fn overwrite(&self, job: JobId, record: &[u8]) -> bool {
            const JOBS: redb::TableDefinition<'static, &[u8], &[u8]> =
                redb::TableDefinition::new("job_engine.jobs");
            let db = redb::Database::open(self.0.path().join("jobs.redb")).unwrap();
            let transaction = db.begin_write().unwrap();
            let key = [b"j", job.as_bytes().as_slice()].concat();
            transaction.open_table(JOBS).unwrap().insert(key.as_slice(), record).unwrap();
            transaction.commit().unwrap();
            true
        }

        fn crash(&self, store: Arc<dyn Store>, death: Death) -> bool {
            self.0.crash(store, death)
        }

        fn damage(&self, bytes: &[u8]) -> bool {
            self.0.damage("jobs.redb", bytes)
        }
    }

    job_store::conformance_tests!(Redb::default());
}

/// The laws about rows, for the packings that the suites of the stores do not have.
mod packings {
    use job_store::{
        Packing,
        conformance::{Fixture, LAWS, Promise},
    };

    fn rows_are_kept(open: impl Fn(Packing) -> Option<Box<dyn Fixture>>, packings: &[Packing]) {
        use Promise::{
            Blocks, Damage, EndDropsRows, Read, ReadEach, RowsDense, ShowRows, StartFlush, VisibleRows,
        };
        let of_rows = |promise: &Promise| {
            matches!(
                promise,
                Blocks | Damage | EndDropsRows | Read | ReadEach | RowsDense | ShowRows | StartFlush | VisibleRows
            )
        };
        let laws: Vec<_> = LAWS.iter().filter(|law| law.promises.iter().any(of_rows)).collect();
        assert!(laws.len() > 20);
        for packing in packings {
            for law in &laws {
                let Some(fixture) = open(*packing) else { return };
                eprintln!("{packing}: {}", law.name);
                (law.run)(&*fixture);
            }
        }
    }

    #[cfg(feature = "rocksdb")]
    #[test]
    fn rocks_keeps_rows_however_they_are_packed() {
        let open = |packing| Some(Box::new(super::rocks::Rocks::packed(packing)) as _);
        rows_are_kept(open, &[Packing::None, Packing::Zstd(3)]);
    }

    #[cfg(feature = "redb")]
    #[test]
    fn redb_keeps_rows_that_are_not_packed() {
        rows_are_kept(|packing| Some(Box::new(super::redb::Redb::packed(packing)) as _), &[Packing::None]);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn postgres_keeps_rows_that_are_not_packed() {
        let open = |packing| {
            let mut schema = crate::postgres::Schema::new()?;
            schema.options.packing = packing;
            Some(Box::new(schema) as _)
        };
        rows_are_kept(open, &[Packing::None]);
    }

    #[cfg(feature = "objects")]
    #[test]
    fn objects_keep_rows_that_are_packed() {
        let open = |packing| Some(Box::new(crate::objects::Place::directory()?.packed(packing)) as _);
        rows_are_kept(open, &[Packing::Lz4]);
    }

    /// ZSTD is of RocksDB alone.
    #[cfg(feature = "redb")]
    #[test]
    fn a_store_says_which_packing_it_does_not_have() {
        use job_store::{ErrorKind, RedbOptions, RedbStore};
        let directory = tempfile::tempdir().unwrap();
        let options = RedbOptions::default().packing(Packing::Zstd(3));
        let refused = RedbStore::open_with(directory.path().join("jobs.redb"), options).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert!(refused.to_string().contains("zstd:3, which RocksDB alone has"), "{refused}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was made");
        #[cfg(feature = "rocksdb")]
        {
            use job_store::{RocksOptions, RocksStore};
            let options = RocksOptions::default().packing(Packing::Zstd(99));
            let refused = RocksStore::open(directory.path().join("jobs"), options).unwrap_err();
            assert!(refused.to_string().contains("a level of zstd is 1 to 22"), "{refused}");
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was made");
        }
        #[cfg(feature = "postgres")]
        {
            use job_store::{PostgresOptions, PostgresStore};
            let options = PostgresOptions::default().packing(Packing::Zstd(1));
            let refused = PostgresStore::open("postgres://nobody@localhost:1/none", options).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
        }
    }
}

/// A law passes untested if its fixture cannot do what it needs. These fixtures can.
mod able {
    use job_core::{JobId, JobRecord, JobSpec, Parameters, Timestamp};
    use job_store::{
        Durability,
        conformance::{Death, Fixture},
    };

    const MARK: &str = "a text that is nowhere else";

    fn is_able(fixture: &dyn Fixture) {
        let parameters = Parameters::from_text(format!("{MARK:?}")).unwrap();
        let spec = JobSpec::vertex_filter().with_graph("g").with_raw_parameters(parameters);
        let store = fixture.open();
        let job = JobRecord::waiting(JobId::MIN, spec, Timestamp::default());
        store.insert(&[job], Durability::Synced).unwrap();
        assert!(fixture.crash(store, Death::Process), "it can die");
        drop(fixture.open());
        assert!(fixture.damage(MARK.as_bytes()), "it can be damaged");
    }

    #[cfg(feature = "rocksdb")]
    #[test]
    fn rocks_dies_is_damaged_and_counts() {
        let rocks = super::rocks::Rocks::default();
        is_able(&rocks);
        assert!(rocks.looked_at() > Some(0));
    }

    #[cfg(feature = "redb")]
    #[test]
    fn redb_dies_and_is_damaged() {
        is_able(&super::redb::Redb::default());
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn postgres_dies_and_is_damaged() {
        if let Some(schema) = crate::postgres::Schema::new() {
            is_able(&schema);
        }
    }
}

#[cfg(feature = "objects")]
mod objects {
    job_store::conformance_tests!(crate::objects::Place::directory(), skip);
    mod sharing {
        job_store::sharing_tests!(crate::objects::Place::directory(), skip);
    }
}

#[cfg(feature = "s3")]
mod s3 {
    job_store::conformance_tests!(crate::objects::Place::s3(), skip);
    mod sharing {
        job_store::sharing_tests!(crate::objects::Place::s3(), skip);
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    job_store::conformance_tests!(crate::postgres::Schema::new(), skip);
    mod sharing {
        job_store::sharing_tests!(crate::postgres::Schema::new(), skip);
    }
}

#[cfg(feature = "postgres")]
mod pooled {
    job_store::conformance_tests!(crate::pooled::Pooled::new(3), skip);
    mod sharing {
        job_store::sharing_tests!(crate::pooled::Pooled::new(3), skip);
    }
}

/// Stores in databases of hosts, of each type that the crate has.
#[cfg(feature = "rocksdb")]
mod hosts {
    use std::{path::Path, sync::Arc};

    use job_store::{Database, RocksOptions, RocksStore, Store, conformance::Fixture, rocksdb};
    use rocksdb::{
        ColumnFamilyDescriptor, DBWithThreadMode, MultiThreaded, OptimisticTransactionDB, Options, SingleThreaded,
    };

    struct Host<D> {
        directory: tempfile::TempDir,
        open: fn(&Options, &Path, Vec<ColumnFamilyDescriptor>) -> Result<D, rocksdb::Error>,
    }

    impl<D: Database> Fixture for Host<D> {
        fn open(&self) -> Arc<dyn Store> {
            let mut options = Options::default();
            options.create_if_missing(true);
            options.create_missing_column_families(true);
            let mut families = RocksStore::column_families(&RocksOptions::default());
            families.push(ColumnFamilyDescriptor::new("vertices", Options::default()));
            let db = (self.open)(&options, self.directory.path(), families).unwrap();
            Arc::new(RocksStore::in_database(Arc::new(db), RocksOptions::default()).unwrap())
        }
    }

    macro_rules! host {
        ($name:ident, $database:ty) => {
            mod $name {
                use super::*;

                fn host() -> Host<$database> {
                    let open = |options: &Options, path: &Path, families| {
                        <$database>::open_cf_descriptors(options, path, families)
                    };
                    Host { directory: tempfile::tempdir().unwrap(), open }
                }

                job_store::conformance_tests!(host());
            }
        };
    }

    host!(single_threaded, DBWithThreadMode<SingleThreaded>);
    host!(multi_threaded, DBWithThreadMode<MultiThreaded>);
    host!(optimistic, OptimisticTransactionDB<SingleThreaded>);
    host!(optimistic_multi_threaded, OptimisticTransactionDB<MultiThreaded>);
}
