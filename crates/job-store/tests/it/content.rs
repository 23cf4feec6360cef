//! Stores with content of every kind, and the comparison of two stores by everything that a reader may ask.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

use job_core::{
    Event, FailedAttempt, Failure, FailureKind, JobFilter, JobId, JobRecord, JobResult, JobSpec, JobState,
    Outputs, RowList, Segment, Timestamp,
};
use job_store::{Block, BlockBuilder, Durability, ErrorKind, Pin, SegmentKey, Store};
use proptest::prelude::*;

pub fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Waits,
    WaitsAgain,
    Runs,
    IsSuspect,
    Cancels,
    Succeeds,
    SucceedsInTheThirdAttempt,
    Fails,
    FailsWithRows,
    IsCancelled,
    IsCancelledWaiting,
}

const ENDINGS: [Ending; 11] = [
    Ending::Waits,
    Ending::WaitsAgain,
    Ending::Runs,
    Ending::IsSuspect,
    Ending::Cancels,
    Ending::Succeeds,
    Ending::SucceedsInTheThirdAttempt,
    Ending::Fails,
    Ending::FailsWithRows,
    Ending::IsCancelled,
    Ending::IsCancelledWaiting,
];

/// A job to be made.
#[derive(Debug, Clone)]
pub struct Shape {
    pub ending: Ending,
    /// Rows of each segment.
    pub segments: Vec<u64>,
    /// Bytes of a row, more or less.
    pub width: usize,
    pub is_pinned: bool,
    pub read: Option<u64>,
    pub key: Option<u8>,
    pub version: Option<u8>,
    pub label: Option<u8>,
    /// By how many jobs its id is later than its place.
    pub late: u64,
    /// How many jobs come before its end.
    pub lasts: usize,
}

impl Shape {
    pub fn of(ending: Ending) -> Self {
        Self {
            ending,
            segments: vec![3, 0, 40],
            width: 20,
            is_pinned: false,
            read: None,
            key: None,
            version: None,
            label: None,
            late: 0,
            lasts: 0,
        }
    }
}

pub fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let optional = || prop_oneof![3 => Just(None), 1 => (0..2u8).prop_map(Some)];
    let notes = (any::<bool>(), prop_oneof![Just(None), (0..9u64).prop_map(Some)]);
    let names = (optional(), optional(), optional());
    let shape = (
        prop::sample::select(ENDINGS.to_vec()),
        prop::collection::vec(0..30u64, 0..4),
        0..300usize,
        notes,
        names,
        0..4u64,
        0..4usize,
    );
    let shape = shape.prop_map(|(ending, segments, width, notes, names, late, lasts)| {
        let ((is_pinned, read), (key, version, label)) = (notes, names);
        Shape { ending, segments, width, is_pinned, read, key, version, label, late, lasts }
    });
    prop::collection::vec(shape, 0..14)
}

/// One of each ending, and some that share a key or a work.
pub fn varied() -> Vec<Shape> {
    let mut shapes: Vec<_> = ENDINGS.iter().map(|ending| Shape::of(*ending)).collect();
    shapes[5].is_pinned = true;
    shapes[7].read = Some(4);
    shapes[9].is_pinned = true;
    let of = |ending, late, lasts| Shape { late, lasts, key: Some(1), version: Some(1), ..Shape::of(ending) };
    // The first with the key fails, and its id is the greatest of three.
    shapes.extend([of(Ending::Fails, 3, 0), of(Ending::Succeeds, 0, 0)]);
    let other = |shape| Shape { key: Some(0), ..shape };
    shapes.extend([other(of(Ending::Fails, 3, 0)), other(of(Ending::IsCancelled, 0, 0))]);
    // The work is done last by the one with the least id.
    let works = |late, lasts| Shape { key: None, version: Some(2), ..of(Ending::Succeeds, late, lasts) };
    shapes.extend([works(0, 9), works(1, 0), works(2, 0)]);
    shapes
}

fn spec(shape: &Shape, with_key: bool) -> JobSpec {
    let spec = JobSpec::algorithm("pagerank").with_graph("图").keep_rows().owner("Sarah");
    let spec = shape.version.iter().fold(spec, |spec, n| spec.graph_version(format!("v{n}")).reuse_result());
    let spec = shape.label.iter().fold(spec, |spec, n| spec.label(format!("label {n}")));
    shape.key.iter().filter(|_| with_key).fold(spec, |spec, n| spec.idempotency_key(format!("key {n}")))
}

/// Makes the jobs, in the order of their places, each of which ends some places later.
pub fn fill(store: &dyn Store, shapes: &[Shape]) {
    let mut open: Vec<(usize, &Shape, JobRecord)> = Vec::new();
    for (place, shape) in shapes.iter().enumerate() {
        open.push((place + shape.lasts, shape, insert(store, shape, u8::try_from(place).unwrap())));
        open.retain(|(due, shape, record)| {
            if *due <= place {
                end(store, shape, record);
            }
            *due > place
        });
    }
    for (_, shape, record) in &open {
        end(store, shape, record);
    }
}

