//! Faults that only a store on disk can have.

use std::{fs, ops::ControlFlow, sync::Arc};

use job_core::{Event, JobId, JobRecord, JobSpec, Timestamp};
use job_store::{
    BlockBuilder, Durability, ErrorKind, JobStore, Packing, ResultStore, RocksOptions, RocksStore, SegmentKey,
    Store, verify,
};

use crate::fixture;

fn job(n: u64) -> JobRecord {
    let now = Timestamp::from_micros(n * 1_000);
    JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("g"), now)
}

fn open(path: &std::path::Path) -> Result<RocksStore, job_store::StoreError> {
    RocksStore::open(path, RocksOptions::default())
}

/// Opens the database of a store, without the store.
fn raw(path: &std::path::Path) -> rocksdb::DB {
    let names = rocksdb::DB::list_cf(&rocksdb::Options::default(), path).unwrap();
    rocksdb::DB::open_cf(&rocksdb::Options::default(), path, names).unwrap()
}

#[test]
fn a_second_writer_is_told_that_the_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    assert_eq!(open(directory.path()).unwrap_err().kind, ErrorKind::AlreadyOpen);
    drop(first);
    assert!(open(directory.path()).is_ok());
}

/// If two databases wrote to one directory, no process could open the directory afterwards.
#[test]
fn a_store_is_known_by_its_directory_however_its_path_is_spelled() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let first = open(&root.join("s")).unwrap();
    fs::create_dir(root.join("x")).unwrap();
    std::os::unix::fs::symlink(root.join("s"), root.join("link")).unwrap();
    std::os::unix::fs::symlink("s", root.join("x/../relative")).unwrap();
    std::os::unix::fs::symlink(&root, root.join("x/up")).unwrap();
    let up = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect::<std::path::PathBuf>();
    let spelled =
        ["s/", "s//", "./s", "s/.", "x/../s", "link", "link/", "relative", "x/up/s"].map(|path| root.join(path));
    for path in spelled.into_iter().chain([up.join(root.strip_prefix("/").unwrap()).join("s")]) {
        let error = open(&path).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyOpen, "{}: {error}", path.display());
        assert!(error.detail.contains("this process has it open already"), "{error}");
        let reader = RocksStore::open_read_only(&path).unwrap();
        assert_eq!(reader.unfinished().unwrap(), []);
    }
    first.insert(&[job(1)], Durability::Synced).unwrap();
    drop(first);
    assert_eq!(open(&root.join("link")).unwrap().get(job(1).id).unwrap(), Some(job(1)));
}

#[test]
fn a_store_that_is_opened_by_a_relative_path_stays_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let up = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect::<std::path::PathBuf>();
    let store = open(&up.join(root.strip_prefix("/").unwrap())).unwrap();
    // RocksDB makes later files in the store's directory, in any working directory of the process.
    assert!(format!("{store:?}").contains(&format!("{root:?}")), "{store:?}");
}

#[test]
fn a_second_store_in_the_database_of_a_host_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let families = RocksStore::column_families(&RocksOptions::default());
    let db = Arc::new(rocksdb::DB::open_cf_descriptors(&options, directory.path(), families).unwrap());
    let first = RocksStore::in_database(Arc::clone(&db), RocksOptions::default()).unwrap();
    let second = RocksStore::in_database(Arc::clone(&db), RocksOptions::default());
    assert_eq!(second.unwrap_err().kind, ErrorKind::AlreadyOpen);
    drop(first);
    assert!(RocksStore::in_database(db, RocksOptions::default()).is_ok());
}

#[test]
fn a_reader_beside_the_writer_sees_its_jobs_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let writer = open(directory.path()).unwrap();
    writer.insert(&[job(1)], Durability::Buffered).unwrap();
    let reader = RocksStore::open_read_only(directory.path()).unwrap();
    assert_eq!(reader.get(job(1).id).unwrap(), Some(job(1)));
    assert_eq!(reader.insert(&[job(2)], Durability::Buffered).unwrap_err().kind, ErrorKind::ReadOnly);
}

#[test]
fn reading_where_no_store_is_creates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none");
    assert!(RocksStore::open_read_only(&missing).is_err());
    assert!(!missing.exists());
}

