//! A copy of a store reads the same as the store, between stores of any kinds, and after any interruption.

use std::{path::Path, slice, sync::Arc};

use job_core::{Event, JobFilter, JobRecord, JobSpec, JobState};
use job_store::{
    Copied, CopyNews, CopyOptions, Durability, ErrorKind, Fault, FaultStore, JobStore, KeyValueStore, MemoryStore,
    Pin, RocksOptions, RocksStore, SharedMemory, Store, StoreError, copy,
    key_value::{Batch, Changes, Dropped, Facts, KeyValue, Table},
    verify,
};
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::{
    btree_map::Map,
    content::{Ending, Named, Shape, assert_copied, at, fill, shapes, varied},
};

fn try_copy(from: &dyn Store, to: &dyn Store) -> Result<Copied, StoreError> {
    copy(from, to, &CopyOptions::default(), &mut |news| {
        if let CopyNews::LeftOut { job, why } = news {
            panic!("job {job} is left out: {why}");
        }
    })
}

fn copied(from: &dyn Store, to: &dyn Store) -> Copied {
    try_copy(from, to).unwrap()
}

/// The reasons of those that are left out.
fn left_out(from: &dyn Store, to: &dyn Store) -> Vec<String> {
    let mut reasons = Vec::new();
    let copied = copy(from, to, &CopyOptions::default(), &mut |news| {
        if let CopyNews::LeftOut { why, .. } = news {
            reasons.push(why);
        }
    });
    assert_eq!(copied.unwrap().left_out, reasons.len() as u64);
    reasons
}

/// Files come early, so that rows lie in every kind of place.
fn rocks(directory: &Path) -> RocksStore {
    RocksStore::open(directory, RocksOptions::default().small_segment(2 << 10).file_bytes(4 << 10)).unwrap()
}

/// An empty store of each kind.
fn stores() -> Vec<Named> {
    let directory = tempfile::tempdir().unwrap();
    let mut stores: Vec<Named> = vec![
        ("memory", Arc::new(MemoryStore::default()), Box::new(())),
        ("rocks", Arc::new(rocks(directory.path())), Box::new(directory)),
        ("map", Arc::new(KeyValueStore::new(Map::default()).unwrap()), Box::new(())),
        ("claimant", Arc::new(SharedMemory::new(MemoryStore::default())), Box::new(())),
    ];
    #[cfg(feature = "redb")]
    {
        let directory = tempfile::tempdir().unwrap();
        let store = job_store::RedbStore::open(directory.path().join("jobs.redb")).unwrap();
        stores.push(("redb", Arc::new(store), Box::new(directory)));
    }
    #[cfg(feature = "postgres")]
    if let Some(schema) = crate::postgres::Schema::new() {
        stores.push(("postgres", Arc::new(schema.store()), Box::new(schema)));
    }
    #[cfg(feature = "objects")]
    if let Some(place) = crate::objects::Place::directory() {
        stores.push(("objects", job_store::conformance::Fixture::open(&place), Box::new(place)));
    }
    stores
}

