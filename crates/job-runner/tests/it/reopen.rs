//! Jobs that were unfinished when their process ended, and how the next engine takes them up.

use std::{sync::Arc, time::Duration};

use job_runner::{
    Clock, Engine, EngineBuilder, EngineError, Explanation, FailureKind, JobClass, JobContext, JobError, JobId,
    JobState, Outcome, Timestamp,
    store::{JobStore, MemoryStore, Store},
};
use parking_lot::Mutex;

use crate::support::{Gate, Rig, count, drain, job, nothing, numbers, page, rows, until_told, wire};

/// An engine that dies while a body runs. The body never stops, and is left behind.
struct Dying {
    gate: Gate,
    engine: Engine,
}

impl Dying {
    fn open(store: Arc<dyn Store>, setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let (gate, pass) = Gate::new();
        let builder = Engine::builder(store)
            .algorithm("stuck", move |ctx: &mut JobContext| {
                let mut rows = ctx.rows("n")?;
                (0..50_000).try_for_each(|n| rows.push(&n))?;
                pass(ctx);
                Ok(())
            })
            .algorithm("a", nothing)
            .workers(1)
            .shutdown_timeout(Duration::ZERO);
        Self { gate, engine: setup(builder).open().unwrap() }
    }

    /// Drops the engine. Returns the gate of the body that is left behind.
    fn die(self) -> Gate {
        drop(self.engine);
        self.gate
    }
}

#[test]
fn waiting_jobs_wait_again_in_their_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let setup = |builder: EngineBuilder| {
        let order = Arc::clone(&order);
        builder.algorithm("a", move |ctx: &mut JobContext| {
            order.lock().push(ctx.id());
            Ok(())
        })
    };
    let rig = Rig::new(setup);
    let ids: Vec<_> = (0..20).map(|n| rig.submit(job("a").priority(i8::from(n == 13))).id()).collect();
    let rig = rig.reopen(setup);
    assert_eq!(rig.engine.stats().read.waiting, 20);
    assert_eq!(drain(&rig.engine), 20);
    let mut expected = ids.clone();
    let first = expected.remove(13);
    expected.insert(0, first);
    assert_eq!(*order.lock(), expected);
}

#[test]
fn a_running_job_runs_again_as_another_attempt_without_its_old_rows() {
    let store = Arc::new(MemoryStore::default());
    let dying = Dying::open(Arc::<MemoryStore>::clone(&store), |builder| builder);
    let old = dying.engine.submit(job("stuck")).unwrap();
    dying.gate.entered();
    let gate = dying.die();
    assert!(matches!(old.wait(), Err(EngineError::LeftUnfinished(_))), "no waiter hangs");
    let rig = Rig::on(store, |builder| {
        builder.algorithm("stuck", |ctx: &mut JobContext| ctx.rows("n")?.push(&ctx.attempt()))
    });
    let waiting = rig.stored(old.id());
    assert_eq!((waiting.state, waiting.failed_attempts), (JobState::Waiting, 1));
    assert_eq!(waiting.failure.unwrap().kind, FailureKind::Interrupted);
    assert_eq!(drain(&rig.engine), 1);
    let handle = rig.engine.job(old.id()).unwrap().unwrap();
    assert_eq!((handle.record().attempt, rows(&handle, 0, 10)), (2, vec![2]));
    // The body of the dead engine goes on now, and its writes are refused.
    let record = handle.record();
    drop(gate);
    assert_eq!(rig.stored(old.id()), record);
}

#[test]
fn a_body_left_behind_that_ends_before_the_next_open_has_done_nothing_and_runs_again() {
    let store = Arc::new(MemoryStore::default());
    let dying = Dying::open(Arc::<MemoryStore>::clone(&store), |builder| builder);
    let id = dying.engine.submit(job("stuck")).unwrap().id();
    dying.gate.entered();
    drop(dying.die());
    // Waits until the worker has ended and all owners of the store are dropped.
    while Arc::strong_count(&store) > 1 {
        std::thread::yield_now();
    }
    assert_eq!(store.get(id).unwrap().unwrap().state, JobState::Running { cancelling: false });
    let rig = Rig::on(store, |builder| builder.algorithm("stuck", nothing));
    assert_eq!(drain(&rig.engine), 1);
    let record = rig.stored(id);
    assert_eq!((record.state, record.attempt), (JobState::Complete(Outcome::Succeeded), 2));
    assert_eq!(record.size.rows, 0, "of the first attempt nothing is left");
}

#[test]
fn race_recovery_against_a_body_left_behind() {
    for _ in 0..50 {
        let store = Arc::new(MemoryStore::default());
        let dying = Dying::open(Arc::<MemoryStore>::clone(&store), |builder| builder);
        let id = dying.engine.submit(job("stuck")).unwrap().id();
        dying.gate.entered();
        let gate = dying.die();
        drop(gate); // the body ends at this moment
        let rig =
            Rig::on(store, |builder| builder.algorithm("stuck", |ctx: &mut JobContext| numbers_of(ctx, 50_000)));
        drain(&rig.engine);
        let handle = rig.engine.job(id).unwrap().unwrap();
        let record = handle.wait().unwrap();
        assert_eq!((record.state, record.size.rows), (JobState::Complete(Outcome::Succeeded), 50_000));
        assert_eq!(rows(&handle, 0, 100_000).len(), 50_000, "succeeded means that every row is there");
    }
}

