//! Several engines on one store.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use job_runner::{
    Clock, Engine, EngineError, Explanation, FailureKind, JobContext, JobError, JobHandle, JobId, JobKind,
    JobRecord, JobSpec, JobState, ManualClock, Outcome, SharedEngineBuilder, StopCause, Timestamp,
    store::{ErrorKind, Fault, FaultStore, JobStore, MemoryStore, Moment, SharedMemory, SharedStore, Store},
};
use parking_lot::Mutex;

use crate::support::{Gate, block_on, count, drain, gated, job, nothing, numbers, page, rows, until_told, wire};

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);
const CANCELLED: JobState = JobState::Complete(Outcome::Cancelled);

/// The lease of the engines, by the clock of the test.
const LEASE: Duration = Duration::from_mins(10);

/// A shared store with a clock that the test moves.
pub(crate) struct Group {
    pub(crate) store: SharedMemory,
    pub(crate) clock: Arc<ManualClock>,
}

impl Group {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let own = Arc::clone(&clock);
        Self { store: SharedMemory::with_clock(MemoryStore::default(), move || own.now()), clock }
    }

    fn builder(&self) -> SharedEngineBuilder {
        self.on(Arc::new(self.store.claimant()))
    }

    pub(crate) fn on(&self, store: Arc<dyn SharedStore>) -> SharedEngineBuilder {
        Engine::builder_shared(store).clock(Arc::<ManualClock>::clone(&self.clock)).lease_duration(LEASE).manual()
    }

    /// An engine without threads.
    pub(crate) fn engine(&self, setup: impl FnOnce(SharedEngineBuilder) -> SharedEngineBuilder) -> Engine {
        setup(self.builder()).open().unwrap()
    }

    /// An engine that only submits, cancels and reads.
    pub(crate) fn front(&self) -> Engine {
        self.engine(|builder| builder.front_end().poll_interval(Duration::from_hours(1)))
    }

    pub(crate) fn stored(&self, id: JobId) -> JobRecord {
        self.store.get(id).unwrap().unwrap()
    }

    fn leases_end(&self) {
        self.clock.advance(LEASE);
    }
}

/// Claims and runs jobs until none is left to claim.
pub(crate) fn work(engine: &Engine) -> usize {
    let mut attempts = 0;
    loop {
        engine.driver().tick().unwrap();
        match drain(engine) {
            0 => return attempts,
            ran => attempts += ran,
        }
    }
}

/// Writes rows before a gate and after it.
fn halves(pass: impl Fn(&JobContext)) -> impl Fn(&mut JobContext) -> Result<(), JobError> {
    move |ctx| {
        let mut rows = ctx.rows("numbers")?;
        (0..50_000).try_for_each(|n| rows.push(&n))?;
        pass(ctx);
        (0..50_000).try_for_each(|n| rows.push(&n))
    }
}

/// An engine that runs a job up to a gate, and can lose its store.
struct Mortal {
    engine: Engine,
    store: FaultStore<SharedMemory>,
    gate: Gate,
}

impl Mortal {
    fn open(group: &Group) -> Self {
        let store = FaultStore::new(Arc::new(group.store.claimant()));
        let (gate, pass) = Gate::new();
        let engine = group
            .on(Arc::new(store.clone()))
            .algorithm("numbers", halves(pass))
            .workers(1)
            .shutdown_timeout(Duration::ZERO)
            .poll_interval(Duration::from_hours(1))
            .open()
            .unwrap();
        Self { engine, store, gate }
    }

    /// Dies as a process does: without a call to the store.
    fn die(self) -> Gate {
        self.store.plan(Fault::Cut);
        self.gate
    }
}

#[test]
fn every_job_runs_once_whichever_engine_takes_it() {
    let store = SharedMemory::new(MemoryStore::default());
    let runs: Arc<Mutex<HashMap<JobId, usize>>> = Arc::default();
    let engines: Vec<Engine> = (0..3)
        .map(|_| {
            let runs = Arc::clone(&runs);
            Engine::builder_shared(Arc::new(store.claimant()))
                .algorithm("numbers", move |ctx: &mut JobContext| {
                    *runs.lock().entry(ctx.id()).or_default() += 1;
                    numbers(ctx)
                })
                .workers(2)
                .lease_duration(Duration::from_hours(1))
                .open()
                .unwrap()
        })
        .collect();
    let front = Engine::builder_shared(Arc::new(store.claimant())).front_end().open().unwrap();
    let mut handles: Vec<JobHandle> = (0..200).map(|n| front.submit(count(n)).unwrap()).collect();
    handles.extend(engines[0].submit_all((0..200).map(count)).unwrap());
    for (handle, n) in handles.iter().zip((0..200u64).chain(0..200)) {
        let record = handle.wait().unwrap();
        assert_eq!((record.state, record.attempt), (SUCCEEDED, 1));
        assert_eq!(rows(handle, 0, 1_000), (0..n).collect::<Vec<_>>());
    }
    assert_eq!(runs.lock().len(), 400);
    assert!(runs.lock().values().all(|runs| *runs == 1));
    for engine in engines {
        // Others see the end of a job a moment before its worker is free again.
        let left = engine.shutdown(Duration::from_mins(1));
        assert_eq!((left.waiting, left.abandoned), (0, 0));
    }
}

