//! Tests of buffered writes that a dying server loses, while its engines live on.

use std::ops::{ControlFlow, Range};

use job_core::{Event, JobRecord, JobResult, RowList, Segment, Timestamp};
use job_store::{
    BlockBuilder, Durability, ErrorKind, JobStore, PostgresOptions, PostgresStore, ResultStore, SegmentKey,
    SegmentWriter, StoreError,
};
use test_servers::Postgres;

use crate::postgres::{job, start};

/// A server that flushes nothing by itself for seconds.
fn server() -> Option<Postgres> {
    let server = Postgres::start().unwrap()?;
    server.sql("ALTER SYSTEM SET wal_writer_delay = '10s'").unwrap();
    server.sql("SELECT pg_reload_conf()").unwrap();
    Some(server)
}

fn crash(server: &Postgres) {
    server.kill().unwrap();
    server.start_again().unwrap();
}

/// Brings every buffered write so far to the disk.
fn flush(store: &PostgresStore, unused: u64) {
    store.insert(&[job(unused)], Durability::Synced).unwrap();
}

fn key(running: &JobRecord) -> SegmentKey {
    SegmentKey { job: running.id, attempt: running.attempt, number: 0 }
}

fn append(writer: &mut dyn SegmentWriter, block: &mut BlockBuilder, rows: Range<u64>) {
    rows.for_each(|row| block.push(&row).unwrap());
    writer.append(block.seal()).unwrap();
}

fn end(store: &PostgresStore, running: &JobRecord, segment: Segment) -> (JobRecord, Result<(), StoreError>) {
    let list = RowList::new("n", vec![segment]);
    let result = JobResult { list: Some(list), ..JobResult::default() };
    let done = running.apply(Event::Succeed(result.size()), Timestamp::from_micros(9)).unwrap();
    (done.clone(), store.complete(&[(&done, &result)], Durability::Synced))
}

fn rows(store: &PostgresStore, job: &JobRecord) -> Result<u64, StoreError> {
    let mut read = 0;
    store.read(key(job), 0..job.size.rows, &mut |run| {
        read += run.len() as u64;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(read)
}

/// The server dies after each block, after all of them, or never.
fn a_result_is_stored_with_all_its_rows_or_not_at_all_on(store: &PostgresStore, server: &Postgres, first: u64) {
    const FINISHED: u64 = 3;
    for crashed in (first..=FINISHED).map(Some).chain([None]) {
        let n = 10 * crashed.map_or(1, |crashed| crashed + 2);
        let running = start(store, n);
        let (mut writer, mut block) = (store.segment(key(&running)).unwrap(), BlockBuilder::new(key(&running)));
        for number in 0..FINISHED {
            flush(store, n + 1 + number);
            append(&mut *writer, &mut block, 100 * number..100 * (number + 1));
            if crashed == Some(number) {
                crash(server);
            }
        }
        let segment = writer.finish().unwrap();
        if crashed == Some(FINISHED) {
            crash(server);
        }
        let (done, stored) = end(store, &running, segment);
        let Some(crashed) = crashed else {
            stored.unwrap();
            assert_eq!(rows(store, &done).unwrap(), 300);
            continue;
        };
        let error = stored.unwrap_err();
        assert_eq!((error.kind, error.job), (ErrorKind::Lost, Some(running.id)), "{crashed}: {error}");
        assert_eq!(store.get(running.id).unwrap(), Some(running.clone()), "{crashed}");
        // A batch with a complete result and a torn one stores both or none.
        let other = start(store, n + 6);
        let other = other.apply(Event::Succeed(JobResult::default().size()), Timestamp::from_micros(9)).unwrap();
        let segment = Segment { attempt: running.attempt, number: 0, rows: 300, bytes: 1 };
        let result = JobResult { list: Some(RowList::new("n", vec![segment])), ..JobResult::default() };
        let both = [(&other, &JobResult::default()), (&done, &result)];
        assert_eq!(store.complete(&both, Durability::Synced).unwrap_err().kind, ErrorKind::Lost);
        store.complete(&both[..1], Durability::Synced).unwrap();
    }
}

#[test]
fn a_result_is_stored_with_all_its_rows_or_not_at_all() {
    let Some(server) = server() else { return };
    let store = PostgresStore::open(&server.url(), PostgresOptions::default()).unwrap();
    a_result_is_stored_with_all_its_rows_or_not_at_all_on(&store, &server, 0);
}

#[cfg(feature = "objects")]
mod objects {
    use job_store::ObjectOptions;

    use super::*;

    /// Every block is an object of its own.
    fn store(server: &Postgres, directory: &tempfile::TempDir) -> PostgresStore {
        let url = format!("file://{}/objects", directory.path().display());
        let objects = ObjectOptions::at(url).small_segment(1).object_bytes(1);
        let options = PostgresOptions::default().objects(objects);
        PostgresStore::open(&server.url(), options).unwrap()
    }

    fn files(directory: &tempfile::TempDir) -> usize {
        let mut directories = vec![directory.path().join("objects")];
        let mut files = 0;
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                if entry.path().is_dir() { directories.push(entry.path()) } else { files += 1 }
            }
        }
        files
    }

    #[test]
    fn a_result_in_objects_is_stored_with_all_its_rows_or_not_at_all() {
        let Some(server) = server() else { return };
        let directory = tempfile::tempdir().unwrap();
        // The row of an object is written with the next object.
        a_result_is_stored_with_all_its_rows_or_not_at_all_on(&store(&server, &directory), &server, 1);
    }

    #[test]
    fn the_objects_of_an_attempt_are_found_again_by_a_server_that_died() {
        let Some(server) = server() else { return };
        let directory = tempfile::tempdir().unwrap();
        let store = store(&server, &directory);
        let running = start(&store, 1);
        flush(&store, 2);
        let (mut writer, mut block) = (store.segment(key(&running)).unwrap(), BlockBuilder::new(key(&running)));
        append(&mut *writer, &mut block, 0..10);
        append(&mut *writer, &mut block, 10..20);
        assert!(files(&directory) > 0);
        // The writer dies with the store, so it cannot delete the objects that it has put.
        std::mem::forget(writer);
        crash(&server);
        let ended = running.apply(Event::Cancel, Timestamp::from_micros(8)).unwrap();
        store.replace(&ended, Durability::Synced).unwrap();
        let ended = ended.apply(Event::Stop, Timestamp::from_micros(9)).unwrap();
        store.replace(&ended, Durability::Synced).unwrap();
        store.collect_objects().unwrap();
        assert_eq!(files(&directory), 0);
    }

    /// A removal is buffered. If the server undid it after the objects are deleted, the job would have no rows.
    #[test]
    fn a_removal_whose_objects_are_deleted_is_not_undone() {
        let Some(server) = server() else { return };
        let directory = tempfile::tempdir().unwrap();
        let store = store(&server, &directory);
        let running = start(&store, 1);
        let (mut writer, mut block) = (store.segment(key(&running)).unwrap(), BlockBuilder::new(key(&running)));
        append(&mut *writer, &mut block, 0..10);
        let (done, stored) = end(&store, &running, writer.finish().unwrap());
        stored.unwrap();
        assert!(store.remove(done.id).unwrap());
        store.collect_objects().unwrap();
        assert_eq!(files(&directory), 0);
        crash(&server);
        assert_eq!(store.get(done.id).unwrap(), None);
    }
}
