//! A backup of a store in use has everything that was acknowledged before, and nothing in halves.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use job_core::{Event, JobId, JobRecord, JobResult, JobSpec, RowList, Timestamp};
use job_store::{
    Backup, BlockBuilder, Durability, ErrorKind, JobStore, MemoryStore, RocksOptions, RocksStore, SegmentKey,
    Store, StoreError, verify,
};
use parking_lot::Mutex;

use crate::content::{assert_copied, fill, varied};

/// A store on disk that can copy itself.
trait OnDisk: Store + Backup + Sized {
    fn open_at(path: &Path) -> Result<Self, StoreError>;
}

impl OnDisk for RocksStore {
    fn open_at(path: &Path) -> Result<Self, StoreError> {
        // Rows lie in the log, in tables and in files of their own.
        Self::open(path, RocksOptions::default().small_segment(8 << 10).file_bytes(16 << 10))
    }
}

#[cfg(feature = "redb")]
impl OnDisk for job_store::RedbStore {
    fn open_at(path: &Path) -> Result<Self, StoreError> {
        Self::open(path)
    }
}

fn work(n: u64) -> JobRecord {
    let now = Timestamp::from_micros(1_700_000_000_000_000 + n * 1_000);
    JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("g"), now)
}

/// Runs one job to its end; its rows are small or large.
fn run(store: &dyn Store, n: u64, durability: Durability) -> JobRecord {
    store.insert(&[work(n)], durability).unwrap();
    let running = work(n).apply(Event::Start, Timestamp::from_micros(1)).unwrap();
    store.replace(&running, Durability::Buffered).unwrap();
    let key = SegmentKey { job: running.id, attempt: 1, number: 0 };
    let (mut writer, mut block) = (store.segment(key).unwrap(), BlockBuilder::new(key));
    for row in 0..=(n % 3) * 150 {
        block.push(&format!("row {row} of job {n} {}", "x".repeat(100))).unwrap();
        if block.bytes() > 4 << 10 {
            writer.append(block.seal()).unwrap();
        }
    }
    if block.rows() > 0 {
        writer.append(block.seal()).unwrap();
    }
    let result =
        JobResult { list: Some(RowList::new("n", vec![writer.finish().unwrap()])), ..JobResult::default() };
    let done = running.apply(Event::Succeed(result.size()), Timestamp::from_micros(2)).unwrap();
    store.complete(&[(&done, &result)], durability).unwrap();
    done
}

/// Some threads run jobs, one removes some, and one makes copies meanwhile.
fn a_backup_under_load_has_all_that_was_acknowledged_before<S: OnDisk + Clone>() {
    const COPIES: usize = 3;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let store = S::open_at(&path("store")).unwrap();
    let (stop, next) = (AtomicBool::new(false), AtomicU64::new(0));
    let acknowledged = Mutex::new(Vec::new());
    let mut expected = Vec::new();
    thread::scope(|scope| {
        for durability in [Durability::Buffered, Durability::Synced, Durability::Buffered] {
            let (store, stop, next, acknowledged) = (&store, &stop, &next, &acknowledged);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let done = run(store, n, durability);
                    // Every fifth goes again, before or after it is told.
                    if n % 5 == 4 {
                        assert!(store.remove(done.id).unwrap());
                    } else {
                        acknowledged.lock().push(done);
                    }
                }
            });
        }
        for copy in 0..COPIES {
            while acknowledged.lock().len() < (copy + 1) * 20 {
                thread::yield_now();
            }
            expected.push(acknowledged.lock().clone());
            store.back_up(&path(&format!("copy {copy}"))).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    // The store goes on, and its files go with its jobs.
    for done in acknowledged.into_inner() {
        assert!(store.remove(done.id).unwrap());
    }
    drop(store);
    for (copy, expected) in expected.iter().enumerate() {
        let copy = S::open_at(&path(&format!("copy {copy}"))).unwrap();
        for done in expected {
            assert_eq!(copy.get(done.id).unwrap().as_ref(), Some(done));
        }
        let seen = verify(&copy, &mut |finding| panic!("{finding}")).unwrap();
        assert!(seen.results >= expected.len() as u64);
        // It is a store like any other.
        run(&copy, 1 << 20, Durability::Synced);
    }
}

#[test]
fn a_backup_of_rocks_under_load_has_all_that_was_acknowledged_before() {
    a_backup_under_load_has_all_that_was_acknowledged_before::<RocksStore>();
}

#[cfg(feature = "redb")]
#[test]
fn a_backup_of_redb_under_load_has_all_that_was_acknowledged_before() {
    a_backup_under_load_has_all_that_was_acknowledged_before::<job_store::RedbStore>();
}