#[test]
fn a_front_end_waits_in_every_way_for_what_others_run() {
    let group = Group::new();
    let front = group.front();
    let worker = group.engine(|builder| builder.algorithm("numbers", numbers));
    let handle = front.submit(count(100)).unwrap();
    assert_eq!(front.explain(handle.id()).unwrap(), Explanation::WaitingForEngine);
    assert_eq!(handle.wait_timeout(Duration::ZERO), Ok(None));
    let (tell, told) = wire();
    handle.on_complete(move |record| tell.send(record.clone()).unwrap());
    let awaited = thread::spawn({
        let handle = handle.clone();
        move || block_on(handle)
    });
    let changes = handle.watch();
    assert_eq!(work(&worker), 1);
    let record = handle.wait().unwrap();
    assert_eq!((record.state, record.attempt), (SUCCEEDED, 1));
    assert_eq!(told.recv().unwrap(), record);
    assert_eq!(awaited.join().unwrap(), Ok(record.clone()));
    assert_eq!(changes.last().unwrap().state, SUCCEEDED);
    assert_eq!(rows(&handle, 90, 100), (90..100).collect::<Vec<_>>());
    let mut body = Vec::new();
    handle.status(page(0, 1)).unwrap().write_to(&mut body).unwrap();
    assert!(String::from_utf8(body).unwrap().contains(r#""data_total_size":100"#));
    // A third engine, which neither submitted nor ran the job.
    let other = group.front();
    assert_eq!(other.job(record.id).unwrap().unwrap().wait(), Ok(record));
}

/// A wait in a front end must end with the job, and not only at its time-out. A watch of the whole engine must get
/// the changes of jobs that only others run.
#[test]
fn who_watches_the_engine_is_told_of_a_job_that_somebody_waits_for() {
    let group = Group::new();
    let (front, worker) = (group.front(), group.engine(|builder| builder.algorithm("nothing", nothing)));
    let job = front.submit(job("nothing")).unwrap();
    let mut watch = front.watch();
    let _changed = job.changed();
    assert_eq!(work(&worker), 1);
    let told = std::iter::from_fn(|| watch.next_timeout(Duration::from_mins(1)));
    assert!(told.map(|change| (change.id, change.state)).any(|change| change == (job.id(), SUCCEEDED)));
}

/// A watch must get changes after its handle was dropped.
#[test]
fn a_watch_outlives_its_handle() {
    let group = Group::new();
    let (front, worker) = (group.front(), group.engine(|builder| builder.algorithm("a", nothing)));
    let mut watch = front.submit(job("a")).unwrap().watch();
    front.driver().tick().unwrap();
    work(&worker);
    let told = std::iter::from_fn(|| watch.next_timeout(Duration::from_mins(1)));
    assert_eq!(told.last().map(|change| change.state), Some(SUCCEEDED));
}

/// A record must not be a call to the store that hides its error and shows an old state as the present one.
#[test]
fn a_record_is_what_is_known_and_a_refresh_asks_the_store_or_says_that_it_cannot() {
    let group = Group::new();
    let store = FaultStore::new(Arc::new(group.store.claimant()));
    let front =
        group.on(Arc::new(store.clone())).front_end().poll_interval(Duration::from_hours(1)).open().unwrap();
    let worker = group.engine(|builder| builder.algorithm("a", nothing));
    let handle = front.submit(job("a")).unwrap();
    assert_eq!(work(&worker), 1);
    store.plan(Fault::Cut);
    assert_eq!((handle.record().state, handle.snapshot().record.state), (JobState::Waiting, JobState::Waiting));
    assert!(matches!(handle.refresh(), Err(EngineError::Store(error)) if error.kind == ErrorKind::Unavailable));
    assert!(front.explain(handle.id()).is_err());
    store.plan(Fault::Never);
    assert_eq!(handle.refresh().unwrap(), group.stored(handle.id()));
    assert_eq!((handle.record().state, handle.snapshot().record.state), (SUCCEEDED, SUCCEEDED));
    store.plan(Fault::Cut);
    assert_eq!(handle.refresh().unwrap().state, SUCCEEDED, "it cannot change any more");
}

/// The engine calls a callback also after the last handle of the job was dropped.
#[test]
fn a_callback_outlives_its_handle() {
    let group = Group::new();
    let front = group.front();
    let worker = group.engine(|builder| builder.algorithm("a", nothing));
    let (tell, told) = wire();
    front.submit(job("a")).unwrap().on_complete(move |record| tell.send(record.state).unwrap());
    front.driver().tick().unwrap();
    work(&worker);
    assert_eq!(told.recv(), Ok(SUCCEEDED));
}

#[test]
fn a_running_job_is_seen_and_cancelled_from_another_engine() {
    let group = Group::new();
    let front = group.front();
    let (inside, entered) = wire();
    let _worker = group
        .engine(|builder| builder.algorithm("a", move |ctx: &mut JobContext| until_told(ctx, &inside)).workers(1));
    let handle = front.submit(job("a")).unwrap();
    entered.recv().unwrap();
    assert!(matches!(front.explain(handle.id()).unwrap(), Explanation::RunningRemotely { attempt: 1, .. }));
    assert_eq!(handle.refresh().unwrap().state, JobState::Running { cancelling: false });
    let asked = front.cancel(handle.id()).unwrap();
    assert_eq!(asked.state, JobState::Running { cancelling: true });
    assert_eq!(handle.wait().unwrap().state, CANCELLED);
    assert_eq!(front.cancel(handle.id()), Err(EngineError::AlreadyComplete(handle.id())));
}

/// The job waits in the queue of a busy engine, and another engine ends it.
#[test]
fn a_claimed_job_that_waits_is_cancelled_from_another_engine() {
    let group = Group::new();
    let worker = group.engine(|builder| builder.algorithm("a", nothing));
    let handle = worker.submit(job("a")).unwrap();
    worker.driver().tick().unwrap();
    assert_eq!(worker.explain(handle.id()).unwrap(), Explanation::Queued { ahead: 0 });
    let front = group.front();
    assert_eq!(front.cancel(handle.id()).unwrap().state, CANCELLED);
    let again = worker.submit(job("a")).unwrap();
    // The queue still has it. Its start is refused, and no body runs.
    assert_eq!(drain(&worker), 1);
    assert_eq!(handle.wait().unwrap().state, CANCELLED);
    assert_eq!((group.stored(handle.id()).attempt, work(&worker)), (0, 1));
    assert_eq!(again.wait().unwrap().state, SUCCEEDED);
    assert_eq!(worker.stats(), job_runner::Stats::default());
}

#[test]
fn the_jobs_of_a_dead_engine_run_again_elsewhere() {
    let group = Group::new();
    let dead = Mortal::open(&group);
    let handle = dead.engine.submit(count(3)).unwrap();
    dead.gate.entered();
    let other = group.engine(|builder| builder.algorithm("numbers", numbers));
    assert_eq!(work(&other), 0, "its lease has not ended");
    let Mortal { engine, store, gate } = dead;
    store.plan(Fault::Cut);
    group.leases_end();
    assert_eq!(work(&other), 1);
    let record = group.stored(handle.id());
    // Another job of the dead engine may have been at fault.
    assert_eq!((record.state, record.attempt, record.failed_attempts), (SUCCEEDED, 2, 0));
    let elsewhere = other.job(handle.id()).unwrap().unwrap();
    assert_eq!(rows(&elsewhere, 0, 10), [0, 1, 2]);
    // The engine lives, and was only cut off. Later writes of its body change nothing, and its waiters get the
    // outcome.
    store.plan(Fault::Never);
    gate.open();
    assert_eq!(handle.wait(), Ok(record.clone()));
    drop(engine);
    assert_eq!(group.stored(handle.id()), record);
    assert_eq!(rows(&elsewhere, 0, 10), [0, 1, 2]);
}

#[test]
fn jobs_that_a_dead_engine_had_only_claimed_lose_nothing() {
    let group = Group::new();
    let store = FaultStore::new(Arc::new(group.store.claimant()));
    let dead = group.on(Arc::new(store.clone())).algorithm("a", nothing).open().unwrap();
    let ids: Vec<_> = dead.submit_all(vec![job("a"); 5]).unwrap().iter().map(JobHandle::id).collect();
    dead.driver().tick().unwrap();
    store.plan(Fault::Cut);
    drop(dead);
    let other = group.engine(|builder| builder.algorithm("a", nothing));
    assert_eq!(work(&other), 4);
    group.leases_end();
    assert_eq!(work(&other), 1);
    for id in ids {
        let record = group.stored(id);
        assert_eq!((record.state, record.attempt, record.failed_attempts), (SUCCEEDED, 1, 0));
    }
}

/// The test stands for a process that is stopped for longer than its leases, and then continues.
#[test]
fn a_paused_engine_writes_nothing_when_it_goes_on() {
    let group = Group::new();
    let (gate, pass) = Gate::new();
    // The paused engine claims only when the test lets it. Any engine may take a job whose lease has ended, also
    // the engine that had it.
    let paused = group.engine(|builder| builder.algorithm("numbers", halves(pass)));
    let handle = paused.submit(count(3)).unwrap();
    paused.driver().tick().unwrap();
    let before = thread::scope(|scope| {
        let runs = scope.spawn(|| paused.driver().run_one());
        gate.entered();
        group.leases_end();
        let before = group.stored(handle.id());
        gate.open();
        assert!(runs.join().unwrap().is_some());
        before
    });
    // No other engine has the job yet. Its rows and its end are refused nevertheless, with a reason.
    assert_eq!(paused.health(), Ok(()));
    assert_eq!(group.stored(handle.id()), before);
    let why = paused.explain(handle.id()).unwrap();
    assert_eq!(why, Explanation::LeaseLost);
    assert!(why.to_string().starts_with("this engine lost its lease on it"), "{why}");
    let other = group.engine(|builder| builder.algorithm("numbers", numbers));
    assert_eq!(work(&other), 1);
    assert_eq!(handle.wait().unwrap().attempt, 2);
    assert_eq!(rows(&handle, 0, 10), [0, 1, 2]);
}

/// The engine cannot reach the store: by its own clock its leases end, and its bodies stop with a cause of their own.
#[test]
fn an_engine_that_is_cut_off_stops_its_jobs() {
    let memory = SharedMemory::new(MemoryStore::default());
    let store = FaultStore::new(Arc::new(memory.claimant()));
    let (tell, told) = wire();
    let (inside, entered) = wire();
    let engine = Engine::builder_shared(Arc::new(store.clone()))
        .algorithm("a", move |ctx: &mut JobContext| {
            let outcome = until_told(ctx, &inside);
            tell.send(ctx.cancel_token().cause()).unwrap();
            outcome
        })
        .workers(1)
        .lease_duration(Duration::from_millis(300))
        .open()
        .unwrap();
    let handle = engine.submit(job("a")).unwrap();
    entered.recv().unwrap();
    store.plan(Fault::Cut);
    assert_eq!(told.recv(), Ok(Some(StopCause::LeaseLost)));
    let other =
        Engine::builder_shared(Arc::new(memory.claimant())).algorithm("a", nothing).workers(1).open().unwrap();
    let record = other.job(handle.id()).unwrap().unwrap().wait().unwrap();
    assert_eq!((record.state, record.attempt), (SUCCEEDED, 2));
    store.plan(Fault::Never);
    assert_eq!(handle.wait(), Ok(record));
    while engine.health().is_err() {
        thread::yield_now();
    }
}

/// The only engine never dies, and no other has the job. Three outages must not end it as "the process died while
/// it ran (attempt 3 of 3)".
#[test]
fn an_outage_longer_than_a_lease_costs_no_attempt_however_often_it_comes() {
    let memory = SharedMemory::new(MemoryStore::default());
    let store = FaultStore::new(Arc::new(memory.claimant()));
    let (tell, told) = wire();
    let (inside, entered) = wire();
    let engine = Engine::builder_shared(Arc::new(store.clone()))
        .algorithm("a", move |ctx: &mut JobContext| {
            if ctx.attempt() > 4 {
                return Ok(());
            }
            let outcome = until_told(ctx, &inside);
            tell.send(ctx.cancel_token().cause()).unwrap();
            outcome
        })
        .workers(1)
        .lease_duration(Duration::from_millis(300))
        .poll_interval(Duration::from_millis(50))
        .open()
        .unwrap();
    let handle = engine.submit(job("a").max_attempts(2)).unwrap();
    for _ in 0..4 {
        entered.recv().unwrap();
        store.plan(Fault::Cut);
        assert_eq!(told.recv(), Ok(Some(StopCause::LeaseLost)));
        store.plan(Fault::Never);
    }
    let record = handle.wait().unwrap();
    assert_eq!((record.state, record.failed_attempts, record.failure), (SUCCEEDED, 0, None));
    assert!(record.attempt > 4);
}

/// The lease of the job has ended and no engine took the job. The attempt goes on when the store answers again.
#[test]
fn a_body_that_did_not_notice_an_outage_goes_on() {
    let group = Group::new();
    let store = FaultStore::new(Arc::new(group.store.claimant()));
    let (gate, pass) = Gate::new();
    let engine = group.on(Arc::new(store.clone())).algorithm("numbers", halves(pass)).open().unwrap();
    let handle = engine.submit(count(3)).unwrap();
    engine.driver().tick().unwrap();
    thread::scope(|scope| {
        let runs = scope.spawn(|| engine.driver().run_one());
        gate.entered();
        for _ in 0..3 {
            store.plan(Fault::Cut);
            group.leases_end();
            assert!(engine.driver().tick().is_err());
            store.plan(Fault::Never);
            engine.driver().tick().unwrap();
        }
        gate.open();
        assert!(runs.join().unwrap().is_some());
    });
    let record = handle.wait().unwrap();
    assert_eq!(
        (record.state, record.attempt, record.failed_attempts, record.size.rows),
        (SUCCEEDED, 1, 0, 100_000)
    );
}

/// An engine that claims before it renews must not treat its own job as that of a dead engine.
#[test]
fn a_claim_of_a_job_that_runs_here_renews_it() {
    let group = Group::new();
    let store = FaultStore::new(Arc::new(group.store.claimant()));
    let (gate, pass) = Gate::new();
    // A renewal is due only after minutes of the machine's time, and the store is polled every millisecond.
    let engine = group
        .on(Arc::new(store.clone()))
        .algorithm("numbers", halves(pass))
        .workers(2)
        .poll_interval(Duration::from_millis(1))
        .open()
        .unwrap();
    let handle = engine.submit(count(3)).unwrap();
    gate.entered();
    group.leases_end();
    store.plan(Fault::Never);
    while store.writes() < 3 {
        thread::yield_now();
    }
    gate.open();
    let record = handle.wait().unwrap();
    assert_eq!((record.state, record.attempt, record.failed_attempts), (SUCCEEDED, 1, 0));
}

/// After an outage, an engine lets the other engines renew first.
#[test]
fn an_outage_that_all_engines_see_takes_no_job_from_any() {
    let group = Group::new();
    let [own, others] = [(); 2].map(|()| FaultStore::new(Arc::new(group.store.claimant())));
    let (gate, pass) = Gate::new();
    let engine = group.on(Arc::new(own.clone())).algorithm("numbers", halves(pass)).open().unwrap();
    let other = group.on(Arc::new(others.clone())).algorithm("numbers", numbers).open().unwrap();
    let handle = engine.submit(count(3)).unwrap();
    engine.driver().tick().unwrap();
    thread::scope(|scope| {
        let runs = scope.spawn(|| engine.driver().run_one());
        gate.entered();
        for store in [&own, &others] {
            store.plan(Fault::Cut);
        }
        group.leases_end();
        assert!(engine.driver().tick().is_err() && other.driver().tick().is_err());
        for store in [&own, &others] {
            store.plan(Fault::Never);
        }
        assert_eq!(work(&other), 0, "the lease has ended, and its engine may be about to renew it");
        engine.driver().tick().unwrap();
        gate.open();
        assert!(runs.join().unwrap().is_some());
    });
    let record = handle.wait().unwrap();
    assert_eq!((record.state, record.attempt), (SUCCEEDED, 1));
    let beside = other.submit(count(3)).unwrap();
    assert_eq!(work(&other), 1, "what waits is claimed all the same");
    assert_eq!(beside.wait().unwrap().state, SUCCEEDED);
}

/// The body goes on and writes after the end of its lease. The lease is renewed before it returns.
#[test]
fn a_write_that_was_refused_in_an_outage_is_no_failure_of_the_job() {
    let group = Group::new();
    let (gate, pass) = Gate::new();
    let body = move |ctx: &mut JobContext| {
        if ctx.attempt() == 1 {
            pass(ctx);
            let written = ctx.save_checkpoint(b"half way");
            pass(ctx);
            return written;
        }
        Ok(())
    };
    let engine = group.engine(|builder| builder.algorithm("a", body));
    let handle = engine.submit(job("a").max_attempts(2)).unwrap();
    engine.driver().tick().unwrap();
    thread::scope(|scope| {
        let runs = scope.spawn(|| engine.driver().run_one());
        gate.entered();
        group.leases_end();
        gate.open();
        gate.entered();
        engine.driver().tick().unwrap();
        gate.open();
        assert!(runs.join().unwrap().is_some());
    });
    let record = group.stored(handle.id());
    assert_eq!((record.state, record.failed_attempts), (JobState::Waiting, 0));
    assert_eq!(record.failure.unwrap().kind, FailureKind::Shutdown);
    assert_eq!(work(&engine), 1);
    assert_eq!(handle.wait().unwrap().state, SUCCEEDED);
}

/// Each job may have killed the process, so none is blamed at first. Jobs that are no suspects run beside the only
/// suspect.
#[test]
fn jobs_of_a_dead_engine_run_one_after_another_and_the_one_that_kills_is_found() {
    let group = Group::new();
    let front = group.front();
    let open = |workers| {
        let store = FaultStore::new(Arc::new(group.store.claimant()));
        let (gate, pass) = Gate::new();
        let body = move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        };
        let engine = group
            .on(Arc::new(store.clone()))
            .algorithm("a", body)
            .workers(workers)
            .shutdown_timeout(Duration::ZERO)
            .poll_interval(Duration::from_millis(1))
            .open()
            .unwrap();
        Mortal { engine, store, gate }
    };
    let blame = |id| {
        let record = group.stored(id);
        (record.state, record.failed_attempts, record.is_suspect())
    };
    let running = JobState::Running { cancelling: false };
    let first = open(3);
    let mut ids: Vec<JobId> = front.submit_all(vec![job("a"); 3]).unwrap().iter().map(JobHandle::id).collect();
    let mut inside: Vec<JobId> = ids.iter().map(|_| first.gate.entered()).collect();
    inside.sort();
    ids.sort();
    assert_eq!(inside, ids);
    let mut gates = vec![first.die()];
    group.leases_end();
    let second = open(3);
    assert_eq!(second.gate.entered(), ids[0]);
    let beside = front.submit(job("a")).unwrap();
    assert_eq!(second.gate.entered(), beside.id());
    assert_eq!(
        ids.iter().map(|id| blame(*id)).collect::<Vec<_>>(),
        [(running, 0, true), (JobState::Waiting, 0, true), (JobState::Waiting, 0, true)]
    );
    gates.push(second.die());
    group.leases_end();
    let last = group.engine(|builder| builder.algorithm("a", nothing));
    assert_eq!(work(&last), 4);
    for (id, failed) in ids.iter().zip([1, 0, 0]).chain([(&beside.id(), 0)]) {
        let record = group.stored(*id);
        assert_eq!((record.state, record.failed_attempts), (SUCCEEDED, failed));
    }
}

#[test]
fn a_job_that_kills_every_engine_is_given_up() {
    let group = Group::new();
    let front = group.front();
    let handle = front.submit(count(1)).unwrap();
    let mut gates = Vec::new();
    // The first death may be the fault of another job. From then on the job is the only suspect of its engine.
    for attempt in 1..=4 {
        let dying = Mortal::open(&group);
        dying.gate.entered();
        assert_eq!(group.stored(handle.id()).attempt, attempt);
        gates.push(dying.die());
        group.leases_end();
    }
    let last = group.engine(|builder| builder.algorithm("numbers", numbers));
    assert_eq!(work(&last), 0);
    let record = handle.wait().unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Complete(Outcome::Failed), 4));
    let failure = record.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Interrupted);
    assert_eq!(failure.message, "its engine did not renew its lease while it ran (attempt 3 of 3)");
}

