//! A store of every version stays readable: `tests/fixtures` has one of each.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use job_core::{
    Event, Failure, FailureKind, JobFilter, JobId, JobRecord, JobResult, JobSpec, JobState, Outcome, Outputs,
    RowList, Segment, Timestamp,
};
use job_store::{
    BlockBuilder, Durability, Kept, MemoryStore, Pin, RocksOptions, RocksStore, SegmentKey, Store, Usage, verify,
};
use serde_json::json;

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

fn waiting(n: u64) -> JobRecord {
    let spec = JobSpec::algorithm("pagerank").with_graph("图").with_parameters(&json!({"alpha": 0.85})).unwrap();
    let spec = spec.priority(3).idempotency_key(format!("key {n}")).graph_version("v7").keep_rows();
    JobRecord::waiting(JobId::from_parts(at(n * 1_000), [7; 10]), spec, at(n * 1_000))
}

fn running(store: &dyn Store, n: u64) -> JobRecord {
    let waiting = waiting(n);
    store.insert(std::slice::from_ref(&waiting), Durability::Synced).unwrap();
    let running = waiting.apply(Event::Start, at(n * 1_000 + 1)).unwrap();
    store.replace(&running, Durability::Synced).unwrap();
    running
}

fn row(n: u64) -> String {
    format!("vertex {n} Sarah 西德尼")
}

fn segment(store: &dyn Store, job: &JobRecord, number: u32, rows: u64) -> Segment {
    let key = SegmentKey { job: job.id, attempt: job.attempt, number };
    let mut writer = store.segment(key).unwrap();
    let mut block = BlockBuilder::new(key);
    for n in 0..rows {
        block.push(&row(n)).unwrap();
        if block.bytes() >= 4 << 10 {
            writer.append(block.seal()).unwrap();
        }
    }
    if block.rows() > 0 {
        writer.append(block.seal()).unwrap();
    }
    writer.finish().unwrap()
}