#[test]
fn a_copy_between_any_two_stores_reads_the_same() {
    for (source, from, _place) in stores() {
        fill(&*from, &varied());
        for (name, to, _place) in stores() {
            eprintln!("{source} to {name}");
            let done = copied(&*from, &*to);
            let jobs = varied().len() as u64;
            assert_eq!((done.jobs_in_all, done.jobs, done.present), (jobs, jobs, 0));
            assert_eq!((done.rows, done.bytes), (done.rows_in_all, done.bytes_in_all));
            assert!(done.rows > 0);
            assert_copied(&*from, &*to);
            let again = copied(&*from, &*to);
            assert_eq!((again.jobs, again.present, again.rows), (0, jobs, 0));
            verify(&*to, &mut |finding| panic!("{finding}")).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_content_reads_the_same_behind_a_chain_of_copies(shapes in shapes()) {
        let first = MemoryStore::default();
        fill(&first, &shapes);
        let directory = tempfile::tempdir().unwrap();
        let second = rocks(directory.path());
        copied(&first, &second);
        assert_copied(&first, &second);
        let third = KeyValueStore::new(Map::default()).unwrap();
        copied(&second, &third);
        assert_copied(&second, &third);
        let last = MemoryStore::default();
        copied(&third, &last);
        assert_copied(&third, &last);
    }

    #[test]
    fn any_interrupted_copy_is_made_whole_by_the_next(shapes in shapes(), part in 0..1_000u64, after in any::<bool>()) {
        let from = MemoryStore::default();
        fill(&from, &shapes);
        let whole = FaultStore::new(Arc::new(MemoryStore::default()));
        copied(&from, &whole);
        let write = whole.writes() * part / 1_000;
        let to = FaultStore::new(Arc::new(MemoryStore::default()));
        to.plan(if after { Fault::AfterWrite(write) } else { Fault::Write(write) });
        let _ = try_copy(&from, &to);
        to.plan(Fault::Never);
        copied(&from, &to);
        assert_copied(&from, &to);
    }
}

#[test]
fn a_copy_that_stops_at_any_write_is_made_whole_by_the_next() {
    let from = MemoryStore::default();
    let shape = |ending| Shape { segments: vec![0, 60], width: 200, version: Some(1), ..Shape::of(ending) };
    fill(&from, &[shape(Ending::Succeeds), shape(Ending::Runs), shape(Ending::FailsWithRows)]);
    let all = FaultStore::new(Arc::new(MemoryStore::default()));
    copied(&from, &all);
    for write in 0..all.writes() {
        let directory = tempfile::tempdir().unwrap();
        // Twice, so that the second finds what the first has left.
        for _ in 0..2 {
            let faulty = FaultStore::new(Arc::new(rocks(directory.path())));
            faulty.plan(Fault::WritesFrom(write));
            let _ = try_copy(&from, &faulty);
        }
        copied(&from, &rocks(directory.path()));
        let store = rocks(directory.path());
        assert_copied(&from, &store);
        verify(&store, &mut |finding| panic!("{write}: {finding}")).unwrap();
    }
}

/// An engine that deletes the rows of removed jobs late, and with them all that is there then, as files are.
#[derive(Debug, Clone, Default)]
struct Late {
    map: Map,
    dropped: Arc<Mutex<Vec<Dropped>>>,
}

impl Late {
    fn delete(&self) {
        for Dropped { keys, note } in self.dropped.lock().drain(..) {
            let mut changes = Changes::default();
            changes.delete_range(Table::Rows, &keys.start..&keys.end);
            changes.delete(Table::Jobs, &note);
            self.map.commit(changes, Durability::Buffered).unwrap();
        }
    }
}

impl KeyValue for Late {
    type View<'k> = <Map as KeyValue>::View<'k>;
    type Batch<'k> = <Map as KeyValue>::Batch<'k>;

    fn view(&self) -> Result<Self::View<'_>, StoreError> {
        self.map.view()
    }

    fn batch(&self) -> Result<Self::Batch<'_>, StoreError> {
        self.map.batch()
    }

    fn commit(&self, batch: Self::Batch<'_>, durability: Durability) -> Result<(), StoreError> {
        self.map.commit(batch, durability)
    }

    fn facts(&self) -> Facts {
        Facts { reclaims: true, ..self.map.facts() }
    }

    fn reclaim(&self, dropped: Dropped) {
        self.dropped.lock().push(dropped);
    }

    fn wait_for_reclaim(&self) {
        self.delete();
    }
}

/// Also by the process that comes after the one that has removed it, and finds no job at all.
#[test]
fn rows_of_a_job_that_comes_back_are_not_deleted_with_those_of_the_removed_one() {
    let from = MemoryStore::default();
    fill(&from, &[Shape::of(Ending::Succeeds)]);
    let id = from.list(None, 0, 1).unwrap()[0].id;
    for is_opened_again in [false, true] {
        let engine = Late::default();
        let mut to = KeyValueStore::new(engine.clone()).unwrap();
        copied(&from, &to);
        assert!(to.remove(id).unwrap());
        if is_opened_again {
            engine.dropped.lock().clear();
            to = KeyValueStore::new(engine.clone()).unwrap();
        }
        copied(&from, &to);
        engine.delete();
        assert_copied(&from, &to);
    }
}

