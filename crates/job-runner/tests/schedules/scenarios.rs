//! The scenarios that are tried in many orders. Every scenario ends with an engine at rest and a store that agrees
//! with it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "scenarios of tests")]

use std::{
    ops::ControlFlow,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use job_core::{JobId, JobRecord, JobSpec, JobState, Outcome, PageRequest};
use job_store::{Fault, FaultStore, JobStore, MemoryStore, Store, StoreError};
use shuttle::thread;

use crate::{
    api::{builder::EngineBuilder, engine::Engine, handle::JobHandle},
    decide::outcome::RetryPolicy,
    engine::stats::Stats,
    handler::{
        context::JobContext,
        partition::{Partition, ScanOptions},
    },
    job::error::{EngineError, JobError},
    read::page::Page,
    seam::clock::ManualClock,
};

/// Every scenario by its name.
pub(crate) const ALL: &[(&str, fn())] = &[
    ("jobs_of_two_submitters_end_and_every_waiter_is_woken", submit_and_wait),
    ("a_submitter_that_waits_for_room_gets_it", room),
    ("complete_against_cancel", complete_against_cancel),
    ("two_cancels", two_cancels),
    ("shutdown_against_submit", shutdown_against_submit),
    ("deadline_against_complete", deadline_against_complete),
    ("retry_against_cancel", retry_against_cancel),
    ("recovery_against_a_body_left_behind", recovery_against_body),
    ("one_key_in_three_threads_is_one_job", one_key),
    ("a_scan_on_several_workers_comes_in_order", scan),
    ("an_error_in_a_scan_stops_it_whoever_helps", scan_error),
    ("a_future_is_woken", future),
    ("news_of_a_job_are_never_missed", news),
    ("a_write_that_fails_is_overcome", failing_write),
    ("limits_hold_and_wake_who_waits_for_a_place", limits),
    ("jobs_that_wait_for_jobs_on_one_worker_end", nested),
    ("a_cancel_of_a_job_that_waits_for_another_takes_effect", nested_cancel),
];

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);
const CANCELLED: JobState = JobState::Complete(Outcome::Cancelled);

fn builder(store: &Arc<MemoryStore>) -> EngineBuilder {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    Engine::builder(store)
        .clock(Arc::new(ManualClock::default()))
        .retry(RetryPolicy::new(Duration::ZERO, Duration::ZERO))
        .algorithm("a", |ctx: &mut JobContext| {
            thread::yield_now();
            ctx.check_stopped()
        })
        .algorithm("again", |ctx: &mut JobContext| {
            ctx.check_stopped()?;
            if ctx.attempt() < 3 { Err(JobError::transient("again")) } else { Ok(()) }
        })
}

fn job(name: &str) -> JobSpec {
    JobSpec::algorithm(name).with_graph("g")
}

fn setup(workers: usize) -> (Arc<MemoryStore>, Arc<Engine>) {
    let store = Arc::new(MemoryStore::default());
    let engine = builder(&store).workers(workers).open().unwrap();
    (store, Arc::new(engine))
}

fn stored(store: &MemoryStore, id: JobId) -> JobRecord {
    store.get(id).unwrap().unwrap()
}

/// Shuts down when everything has ended, and looks whether anything is left.
fn rest(store: &MemoryStore, engine: &Engine) {
    assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
    assert_eq!(engine.stats(), Stats::default());
    assert!(store.unfinished().unwrap().is_empty());
}

fn submit_and_wait() {
    let (store, engine) = setup(2);
    let submitters: Vec<_> = (0..2)
        .map(|_| {
            let engine = Arc::clone(&engine);
            thread::spawn(move || {
                let handle = engine.submit(job("a")).unwrap();
                let other = handle.clone();
                let waiter = thread::spawn(move || other.wait());
                assert_eq!(handle.wait(), waiter.join().unwrap());
                assert_eq!(handle.record().state, SUCCEEDED);
            })
        })
        .collect();
    for submitter in submitters {
        submitter.join().unwrap();
    }
    rest(&store, &engine);
}