fn insert(store: &dyn Store, shape: &Shape, number: u8) -> JobRecord {
    let place = u64::from(number);
    let id = JobId::from_parts(at((place + shape.late) * 10_000), [number; 10]);
    let record = |with_key| JobRecord::waiting(id, spec(shape, with_key), at(place * 1_000));
    match store.insert(&[record(true)], Durability::Buffered) {
        Err(error) if error.kind == ErrorKind::AlreadyExists => {
            store.insert(&[record(false)], Durability::Buffered).unwrap();
            record(false)
        }
        inserted => {
            inserted.unwrap();
            record(true)
        }
    }
}

fn moved(store: &dyn Store, record: &JobRecord, event: Event) -> JobRecord {
    let next = record.apply(event, at(500_000 + record.revision)).unwrap();
    store.replace(&next, Durability::Buffered).unwrap();
    next
}

fn end(store: &dyn Store, shape: &Shape, waiting: &JobRecord) {
    let later = || Failure::new(FailureKind::Handler, "not now");
    let start = |record: &JobRecord| moved(store, record, Event::Start);
    let save = |record: &JobRecord| {
        store
            .save_checkpoint(record.id, record.attempt, format!("state of {}", record.attempt).as_bytes())
            .unwrap();
        let failed = FailedAttempt {
            attempt: record.attempt,
            started: at(1),
            ended: at(record.revision),
            failure: later(),
        };
        let failed = failed.after(store.failures(record.id).unwrap());
        store.save_failures(record.id, record.attempt, &failed).unwrap();
    };
    let id = waiting.id;
    match shape.ending {
        Ending::Waits => {}
        Ending::WaitsAgain => {
            let running = start(waiting);
            save(&running);
            moved(store, &running, Event::Requeue(later(), Some(at(900_000))));
        }
        Ending::Runs => {
            let running = start(waiting);
            rows(store, &running, shape);
            save(&running);
        }
        Ending::IsSuspect => {
            let running = start(waiting);
            moved(store, &running, Event::Suspect(Failure::new(FailureKind::Interrupted, "it died")));
        }
        Ending::Cancels => drop(moved(store, &start(waiting), Event::Cancel)),
        Ending::Succeeds | Ending::SucceedsInTheThirdAttempt => {
            let mut running = start(waiting);
            if shape.ending == Ending::SucceedsInTheThirdAttempt {
                for _ in 0..2 {
                    save(&running);
                    running = start(&moved(store, &running, Event::Requeue(later(), None)));
                }
            }
            let result = result(rows(store, &running, shape));
            let done = running.apply(Event::Succeed(result.size()), at(600_000)).unwrap();
            store.complete(&[(&done, &result)], Durability::Buffered).unwrap();
        }
        Ending::Fails => {
            let running = start(waiting);
            save(&running);
            moved(store, &running, Event::Fail(later()));
        }
        Ending::FailsWithRows => {
            let running = start(waiting);
            let result = result(rows(store, &running, shape));
            let done = running.apply(Event::Fail(later()), at(600_000)).unwrap().keeping(result.size());
            store.complete(&[(&done, &result)], Durability::Buffered).unwrap();
        }
        Ending::IsCancelled => {
            let stopping = moved(store, &start(waiting), Event::Cancel);
            let next = stopping.apply(Event::Stop, at(700_000)).unwrap().stopped_at(40);
            store.replace(&next, Durability::Buffered).unwrap();
        }
        Ending::IsCancelledWaiting => drop(moved(store, waiting, Event::Cancel)),
    }
    if shape.is_pinned {
        store.pin(id, Pin::Keep).unwrap();
    }
    if let Some(read) = shape.read {
        store.record_reads(&[(id, at(1_000_000 + read))]).unwrap();
    }
}

fn result(segments: Vec<Segment>) -> JobResult {
    let mut outputs = Outputs::default();
    outputs.insert("runtime", &0.25).unwrap();
    JobResult { outputs, list: Some(RowList::new("vertices", segments)) }
}

fn rows(store: &dyn Store, job: &JobRecord, shape: &Shape) -> Vec<Segment> {
    let segment = |(number, count): (u32, &u64)| {
        let key = SegmentKey { job: job.id, attempt: job.attempt, number };
        let mut writer = store.segment(key).unwrap();
        let mut block = BlockBuilder::new(key);
        for row in 0..*count {
            block.push(&format!("{row} {}", "x".repeat(shape.width))).unwrap();
            if row % 7 == 6 {
                writer.append(block.seal()).unwrap();
            }
        }
        if block.rows() > 0 {
            writer.append(block.seal()).unwrap();
        }
        writer.finish().unwrap()
    };
    (0..).zip(&shape.segments).map(segment).collect()
}

