//! Code and values of a host panic wherever an engine calls or drops them. No thread ends, and no call hangs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::{
        Arc, Once,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use job_runner::{
    Clock, Engine, EngineError, FailureKind, JobContext, JobError, JobHandle, JobRecord, JobSpec, JobState,
    ManualClock, Outcome, Partition, ScanOptions, Timestamp,
    store::{FaultStore, MemoryStore, Moment, Store},
};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tracing::span;

use crate::{
    cluster::Group,
    support::{Gate, Rig, count, drain, job, nothing, numbers, rows, wire},
};

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);

/// Panics when it is dropped, with a payload of the same kind, this number of times.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Self(self.0 - 1));
        }
        panic!("dropped");
    }
}

/// The end of a job; a job that never ends fails the test.
fn end(handle: &JobHandle) -> JobRecord {
    handle.wait_timeout(Duration::from_mins(1)).unwrap().unwrap_or_else(|| panic!("the job never ended"))
}

fn failed_of_panic(handle: &JobHandle) -> bool {
    let record = end(handle);
    record.state == JobState::Complete(Outcome::Failed) && record.failure.unwrap().kind == FailureKind::Panicked
}

#[test]
fn a_panic_whose_value_panics_when_dropped_ends_its_job_and_no_worker() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("bad", |ctx: &mut JobContext| panic_any(Bomb(ctx.spec().parameters().read()?)))
        .algorithm("good", nothing)
        .workers(2)
        .open()
        .unwrap();
    for depth in [0, 1, 5] {
        let bad: Vec<_> =
            (0..4).map(|_| engine.submit(job("bad").with_parameters(&depth).unwrap()).unwrap()).collect();
        assert!(bad.iter().all(failed_of_panic));
    }
    assert_eq!(end(&engine.submit(job("good")).unwrap()).state, SUCCEEDED);
    engine.health().unwrap();
    assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
}

#[test]
fn partitions_that_panic_with_such_values_fail_their_scan_whoever_helps() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .vertex_filter(|ctx: &mut JobContext| {
            let owned = Arc::new(AtomicUsize::new(0));
            ctx.scan("n", 0..64, ScanOptions::default().partition_size(1), move |part: &mut Partition<'_>| {
                // Several partitions panic at the same time. One panic is reported, the others are dropped.
                owned.fetch_add(1, Ordering::SeqCst);
                thread::yield_now();
                if part.ids().start % 2 == 0 { panic_any(Bomb(1)) } else { Err(JobError::failed("odd")) }
            })
        })
        .algorithm("good", nothing)
        .workers(4)
        .open()
        .unwrap();
    for _ in 0..50 {
        let handle = engine.submit(JobSpec::vertex_filter().with_graph("g")).unwrap();
        assert_eq!(end(&handle).state, JobState::Complete(Outcome::Failed));
    }
    assert_eq!(end(&engine.submit(job("good")).unwrap()).state, SUCCEEDED);
    engine.health().unwrap();
}

/// The last helper drops the body. It is a worker of other jobs.
#[test]
fn what_the_body_of_a_scan_owns_may_panic_when_it_is_dropped() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .vertex_filter(|ctx: &mut JobContext| {
            let owned = Bomb(1);
            ctx.scan("n", 0..16, ScanOptions::default().partition_size(1), move |part: &mut Partition<'_>| {
                let _of_the_closure = &owned;
                part.check_stopped()
            })
        })
        .workers(4)
        .open()
        .unwrap();
    for _ in 0..50 {
        assert_eq!(end(&engine.submit(JobSpec::vertex_filter().with_graph("g")).unwrap()).state, SUCCEEDED);
    }
    engine.health().unwrap();
}

#[test]
fn a_callback_that_panics_reaches_nobody() {
    let (gate, pass) = Gate::new();
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("gated", move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        })
        .workers(1)
        .open()
        .unwrap();
    let handle = engine.submit(job("gated")).unwrap();
    gate.entered();
    let (tell, told) = wire();
    handle.on_complete(|_| panic_any(Bomb(2)));
    handle.on_complete(move |_| tell.send(()).unwrap());
    gate.open();
    assert_eq!(end(&handle).state, SUCCEEDED);
    told.recv_timeout(Duration::from_mins(1)).unwrap();
    // The job is complete, so the callback runs on this thread.
    handle.on_complete(|_| panic_any(Bomb(2)));
    engine.health().unwrap();
}