fn numbers_of(ctx: &JobContext, n: u64) -> Result<(), JobError> {
    let mut rows = ctx.rows("n")?;
    (0..n).try_for_each(|n| rows.push(&n))
}

#[test]
fn a_job_that_kills_its_process_is_given_up_and_the_engine_always_opens() {
    let store = Arc::new(MemoryStore::default());
    let mut gates = Vec::new();
    let mut id = None;
    for attempt in 1..=3 {
        let dying = Dying::open(Arc::<MemoryStore>::clone(&store), |builder| builder);
        id = id.or_else(|| Some(dying.engine.submit(job("stuck")).unwrap().id()));
        dying.gate.entered();
        assert_eq!(store.get(id.unwrap()).unwrap().unwrap().attempt, attempt);
        gates.push(dying.die());
    }
    let rig = Rig::on(store, |builder| builder.algorithm("stuck", nothing).algorithm("a", nothing));
    let record = rig.stored(id.unwrap());
    assert_eq!(record.state, JobState::Complete(Outcome::Failed));
    let failure = record.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Interrupted);
    assert_eq!(failure.message, "the process died while it ran (attempt 3 of 3)");
    assert_eq!(drain(&rig.engine), 0);
    assert!(rig.finish(job("a")).state.is_complete());
}

#[test]
fn an_orderly_shutdown_is_no_failed_attempt() {
    let store = Arc::new(MemoryStore::default());
    let (inside, entered) = wire();
    let open = || {
        let inside = inside.clone();
        Engine::builder(Arc::<MemoryStore>::clone(&store) as Arc<dyn Store>)
            .algorithm("a", move |ctx: &mut JobContext| until_told(ctx, &inside))
            .workers(1)
            .open()
            .unwrap()
    };
    let engine = open();
    let id = engine.submit(job("a").max_attempts(2)).unwrap().id();
    entered.recv().unwrap();
    drop(engine);
    for attempt in 2..=5 {
        let record = store.get(id).unwrap().unwrap();
        assert_eq!((record.state, record.failed_attempts), (JobState::Waiting, 0));
        assert_eq!(record.failure.unwrap().kind, FailureKind::Shutdown);
        let engine = open();
        entered.recv().unwrap();
        assert_eq!(store.get(id).unwrap().unwrap().attempt, attempt);
        drop(engine);
    }
}

#[test]
fn a_job_without_a_handler_waits_for_an_engine_that_has_it() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing).accept_any_kind());
    let handle = rig.submit(job("later"));
    assert_eq!(drain(&rig.engine), 0);
    let why = rig.engine.explain(handle.id()).unwrap();
    assert_eq!(why, Explanation::NoHandler(handle.record().spec.kind().clone()));
    assert_eq!(why.to_string(), "it waits: no handler for later is registered in this engine");
    let id = handle.id();
    let rig = rig.reopen(|builder| builder.algorithm("a", nothing));
    assert_eq!((drain(&rig.engine), rig.engine.stats().unhandled), (0, 1));
    let rig = rig.reopen(|builder| builder.algorithm("later", nothing));
    assert_eq!(drain(&rig.engine), 1);
    assert!(rig.stored(id).state.is_complete());
}

#[test]
fn a_job_without_a_handler_can_be_cancelled_and_expires() {
    let rig = Rig::new(EngineBuilder::accept_any_kind);
    let cancelled = rig.submit(job("x"));
    cancelled.cancel().unwrap();
    let due = Timestamp::from_micros(Clock::now(&*rig.clock).as_micros() + 1_000);
    let expired = rig.submit(job("x").deadline(due).class(JobClass::Write));
    rig.clock.advance(Duration::from_secs(1));
    rig.engine.driver().tick().unwrap();
    assert_eq!(expired.wait().unwrap().failure.unwrap().kind, FailureKind::Deadline);
    assert_eq!(rig.engine.stats(), job_runner::Stats::default());
}

#[test]
fn results_are_there_after_a_restart() {
    let rig = Rig::new(|builder| builder.algorithm("numbers", numbers));
    let record = rig.finish(count(10));
    let rig = rig.reopen(|builder| builder);
    let handle = rig.engine.job(record.id).unwrap().unwrap();
    assert_eq!((handle.wait(), rows(&handle, 8, 10)), (Ok(record), vec![8, 9]));
}

#[cfg(feature = "rocksdb")]
fn rocks(directory: &std::path::Path) -> Arc<dyn Store> {
    use job_runner::store::{RocksOptions, RocksStore};
    Arc::new(RocksStore::open(directory, RocksOptions::default()).unwrap())
}