fn room() {
    let store = Arc::new(MemoryStore::default());
    let engine = Arc::new(builder(&store).workers(1).queue_bound(1).open().unwrap());
    let submitters: Vec<_> = (0..3)
        .map(|_| {
            let engine = Arc::clone(&engine);
            thread::spawn(move || engine.submit_timeout(job("a"), Duration::MAX).unwrap().wait().unwrap())
        })
        .collect();
    for submitter in submitters {
        assert_eq!(submitter.join().unwrap().state, SUCCEEDED);
    }
    rest(&store, &engine);
}

/// Checks that the answer to a cancel and the end of the job agree.
fn cancelled_or_not(answer: &Result<JobRecord, EngineError>, end: &JobRecord) {
    match answer {
        Ok(record) => assert!(record.revision <= end.revision && !matches!(record.state, SUCCEEDED)),
        Err(EngineError::AlreadyComplete(_)) => {}
        Err(error) => panic!("{error}"),
    }
    assert!([SUCCEEDED, CANCELLED].contains(&end.state), "{end:?}");
}

fn complete_against_cancel() {
    let (store, engine) = setup(1);
    let handle = engine.submit(job("a")).unwrap();
    let called = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&called);
    handle.on_complete(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let watch = handle.watch();
    let other = handle.clone();
    let cancel = thread::spawn(move || other.cancel());
    let end = handle.wait().unwrap();
    cancelled_or_not(&cancel.join().unwrap(), &end);
    rest(&store, &engine);
    assert_eq!(called.load(Ordering::SeqCst), 1);
    assert_eq!(stored(&store, end.id), end);
    // Watchers see each change once, in order.
    let revisions: Vec<u64> = watch.map(|change| change.revision).collect();
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
    assert!(revisions.is_empty() || revisions.last() == Some(&end.revision), "{revisions:?}");
}

fn two_cancels() {
    let (store, engine) = setup(1);
    let handle = engine.submit(job("a")).unwrap();
    let cancels: Vec<_> = (0..2)
        .map(|_| {
            let handle = handle.clone();
            thread::spawn(move || handle.cancel())
        })
        .collect();
    let answers: Vec<_> = cancels.into_iter().map(|cancel| cancel.join().unwrap()).collect();
    let end = handle.wait().unwrap();
    for answer in &answers {
        cancelled_or_not(answer, &end);
    }
    rest(&store, &engine);
}

fn shutdown_against_submit() {
    let (store, engine) = setup(1);
    let own = Arc::clone(&engine);
    let submitter = thread::spawn(move || {
        let handles: Vec<_> = (0..2).map_while(|_| own.submit(job("a")).ok()).collect();
        handles.into_iter().map(|handle| (handle.id(), handle.wait())).collect::<Vec<_>>()
    });
    engine.shutdown(Duration::MAX);
    let mut taken = 0;
    for (id, end) in submitter.join().unwrap() {
        taken += 1;
        match end {
            Ok(record) => assert_eq!(stored(&store, id), record),
            Err(error) => {
                assert_eq!(error, EngineError::LeftUnfinished(id));
                assert_eq!(stored(&store, id).state, JobState::Waiting);
            }
        }
    }
    assert_eq!(store.list(None, 0, 10).unwrap().len(), taken, "refused ones were not stored");
}

fn deadline_against_complete() {
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(ManualClock::default());
    let engine = builder(&store).clock(Arc::<ManualClock>::clone(&clock)).workers(1).open().unwrap();
    let due = crate::seam::clock::Clock::now(&*clock).after(Duration::from_secs(1));
    let handle = engine.submit(job("a").deadline(due)).unwrap();
    clock.advance(Duration::from_secs(1));
    engine.driver().tick().unwrap();
    let end = handle.wait().unwrap();
    assert!([SUCCEEDED, JobState::Complete(Outcome::Failed)].contains(&end.state), "{end:?}");
    assert_eq!(stored(&store, end.id), end);
    rest(&store, &engine);
}

fn retry_against_cancel() {
    let (store, engine) = setup(2);
    let all = engine.watch();
    let handle = engine.submit(job("again")).unwrap();
    let other = handle.clone();
    let cancel = thread::spawn(move || other.cancel());
    let end = handle.wait().unwrap();
    cancelled_or_not(&cancel.join().unwrap(), &end);
    rest(&store, &engine);
    // Every change is announced, once and in order, although two workers take turns.
    let revisions: Vec<u64> = all.map(|change| change.revision).collect();
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
    assert_eq!(revisions.last(), Some(&end.revision));
}