#[test]
fn what_callbacks_own_may_panic_when_their_job_is_lost() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    for _ in 0..3 {
        let owned = Bomb(1);
        handle.on_complete(move |_| drop(owned));
    }
    assert_eq!(rig.engine.shutdown(Duration::ZERO).waiting, 1);
    assert_eq!(handle.wait(), Err(EngineError::LeftUnfinished(handle.id())));
}

struct BadWaker {
    woken: Arc<AtomicUsize>,
    /// Whether the waker panics when it is dropped; otherwise it panics when it is woken.
    dropped: bool,
}

impl Wake for BadWaker {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        if !self.dropped {
            panic_any(Bomb(1));
        }
    }
}

impl Drop for BadWaker {
    fn drop(&mut self) {
        if self.dropped {
            panic_any(Bomb(1));
        }
    }
}

#[test]
fn a_waker_that_panics_when_woken_or_when_dropped_holds_up_nobody() {
    let (gate, pass) = Gate::new();
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("gated", move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        })
        .workers(1)
        .open()
        .unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let mut handles = Vec::new();
    for dropped in [true, false, true] {
        let mut handle = engine.submit(job("gated")).unwrap();
        gate.entered();
        let waker = Waker::from(Arc::new(BadWaker { woken: Arc::clone(&woken), dropped }));
        assert!(Future::poll(std::pin::Pin::new(&mut handle), &mut Context::from_waker(&waker)).is_pending());
        let _ = catch_unwind(AssertUnwindSafe(|| drop(waker)));
        gate.open();
        assert_eq!(end(&handle).state, SUCCEEDED);
        // A future that is dropped is not woken.
        handles.push(handle);
    }
    engine.shutdown(Duration::MAX);
    assert_eq!(woken.load(Ordering::SeqCst), 3);
}

#[test]
fn a_handler_that_panics_when_dropped_ends_no_thread_and_reaches_nobody() {
    struct Handler(#[expect(dead_code, reason = "to be dropped")] Bomb);
    impl job_runner::Handler for Handler {
        fn run(&self, _: &mut JobContext) -> Result<(), JobError> {
            Ok(())
        }
    }
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("a", Handler(Bomb(1)))
        .algorithm("a", Handler(Bomb(1)))
        .algorithm("b", Handler(Bomb(1)))
        .workers(1)
        .open()
        .unwrap();
    assert_eq!(end(&engine.submit(job("a")).unwrap()).state, SUCCEEDED);
    drop(engine);
    drop(Engine::builder(Arc::new(MemoryStore::default())).algorithm("a", Handler(Bomb(1))));
}

/// A clock that panics while its flag is set.
#[derive(Debug, Default)]
struct BadClock {
    inner: ManualClock,
    bad: AtomicBool,
}

impl Clock for BadClock {
    fn now(&self) -> Timestamp {
        assert!(!self.bad.load(Ordering::SeqCst), "no time");
        self.inner.now()
    }
}

impl Drop for BadClock {
    fn drop(&mut self) {
        panic_any(Bomb(0));
    }
}

#[test]
fn while_a_clock_panics_time_stands_still_and_jobs_end() {
    let clock = Arc::new(BadClock::default());
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("a", |ctx: &mut JobContext| ctx.check_stopped())
        .clock(Arc::<BadClock>::clone(&clock))
        .workers(2)
        .open()
        .unwrap();
    let before = clock.now();
    clock.bad.store(true, Ordering::SeqCst);
    let due = Timestamp::from_micros(u64::MAX);
    let handles = engine.submit_all((0..20).map(|_| job("a").deadline(due))).unwrap();
    for handle in &handles {
        let record = end(handle);
        assert_eq!((record.state, record.finished_at), (SUCCEEDED, Some(before)));
    }
    engine.health().unwrap();
    drop((handles, clock));
    drop(engine);
}

/// Panics at every call.
struct BadRecorder;

impl Recorder for BadRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic_any(Bomb(1))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        panic_any(Bomb(1))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic_any(Bomb(1))
    }
}

#[test]
fn a_recorder_of_metrics_that_panics_costs_no_job() {
    metrics::with_local_recorder(&BadRecorder, || {
        let rig = Rig::new(|builder| builder.algorithm("numbers", numbers));
        let handle = rig.submit(count(50_000));
        drain(&rig.engine);
        assert_eq!((handle.record().state, rows(&handle, 49_999, 9)), (SUCCEEDED, vec![49_999]));
        handle.clone().cancel().unwrap_err();
        rig.engine.driver().tick().unwrap();
        rig.engine.health().unwrap();
    });
}