/// The request is stored. The engine of the job dies before it stops the job.
#[test]
fn a_job_that_was_to_be_cancelled_is_not_run_again() {
    let group = Group::new();
    let dead = Mortal::open(&group);
    let handle = group.front().submit(count(3)).unwrap();
    dead.gate.entered();
    let _gate = dead.die();
    let front = group.front();
    assert_eq!(front.cancel(handle.id()).unwrap().state, JobState::Running { cancelling: true });
    group.leases_end();
    let other = group.engine(|builder| builder.algorithm("numbers", numbers));
    assert_eq!(work(&other), 0);
    assert_eq!(group.stored(handle.id()).state, CANCELLED);
}

#[test]
fn a_shutdown_gives_everything_to_the_others_at_once() {
    let group = Group::new();
    let (inside, entered) = wire();
    let body = move |ctx: &mut JobContext| {
        if ctx.attempt() == 1 { until_told(ctx, &inside) } else { Ok(()) }
    };
    let leaving = group.engine(|builder| builder.algorithm("a", body.clone()).workers(2));
    let handles = leaving.submit_all(vec![job("a"); 20]).unwrap();
    entered.recv().unwrap();
    entered.recv().unwrap();
    let left = leaving.shutdown(Duration::ZERO);
    assert_eq!((left.waiting, left.abandoned), (0, 0));
    assert!(matches!(handles[0].wait(), Err(EngineError::LeftUnfinished(_))));
    assert!(matches!(leaving.job(handles[9].id()).unwrap().unwrap().wait(), Err(EngineError::LeftUnfinished(_))));
    assert!(matches!(leaving.submit(job("a")), Err(EngineError::ShuttingDown)));
    let other = group.engine(|builder| builder.algorithm("a", |_: &mut JobContext| Ok(())));
    assert_eq!(work(&other), 20);
    for handle in handles {
        let record = group.stored(handle.id());
        assert_eq!((record.state, record.failed_attempts), (SUCCEEDED, 0));
    }
}