fn recovery_against_body() {
    let store = Arc::new(MemoryStore::default());
    let three = |ctx: &mut JobContext| {
        let mut rows = ctx.rows("n")?;
        for n in 0..3 {
            thread::yield_now();
            rows.push(&n)?;
        }
        Ok(())
    };
    let engine =
        builder(&store).algorithm("rows", three).workers(1).shutdown_timeout(Duration::ZERO).open().unwrap();
    let old = engine.submit(job("rows")).unwrap();
    drop(engine); // waits, runs or is done; perhaps a body is left behind
    let engine = builder(&store).algorithm("rows", three).workers(1).open().unwrap();
    let handle = engine.job(old.id()).unwrap().unwrap();
    let end = handle.wait().unwrap();
    assert_eq!((end.state, end.size.rows), (SUCCEEDED, 3));
    assert_eq!(rows(&handle), [0, 1, 2]);
    // The old engine's handle gets an answer in each case.
    let _ = old.wait();
    rest(&store, &engine);
}

fn rows(handle: &JobHandle) -> Vec<u64> {
    read(&handle.page(PageRequest::default()).unwrap()).unwrap()
}

/// The rows of a page.
pub(crate) fn read(page: &Page) -> Result<Vec<u64>, StoreError> {
    let mut rows = Vec::new();
    page.for_each(|row| {
        rows.push(serde_json::from_slice(row).unwrap());
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

fn one_key() {
    let (store, engine) = setup(1);
    let submitters: Vec<_> = (0..3)
        .map(|_| {
            let engine = Arc::clone(&engine);
            thread::spawn(move || engine.submit(job("a").idempotency_key("k")).unwrap().wait().unwrap())
        })
        .collect();
    let ends: Vec<_> = submitters.into_iter().map(|submitter| submitter.join().unwrap()).collect();
    assert!(ends.iter().all(|end| end == &ends[0] && end.state == SUCCEEDED), "{ends:?}");
    rest(&store, &engine);
}

fn scan() {
    let store = Arc::new(MemoryStore::default());
    let engine = builder(&store)
        .vertex_filter(|ctx: &mut JobContext| {
            ctx.scan("n", 0..6, ScanOptions::default().partition_size(2), |part: &mut Partition<'_>| {
                thread::yield_now();
                part.ids().try_for_each(|id| part.push(&id))
            })
        })
        .workers(3)
        .open()
        .unwrap();
    let handle = engine.submit(JobSpec::vertex_filter().with_graph("g")).unwrap();
    let other = engine.submit(job("a")).unwrap();
    assert_eq!(handle.wait().unwrap().state, SUCCEEDED);
    assert_eq!(other.wait().unwrap().state, SUCCEEDED);
    assert_eq!(rows(&handle), [0, 1, 2, 3, 4, 5]);
    rest(&store, &engine);
}

fn scan_error() {
    let store = Arc::new(MemoryStore::default());
    let engine = builder(&store)
        .vertex_filter(|ctx: &mut JobContext| {
            ctx.scan("n", 0..4, ScanOptions::default().partition_size(1), |part: &mut Partition<'_>| {
                thread::yield_now();
                part.check_stopped()?;
                if part.ids().start == 1 { Err(JobError::failed("one")) } else { part.push(&1) }
            })
        })
        .workers(2)
        .open()
        .unwrap();
    let handle = engine.submit(JobSpec::vertex_filter().with_graph("g")).unwrap();
    assert_eq!(handle.wait().unwrap().failure.unwrap().message, "one");
    rest(&store, &engine);
}

fn future() {
    let (store, engine) = setup(1);
    let handle = engine.submit(job("a")).unwrap();
    let other = handle.clone();
    let second = thread::spawn(move || shuttle::future::block_on(other));
    assert_eq!(shuttle::future::block_on(handle).unwrap().state, SUCCEEDED);
    assert_eq!(second.join().unwrap().unwrap().state, SUCCEEDED);
    rest(&store, &engine);
}

/// The body goes on only when its progress was seen. A missed announcement leaves both waiting for ever.
fn news() {
    let store = Arc::new(MemoryStore::default());
    let (see, seen) = shuttle::sync::mpsc::channel();
    let seen = std::sync::Mutex::new(seen);
    let engine = builder(&store)
        .algorithm("seen", move |ctx: &mut JobContext| {
            for step in 1..=2 {
                ctx.set_progress(step, 3);
                assert_eq!(seen.lock().unwrap().recv(), Ok(step));
            }
            Ok(())
        })
        .workers(1)
        .open()
        .unwrap();
    let handle = engine.submit(job("seen")).unwrap();
    let mut last = 0;
    loop {
        let changed = handle.changed();
        let now = handle.snapshot();
        if now.record.state.is_complete() {
            break;
        }
        if now.progress.done > last {
            last = now.progress.done;
            see.send(last).unwrap();
        }
        // A dropped future leaves nothing behind.
        drop(handle.state_changed());
        shuttle::future::block_on(changed);
    }
    assert_eq!((last, handle.record().state), (2, SUCCEEDED));
    rest(&store, &engine);
}

fn failing_write() {
    let memory = Arc::new(MemoryStore::default());
    for fault in [Fault::Write(1), Fault::AfterWrite(2), Fault::Write(2)] {
        let store = FaultStore::new(Arc::<MemoryStore>::clone(&memory));
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let engine = Engine::builder(shared)
            .clock(Arc::new(ManualClock::default()))
            .algorithm("a", |_: &mut JobContext| Ok(()))
            .workers(1)
            .open()
            .unwrap();
        store.plan(fault);
        let handle = engine.submit(job("a")).unwrap();
        let other = handle.clone();
        let cancel = thread::spawn(move || other.cancel());
        let end = handle.wait().unwrap();
        match cancel.join().unwrap() {
            // The store failed at the cancel. The call is an error, and the job goes on.
            Err(EngineError::Store(_)) => assert_eq!(end.state, SUCCEEDED),
            answer => cancelled_or_not(&answer, &end),
        }
        assert_eq!(stored(&memory, end.id), end);
        engine.health().unwrap();
        rest(&memory, &engine);
    }
}

fn limits() {
    let store = Arc::new(MemoryStore::default());
    let inside = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&inside);
    let engine = builder(&store)
        .algorithm("one", move |_: &mut JobContext| {
            let others = count.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            count.fetch_sub(1, Ordering::SeqCst);
            if others == 0 { Ok(()) } else { Err(JobError::failed("not alone")) }
        })
        .jobs_per_graph(std::num::NonZeroUsize::MIN)
        .workers(2)
        .open()
        .unwrap();
    for handle in engine.submit_all([job("one"), job("one"), job("one")]).unwrap() {
        assert_eq!(handle.wait().unwrap().state, SUCCEEDED);
    }
    rest(&store, &engine);
}