#[test]
fn requests_that_panic_as_they_are_handed_over_leave_nothing_behind() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let specs = (0..3).map(|n| if n < 2 { job("a") } else { panic!("no third") });
    assert!(catch_unwind(AssertUnwindSafe(|| rig.engine.submit_all(specs))).is_err());
    assert_eq!(rig.engine.stats(), job_runner::Stats::default());
    assert!(rig.store.list(None, 0, 9).unwrap().is_empty());
}

/// A panic counts as an outage: no job is blamed, and no thread ends.
#[test]
fn a_store_that_panics_at_any_write_is_tried_again() {
    for bad in 0..12 {
        let writes = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&writes);
        let hook = move |moment: Moment, _| {
            let chosen = moment == Moment::Before && seen.fetch_add(1, Ordering::SeqCst) == bad;
            assert!(!chosen, "out of bounds");
        };
        let store = FaultStore::with_hook(Arc::new(MemoryStore::default()), hook);
        let engine = Engine::builder(Arc::new(store.clone()) as Arc<dyn Store>)
            .algorithm("numbers", numbers)
            .retry(job_runner::RetryPolicy::new(Duration::ZERO, Duration::ZERO))
            .workers(2)
            .open()
            .unwrap();
        // A panic on the thread that submits reaches the caller.
        let submit = |_| catch_unwind(AssertUnwindSafe(|| engine.submit(count(30_000)))).ok()?.ok();
        let handles: Vec<_> = (0..3).filter_map(submit).collect();
        for handle in &handles {
            assert_eq!(end(handle).state, SUCCEEDED, "a panic at write {bad}");
        }
        assert!(handles.len() >= 2);
        engine.health().unwrap();
        assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
        assert!(store.unfinished().unwrap().is_empty());
    }
}

/// The logger of a program. It panics at a job of the kind `log_panics`.
struct BadLog;

#[derive(Default)]
struct Kind(bool);

impl tracing::field::Visit for Kind {
    fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 |= format!("{value:?}").contains("log_panics");
    }
}

impl tracing::Subscriber for BadLog {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut kind = Kind::default();
        span.record(&mut kind);
        assert!(!kind.0, "no place to log to");
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn an_engine_thread_that_panics_all_the_same_ends_its_job_goes_on_and_health_says_so() {
    static LOG: Once = Once::new();
    LOG.call_once(|| tracing::subscriber::set_global_default(BadLog).unwrap());
    let clock = Arc::new(ManualClock::default());
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("log_panics", nothing)
        .algorithm("good", nothing)
        .jobs_per_graph(1.try_into().unwrap())
        .clock(Arc::<ManualClock>::clone(&clock))
        .workers(2)
        .open()
        .unwrap();
    for _ in 0..6 {
        assert!(failed_of_panic(&engine.submit(job("log_panics")).unwrap()));
    }
    // Seats and places in the queue are free again.
    assert_eq!(end(&engine.submit(job("good")).unwrap()).state, SUCCEEDED);
    let said = engine.health().unwrap_err();
    assert!(
        matches!(&said, EngineError::ThreadPanicked { message, .. } if message == "no place to log to"),
        "{said}"
    );
    assert!(said.to_string().starts_with("thread job-worker-"), "{said}");
    assert_eq!(engine.stats().thread_panics, 6);
    assert!(engine.stats().unhealthy.unwrap().contains("started anew"));
    clock.advance(Duration::from_mins(1));
    engine.health().unwrap();
    assert_eq!((engine.stats().unhealthy, engine.stats().thread_panics), (None, 6));
    assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
}

#[test]
fn a_thread_that_panics_between_jobs_is_started_anew() {
    let (gate, pass) = Gate::new();
    let bad = AtomicBool::new(true);
    let hook = move |_: Moment, _| {
        let renews = thread::current().name() == Some("job-leases");
        assert!(!(renews && bad.swap(false, Ordering::SeqCst)), "no leases");
    };
    let group = Group::new();
    let store = FaultStore::with_hook(Arc::new(group.store.claimant()), hook);
    let engine = group
        .on(Arc::new(store))
        .algorithm("gated", move |ctx: &mut JobContext| {
            pass(ctx);
            ctx.check_stopped()
        })
        .lease_duration(Duration::from_secs(3))
        .workers(1)
        .open()
        .unwrap();
    let handle = engine.submit(job("gated")).unwrap();
    gate.entered();
    while engine.stats().thread_panics == 0 {
        thread::yield_now();
    }
    let said = engine.health().unwrap_err().to_string();
    assert!(said.contains("thread job-leases of the engine panicked") && said.ends_with("no leases"), "{said}");
    drop(gate);
    assert_eq!(end(&handle).state, SUCCEEDED);
}