#[test]
fn a_failed_attempt_is_tried_again_by_whoever_is_free() {
    let group = Group::new();
    let one = group
        .engine(|builder| builder.algorithm("a", |_: &mut JobContext| Err(JobError::transient("no memory here"))));
    let other = group.engine(|builder| builder.algorithm("a", nothing));
    let handle = one.submit(job("a")).unwrap();
    assert_eq!(work(&one), 1);
    assert_eq!((work(&other), work(&one)), (0, 0), "it has a pause first");
    assert!(matches!(other.explain(handle.id()).unwrap(), Explanation::Delayed { .. }));
    group.clock.advance(Duration::from_mins(1));
    assert_eq!(work(&other), 1);
    let record = handle.wait().unwrap();
    assert_eq!((record.state, record.attempt, record.failed_attempts), (SUCCEEDED, 2, 1));
}

#[test]
fn an_engine_claims_what_it_has_handlers_for_and_the_most_urgent_first() {
    let group = Group::new();
    let front = group.front();
    let order = Arc::new(Mutex::new(Vec::new()));
    let specs = [job("a"), job("b"), job("a").priority(9), job("a"), job("a").priority(-1)];
    let ids: Vec<_> = front.submit_all(specs).unwrap().iter().map(JobHandle::id).collect();
    let seen = Arc::clone(&order);
    let engine = group.engine(|builder| {
        builder.max_prefetch(0).algorithm("a", move |ctx: &mut JobContext| {
            seen.lock().push(ctx.id());
            Ok(())
        })
    });
    assert_eq!(work(&engine), 4);
    assert_eq!(*order.lock(), [ids[2], ids[0], ids[3], ids[4]]);
    assert_eq!(group.stored(ids[1]).state, JobState::Waiting);
    assert_eq!(engine.explain(ids[1]).unwrap(), Explanation::WaitingForEngine);
    assert_eq!(group.stored(ids[1]).spec.kind(), &JobKind::Algorithm("b".to_owned()));
}