/// In RocksDB the deletion of its rows was still in memory, and refused new files of rows.
#[test]
fn a_job_that_was_removed_comes_back_with_all_its_rows() {
    let from = MemoryStore::default();
    let wide = Shape { segments: vec![200, 10], width: 500, ..Shape::of(Ending::Succeeds) };
    fill(&from, slice::from_ref(&wide));
    let id = from.list(None, 0, 1).unwrap()[0].id;
    for (name, to, _place) in stores() {
        for _ in 0..5 {
            copied(&from, &*to);
            assert_copied(&from, &*to);
            assert!(to.remove(id).unwrap(), "{name}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let store = rocks(directory.path());
        copied(&from, &store);
        assert_copied(&from, &store);
        assert!(store.remove(id).unwrap());
    }
}

#[test]
fn a_second_copy_brings_what_has_happened_since_the_first() {
    for (name, to, _place) in stores() {
        let from = MemoryStore::default();
        fill(&from, &varied());
        copied(&from, &*to);
        let unfinished = from.unfinished().unwrap();
        let waiting = unfinished.iter().find(|job| job.state == JobState::Waiting && job.attempt == 0).unwrap();
        let running = waiting.apply(Event::Start, at(2_000_000)).unwrap();
        from.replace(&running, Durability::Buffered).unwrap();
        let cancelled = running
            .apply(Event::Fail(job_core::Failure::new(job_core::FailureKind::Handler, "x")), at(3))
            .unwrap();
        from.replace(&cancelled, Durability::Buffered).unwrap();
        let done = from.list(None, 0, 100).unwrap().into_iter().find(|job| job.state.is_complete()).unwrap();
        from.pin(done.id, Pin::Keep).unwrap();
        from.record_reads(&[(done.id, at(7_000_000))]).unwrap();
        let again = copied(&from, &*to);
        assert_eq!(again.jobs, 1, "{name}");
        assert_copied(&from, &*to);
    }
}

fn job(spec: JobSpec, n: u64) -> JobRecord {
    JobRecord::waiting(job_core::JobId::from_parts(at(n * 1_000), [0; 10]), spec.with_graph("g"), at(n))
}

#[test]
fn another_job_of_the_target_is_told_of_and_stays() {
    for (name, to, _place) in stores() {
        let from = MemoryStore::default();
        let mine = [
            job(JobSpec::vertex_filter(), 1),
            job(JobSpec::vertex_filter().idempotency_key("k"), 2),
            job(JobSpec::vertex_filter(), 3),
        ];
        from.insert(&mine, Durability::Buffered).unwrap();
        let theirs = [job(JobSpec::edge_filter(), 1), job(JobSpec::edge_filter().idempotency_key("k"), 9)];
        to.insert(&theirs, Durability::Buffered).unwrap();
        let reasons = left_out(&from, &*to);
        assert_eq!(reasons.len(), 2, "{name}: {reasons:?}");
        assert!(reasons[0].contains("another job under its id"), "{reasons:?}");
        assert!(reasons[1].contains(&theirs[1].id.to_string()), "{reasons:?}");
        let there: Vec<_> = to.list(None, 0, 9).unwrap();
        assert_eq!(there, [theirs[1].clone(), mine[2].clone(), theirs[0].clone()], "{name}");
    }
}

#[test]
fn a_job_that_went_on_in_the_target_is_left_alone() {
    let from = MemoryStore::default();
    let waiting = job(JobSpec::vertex_filter(), 1);
    from.insert(slice::from_ref(&waiting), Durability::Buffered).unwrap();
    for (_, to, _place) in stores() {
        copied(&from, &*to);
        let running = waiting.apply(Event::Start, at(5)).unwrap();
        to.replace(&running, Durability::Buffered).unwrap();
        assert!(left_out(&from, &*to)[0].contains("gone on in the target"));
        assert_eq!(to.get(waiting.id).unwrap(), Some(running.clone()));
        let ended = running
            .apply(Event::Fail(job_core::Failure::new(job_core::FailureKind::Handler, "x")), at(6))
            .unwrap();
        to.replace(&ended, Durability::Buffered).unwrap();
        assert!(left_out(&from, &*to)[0].contains("ended in the target"));
        assert_eq!(to.get(waiting.id).unwrap(), Some(ended));
    }
}

#[test]
fn a_damaged_job_is_told_of_and_all_others_are_copied() {
    let inner = Arc::new(MemoryStore::default());
    fill(&*inner, &varied());
    let from = FaultStore::new(Arc::clone(&inner));
    let victim = inner.list(None, 0, 100).unwrap()[3].id;
    from.damage(victim);
    let to = MemoryStore::default();
    assert!(left_out(&from, &to)[0].contains("damaged"));
    assert_eq!(to.get(victim).unwrap(), None);
    assert_eq!(to.list(None, 0, 100).unwrap().len(), varied().len() - 1);
}

/// A damaged block is never copied, nor is a part of the job that has it.
#[cfg(feature = "redb")]
#[test]
fn a_job_with_a_damaged_row_is_left_out_whole() {
    use job_store::conformance::Fixture;
    // Of rows as they are, a row can be found in the file.
    let fixture = crate::backends::redb::Redb::packed(job_store::Packing::None);
    let from = fixture.open();
    let shape = Shape { segments: vec![9, 30], width: 77, ..Shape::of(Ending::Succeeds) };
    fill(&*from, &[Shape::of(Ending::Succeeds), shape, Shape::of(Ending::Waits)]);
    drop(from);
    assert!(fixture.damage(format!("29 {}", "x".repeat(77)).as_bytes()));
    let (from, to) = (fixture.open(), MemoryStore::default());
    let reasons = left_out(&*from, &to);
    assert!(reasons.len() == 1 && reasons[0].starts_with("segment 1.1: rows 28..30"), "{reasons:?}");
    assert_eq!(to.list(None, 0, 9).unwrap().len(), 2, "nothing of it is left there");
}

#[test]
fn a_filter_takes_its_jobs_alone() {
    let (from, to) = (MemoryStore::default(), MemoryStore::default());
    from.insert(
        &[job(JobSpec::vertex_filter().owner("Sarah"), 1), job(JobSpec::vertex_filter(), 2)],
        Durability::Buffered,
    )
    .unwrap();
    let options = CopyOptions::default().filter(JobFilter::default().owner("Sarah"));
    let done = copy(&from, &to, &options, &mut |_| ()).unwrap();
    assert_eq!((done.jobs_in_all, done.jobs), (1, 1));
    assert_eq!(to.list(None, 0, 9).unwrap().len(), 1);
}

#[test]
fn more_jobs_than_one_piece_come_in_their_order() {
    let (from, to) = (MemoryStore::default(), MemoryStore::default());
    let jobs: Vec<_> = (0..600).map(|n| job(JobSpec::vertex_filter(), n)).collect();
    from.insert(&jobs, Durability::Buffered).unwrap();
    let mut last = Copied::default();
    let done = copy(&from, &to, &CopyOptions::default(), &mut |news| {
        if let CopyNews::Progress(now) = news {
            assert!(now.jobs >= last.jobs && now.jobs_in_all == 600);
            last = now;
        }
    });
    assert_eq!(done.unwrap(), last);
    assert_eq!(to.list(None, 0, 1_000).unwrap(), from.list(None, 0, 1_000).unwrap());
}

#[test]
fn a_target_on_which_an_engine_works_is_refused() {
    let (from, to) = (MemoryStore::default(), MemoryStore::default());
    let _engine = to.seat("an engine").unwrap();
    let refused = copy(&from, &to, &CopyOptions::default(), &mut |_| ()).unwrap_err();
    assert!(refused.kind == ErrorKind::AlreadyOpen && refused.to_string().contains("an engine"), "{refused}");
}
