//! An unreadable record stops no job but its own.

use std::{path::Path, sync::Arc, time::Duration};

use job_runner::{
    Engine, EngineBuilder, EngineError, JobHandle, JobId, JobState, Outcome, Retention,
    store::{ErrorKind, JobStore, MemoryStore, RocksOptions, RocksStore, Store, rocksdb},
};

use crate::support::{Rig, count, drain, job, nothing, numbers, page};

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);

fn rocks(directory: &Path) -> Arc<dyn Store> {
    Arc::new(RocksStore::open(directory, RocksOptions::default()).unwrap())
}

/// Overwrites the stored record of a job with these bytes, without the store.
fn overwrite(directory: &Path, job: JobId, record: &[u8]) {
    let names = rocksdb::DB::list_cf(&rocksdb::Options::default(), directory).unwrap();
    let db = rocksdb::DB::open_cf(&rocksdb::Options::default(), directory, names).unwrap();
    let key = [b"j", job.as_bytes().as_slice()].concat();
    db.put_cf(db.cf_handle("job_engine.jobs").unwrap(), key, record).unwrap();
}

/// The beginning of a record of a later version.
const LATER: [u8; 10] = [9, b'J', 1, 2, 3, 4, 5, 6, 7, 8];

fn setup<S>(builder: EngineBuilder<S>) -> EngineBuilder<S> {
    builder.algorithm("a", nothing).algorithm("numbers", numbers)
}

/// `open` must not fail because of one record, since that would stop every other job.
#[test]
fn an_engine_opens_and_works_beside_a_record_that_it_cannot_read() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::on(rocks(directory.path()), setup);
    let done = rig.finish(count(5));
    let lost = rig.submit(job("a").idempotency_key("k")).id();
    let beside = rig.submit(job("a")).id();
    drop(rig);
    overwrite(directory.path(), lost, &LATER);

    let rig = Rig::on(rocks(directory.path()), setup);
    assert_eq!(rig.engine.health(), Ok(()));
    let unreadable = rig.engine.stats().unreadable;
    assert_eq!(unreadable.len(), 1);
    assert_eq!(unreadable[0].job, lost);
    let why = &unreadable[0].reason;
    assert!(why.starts_with("cannot be read: format version 9 is unknown"), "{why}");
    assert_eq!(drain(&rig.engine), 1);
    assert_eq!(rig.stored(beside).state, SUCCEEDED);
    assert_eq!(rig.finish(job("a")).state, SUCCEEDED, "new jobs are taken");

    // Lists show the job, and each call about this job alone returns an error that names it.
    let reader = rig.engine.reader();
    let entries = reader.entries(page(0, 10)).unwrap();
    assert_eq!(entries.len(), 4);
    assert_eq!(entries.iter().filter_map(|entry| entry.as_ref().err()).collect::<Vec<_>>(), [&unreadable[0]]);
    assert_eq!(reader.list(page(0, 10)).unwrap().len(), 3);
    assert_eq!(reader.list_before(JobId::MAX, 3).unwrap().len(), 3);
    assert_eq!(reader.entries_before(JobId::MAX, 10).unwrap(), entries);
    let refused = |outcome: Result<JobHandle, EngineError>| match outcome {
        Err(EngineError::Store(error)) => (error.kind, error.job),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(rig.engine.submit(job("a").idempotency_key("k"))), (ErrorKind::Corrupt, Some(lost)));
    assert!(matches!(rig.engine.cancel(lost), Err(EngineError::Store(error)) if error.job == Some(lost)));

    // The unreadable job stays until a caller removes it.
    assert!(rig.engine.remove(lost).unwrap());
    assert_eq!(rig.engine.stats().unreadable, []);
    assert_eq!(reader.entries(page(0, 10)).unwrap().len(), 3);
    assert_eq!(rig.finish(job("a").idempotency_key("k")).state, SUCCEEDED);
    assert_eq!(rig.stored(done.id), done);
}