#[cfg(feature = "rocksdb")]
#[test]
fn everything_survives_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let setup = |builder: EngineBuilder| {
        let again = |ctx: &mut JobContext| match ctx.attempt() {
            1 => Err(JobError::transient("again")),
            _ => Ok(()),
        };
        builder.algorithm("numbers", numbers).algorithm("again", again).accept_any_kind()
    };
    let rig = Rig::on(rocks(directory.path()), setup);
    let done = rig.finish(count(100_000).idempotency_key("k"));
    let (waiting, again) = (rig.submit(count(3)).id(), rig.submit(job("again")).id());
    let unknown = rig.submit(job("unknown")).id();
    rig.engine.cancel(waiting).unwrap();
    drain(&rig.engine);
    let before = rig.engine.reader().list(page(0, 100)).unwrap();
    drop(rig);

    let rig = Rig::on(rocks(directory.path()), setup);
    assert_eq!(rig.engine.reader().list(page(0, 100)).unwrap(), before);
    assert_eq!(rig.submit(count(100_000).idempotency_key("k")).wait(), Ok(done.clone()));
    let handle = rig.engine.job(done.id).unwrap().unwrap();
    assert_eq!(rows(&handle, 0, 100_000), (0..100_000).collect::<Vec<_>>());
    rig.clock.advance(Duration::from_mins(10));
    assert_eq!(drain(&rig.engine), 1);
    assert_eq!(rig.stored(again).attempt, 2);
    assert_eq!(rig.stored(unknown).state, JobState::Waiting);
}

#[cfg(feature = "rocksdb")]
#[test]
fn an_engine_with_workers_runs_jobs_on_disk_and_opens_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        Engine::builder(rocks(directory.path()))
            .algorithm("numbers", numbers)
            .algorithm("a", nothing)
            .workers(2)
            .open()
            .unwrap()
    };
    let engine = open();
    let ids: Vec<_> = (0..50u64)
        .map(|n| engine.submit(if n % 2 == 0 { count(n * 100) } else { job("a") }).unwrap().id())
        .collect();
    drop(engine); // jobs wait, run or are done at this moment
    let engine = open();
    for (id, n) in ids.into_iter().zip(0u64..) {
        let handle = engine.job(id).unwrap().unwrap();
        let record = handle.wait().unwrap();
        assert_eq!(record.state, JobState::Complete(Outcome::Succeeded));
        if n % 2 == 0 {
            assert_eq!(rows(&handle, 0, 100_000), (0..n * 100).collect::<Vec<_>>());
        }
    }
}

/// A clock that stood or went back between two opens must not give ids before the stored ones.
#[test]
fn over_opens_the_list_is_by_ids_and_jobs_run_by_their_times_whatever_the_clock_does() {
    let order: Arc<Mutex<Vec<JobId>>> = Arc::default();
    let notes = Arc::clone(&order);
    let setup = move |builder: EngineBuilder| {
        let notes = Arc::clone(&notes);
        builder.algorithm("note", move |ctx: &mut JobContext| {
            notes.lock().push(ctx.id());
            Ok(())
        })
    };
    for _ in 0..20 {
        let mut rig = Rig::new(setup.clone());
        let start = Clock::now(&*rig.clock);
        let at = |seconds: u64| Timestamp::from_micros(start.as_micros() + seconds * 1_000_000);
        let mut submitted = Vec::new();
        // The clock stands, goes on, back, and far ahead.
        for seconds in [1_000, 1_000, 1_001, 500, 500, 300_000_000, 600] {
            rig.clock.set(at(seconds));
            for _ in 0..3 {
                submitted.push((at(seconds), rig.submit(job("note")).id()));
            }
            rig = rig.reopen(setup.clone());
        }
        let mut newest_first: Vec<JobId> = submitted.iter().map(|(_, id)| *id).collect();
        newest_first.reverse();
        let listed = rig.engine.reader().list(page(0, 100)).unwrap();
        assert_eq!(listed.iter().map(|record| record.id).collect::<Vec<_>>(), newest_first);
        drain(&rig.engine);
        submitted.sort_by_key(|(time, _)| *time);
        assert_eq!(order.lock().split_off(0), submitted.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    }
}

/// A host without C++ in its build also has a store on disk.
#[cfg(feature = "redb")]
#[test]
fn jobs_in_a_redb_file_are_there_for_the_next_engine() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let store = job_runner::store::RedbStore::open(directory.path().join("jobs.redb")).unwrap();
        Rig::on(Arc::new(store), |builder| builder.algorithm("numbers", numbers))
    };
    let rig = open();
    let done = rig.finish(count(1_000)).id;
    let waiting = rig.submit(count(10)).id();
    drop(rig);
    let rig = open();
    assert_eq!(drain(&rig.engine), 1);
    for (job, offset) in [(done, 990), (waiting, 0)] {
        let handle = rig.engine.job(job).unwrap().unwrap();
        assert_eq!(rows(&handle, offset, 10), (offset..offset + 10).collect::<Vec<_>>());
    }
}
