//! A store of every version stays readable: `tests/fixtures/v1` was written by the first one.

use std::{fs, ops::ControlFlow, path::Path};

use job_core::{
    Event, Failure, FailureKind, JobFilter, JobId, JobRecord, JobResult, JobSpec, JobState, Outcome, Outputs,
    RowList, Segment, Timestamp,
};
use job_store::{
    BlockBuilder, Durability, JobStore, Kept, Pin, ResultStore, RocksOptions, RocksStore, SegmentKey, Store,
    Usage, verify,
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

fn running(store: &RocksStore, n: u64) -> JobRecord {
    let waiting = waiting(n);
    store.insert(std::slice::from_ref(&waiting), Durability::Synced).unwrap();
    let running = waiting.apply(Event::Start, at(n * 1_000 + 1)).unwrap();
    store.replace(&running, Durability::Synced).unwrap();
    running
}

fn row(n: u64) -> String {
    format!("vertex {n} Sarah 西德尼")
}

fn segment(store: &RocksStore, job: &JobRecord, number: u32, rows: u64) -> Segment {
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
    store: &RocksStore,
    job: &JobRecord,
    number: u32,
    count: u64,
) -> Result<Vec<String>, job_store::StoreError> {
    let mut found = Vec::new();
    let key = SegmentKey { job: job.id, attempt: job.attempt, number };
    store.read(key, 0..count, &mut |run| {
        found.extend(run.iter().map(|row| serde_json::from_slice::<String>(row).unwrap()));
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
pub fn write(store: &RocksStore) -> Content {
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
    pub fn check(&self, store: &RocksStore) -> Vec<job_store::StoreError> {
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

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

#[test]
fn a_store_of_the_first_version_is_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    // Today's code must write the same jobs: their values are part of the format.
    let written = write(&RocksStore::open(directory.path(), options()).unwrap());
    let copied = tempfile::tempdir().unwrap();
    copy(&fixture(), copied.path());
    let store = RocksStore::open(copied.path(), RocksOptions::default()).unwrap();
    assert_eq!(written.check(&store), []);
    let usage = store.usage(&[written.small.id]).unwrap();
    assert_eq!(usage, [Usage { last_read: Some(at(9_000)), pinned: true }]);
    assert_eq!(store.find_key("图", "key 3").unwrap(), Some(written.failed.id));
    assert_eq!(store.find_reusable(&written.waiting.spec).unwrap(), Some(written.large.id));
    has_an_index(&store, &written);
    let seen = verify(&store, &mut |finding| panic!("{finding}")).unwrap();
    assert_eq!((seen.jobs, seen.results, seen.rows), (6, 2, SMALL + 2 * LARGE));
    // The store can be written to.
    store.insert(&[waiting(7)], Durability::Synced).unwrap();
    assert!(store.remove(written.large.id).unwrap());
}

/// The first version had no index. Read only, it still has none.
fn has_an_index(store: &RocksStore, written: &Content) {
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
    let directory = tempfile::tempdir().unwrap();
    let written = write(&RocksStore::open(directory.path(), options()).unwrap());
    let copied = tempfile::tempdir().unwrap();
    copy(&fixture(), copied.path());
    has_an_index(&RocksStore::open_read_only(copied.path()).unwrap(), &written);
    drop(RocksStore::open(copied.path(), RocksOptions::default()).unwrap());
    has_an_index(&RocksStore::open_read_only(copied.path()).unwrap(), &written);
}

/// Run it only for a new version of the format, under a new name beside the old ones.
#[test]
#[ignore = "writes tests/fixtures"]
fn write_the_fixture() {
    let directory = tempfile::tempdir().unwrap();
    drop(write(&RocksStore::open(directory.path(), options()).unwrap()));
    fs::create_dir_all(fixture()).unwrap();
    copy(directory.path(), &fixture());
    for entry in fs::read_dir(fixture()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The files that are written anew when a store opens.
        if ["LOG", "LOCK", "OPTIONS", "job_engine.lock"].iter().any(|prefix| name.starts_with(prefix)) {
            fs::remove_file(path).unwrap();
        }
    }
}
