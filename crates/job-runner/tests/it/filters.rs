//! Filters in parallel: the partitions of one job on every idle worker.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crossbeam_channel::{Receiver, bounded};
use job_runner::{
    Engine, FailureKind, JobContext, JobError, JobHandle, JobSpec, JobState, Outcome, Partition, ScanOptions,
    store::MemoryStore,
};

use crate::support::{Rig, drain, job, nothing, page, rows};

const IDS: u64 = 50_000;

fn keeps(id: u64) -> bool {
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 == 0
}

fn scan(size: u64) -> impl Fn(&mut JobContext) -> Result<(), JobError> {
    move |ctx: &mut JobContext| {
        ctx.scan("vertices", 0..IDS, ScanOptions::default().partition_size(size), |part: &mut Partition<'_>| {
            for id in part.ids() {
                if keeps(id) {
                    part.push(&id)?;
                }
            }
            part.check_stopped()
        })
    }
}

fn filter() -> JobSpec {
    JobSpec::vertex_filter().with_graph("g")
}

fn engine(
    workers: usize,
    filter: impl Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static,
) -> Engine {
    Engine::builder(Arc::new(MemoryStore::default()))
        .vertex_filter(filter)
        .algorithm("a", nothing)
        .workers(workers)
        .open()
        .unwrap()
}

#[test]
fn rows_come_in_the_order_of_ids_however_many_workers_scan() {
    let sequential: Vec<u64> = (0..IDS).filter(|&id| keeps(id)).collect();
    for workers in [1, 2, 4] {
        for size in [1_000, 7_777, IDS, u64::MAX] {
            let engine = engine(workers, scan(size));
            let handle = engine.submit(filter()).unwrap();
            handle.wait().unwrap();
            assert_eq!(rows(&handle, 0, 100_000), sequential, "{workers} workers, partitions of {size}");
            assert_eq!(handle.record().size.rows, sequential.len() as u64);
        }
    }
}

#[test]
fn a_scan_of_nothing_gives_an_empty_list() {
    let rig = Rig::new(|builder| {
        builder.vertex_filter(|ctx: &mut JobContext| {
            ctx.scan("vertices", 0..0, ScanOptions::default().partition_size(0), |_: &mut Partition<'_>| Ok(()))
        })
    });
    let handle = rig.submit(filter());
    drain(&rig.engine);
    let shown = handle.page(page(0, 10)).unwrap();
    assert_eq!((shown.list(), shown.len()), ("vertices", 0));
    assert_eq!(handle.record().state, JobState::Complete(Outcome::Succeeded));
}

/// Of a host whose ids are keys, such as UUIDs.
#[test]
fn ranges_of_keys_are_scanned_like_ids_and_their_rows_come_in_their_order() {
    use std::{collections::BTreeMap, ops::Bound};
    let key = |n: u64| (u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(n)).to_be_bytes();
    let graph: Arc<BTreeMap<[u8; 16], u64>> = Arc::new((0..20_000).map(|n| (key(n), n)).collect());
    let expected: Vec<u64> = graph.values().copied().filter(|n| keeps(*n)).collect();
    for (workers, cuts) in [(1, 1), (1, 300), (4, 17), (4, 2_000)] {
        let own = Arc::clone(&graph);
        let body = move |ctx: &mut JobContext| {
            let ends: Vec<[u8; 16]> = own.keys().step_by(own.len() / cuts).copied().collect();
            let open = |at: usize| ends.get(at).map_or(Bound::Unbounded, |end| Bound::Excluded(*end));
            // From each key to the next, and from the last one to the end of all.
            let ranges = ends.iter().zip(1..).map(|(start, next)| (Bound::Included(*start), open(next))).collect();
            let graph = Arc::clone(&own);
            ctx.scan_ranges("vertices", ranges, move |range, part: &mut Partition<'_>| {
                for (_, n) in graph.range(*range) {
                    part.check_stopped()?;
                    if keeps(*n) {
                        part.push(n)?;
                    }
                }
                Ok(())
            })
        };
        let store = Arc::new(MemoryStore::default());
        let engine = Engine::builder(store).vertex_filter(body).workers(workers).open().unwrap();
        let handle = engine.submit(filter()).unwrap();
        assert_eq!(handle.wait().unwrap().state, JobState::Complete(Outcome::Succeeded));
        assert_eq!(rows(&handle, 0, 100_000), expected, "{workers} workers, {cuts} ranges");
    }
}

