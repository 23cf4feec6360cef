//! Two engines on one store, in many orders of their threads, with leases that may end at any moment. Every
//! scenario ends with engines at rest, and a store that agrees with their answers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "scenarios of tests")]

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use job_core::{JobRecord, JobSpec, JobState, Outcome, PageRequest, Timestamp};
use job_store::{Fault, FaultStore, Moment, SharedStore};
use shuttle::thread;

use crate::{
    api::{builder::SharedEngineBuilder, engine::Engine, handle::JobHandle},
    decide::outcome::RetryPolicy,
    engine::stats::Stats,
    handler::context::JobContext,
    job::error::{EngineError, JobError},
    line::{LEASE, Line, Weather, World},
    scenarios::read,
    time::{self, RunClock},
};

/// Every scenario by its name.
pub(crate) const ALL: &[(&str, fn())] = &[
    ("a_claim_against_a_cancel", claim_against_cancel),
    ("a_lease_that_ends_while_an_end_is_being_recorded", lease_ends_while_recording),
    ("an_answer_that_is_lost", answer_lost),
    ("a_job_that_is_put_back_against_its_renewal", put_back_against_renewal),
    ("a_shutdown_against_a_notice", shutdown_against_notice),
    ("a_pause_holds_on_every_engine", pause),
    ("a_retry_elsewhere_against_a_cancel", retry_against_cancel),
    ("a_front_end_that_only_submits_and_waits", front_end),
];

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);
const CANCELLED: JobState = JobState::Complete(Outcome::Cancelled);

const PAUSE: Duration = Duration::from_secs(3);
const ROWS: u64 = 3;

/// A store for two engines, with lines without faults.
struct Two {
    world: Arc<World>,
}

impl Two {
    fn new() -> Self {
        let world = World::new(0, Weather::default(), None, env::var_os("JOB_STORY").is_some());
        let told = Arc::clone(&world);
        time::tell(move || told.told());
        Self { world }
    }

    /// Sets up an engine on a line, with handlers that every engine has.
    fn on(&self, line: usize, store: Arc<dyn SharedStore>) -> SharedEngineBuilder {
        let (rows, again) = (Arc::clone(&self.world), Arc::clone(&self.world));
        self.front(store)
            .workers(1)
            .algorithm("rows", move |ctx: &mut JobContext| {
                rows.begin(line, ctx);
                let mut numbers = ctx.rows("numbers")?;
                for number in 0..ROWS {
                    thread::yield_now();
                    rows.pass(line, ctx)?;
                    numbers.push(&number)?;
                }
                Ok(())
            })
            .algorithm("again", move |ctx: &mut JobContext| {
                again.begin(line, ctx);
                thread::yield_now();
                again.pass(line, ctx)?;
                if ctx.attempt() < 3 { Err(JobError::transient("again")) } else { Ok(()) }
            })
    }

    /// Sets up an engine that only submits, cancels and waits.
    #[expect(clippy::unused_self, reason = "the store belongs to it")]
    fn front(&self, store: Arc<dyn SharedStore>) -> SharedEngineBuilder {
        Engine::builder_shared(store)
            .clock(Arc::new(RunClock))
            .retry(RetryPolicy::new(Duration::ZERO, Duration::ZERO))
            .lease_duration(LEASE)
            .front_end()
    }

    fn engine(&self) -> Arc<Engine> {
        let line = self.world.line();
        Arc::new(self.on(line.number, Arc::new(line)).open().unwrap())
    }

    /// Opens a line whose writes succeed, fail or take long as planned.
    fn faulty(&self, hook: impl Fn(Moment, u64) + Send + Sync + 'static) -> (FaultStore<Line>, Engine) {
        let line = self.world.line();
        let number = line.number;
        let store = FaultStore::with_hook(Arc::new(line), hook);
        let engine = self.on(number, Arc::new(store.clone())).open().unwrap();
        (store, engine)
    }