#[test]
fn a_newer_format_is_refused_with_both_versions() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    {
        let db = raw(directory.path());
        db.put_cf(db.cf_handle("job_engine.jobs").unwrap(), b"f", [9]).unwrap();
    }
    let error = open(directory.path()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Format);
    assert!(error.to_string().contains("version 9") && error.to_string().contains("reads 1"), "{error}");
}

#[test]
fn a_damaged_record_is_an_error_that_names_the_job_and_hides_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    store.insert(&[job(1), job(2)], Durability::Buffered).unwrap();
    drop(store);
    {
        let db = raw(directory.path());
        let jobs = db.cf_handle("job_engine.jobs").unwrap();
        let key = [b"j".as_slice(), job(1).id.as_bytes()].concat();
        let mut bytes = db.get_cf(jobs, &key).unwrap().unwrap();
        bytes[20] ^= 1;
        db.put_cf(jobs, &key, bytes).unwrap();
    }
    let store = open(directory.path()).unwrap();
    let error = store.get(job(1).id).unwrap_err();
    assert_eq!((error.kind, error.job), (ErrorKind::Corrupt, Some(job(1).id)));
    assert_eq!(store.get(job(2).id).unwrap(), Some(job(2)));
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(open(&file.path().join("below")).is_err());
    fs::metadata(file.path()).unwrap();
}

#[test]
fn the_greatest_id_can_be_stored_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let mut last = job(1);
    last.id = JobId::from_bytes([0xff; 16]);
    let last = last.apply(Event::Cancel, Timestamp::default()).unwrap();
    let before = JobRecord { revision: 0, ..last.clone() };
    store.insert(std::slice::from_ref(&before), Durability::Buffered).unwrap();
    assert!(store.remove(last.id).unwrap());
}

#[test]
fn the_files_of_a_removed_job_are_gone_after_closing() {
    let directory = tempfile::tempdir().unwrap();
    let store = RocksStore::open(directory.path(), fixture::options()).unwrap();
    let content = fixture::write(&store);
    let before = store.size_on_disk().unwrap().unwrap();
    assert!(store.remove(content.large.id).unwrap());
    drop(store);
    let store = RocksStore::open(directory.path(), fixture::options()).unwrap();
    let after = store.size_on_disk().unwrap().unwrap();
    // Two files of 20 KiB were most of the freed space.
    assert!(after + 30_000 < before, "{after} of {before} bytes are left");
    assert_eq!(store.get(content.large.id).unwrap(), None);
}

/// A thread of a server asks for held rows, so the call must not wait for a block that is in no cache.
#[test]
fn a_block_in_the_cache_is_held_as_long_as_somebody_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let open = || RocksStore::open(directory.path(), fixture::options());
    let large = fixture::write(&open().unwrap()).large;
    let key = SegmentKey { job: large.id, attempt: 1, number: 0 };
    let store = open().unwrap();
    assert_eq!(store.held_rows(key, 0..5).unwrap(), None, "nothing was read yet");
    let mut json = Vec::new();
    let mut read = |rows| {
        json.clear();
        store.read(key, rows, &mut |run| {
            run.append_to(&mut json)?;
            Ok(ControlFlow::Break(()))
        })
    };
    read(0..1).unwrap();
    let held = store.held_rows(key, 0..1).unwrap().expect("its block was read");
    assert!(held.rows == 1 && held.json == json);
    assert!(store.remove(large.id).unwrap());
    assert_eq!(store.held_rows(key, 0..1).unwrap(), None);
    drop(store);
    assert_eq!(open().unwrap_err().kind, ErrorKind::AlreadyOpen, "the held block keeps the store open");
    assert!(held.json == json);
    drop(held);
    assert_eq!(open().unwrap().get(large.id).unwrap(), None);
}

#[test]
fn a_file_that_a_dead_process_was_writing_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let temporary = directory.path().join("job_engine.tmp");
    fs::create_dir_all(&temporary).unwrap();
    fs::write(temporary.join("7.sst"), b"half a file").unwrap();
    drop(open(directory.path()).unwrap());
    assert!(!temporary.join("7.sst").exists());
}

#[test]
fn a_segment_that_is_given_up_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = RocksStore::open(directory.path(), fixture::options()).unwrap();
    let content = fixture::write(&store);
    let key = SegmentKey { job: content.running.id, attempt: 1, number: 9 };
    let mut writer = store.segment(key).unwrap();
    let mut block = BlockBuilder::new(key);
    for row in 0..30 {
        block.push(&"x".repeat(2_000)).unwrap();
        writer.append(block.seal()).unwrap();
        assert!(writer.visible_rows() <= row + 1);
    }
    drop(writer);
    assert_eq!(fs::read_dir(directory.path().join("job_engine.tmp")).unwrap().count(), 0);
}