#[test]
fn a_job_that_waits_past_its_deadline_expires_when_it_is_claimed() {
    let group = Group::new();
    let front = group.front();
    let due = Timestamp::from_micros(group.clock.now().as_micros() + 1_000);
    let handle = front.submit(job("a").deadline(due)).unwrap();
    group.clock.advance(Duration::from_secs(1));
    let engine = group.engine(|builder| builder.algorithm("a", nothing));
    engine.driver().tick().unwrap();
    assert_eq!(drain(&engine), 0);
    assert_eq!(handle.wait().unwrap().failure.unwrap().kind, FailureKind::Deadline);
}

/// A busy worker must not keep other engines from jobs that it cannot start.
#[test]
fn what_waits_long_in_one_engine_goes_to_another() {
    let group = Group::new();
    let (gate, pass) = Gate::new();
    // The store's clock stands still, so no lease ends. Other times go by the clock of the machine.
    let busy = group.engine(|builder| {
        let gated = move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        };
        builder.algorithm("gated", gated).algorithm("a", nothing).lease_duration(Duration::from_secs(3)).workers(1)
    });
    // After short jobs the engine claims ahead.
    for handle in busy.submit_all(vec![job("a"); 50]).unwrap() {
        handle.wait().unwrap();
    }
    let handles = busy.submit_all([job("gated").priority(9), job("a"), job("a")]).unwrap();
    gate.entered();
    let idle = group.engine(|builder| builder.algorithm("a", nothing));
    while handles[1..].iter().any(|handle| !group.stored(handle.id()).state.is_complete()) {
        work(&idle);
        thread::yield_now();
    }
    gate.open();
    for handle in handles {
        // A job that was started ahead and put back is in its second attempt, without a failed one.
        assert_eq!(handle.wait().unwrap().failed_attempts, 0);
    }
}