/// A job as a copy has it.
fn copied(record: &JobRecord) -> (JobState, u64, JobRecord) {
    let (state, revision) = match record.state {
        JobState::Running { cancelling: false } => (JobState::Waiting, record.revision + 1),
        JobState::Running { cancelling: true } => {
            (JobState::Complete(job_core::Outcome::Cancelled), record.revision + 1)
        }
        state => (state, record.revision),
    };
    // These tell why it waits again, or when it ended.
    let same = match record.state {
        JobState::Running { .. } => JobRecord { failure: None, finished_at: None, ..record.clone() },
        _ => record.clone(),
    };
    (state, revision, JobRecord { state, revision, ..same })
}

/// The rows of a segment as they are read, in two pages, and the JSON of each block, whether it is packed or not.
fn read(store: &dyn Store, key: SegmentKey, rows: u64) -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
    let (mut json, mut blocks) = (Vec::new(), Vec::new());
    for page in [0..rows / 2, rows / 2..rows] {
        store
            .read(key, page, &mut |run| {
                run.append_to(&mut json)?;
                json.push(b',');
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
    }
    store
        .blocks(key, &mut |end, bytes| {
            let block = Block::parse(bytes).unwrap();
            blocks.push((end, block.rows(0..block.len()).unwrap().json().unwrap().into_owned()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    (json, blocks)
}

/// Whether a reader finds in `to` all that it finds in `from`, but for what runs.
pub fn assert_copied(from: &dyn Store, to: &dyn Store) {
    let (wanted, found) = (from.list(None, 0, 1_000).unwrap(), to.list(None, 0, 1_000).unwrap());
    let ids = |records: &[JobRecord]| records.iter().map(|record| record.id).collect::<Vec<_>>();
    assert_eq!(ids(&wanted), ids(&found));
    for (wanted, found) in wanted.iter().zip(&found) {
        let (state, revision, same) = copied(wanted);
        assert_eq!((found.state, found.revision), (state, revision), "{wanted:?}");
        let found = match wanted.state {
            JobState::Running { .. } => JobRecord { failure: None, finished_at: None, ..found.clone() },
            _ => found.clone(),
        };
        assert_eq!(found, same);
        assert_eq!(to.get(found.id).unwrap().map(|record| record.revision), Some(revision));
        let result = from.result(found.id).unwrap();
        assert_eq!(to.result(found.id).unwrap(), result, "{wanted:?}");
        for segment in result.iter().flat_map(|result| &result.list).flat_map(RowList::segments) {
            let key = SegmentKey { job: found.id, attempt: segment.attempt, number: segment.number };
            assert_eq!(read(to, key, segment.rows), read(from, key, segment.rows), "{key:?}");
        }
        assert_eq!(to.failures(found.id).unwrap(), from.failures(found.id).unwrap(), "{wanted:?}");
        if !found.state.is_complete() {
            assert_eq!(to.checkpoint(found.id).unwrap(), from.checkpoint(found.id).unwrap(), "{wanted:?}");
        }
        let work = from.find_reusable(&wanted.spec).unwrap();
        assert_eq!(to.find_reusable(&wanted.spec).unwrap(), work, "{:?}", wanted.spec);
        if let Some(key) = &wanted.spec.options().idempotency_key {
            let holder = from.find_key(wanted.spec.graph(), key).unwrap();
            assert_eq!(to.find_key(wanted.spec.graph(), key).unwrap(), holder, "{key}");
        }
    }
    let ids = ids(&wanted);
    assert_eq!(to.usage(&ids).unwrap(), from.usage(&ids).unwrap());
    assert_lists(from, to, &wanted);
}

fn assert_lists(from: &dyn Store, to: &dyn Store, wanted: &[JobRecord]) {
    let any = JobFilter::default;
    let ids = |store: &dyn Store, filter: &JobFilter| {
        store.filtered_entries(filter, None, 1_000).unwrap().iter().map(|listed| listed.id).collect::<Vec<_>>()
    };
    let labels: BTreeSet<_> = wanted.iter().flat_map(|record| &record.spec.options().labels).collect();
    let filters = [any().graph("图"), any().graph("g"), any().owner("Sarah")];
    for filter in filters.into_iter().chain(labels.into_iter().map(|label| any().label(label))) {
        assert_eq!(ids(to, &filter), ids(from, &filter), "{filter:?}");
    }
    let unfinished: Vec<_> = to.unfinished().unwrap().iter().map(|record| record.id).collect();
    let stays = |record: &&JobRecord| !copied(record).0.is_complete();
    let expected: Vec<_> = wanted.iter().rev().filter(stays).map(|record| record.id).collect();
    assert_eq!(unfinished, expected);
    if wanted.iter().all(|record| record.state != (JobState::Running { cancelling: true })) {
        assert_eq!(to.kept().unwrap(), from.kept().unwrap());
        assert_eq!(to.least_used(false, None, 1_000).unwrap(), from.least_used(false, None, 1_000).unwrap());
    }
}

/// The name of a store, and the store, which keeps its place.
pub type Named = (&'static str, Arc<dyn Store>, Box<dyn std::any::Any>);