#[test]
fn a_damaged_block_is_a_finding_with_job_segment_and_rows() {
    let directory = tempfile::tempdir().unwrap();
    // Of rows as they are, the middle of the file is in a block.
    let plain = fixture::options().packing(Packing::None);
    let content = fixture::write(&RocksStore::open(directory.path(), plain).unwrap());
    let large = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
        path.extension().is_some_and(|extension| extension == "sst") && fs::metadata(path).unwrap().len() > 15_000
    });
    let path = large.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[9_000] ^= 4;
    fs::write(&path, bytes).unwrap();
    let store = RocksStore::open(directory.path(), fixture::options()).unwrap();
    let mut found = Vec::new();
    let seen = verify(&store, &mut |finding| found.push(finding)).unwrap();
    assert_eq!((seen.jobs, seen.findings), (6, found.len() as u64));
    let named = |finding: &&job_store::Finding| finding.job == content.large.id && finding.segment.is_some();
    let finding = found.iter().find(named).unwrap();
    assert_eq!(finding.rows.as_ref().map(|rows| rows.end), Some(600), "{finding}");
}

#[test]
fn a_store_lives_beside_the_tables_of_its_host() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let mut families = RocksStore::column_families(&fixture::options());
        families.push(rocksdb::ColumnFamilyDescriptor::new("vertices", rocksdb::Options::default()));
        Arc::new(rocksdb::DB::open_cf_descriptors(&options, directory.path(), families).unwrap())
    };
    let db = open();
    db.put_cf(db.cf_handle("vertices").unwrap(), b"Sarah", b"{}").unwrap();
    let store = RocksStore::in_database(Arc::clone(&db), fixture::options()).unwrap();
    let content = fixture::write(&store);
    drop((store, db));

    let db = open();
    let store = RocksStore::in_database(Arc::clone(&db), fixture::options()).unwrap();
    assert_eq!(content.check(&store), []);
    assert!(store.remove(content.large.id).unwrap());
    drop(store);
    assert_eq!(db.get_cf(db.cf_handle("vertices").unwrap(), b"Sarah").unwrap().as_deref(), Some(b"{}".as_slice()));
}

/// RocksDB has to be built with all usual codecs, since a host's tables may use any.
#[test]
fn a_host_may_pack_its_tables_with_any_usual_codec() {
    use rocksdb::DBCompressionType::{Lz4, Lz4hc, None, Snappy, Zstd};
    for codec in [None, Snappy, Lz4, Lz4hc, Zstd] {
        let directory = tempfile::tempdir().unwrap();
        let open = || {
            let mut options = rocksdb::Options::default();
            options.create_if_missing(true);
            options.create_missing_column_families(true);
            let mut families = RocksStore::column_families(&fixture::options());
            let mut packed = rocksdb::Options::default();
            packed.set_compression_type(codec);
            families.push(rocksdb::ColumnFamilyDescriptor::new("vertices", packed));
            rocksdb::DB::open_cf_descriptors(&options, directory.path(), families)
        };
        let db = open().unwrap_or_else(|error| panic!("{codec:?}: {error}"));
        let vertices = db.cf_handle("vertices").unwrap();
        for vertex in 0..1_000 {
            db.put_cf(vertices, format!("{vertex:04}"), "the same for all ".repeat(20)).unwrap();
        }
        db.flush_cf(vertices).unwrap();
        let size = db.property_int_value_cf(vertices, "rocksdb.total-sst-files-size").unwrap().unwrap();
        assert_eq!(size > 300_000, codec == None, "{codec:?} made {size} bytes of 340,000");
        drop(db);

        let db = Arc::new(open().unwrap());
        RocksStore::in_database(Arc::clone(&db), fixture::options()).unwrap();
        let value = db.get_cf(db.cf_handle("vertices").unwrap(), "0999").unwrap();
        assert_eq!(value.as_deref(), Some("the same for all ".repeat(20).as_bytes()), "{codec:?}");
    }
}

#[test]
fn a_database_without_our_column_families_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let db = Arc::new(rocksdb::DB::open_default(directory.path()).unwrap());
    let error = RocksStore::in_database(db, RocksOptions::default()).unwrap_err();
    assert!(error.detail.contains("job_engine.jobs"), "{error}");
}