/// The version that wrote the job finds it unchanged.
#[test]
fn a_job_of_a_later_version_is_left_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = rocks(directory.path());
    let engine = Engine::builder(Arc::clone(&store)).front_end().open().unwrap();
    let id = engine.submit(job("a")).unwrap().id();
    drop((engine, store));
    let raw = |record: Option<&[u8]>| {
        let names = rocksdb::DB::list_cf(&rocksdb::Options::default(), directory.path()).unwrap();
        let db = rocksdb::DB::open_cf(&rocksdb::Options::default(), directory.path(), names).unwrap();
        let key = [b"j", id.as_bytes().as_slice()].concat();
        let jobs = db.cf_handle("job_engine.jobs").unwrap();
        let before = db.get_cf(jobs, &key).unwrap().unwrap();
        if let Some(record) = record {
            db.put_cf(jobs, &key, record).unwrap();
        }
        before
    };
    let record = raw(Some(&LATER));
    // Retention never removes the unreadable job, under any settings.
    let rig = Rig::on(rocks(directory.path()), |builder| {
        setup(builder).retention(Retention::default().max_jobs(0).max_age(Duration::ZERO))
    });
    let done = rig.finish(count(3));
    rig.clock.advance(Duration::from_hours(1));
    rig.engine.driver().tick().unwrap();
    assert_eq!(rig.store.get(done.id).unwrap(), None, "the others go");
    drop(rig);
    assert_eq!(raw(Some(&record)), LATER);
    let rig = Rig::on(rocks(directory.path()), setup);
    assert_eq!(rig.engine.stats().unreadable, []);
    assert_eq!(drain(&rig.engine), 1);
    assert_eq!(rig.stored(id).state, SUCCEEDED);
}

/// A submission that would reuse the damaged result must not be refused. Its work is done again.
#[test]
fn a_result_that_cannot_be_read_is_not_reused() {
    let directory = tempfile::tempdir().unwrap();
    let reusing = || count(3).graph_version("v1").reuse_result();
    let rig = Rig::on(rocks(directory.path()), setup);
    let lost = rig.finish(reusing());
    drop(rig);
    overwrite(directory.path(), lost.id, b"nonsense");
    let rig = Rig::on(rocks(directory.path()), setup);
    let again = rig.finish(reusing());
    assert_ne!(again.id, lost.id);
    assert_eq!((again.state, again.size.rows), (SUCCEEDED, 3));
    assert_eq!(rig.submit(reusing()).id(), again.id);
}

/// A damaged note of a reading must not stop retention for other jobs.
#[test]
fn a_damaged_note_keeps_its_own_job_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = rocks(directory.path());
    let rig = Rig::on(Arc::clone(&store), setup);
    let jobs = [(); 3].map(|()| rig.finish(count(3)).id);
    drop((rig, store));
    {
        let names = rocksdb::DB::list_cf(&rocksdb::Options::default(), directory.path()).unwrap();
        let db = rocksdb::DB::open_cf(&rocksdb::Options::default(), directory.path(), names).unwrap();
        let key = [b"t", jobs[1].as_bytes().as_slice()].concat();
        db.put_cf(db.cf_handle("job_engine.jobs").unwrap(), key, b"when?").unwrap();
    }
    let rig =
        Rig::on(rocks(directory.path()), |builder| setup(builder).retention(Retention::default().max_jobs(0)));
    rig.engine.driver().tick().unwrap();
    assert_eq!(jobs.map(|id| rig.store.get(id).unwrap().is_some()), [false, true, false]);
}

/// The body of a removed job would write without a job.
#[test]
fn a_job_that_runs_here_is_not_removed_although_its_record_is_damaged() {
    let store = Arc::new(MemoryStore::default());
    let rig = Rig::on(Arc::<MemoryStore>::clone(&store), setup);
    let id = rig.submit(job("a")).id();
    let refused = rig.engine.remove(id);
    assert!(
        matches!(&refused, Err(EngineError::Store(error)) if error.kind == ErrorKind::Invalid && error.to_string().contains("cancel it first")),
        "{refused:?}"
    );
    assert!(store.get(id).unwrap().is_some());
}