#[test]
fn a_key_is_one_job_whichever_engine_is_asked() {
    let group = Group::new();
    let fronts = [group.front(), group.front()];
    let ids = fronts.each_ref().map(|front| front.submit(job("a").idempotency_key("k")).unwrap().id());
    assert_eq!(ids[0], ids[1]);
}

/// Retention removes the job before the engine looks at it.
#[test]
fn who_waits_for_a_removed_job_is_told_so() {
    let group = Group::new();
    let front = group.engine(|builder| builder.algorithm("unused", nothing));
    let handle = front.submit(job("a")).unwrap();
    assert_eq!(handle.wait_timeout(Duration::ZERO), Ok(None));
    let worker = group.engine(|builder| builder.algorithm("a", nothing));
    assert_eq!(work(&worker), 1);
    assert!(worker.remove(handle.id()).unwrap());
    front.driver().tick().unwrap();
    assert_eq!(handle.wait(), Err(EngineError::UnknownJob(handle.id())));
}

#[test]
fn a_store_that_fails_is_told_of_and_gets_well() {
    let group = Group::new();
    let store = FaultStore::new(Arc::new(group.store.claimant()));
    let front =
        group.on(Arc::new(store.clone())).front_end().poll_interval(Duration::from_millis(1)).open().unwrap();
    let handle = front.submit(job("a")).unwrap();
    assert_eq!(handle.wait_timeout(Duration::ZERO), Ok(None));
    store.plan(Fault::Cut);
    while front.health().is_ok() {
        thread::yield_now();
    }
    assert!(
        matches!(front.submit(job("a")), Err(EngineError::Unhealthy(error)) if error.kind == ErrorKind::Unavailable)
    );
    store.plan(Fault::Never);
    while front.health().is_err() {
        thread::yield_now();
    }
    let worker = group.engine(|builder| builder.algorithm("a", nothing));
    assert_eq!(work(&worker), 1);
    assert_eq!(handle.wait().unwrap().state, SUCCEEDED);
}