/// A store that opened without the column family would fail at the first job with rows.
#[test]
fn a_database_without_one_of_our_column_families_is_refused() {
    for missing in ["job_engine.jobs", "job_engine.checkpoints", "job_engine.rows"] {
        let directory = tempfile::tempdir().unwrap();
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let families = RocksStore::column_families(&RocksOptions::default());
        let families = families.into_iter().filter(|family| family.name() != missing);
        let db = Arc::new(rocksdb::DB::open_cf_descriptors(&options, directory.path(), families).unwrap());
        let error = RocksStore::in_database(db, RocksOptions::default()).unwrap_err();
        assert!(error.detail.contains(missing), "{error}");
        assert!(!error.kind.is_retryable(), "{error}");
    }
}

#[test]
fn the_database_of_a_host_is_not_opened_as_a_store_and_not_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let mut families = RocksStore::column_families(&RocksOptions::default());
    families.push(rocksdb::ColumnFamilyDescriptor::new("vertices", rocksdb::Options::default()));
    drop(rocksdb::DB::open_cf_descriptors(&options, directory.path(), families).unwrap());
    let error = open(directory.path()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.detail.contains("in_database") && error.detail.contains("vertices"), "{error}");
}

/// The files of a store that a dying process leaves. An orderly close would empty its log.
fn left_by_death(store: &std::path::Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(store).unwrap() {
        let entry = entry.unwrap();
        if entry.metadata().unwrap().is_file() && entry.file_name() != "LOCK" {
            fs::copy(entry.path(), left.path().join(entry.file_name())).unwrap();
        }
    }
    left
}

fn newest_log(store: &std::path::Path) -> std::path::PathBuf {
    let paths = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
}

/// A power cut may leave zeros in place of the end of the last record. No acknowledged write is missing then, so
/// the store must open.
#[test]
fn a_log_that_ends_in_zeros_after_a_power_cut_is_opened_without_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    store.insert(&[job(1)], Durability::Synced).unwrap();
    let synced = fs::metadata(newest_log(directory.path())).unwrap().len();
    store.insert(&[job(2)], Durability::Buffered).unwrap();
    let left = left_by_death(directory.path());
    let log = fs::OpenOptions::new().write(true).open(newest_log(left.path())).unwrap();
    let size = log.metadata().unwrap().len();
    log.set_len(synced + (size - synced) / 2).unwrap();
    log.set_len(size).unwrap();
    assert_eq!(open(left.path()).unwrap().unfinished().unwrap(), [job(1)]);
}

/// The last bytes of a record may lie in a sector that the power cut left unwritten. These zeros are fewer than a
/// record may end in by itself.
#[test]
fn a_log_whose_last_sector_was_not_written_is_opened_without_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let mut n = 0;
    let (before, size) = loop {
        let before = fs::metadata(newest_log(directory.path())).unwrap().len();
        n += 1;
        // The id is the end of the record, and must not end in zeros.
        let record = JobRecord { id: JobId::from_parts(Timestamp::from_micros(n * 1_000), [7; 10]), ..job(n) };
        store.insert(&[record], Durability::Buffered).unwrap();
        let size = fs::metadata(newest_log(directory.path())).unwrap().len();
        if before / 512 < size / 512 && (1..=6).contains(&(size % 512)) {
            break (before, size);
        }
        assert!(n < 10_000);
    };
    let left = left_by_death(directory.path());
    let log = fs::OpenOptions::new().write(true).open(newest_log(left.path())).unwrap();
    log.set_len(size / 512 * 512).unwrap();
    log.set_len(size).unwrap();
    assert!(before < size / 512 * 512);
    assert_eq!(open(left.path()).unwrap().unfinished().unwrap().len() as u64, n - 1);
}