    /// The end of a job, which the engine and the store must agree on.
    fn end(&self, handle: &JobHandle) -> JobRecord {
        let end = handle.wait().unwrap();
        assert_eq!(self.world.stored(end.id).as_ref(), Some(&end));
        if end.state == SUCCEEDED && end.size.rows > 0 {
            let rows = read(&handle.page(PageRequest::default()).unwrap()).unwrap();
            assert_eq!(rows, (0..ROWS).collect::<Vec<_>>());
        }
        end
    }

    /// Shuts down when everything has ended, and looks whether anything is left.
    fn rest(&self, engines: &[&Engine]) {
        for engine in engines {
            assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
            assert_eq!(engine.stats(), Stats::default());
        }
        assert!(self.world.all().iter().all(|record| record.state.is_complete()));
        assert_eq!(self.world.violation(), None, "{}", self.world.told());
    }
}

/// A job with many attempts, since leases end often here.
fn job(name: &str) -> JobSpec {
    JobSpec::algorithm(name).with_graph("g").max_attempts(1_000)
}

/// Checks that the answer to a cancel and the end of the job agree.
fn cancelled_or_not(answer: &Result<JobRecord, EngineError>, end: &JobRecord) {
    match answer {
        // A body that ended before the cancel has succeeded.
        Ok(record) => assert!(record.revision <= end.revision),
        Err(EngineError::AlreadyComplete(_)) => {}
        Err(error) => panic!("{error}"),
    }
    assert!([SUCCEEDED, CANCELLED].contains(&end.state), "{end:?}");
}

fn cancel(engine: &Arc<Engine>, handle: &JobHandle) -> thread::JoinHandle<Result<JobRecord, EngineError>> {
    let (engine, id) = (Arc::clone(engine), handle.id());
    thread::spawn(move || engine.cancel(id))
}

/// Both engines cancel a job while both are about to claim it.
fn claim_against_cancel() {
    let two = Two::new();
    let (one, other) = (two.engine(), two.engine());
    let handle = one.submit(job("rows")).unwrap();
    let cancels = [cancel(&one, &handle), cancel(&other, &handle)];
    let end = two.end(&handle);
    for answer in cancels {
        cancelled_or_not(&answer.join().unwrap(), &end);
    }
    assert_eq!(two.end(&other.job(end.id).unwrap().unwrap()), end);
    two.rest(&[&one, &other]);
}

/// The time of a lease passes before or after a write of the engine that has it.
fn lease_ends_while_recording() {
    let two = Two::new();
    let (_, one) = two.faulty(move |_, write| {
        if write < 12 && time::random().is_multiple_of(4) {
            time::skip(LEASE);
        }
    });
    let handle = one.submit(job("rows")).unwrap();
    let other = two.engine();
    let second = other.submit(job("rows")).unwrap();
    let ends = [two.end(&handle), two.end(&second)];
    assert!(ends.iter().all(|end| end.state == SUCCEEDED), "{ends:?}");
    two.rest(&[&one, &other]);
}

/// One of the writes is done, but its engine gets an error for it.
fn answer_lost() {
    let two = Two::new();
    let (store, one) = two.faulty(|_, _| {});
    store.plan(Fault::AfterWrite(time::random() % 6));
    // The answer of the submission may be lost too. The job is stored nevertheless.
    let handle = one.submit(job("rows")).unwrap();
    let other = two.engine();
    let end = two.end(&handle);
    assert_eq!((end.state, end.size.rows), (SUCCEEDED, ROWS));
    two.rest(&[&one, &other]);
}