/// An engine whose jobs `parent` each submit a job `a` and wait for it, one of them at a time.
fn nested_setup(workers: usize) -> (Arc<MemoryStore>, Arc<Engine>) {
    let store = Arc::new(MemoryStore::default());
    let own: Arc<OnceLock<Weak<Engine>>> = Arc::default();
    let of = Arc::clone(&own);
    let engine = builder(&store)
        .algorithm("parent", move |_: &mut JobContext| {
            let engine = of.get().and_then(Weak::upgrade).unwrap();
            engine.submit(job("a"))?.wait()?;
            Ok(())
        })
        .jobs_per_graph(std::num::NonZeroUsize::MIN)
        .workers(workers)
        .open()
        .unwrap();
    let engine = Arc::new(engine);
    own.set(Arc::downgrade(&engine)).unwrap();
    (store, engine)
}

fn nested() {
    let (store, engine) = nested_setup(1);
    for handle in engine.submit_all([job("parent"), job("parent")]).unwrap() {
        assert_eq!(handle.wait().unwrap().state, SUCCEEDED);
    }
    rest(&store, &engine);
}

fn nested_cancel() {
    let (store, engine) = nested_setup(2);
    let handle = engine.submit(job("parent")).unwrap();
    let other = handle.clone();
    let cancel = thread::spawn(move || other.cancel());
    let end = handle.wait().unwrap();
    cancelled_or_not(&cancel.join().unwrap(), &end);
    // The child of the job may still run, or wait.
    while engine.stats() != Stats::default() {
        thread::yield_now();
    }
    rest(&store, &engine);
}