/// Waiting jobs, checkpoints, pins and times of reading as well.
fn a_backup_reads_the_same_in_every_part<S: OnDisk>() {
    let directory = tempfile::tempdir().unwrap();
    let [path, to] = ["store", "copy"].map(|name| directory.path().join(name));
    let store = S::open_at(&path).unwrap();
    // Those that run are as they are in a backup, and not in a copy.
    let shapes: Vec<_> = varied();
    fill(&store, &shapes);
    store.back_up(&to).unwrap();
    let copy = S::open_at(&to).unwrap();
    assert_eq!(copy.list(None, 0, 100).unwrap(), store.list(None, 0, 100).unwrap());
    let (one, other) = (MemoryStore::default(), MemoryStore::default());
    let options = job_store::CopyOptions::default();
    job_store::copy(&store, &one, &options, &mut |_| ()).unwrap();
    job_store::copy(&copy, &other, &options, &mut |_| ()).unwrap();
    assert_copied(&one, &other);
}

#[test]
fn a_backup_reads_the_same_as_its_store() {
    a_backup_reads_the_same_in_every_part::<RocksStore>();
    #[cfg(feature = "redb")]
    a_backup_reads_the_same_in_every_part::<job_store::RedbStore>();
}

/// Where files cannot be linked, they are copied.
#[test]
fn a_backup_goes_to_another_file_system() {
    let (directory, Ok(memory)) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm")) else { return };
    let store = RocksStore::open_at(&directory.path().join("store")).unwrap();
    let done: Vec<_> = (0..6).map(|n| run(&store, n, Durability::Buffered)).collect();
    let to = memory.path().join("copy");
    store.back_up(&to).unwrap();
    drop((store, directory));
    let copy = RocksStore::open_at(&to).unwrap();
    assert_eq!(copy.list(None, 0, 9).unwrap().into_iter().rev().collect::<Vec<_>>(), done);
    verify(&copy, &mut |finding| panic!("{finding}")).unwrap();
}

fn a_backup_replaces_nothing<S: OnDisk>() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let store = S::open_at(&path("store")).unwrap();
    store.insert(&[work(1)], Durability::Buffered).unwrap();
    fs::create_dir(path("directory")).unwrap();
    fs::write(path("file"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
    for taken in ["directory", "file", "link", "store"] {
        let error = store.back_up(&path(taken)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyExists, "{taken}: {error}");
        assert!(error.to_string().contains(taken), "{error}");
    }
    assert_eq!(fs::read_to_string(path("file")).unwrap(), "mine");
    // Nor does it leave anything behind where it cannot be made.
    let error = store.back_up(&path("missing/copy")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(!path("missing").exists());
    let names = || fs::read_dir(directory.path()).unwrap().count();
    let before = names();
    store.back_up(&path("copy")).unwrap();
    assert_eq!(names(), before + 1);
}

#[test]
fn a_backup_replaces_nothing_and_leaves_nothing_in_halves() {
    a_backup_replaces_nothing::<RocksStore>();
    #[cfg(feature = "redb")]
    a_backup_replaces_nothing::<job_store::RedbStore>();
}

#[test]
fn a_store_that_cannot_copy_itself_says_what_to_use() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("copy");
    let map = job_store::KeyValueStore::new(crate::btree_map::Map::default()).unwrap();
    let mut refused = vec![MemoryStore::default().back_up(&to), map.back_up(&to)];
    #[cfg(feature = "postgres")]
    if let Some(schema) = crate::postgres::Schema::new() {
        refused.push(schema.store().back_up(&to));
    }
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(
            error.to_string().starts_with("could not back up the store: ") && error.to_string().len() > 60,
            "{error}"
        );
    }
    let store = directory.path().join("store");
    drop(RocksStore::open(&store, RocksOptions::default()).unwrap());
    let reader = RocksStore::open_read_only(&store).unwrap();
    assert_eq!(reader.back_up(&to).unwrap_err().kind, ErrorKind::ReadOnly);
    assert!(!to.exists());
}

/// The host's own tables are in it, so the host opens it.
#[test]
fn a_backup_of_a_host_database_has_all_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let [path, to] = ["store", "copy"].map(|name| directory.path().join(name));
    let open = |path: &Path| {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let mut families = RocksStore::column_families(&RocksOptions::default());
        families.push(rocksdb::ColumnFamilyDescriptor::new("vertices", rocksdb::Options::default()));
        Arc::new(
            rocksdb::OptimisticTransactionDB::<rocksdb::MultiThreaded>::open_cf_descriptors(
                &options, path, families,
            )
            .unwrap(),
        )
    };
    let db = open(&path);
    let store = RocksStore::in_database(Arc::clone(&db), RocksOptions::default()).unwrap();
    db.put_cf(&db.cf_handle("vertices").unwrap(), b"Sarah", b"{}").unwrap();
    let done = run(&store, 2, Durability::Buffered);
    store.back_up(&to).unwrap();
    let copy = open(&to);
    assert_eq!(copy.get_cf(&copy.cf_handle("vertices").unwrap(), b"Sarah").unwrap().as_deref(), Some(&b"{}"[..]));
    let store = RocksStore::in_database(copy, RocksOptions::default()).unwrap();
    assert_eq!(store.get(done.id).unwrap(), Some(done));
}