/// A body notices that its lease is over and stops, while its engine renews late and another claims.
fn put_back_against_renewal() {
    let two = Two::new();
    let open = || {
        let (line, world) = (two.world.line(), Arc::clone(&two.world));
        let number = line.number;
        let late = move |ctx: &mut JobContext| {
            world.begin(number, ctx);
            if ctx.attempt() == 1 {
                time::skip(LEASE);
            }
            thread::yield_now();
            world.pass(number, ctx)
        };
        two.on(number, Arc::new(line)).algorithm("late", late).open().unwrap()
    };
    let (one, other) = (open(), open());
    let handles = one.submit_all([job("late"), job("late")]).unwrap();
    for handle in &handles {
        assert_eq!(two.end(handle).state, SUCCEEDED);
    }
    two.rest(&[&one, &other]);
}

/// The other engine runs a job that is submitted while one shuts down.
fn shutdown_against_notice() {
    let two = Two::new();
    let (one, other) = (two.engine(), two.engine());
    let submitter = {
        let other = Arc::clone(&other);
        thread::spawn(move || (0..2).map(|_| other.submit(job("rows")).unwrap()).collect::<Vec<_>>())
    };
    // A claim whose answer comes only now counts as abandoned for a moment.
    one.shutdown(Duration::MAX);
    for handle in submitter.join().unwrap() {
        assert_eq!(two.end(&handle).state, SUCCEEDED);
    }
    two.rest(&[&other]);
}

/// No engine runs a failed job before its pause is over.
fn pause() {
    let two = Two::new();
    let due: Arc<std::sync::Mutex<Option<Timestamp>>> = Arc::default();
    let open = || {
        let (line, world, due) = (two.world.line(), Arc::clone(&two.world), Arc::clone(&due));
        let number = line.number;
        let body = move |ctx: &mut JobContext| {
            world.begin(number, ctx);
            world.pass(number, ctx)?;
            let mut due = due.lock().unwrap();
            let Some(due) = *due else {
                *due = Some(time::timestamp().after(PAUSE / 2));
                return Err(JobError::transient("later"));
            };
            // The pause counts only if the failure was stored.
            let is_stored = world.stored(ctx.id()).is_some_and(|record| record.failed_attempts > 0);
            assert!(!is_stored || time::timestamp() >= due, "it runs again before its time");
            Ok(())
        };
        two.on(number, Arc::new(line))
            .retry(RetryPolicy::new(PAUSE, PAUSE))
            .algorithm("paused", body)
            .open()
            .unwrap()
    };
    let (one, other) = (open(), open());
    let handle = one.submit(job("paused")).unwrap();
    assert_eq!(two.end(&handle).state, SUCCEEDED);
    two.rest(&[&one, &other]);
}

fn retry_against_cancel() {
    let two = Two::new();
    let (one, other) = (two.engine(), two.engine());
    let handle = one.submit(job("again")).unwrap();
    let cancel = cancel(&other, &handle);
    let end = two.end(&handle);
    cancelled_or_not(&cancel.join().unwrap(), &end);
    two.rest(&[&one, &other]);
}

/// A front end learns of the end in every way.
fn front_end() {
    let two = Two::new();
    let front = two.front(Arc::new(two.world.line())).open().unwrap();
    let worker = two.engine();
    let handle = front.submit(job("rows")).unwrap();
    let called = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&called);
    handle.on_complete(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let watch = handle.watch();
    let other = handle.clone();
    let awaited = thread::spawn(move || shuttle::future::block_on(other));
    let other = handle.clone();
    let looked = thread::spawn(move || {
        loop {
            let changed = other.changed();
            if other.record().state.is_complete() {
                return other.record();
            }
            shuttle::future::block_on(changed);
        }
    });
    let end = two.end(&handle);
    assert_eq!((end.state, end.size.rows), (SUCCEEDED, ROWS));
    assert_eq!(awaited.join().unwrap().unwrap(), end);
    assert_eq!(looked.join().unwrap(), end);
    two.rest(&[&front, &worker]);
    assert_eq!(called.load(Ordering::SeqCst), 1);
    let revisions: Vec<u64> = watch.map(|change| change.revision).collect();
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
    assert!(revisions.is_empty() || revisions.last() == Some(&end.revision), "{revisions:?}");
}