/// The answer of a claim is lost. The job does not run until the engine finds out that it holds it.
#[test]
fn a_claim_that_was_reported_as_failed_is_given_back() {
    let group = Group::new();
    let store = FaultStore::new(Arc::new(group.store.claimant()));
    let engine = group.on(Arc::new(store.clone())).algorithm("a", nothing).open().unwrap();
    let handles = engine.submit_all(vec![job("a"); 2]).unwrap();
    store.plan(Fault::AfterWrite(0));
    assert!(engine.driver().tick().is_err());
    let other = group.engine(|builder| builder.algorithm("a", nothing).max_prefetch(0));
    other.driver().tick().unwrap();
    assert!(other.driver().run_one().is_some());
    assert_eq!(work(&other), 0);
    // The first renewal gives back jobs that the engine does not know.
    assert_eq!(work(&engine), 1);
    for handle in handles {
        assert_eq!(handle.wait().unwrap().attempt, 1);
    }
}

/// The network is cut between the start of a job and the answer. The job must not run as a second attempt after a
/// failed first one.
#[test]
fn a_start_that_was_reported_as_failed_is_known_again() {
    let group = Group::new();
    let handle = group.front().submit(job("a")).unwrap();
    let store = FaultStore::new(Arc::new(group.store.claimant()));
    // The first write is the claim. With limits it starts no job.
    store.plan(Fault::AfterWrite(1));
    let limited = group.on(Arc::new(store.clone())).jobs_per_graph(std::num::NonZeroUsize::MIN);
    let engine = limited.algorithm("a", nothing).workers(1).open().unwrap();
    let record = engine.job(handle.id()).unwrap().unwrap().wait().unwrap();
    assert_eq!((record.state, record.attempt, record.failed_attempts), (SUCCEEDED, 1, 0));
}

#[test]
fn limits_hold_inside_each_engine() {
    let group = Group::new();
    let one = std::num::NonZeroUsize::MIN;
    let (gate, body) = gated();
    let engine = group.engine(|builder| builder.algorithm("a", body).jobs_per_graph(one).workers(2));
    let handles = engine.submit_all([job("a"), job("a"), JobSpec::algorithm("a").with_graph("h")]).unwrap();
    let first = [gate.entered(), gate.entered()];
    assert!(first.contains(&handles[0].id()) && first.contains(&handles[2].id()));
    for _ in 0..3 {
        gate.open();
    }
    for handle in handles {
        assert_eq!(handle.wait().unwrap().state, SUCCEEDED);
    }
}