#[test]
fn no_ranges_give_an_empty_list_and_a_range_that_fails_leaves_nothing() {
    let rig = Rig::new(|builder| {
        builder
            .algorithm("none", |ctx: &mut JobContext| {
                ctx.scan_ranges("vertices", Vec::<()>::new(), |(), _: &mut Partition<'_>| Ok(()))
            })
            .algorithm("fails", |ctx: &mut JobContext| {
                let scan = |n: &u64, part: &mut Partition<'_>| {
                    part.push(n)?;
                    if *n == 3 { Err(JobError::failed("no such key")) } else { Ok(()) }
                };
                assert!(ctx.scan_ranges("vertices", (0..5).collect(), scan).is_err());
                // A body that goes on may scan once more.
                ctx.scan_ranges("vertices", vec![7_u64], scan)
            })
    });
    let record = rig.finish(job("none"));
    assert_eq!((record.state, record.size.rows), (JobState::Complete(Outcome::Succeeded), 0));
    let handle = rig.submit(job("fails"));
    drain(&rig.engine);
    assert_eq!(rows(&handle, 0, 10), [7]);
}

#[test]
fn two_scans_of_one_job_follow_each_other_in_its_list() {
    let rig = Rig::new(|builder| {
        builder.vertex_filter(|ctx: &mut JobContext| {
            for _ in 0..2 {
                ctx.scan("n", 0..10, ScanOptions::default().partition_size(3), |part: &mut Partition<'_>| {
                    part.ids().try_for_each(|id| part.push(&id))
                })?;
            }
            ctx.rows("n")?.push(&99)
        })
    });
    let handle = rig.submit(filter());
    drain(&rig.engine);
    assert_eq!(rows(&handle, 0, 100), (0..10).chain(0..10).chain([99]).collect::<Vec<_>>());
}

#[test]
fn more_partitions_than_can_be_numbered_are_refused() {
    let rig = Rig::new(|builder| {
        builder.vertex_filter(|ctx: &mut JobContext| {
            ctx.scan("n", 0..u64::MAX, ScanOptions::default().partition_size(1), |_: &mut Partition<'_>| Ok(()))
        })
    });
    assert!(rig.finish(filter()).failure.unwrap().message.contains("too many partitions"));
}

/// A filter whose first partitions meet at a gate, so that several workers are inside when one fails.
fn wrong_in_one(workers: usize, wrong: fn() -> Result<(), JobError>) -> (JobHandle, Arc<AtomicUsize>, Engine) {
    let started = Arc::new(AtomicUsize::new(0));
    let begun = Arc::clone(&started);
    let (inside, go) = (Arc::new(AtomicUsize::new(0)), bounded::<()>(0));
    let (sender, receiver): (_, Receiver<()>) = go;
    let sender = parking_lot::Mutex::new(Some(sender));
    let engine = engine(workers, move |ctx: &mut JobContext| {
        let (begun, inside, receiver) = (Arc::clone(&begun), Arc::clone(&inside), receiver.clone());
        let sender = sender.lock().take();
        let sender = parking_lot::Mutex::new(sender);
        ctx.scan("n", 0..1_000, ScanOptions::default().partition_size(1), move |part: &mut Partition<'_>| {
            begun.fetch_add(1, Ordering::SeqCst);
            part.push(&"x".repeat(1_000))?;
            if inside.fetch_add(1, Ordering::SeqCst) + 1 == workers {
                let _open = sender.lock().take(); // lets the others go on afterwards, also when it panics
                return wrong();
            }
            let _ = receiver.recv();
            // The failed partition stops this one, sooner or later.
            loop {
                part.check_stopped()?;
                std::thread::yield_now();
            }
        })
    });
    let handle = engine.submit(filter()).unwrap();
    handle.wait().unwrap();
    (handle, started, engine)
}