/// A power cut may leave a later page of the log and not an earlier one. No write from the missing page on was
/// acknowledged as synced, so the store must open.
#[test]
fn a_log_with_a_page_missing_in_the_middle_is_opened_up_to_it() {
    const PAGE: usize = 4_096;
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let mut n = 0;
    while fs::metadata(newest_log(directory.path())).unwrap().len() < 5 * PAGE as u64 {
        n += 1;
        store.insert(&[job(n)], Durability::Buffered).unwrap();
    }
    let left = left_by_death(directory.path());
    let log = newest_log(left.path());
    let mut bytes = fs::read(&log).unwrap();
    bytes[2 * PAGE..3 * PAGE].fill(0);
    fs::write(&log, &bytes).unwrap();

    let found = open(left.path()).unwrap().unfinished().unwrap();
    assert_eq!(found, (1..=found.len() as u64).map(job).collect::<Vec<_>>());
    assert!((1..n).contains(&(found.len() as u64)));
    let kept = left.path().join("job_engine.torn").join(log.file_name().unwrap());
    assert_eq!(fs::read(kept).unwrap(), bytes);
    assert_eq!(open(left.path()).unwrap().unfinished().unwrap(), found);
}

#[test]
fn damage_inside_the_log_stays_an_error_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    for n in 1..20 {
        store.insert(&[job(n)], Durability::Buffered).unwrap();
    }
    let left = left_by_death(directory.path());
    let log = newest_log(left.path());
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes.extend([0; 100]);
    fs::write(&log, &bytes).unwrap();
    assert_eq!(open(left.path()).unwrap_err().kind, ErrorKind::Corrupt);
    assert_eq!(fs::read(&log).unwrap(), bytes);
}

/// The name of a directory must not decide the class of an error, such as a missing permission below a directory
/// called `blocks`.
#[test]
fn the_name_of_a_directory_does_not_change_what_an_error_is() {
    for name in ["blocks", "a: No space left on device", "read only", "Corruption"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let store = RocksStore::open(&path, fixture::options()).unwrap();
        let running = fixture::write(&store).running;
        // A file in place of the directory for large segments fails writes of root too.
        fs::remove_dir_all(path.join("job_engine.tmp")).unwrap();
        fs::write(path.join("job_engine.tmp"), b"").unwrap();
        let key = SegmentKey { job: running.id, attempt: 1, number: 9 };
        let mut writer = store.segment(key).unwrap();
        let mut block = BlockBuilder::new(key);
        let error = (0..30).find_map(|_| {
            block.push(&"x".repeat(2_000)).unwrap();
            writer.append(block.seal()).err()
        });
        assert_eq!(error.unwrap().kind, ErrorKind::Unavailable, "{name}");
        drop((writer, store));
        // A directory with the name of its next file keeps RocksDB from writing.
        fs::remove_file(path.join("LOCK")).unwrap();
        fs::create_dir(path.join("LOCK")).unwrap();
        let error = open(&path).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{name}: {error}");
    }
}

/// The store writes outside of transactions, and no transaction of the host fails because of that.
#[test]
fn a_transaction_of_the_host_commits_beside_the_writes_of_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let mut families = RocksStore::column_families(&fixture::options());
    families.push(rocksdb::ColumnFamilyDescriptor::new("vertices", rocksdb::Options::default()));
    let db: rocksdb::OptimisticTransactionDB<rocksdb::SingleThreaded> =
        rocksdb::OptimisticTransactionDB::open_cf_descriptors(&options, directory.path(), families).unwrap();
    let db = Arc::new(db);
    let store = RocksStore::in_database(Arc::clone(&db), fixture::options()).unwrap();
    let vertices = db.cf_handle("vertices").unwrap();
    let read = |transaction: &rocksdb::Transaction<'_, _>, family: &rocksdb::ColumnFamily, key: &[u8]| {
        transaction.get_for_update_cf(family, key, true).unwrap().is_some()
    };

    let transaction = db.transaction();
    assert!(!read(&transaction, vertices, b"Sarah"));
    transaction.put_cf(vertices, b"Sarah", b"{}").unwrap();
    store.insert(&[job(1)], Durability::Synced).unwrap();
    transaction.commit().unwrap();
    assert_eq!(db.get_cf(vertices, b"Sarah").unwrap().as_deref(), Some(b"{}".as_slice()));

    // A transaction learns of changes to keys that it has read with `get_for_update`.
    let jobs = db.cf_handle("job_engine.jobs").unwrap();
    let transaction = db.transaction();
    assert!(!read(&transaction, jobs, &[b"j", job(2).id.as_bytes().as_slice()].concat()));
    transaction.put_cf(vertices, b"Leo", b"{}").unwrap();
    store.insert(&[job(2)], Durability::Synced).unwrap();
    assert!(transaction.commit().is_err());
    assert_eq!(store.get(job(2).id).unwrap(), Some(job(2)));
}