/// Bodies end, fail for the moment and are cancelled from two sides, while engines open and close.
#[test]
fn race_everything_on_one_store() {
    for round in 0..20 {
        let store = SharedMemory::new(MemoryStore::default());
        let open = || {
            Engine::builder_shared(Arc::new(store.claimant()))
                .algorithm("a", |ctx: &mut JobContext| {
                    thread::yield_now();
                    ctx.check_stopped()?;
                    if ctx.attempt() == 1 && ctx.id().as_bytes()[15].is_multiple_of(7) {
                        return Err(JobError::transient("again"));
                    }
                    numbers(ctx)
                })
                .algorithm("numbers", numbers)
                .retry(job_runner::RetryPolicy::new(Duration::ZERO, Duration::ZERO))
                .poll_interval(Duration::from_millis(2))
                .workers(2)
                .open()
                .unwrap()
        };
        let front = Engine::builder_shared(Arc::new(store.claimant())).front_end().open().unwrap();
        let mut engines = vec![open(), open()];
        let spec = JobSpec::algorithm("a").with_graph("g").with_parameters(&7).unwrap();
        let handles = front.submit_all(vec![spec; 60]).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                for handle in handles.iter().step_by(3) {
                    let _ = handle.cancel();
                }
            });
            let other = &engines[1];
            scope.spawn(|| {
                for handle in handles.iter().step_by(4) {
                    let _ = other.cancel(handle.id());
                }
            });
        });
        drop(engines.remove(round % 2));
        engines.push(open());
        for (n, handle) in handles.iter().enumerate() {
            let record = handle.wait().unwrap();
            assert_eq!(store.get(record.id).unwrap().unwrap(), record, "round {round}, job {n}");
            assert!(record.state == SUCCEEDED || record.state == CANCELLED, "round {round}, job {n}: {record:?}");
            let found = rows(handle, 0, 10).len();
            assert_eq!(found, if record.state == SUCCEEDED { 7 } else { 0 }, "round {round}, job {n}");
        }
        assert_eq!(store.unfinished().unwrap(), []);
    }
}

#[test]
fn whoever_waits_for_a_job_that_was_removed_elsewhere_hears_that_it_is_gone() {
    let group = Group::new();
    let (front, worker) = (group.front(), group.engine(|builder| builder.algorithm("a", nothing)));
    let handle = front.submit(job("a")).unwrap();
    let watch = handle.watch();
    assert_eq!(work(&worker), 1);
    assert!(worker.remove(handle.id()).unwrap());
    assert_eq!(handle.refresh(), Err(EngineError::UnknownJob(handle.id())));
    assert_eq!(handle.wait(), Err(EngineError::UnknownJob(handle.id())));
    let (tell, told) = wire::<()>();
    handle.on_complete(move |_| tell.send(()).unwrap());
    assert!(told.recv().is_err());
    // Neither an earlier watch nor a new one waits for ever.
    watch.for_each(drop);
    handle.watch().for_each(drop);
}

#[test]
fn a_front_end_notes_in_the_store_what_is_read_there_by_itself() {
    let group = Group::new();
    let limit = job_runner::Retention::default().max_jobs(1);
    let worker =
        group.engine(|builder| builder.algorithm("numbers", numbers).algorithm("a", nothing).retention(limit));
    let front = group.front();
    let read = front.submit(job("a")).unwrap();
    assert_eq!(work(&worker), 1);
    group.clock.advance(Duration::from_secs(1));
    let other = front.submit(count(1)).unwrap();
    worker.driver().tick().unwrap();
    drain(&worker);
    group.clock.advance(Duration::from_secs(1));
    // A result without rows is read too.
    front.reader().status(read.id(), page(0, 1)).unwrap();
    while group.store.usage(&[read.id()]).unwrap()[0].last_read.is_none() {
        thread::yield_now();
    }
    worker.driver().tick().unwrap();
    assert_eq!([read, other].map(|handle| group.store.get(handle.id()).unwrap().is_some()), [true, false]);
}

/// The claim has started the job, and its engine does not know that yet. The attempt must still be stopped.
#[test]
fn a_cancel_between_a_claim_and_its_answer_takes_effect() {
    let memory = SharedMemory::new(MemoryStore::default());
    let own: Arc<OnceLock<Engine>> = Arc::default();
    let submitted: Arc<OnceLock<JobId>> = Arc::default();
    let (of_hook, id) = (Arc::downgrade(&own), Arc::clone(&submitted));
    let claimant = Arc::new(memory.claimant());
    let stored = memory.claimant();
    let store = FaultStore::with_hook(claimant, move |moment, _| {
        let running =
            |id: &JobId| stored.get(*id).unwrap().unwrap().state == JobState::Running { cancelling: false };
        while id.get().is_none() {
            thread::yield_now();
        }
        if moment == Moment::After
            && let Some(id) = id.get().copied().filter(running)
            && let Some(engine) = of_hook.upgrade()
            && let Some(engine) = engine.get()
        {
            engine.cancel(id).unwrap();
        }
    });
    let (inside, _entered) = wire();
    let engine = Engine::builder_shared(Arc::new(store))
        .algorithm("a", move |ctx: &mut JobContext| until_told(ctx, &inside))
        .workers(1)
        .open()
        .unwrap();
    let engine = own.get_or_init(|| engine);
    let front = Engine::builder_shared(Arc::new(memory.claimant())).front_end().open().unwrap();
    // The engine has a handle of the job before it claims the job.
    let spec = job("a");
    let far = front.submit(spec).unwrap();
    submitted.set(far.id()).unwrap();
    let handle = engine.job(far.id()).unwrap().unwrap();
    assert_eq!(handle.wait().unwrap().state, CANCELLED);
}