#[test]
fn an_error_in_one_partition_stops_the_others_and_is_the_reason() {
    for workers in [1, 2, 4] {
        let (handle, started, engine) = wrong_in_one(workers, || Err(JobError::failed("vertex 7 is damaged")));
        let record = handle.record();
        let failure = record.failure.unwrap();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Handler, "vertex 7 is damaged"));
        assert!(started.load(Ordering::SeqCst) <= workers + 1, "no further partition is begun");
        assert_eq!(record.size.rows, 0);
        assert!(engine.submit(job("a")).unwrap().wait().unwrap().state.is_complete());
    }
}

#[test]
fn a_panic_in_one_partition_stops_the_others_and_is_the_reason() {
    for workers in [1, 3] {
        let (handle, _, engine) =
            wrong_in_one(workers, || std::panic::resume_unwind(Box::new("vertex 7".to_owned())));
        let failure = handle.record().failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Panicked);
        assert_eq!(failure.message, "the handler panicked: vertex 7");
        for _ in 0..workers * 2 {
            assert!(engine.submit(job("a")).unwrap().wait().unwrap().state.is_complete());
        }
    }
}

#[test]
fn a_waiting_job_gets_a_worker_while_a_large_scan_runs() {
    let (step, steps) = bounded::<()>(0);
    let (inside, entered) = bounded::<()>(100);
    let engine = engine(2, move |ctx: &mut JobContext| {
        let (steps, inside) = (steps.clone(), inside.clone());
        ctx.scan("n", 0..1_000, ScanOptions::default().partition_size(1), move |part: &mut Partition<'_>| {
            let _ = inside.try_send(());
            let _ = steps.recv();
            part.push(&part.ids().start)
        })
    });
    let scan = engine.submit(filter()).unwrap();
    entered.recv().unwrap();
    entered.recv().unwrap(); // both workers are inside
    let small = engine.submit(job("a")).unwrap();
    // Each worker ends its partition. One worker then takes the job, before it takes another partition.
    step.send(()).unwrap();
    step.send(()).unwrap();
    while small.wait_timeout(std::time::Duration::from_millis(1)).unwrap().is_none() {
        // The worker of the scan's job may be the one that took a partition. Then the other worker takes the small
        // job.
        let _ = step.try_send(());
    }
    assert!(!scan.record().state.is_complete(), "it did not have to wait for the scan");
    drop(step);
    assert_eq!(scan.wait().unwrap().size.rows, 1_000);
}

#[test]
fn a_scan_is_cancelled_in_every_partition() {
    let (inside, entered) = bounded::<()>(100);
    let engine = engine(3, move |ctx: &mut JobContext| {
        let inside = inside.clone();
        ctx.scan("n", 0..1_000, ScanOptions::default().partition_size(1), move |part: &mut Partition<'_>| {
            inside.send(()).unwrap();
            loop {
                part.check_stopped()?;
                std::thread::yield_now();
            }
        })
    });
    let scan = engine.submit(filter()).unwrap();
    for _ in 0..3 {
        entered.recv().unwrap();
    }
    scan.cancel().unwrap();
    assert_eq!(scan.wait().unwrap().state, JobState::Complete(Outcome::Cancelled));
    assert!(entered.is_empty());
}

#[test]
fn progress_of_a_scan_counts_partitions() {
    let (step, steps) = bounded::<()>(0);
    let engine = engine(1, move |ctx: &mut JobContext| {
        let steps = steps.clone();
        ctx.scan("n", 0..10, ScanOptions::default().partition_size(1), move |_: &mut Partition<'_>| {
            let _ = steps.recv();
            Ok(())
        })
    });
    let scan = engine.submit(filter()).unwrap();
    for done in 0..5 {
        step.send(()).unwrap();
        let progress = scan.progress();
        assert_eq!(progress.total, 10);
        assert!(progress.done == done || progress.done == done + 1, "{progress:?} after {done}");
    }
    drop(step);
    scan.wait().unwrap();
}