fn rows(
    store: &dyn Store,
    job: &JobRecord,
    number: u32,
    count: u64,
) -> Result<Vec<String>, job_store::StoreError> {
    let mut found = Vec::new();
    let key = SegmentKey { job: job.id, attempt: job.attempt, number };
    store.read(key, 0..count, &mut |run| {
        found.extend(run.unpack()?.iter().map(|row| serde_json::from_slice::<String>(row).unwrap()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// The jobs that [`write`] left, for the reader.
pub struct Content {
    pub waiting: JobRecord,
    pub running: JobRecord,
    pub small: JobRecord,
    pub large: JobRecord,
    pub failed: JobRecord,
    pub cancelled: JobRecord,
}

const SMALL: u64 = 50;
const LARGE: u64 = 600;

/// Rows go to files early, so that the store has every kind of file and stays small.
pub fn options() -> RocksOptions {
    RocksOptions::default().small_segment(8 << 10).file_bytes(16 << 10)
}

fn result(segments: Vec<Segment>) -> JobResult {
    let mut outputs = Outputs::default();
    outputs.insert("runtime", &0.25).unwrap();
    JobResult { outputs, list: Some(RowList::new("vertices", segments)) }
}

/// Fills an empty store with a job of every state. Fully determined: ids and times are given.
pub fn write(store: &dyn Store) -> Content {
    let small = running(store, 1);
    let rows = result(vec![segment(store, &small, 0, SMALL)]);
    let small = small.apply(Event::Succeed(rows.size()), at(5_000)).unwrap();
    store.complete(&[(&small, &rows)], Durability::Synced).unwrap();
    store.pin(small.id, Pin::Keep).unwrap();
    store.record_reads(&[(small.id, at(9_000))]).unwrap();

    let large = running(store, 2);
    let rows = result(vec![segment(store, &large, 0, LARGE), segment(store, &large, 1, LARGE)]);
    let large = large.apply(Event::Succeed(rows.size()), at(6_000)).unwrap();
    store.complete(&[(&large, &rows)], Durability::Synced).unwrap();

    let failed = running(store, 3);
    let failed =
        failed.apply(Event::Fail(Failure::new(FailureKind::Handler, "no such label")), at(7_000)).unwrap();
    store.replace(&failed, Durability::Synced).unwrap();
    let cancelled = running(store, 4).apply(Event::Cancel, at(7_500)).unwrap();
    store.replace(&cancelled, Durability::Synced).unwrap();
    let cancelled = cancelled.apply(Event::Stop, at(8_000)).unwrap();
    store.replace(&cancelled, Durability::Synced).unwrap();

    let running = running(store, 5);
    segment(store, &running, 0, SMALL);
    store.save_checkpoint(running.id, running.attempt, b"half way").unwrap();
    let waiting = waiting(6);
    store.insert(std::slice::from_ref(&waiting), Durability::Synced).unwrap();
    Content { waiting, running, small, large, failed, cancelled }
}

impl Content {
    fn all(&self) -> [&JobRecord; 6] {
        [&self.waiting, &self.running, &self.cancelled, &self.failed, &self.large, &self.small]
    }

    /// Reads everything back. Each answer is the written one, or an error with its place. Returns the errors.
    pub fn check(&self, store: &dyn Store) -> Vec<job_store::StoreError> {
        let mut errors = Vec::new();
        for expected in self.all() {
            match store.get(expected.id) {
                Ok(found) => assert_eq!(found.as_ref(), Some(expected)),
                Err(error) => errors.push(error),
            }
        }
        match store.list(None, 0, 100) {
            Ok(listed) => assert!(listed.iter().eq(self.all()), "{listed:?}"),
            Err(error) => errors.push(error),
        }
        match store.unfinished() {
            Ok(unfinished) => assert_eq!(unfinished, [self.running.clone(), self.waiting.clone()]),
            Err(error) => errors.push(error),
        }
        match store.checkpoint(self.running.id) {
            Ok(checkpoint) => assert_eq!(checkpoint.as_deref(), Some(b"half way".as_slice())),
            Err(error) => errors.push(error),
        }
        for (job, number, count) in
            [(&self.small, 0, SMALL), (&self.large, 0, LARGE), (&self.large, 1, LARGE), (&self.running, 0, SMALL)]
        {
            match rows(store, job, number, count) {
                Ok(found) => assert_eq!(found, (0..count).map(row).collect::<Vec<_>>()),
                Err(error) => {
                    assert_eq!(error.job, Some(job.id), "{error}");
                    assert!(error.detail.contains("segment 1."), "{error}");
                    errors.push(error);
                }
            }
        }
        for job in [&self.small, &self.large] {
            match store.result(job.id) {
                Ok(found) => assert_eq!(found.map(|result| result.size()), Some(job.size)),
                Err(error) => errors.push(error),
            }
        }
        errors
    }
}

pub fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The jobs that today's code would write: their values are part of the format.
fn written() -> Content {
    write(&MemoryStore::default())
}

fn is_read_whole(store: &dyn Store, written: &Content) {
    assert_eq!(written.check(store), []);
    let usage = store.usage(&[written.small.id]).unwrap();
    assert_eq!(usage, [Usage { last_read: Some(at(9_000)), pinned: true }]);
    assert_eq!(store.find_key("图", "key 3").unwrap(), Some(written.failed.id));
    assert_eq!(store.find_reusable(&written.waiting.spec).unwrap(), Some(written.large.id));
    has_an_index(store, written);
    let seen = verify(store, &mut |finding| panic!("{finding}")).unwrap();
    assert_eq!((seen.jobs, seen.results, seen.rows), (6, 2, SMALL + 2 * LARGE));
    // The store can be written to.
    store.insert(&[waiting(7)], Durability::Synced).unwrap();
    assert!(store.remove(written.large.id).unwrap());
}

#[test]
fn a_store_of_the_first_version_is_read_whole() {
    let copied = tempfile::tempdir().unwrap();
    copy(&fixture("v1"), copied.path());
    is_read_whole(&RocksStore::open(copied.path(), RocksOptions::default()).unwrap(), &written());
}

/// A job with an owner and a label has a record of version 3.
fn labelled() -> JobRecord {
    let spec = JobSpec::vertex_filter().with_graph("图").owner("Sarah").label("nightly");
    JobRecord::waiting(JobId::from_parts(at(0), [9; 10]), spec, at(0))
}

/// Fills an empty store as [`write`] does, and with a record of each version that is written.
fn write_all(store: &dyn Store) {
    store.insert(&[labelled()], Durability::Synced).unwrap();
    write(store);
}

fn is_of_today(store: &dyn Store) {
    assert_eq!(store.get(labelled().id).unwrap(), Some(labelled()));
    let filter = JobFilter::default().label("nightly").owner("Sarah");
    assert_eq!(store.filtered_entries(&filter, None, 9).unwrap().len(), 1);
    let cancelled = labelled().apply(Event::Cancel, at(1)).unwrap();
    store.replace(&cancelled, Durability::Synced).unwrap();
    assert!(store.remove(labelled().id).unwrap());
    is_read_whole(store, &written());
}

#[test]
fn a_store_of_the_second_version_is_read_whole() {
    let copied = tempfile::tempdir().unwrap();
    copy(&fixture("v2"), copied.path());
    is_of_today(&RocksStore::open(copied.path(), RocksOptions::default()).unwrap());
}

#[cfg(feature = "redb")]
#[test]
fn a_redb_file_of_the_second_version_is_read_whole() {
    let copied = tempfile::tempdir().unwrap();
    copy(&fixture("redb-v2"), copied.path());
    is_of_today(&job_store::RedbStore::open(copied.path().join("jobs.redb")).unwrap());
}

/// Its blocks are of version 2. Those of the other fixtures are of version 1.
#[cfg(feature = "redb")]
#[test]
fn a_redb_file_of_packed_blocks_is_read_whole() {
    let copied = tempfile::tempdir().unwrap();
    copy(&fixture("redb-packed"), copied.path());
    let store = job_store::RedbStore::open(copied.path().join("jobs.redb")).unwrap();
    let large = written().large;
    let mut versions = std::collections::BTreeSet::new();
    let key = SegmentKey { job: large.id, attempt: large.attempt, number: 0 };
    (&store as &dyn Store)
        .blocks(key, &mut |_, bytes| {
            versions.insert(bytes[bytes.len() - 9]);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert!(versions.contains(&2), "{versions:?}");
    is_of_today(&store);
}

#[cfg(feature = "postgres")]
#[test]
fn tables_of_the_sixth_version_are_read_whole() {
    let Some(schema) = crate::postgres::Schema::new() else { return };
    let dump = fs::read_to_string(fixture("postgres-6.sql")).unwrap();
    schema.server.restore(&dump.replace("job_engine_fixture", &schema.options.schema)).unwrap();
    is_of_today(&schema.store());
}

#[cfg(feature = "postgres")]
#[test]
fn tables_of_the_seventh_version_are_read_whole() {
    let Some(schema) = crate::postgres::Schema::new() else { return };
    let dump = fs::read_to_string(fixture("postgres-7.sql")).unwrap();
    schema.server.restore(&dump.replace("job_engine_fixture", &schema.options.schema)).unwrap();
    let store = schema.store();
    assert_eq!((&store as &dyn Store).failures(written().running.id), Ok(vec![failed()]));
    is_of_today(&store);
}

#[cfg(feature = "postgres")]
fn failed() -> job_core::FailedAttempt {
    let failure = Failure::new(FailureKind::Handler, "图 is busy");
    job_core::FailedAttempt { attempt: 1, started: at(1), ended: at(2), failure }
}

/// The first version had no index. Read only, it still has none.
fn has_an_index(store: &dyn Store, written: &Content) {
    let ids = |filter: &JobFilter| {
        let found = store.filtered_entries(filter, None, 9).unwrap();
        found.into_iter().map(|listed| listed.record.unwrap()).collect::<Vec<_>>()
    };
    let any = JobFilter::default;
    assert!(ids(&any().graph("图")).iter().eq(written.all()));
    assert_eq!(ids(&any().graph("g")), []);
    let failed = any().kind(written.failed.spec.kind().clone()).state(JobState::Complete(Outcome::Failed));
    assert_eq!(ids(&failed), std::slice::from_ref(&written.failed));
    assert_eq!(ids(&any().state(JobState::Waiting)), std::slice::from_ref(&written.waiting));
    // One of the jobs is pinned.
    assert_eq!(store.kept().unwrap(), Kept { jobs: 3, bytes: written.large.size.bytes });
    let used: Vec<_> = store.least_used(false, None, 9).unwrap().iter().map(|job| job.id).collect();
    assert_eq!(used, [&written.large, &written.failed, &written.cancelled].map(|job| job.id));
}

#[test]
fn a_store_of_the_first_version_is_filtered_also_when_it_is_only_read() {
    let written = written();
    let copied = tempfile::tempdir().unwrap();
    copy(&fixture("v1"), copied.path());
    has_an_index(&RocksStore::open_read_only(copied.path()).unwrap(), &written);
    drop(RocksStore::open(copied.path(), RocksOptions::default()).unwrap());
    has_an_index(&RocksStore::open_read_only(copied.path()).unwrap(), &written);
}

/// Only for a new format version: under new names, beside the old ones.
#[test]
#[ignore = "writes tests/fixtures"]
fn write_the_fixtures() {
    let directory = tempfile::tempdir().unwrap();
    write_all(&RocksStore::open(directory.path(), options()).unwrap());
    fs::create_dir_all(fixture("v2")).unwrap();
    copy(directory.path(), &fixture("v2"));
    for entry in fs::read_dir(fixture("v2")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The files that are written anew when a store opens.
        if ["LOG", "LOCK", "OPTIONS", "job_engine.lock"].iter().any(|prefix| name.starts_with(prefix)) {
            fs::remove_file(path).unwrap();
        }
    }
    #[cfg(feature = "redb")]
    {
        use job_store::{Packing, RedbOptions, RedbStore};
        for (name, packing) in [("redb-v2", Packing::None), ("redb-packed", Packing::Lz4)] {
            fs::create_dir_all(fixture(name)).unwrap();
            let _ = fs::remove_file(fixture(name).join("jobs.redb"));
            let options = RedbOptions::default().packing(packing);
            write_all(&RedbStore::open_with(fixture(name).join("jobs.redb"), options).unwrap());
        }
    }
}

/// Only for a new version of the tables: under a new name, beside the old ones.
#[cfg(feature = "postgres")]
#[test]
#[ignore = "writes tests/fixtures"]
fn write_the_tables() {
    if let Some(schema) = crate::postgres::Schema::new() {
        let store = schema.store();
        write_all(&store);
        let running = written().running;
        (&store as &dyn Store).save_failures(running.id, running.attempt, &[failed()]).unwrap();
        drop(store);
        let dump = schema.server.dump(&schema.options.schema).unwrap();
        // Commands of newer clients alone.
        let plain = |line: &&str| !line.starts_with('\\');
        let lines: Vec<_> = dump.lines().filter(plain).collect();
        let dump = lines.join("\n").replace(&schema.options.schema, "job_engine_fixture");
        fs::write(fixture("postgres-7.sql"), dump).unwrap();
    }
}
