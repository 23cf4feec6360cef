//! Simulates several engines on one store, over lines that delay calls, fail them and lose their answers. It has
//! its own time.
//!
//! A seed decides everything: the number of engines and jobs, the bodies, the cancels and the engine that dies. It
//! also decides the faults of the lines and the order of the threads. [`World`] checks every step, and at the end
//! the outcome of each job.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use job_core::{FailureKind, JobId, JobRecord, JobSpec, JobState, Outcome, PageRequest};
use job_store::ErrorKind;
use shuttle::{
    Config, FailurePersistence, Runner,
    scheduler::{Schedule, Scheduler, Task, TaskId},
    thread,
};

use crate::{
    api::{builder::SharedEngineBuilder, engine::Engine, handle::JobHandle},
    decide::outcome::RetryPolicy,
    handler::context::JobContext,
    job::error::{EngineError, JobError},
    line::{LEASE, Line, Mistake, Weather, World},
    scenarios::read,
    time::{self, RunClock, Timed, sleep},
};

/// How long the lines have faults.
const STORM: Duration = Duration::from_secs(15);
/// The time by which every job has ended.
const CALM: Duration = Duration::from_mins(3);

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);
const FAILED: JobState = JobState::Complete(Outcome::Failed);
const CANCELLED: JobState = JobState::Complete(Outcome::Cancelled);

/// The body of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Writes a row in each step.
    Rows,
    Fails,
    /// Fails with a transient error this number of times.
    Again(u32),
    /// The body runs until it is stopped.
    Endless,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    body: Body,
    submitted: Duration,
    steps: u64,
    step: Duration,
    cancelled: Option<Duration>,
}

/// The choices of a seed.
#[derive(Debug, Clone)]
struct Setup {
    time_every: u64,
    weather: Weather,
    workers: Vec<usize>,
    plans: Vec<Plan>,
    /// The times at which lines are cut, which line, and for how long.
    cuts: Vec<(usize, Duration, Duration)>,
    death: Option<(usize, Duration)>,
}

fn millis(chance: &mut fastrand::Rng, most: u64) -> Duration {
    Duration::from_millis(chance.u64(0..=most))
}

impl Setup {
    fn of(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let engines = chance.usize(2..=3);
        let bad = [0, 0, 20, 100];
        let mut pick = |from: &[u32]| from.get(chance.usize(..from.len())).copied().unwrap_or_default();
        let weather = Weather { fails: pick(&bad), loses: pick(&bad), slow: pick(&[0, 50, 200, 400]) };
        let time_every = u64::from(pick(&[0, 32, 128, 1_024]));
        let plans = (0..chance.usize(1..=5)).map(|_| plan(&mut chance)).collect();
        let cuts = (0..chance.usize(..=2))
            .map(|_| (chance.usize(..engines), millis(&mut chance, 8_000), millis(&mut chance, 4_000)))
            .collect();
        let death = chance.bool().then(|| (chance.usize(..engines), millis(&mut chance, 5_000)));
        Self {
            time_every,
            weather,
            workers: (0..engines).map(|_| chance.usize(1..=2)).collect(),
            plans,
            cuts,
            death,
        }
    }
}

fn plan(chance: &mut fastrand::Rng) -> Plan {
    let body = match chance.u8(..8) {
        0 => Body::Fails,
        1 => Body::Again(chance.u32(1..=2)),
        2 | 3 => Body::Endless,
        _ => Body::Rows,
    };
    // Half of the cancels come while the job is being claimed.
    let soon = if chance.bool() { 30 } else { 4_000 };
    let cancelled = (body == Body::Endless || chance.u8(..4) == 0).then(|| millis(chance, soon));
    // A few steps are longer than a lease.
    let step = if chance.u8(..4) == 0 { 3_000 } else { 400 };
    Plan {
        body,
        submitted: millis(chance, 3_000),
        steps: chance.u64(1..=4),
        step: millis(chance, step),
        cancelled,
    }
}

/// The name of the algorithm of the job with this number.
fn name(job: usize) -> String {
    format!("job-{job}")
}

fn run_body(world: &World, line: usize, plan: Plan, ctx: &mut JobContext) -> Result<(), JobError> {
    world.begin(line, ctx);
    match plan.body {
        Body::Rows => {
            let mut rows = ctx.rows("numbers")?;
            for number in 0..plan.steps {
                sleep(plan.step);
                world.pass(line, ctx)?;
                rows.push(&number)?;
            }
            Ok(())
        }
        Body::Endless => loop {
            sleep(plan.step + Duration::from_millis(100));
            world.pass(line, ctx)?;
        },
        Body::Fails => {
            sleep(plan.step);
            world.pass(line, ctx)?;
            Err(JobError::failed("it always does"))
        }
        Body::Again(times) => {
            sleep(plan.step);
            world.pass(line, ctx)?;
            let stored = world.stored(ctx.id());
            let failed = stored.map_or(0, |record| record.failed_attempts);
            if failed < times { Err(JobError::transient("once more")) } else { Ok(()) }
        }
    }
}

fn open(world: &Arc<World>, line: Line, workers: usize, plans: &[Plan]) -> Result<Arc<Engine>, EngineError> {
    let number = line.number;
    let setup = |builder: SharedEngineBuilder, (job, plan): (usize, &Plan)| {
        let (world, plan) = (Arc::clone(world), *plan);
        builder.algorithm(name(job), move |ctx: &mut JobContext| run_body(&world, number, plan, ctx))
    };
    let builder = Engine::builder_shared(Arc::new(line))
        .clock(Arc::new(RunClock))
        .retry(RetryPolicy::new(Duration::from_millis(100), LEASE))
        .lease_duration(LEASE)
        .shutdown_timeout(Duration::ZERO);
    if workers == 0 {
        return builder.front_end().open().map(Arc::new);
    }
    let builder = builder.workers(workers);
    plans.iter().enumerate().fold(builder, setup).open().map(Arc::new)
}

/// Submits a job at its planned time, cancels it if that is planned, and waits for its end.
fn client(world: &Arc<World>, engine: &(usize, Arc<Engine>), front: &Arc<Engine>, job: usize, plan: Plan) {
    let (line, engine) = engine;
    sleep(plan.submitted);
    // The job has a key, so that a repeated submission is the same job.
    let spec = JobSpec::algorithm(name(job)).with_graph("g").max_attempts(1_000).idempotency_key(name(job));
    let handle = loop {
        let through = if world.is_dead(*line) { front } else { engine };
        match through.submit(spec.clone()) {
            Ok(handle) => break handle,
            Err(_) => sleep(LEASE / 4),
        }
    };
    let id = handle.id();
    if world.stored(id).is_none() {
        return world.violate(|| format!("job {job} was acknowledged and is not there"));
    }
    world.note(|| format!("job {job} is {}", id.to_string().split_off(30)));
    let waits = thread::spawn({
        let world = Arc::clone(world);
        move || check_told(&world, &handle)
    });
    if let Some(after) = plan.cancelled {
        sleep(after);
        // The cancel goes through an engine of its own, or through the engine that may run the job.
        let through = if plan.steps.is_multiple_of(2) { engine } else { front };
        while through.cancel(id).is_err_and(|error| is_passing(&error)) && !world.is_dead(*line) {
            sleep(LEASE / 4);
        }
        world.note(|| format!("job {job} was asked to end"));
        // The engine may have died during the call.
        while front.cancel(id).is_err_and(|error| is_passing(&error)) {
            sleep(LEASE / 4);
        }
    }
    // A panic of that thread has ended the run.
    let _ = waits.join();
}

/// Whether the call may succeed later.
const fn is_passing(error: &EngineError) -> bool {
    matches!(error, EngineError::Store(_) | EngineError::Unhealthy(_))
}

/// Checks that an announced end is in the store.
fn check_told(world: &World, handle: &JobHandle) {
    let Ok(told) = handle.wait() else { return };
    let stored = world.stored(told.id);
    if stored.as_ref() != Some(&told) {
        world.violate(|| format!("an end was told that is not stored: {told:?}, but {stored:?}"));
    }
}

/// Checks that the outcome of a job fits its body.
fn check_end(reader: &Engine, plan: Plan, end: &JobRecord) -> Result<(), String> {
    let asked = plan.cancelled.is_some();
    let may = match plan.body {
        Body::Rows | Body::Again(_) if end.state == SUCCEEDED => true,
        Body::Fails if end.state == FAILED => {
            end.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Handler)
        }
        _ => asked && end.state == CANCELLED,
    };
    if !may {
        return Err(format!("it was to do {plan:?} and is {end:?}"));
    }
    if plan.body == Body::Rows && end.state == SUCCEEDED {
        let page = reader.reader().page(end.id, PageRequest::default()).map_err(|error| error.to_string())?;
        let rows = read(&page).map_err(|error| error.to_string())?;
        if rows != (0..plan.steps).collect::<Vec<_>>() || end.size.rows != plan.steps {
            return Err(format!("its rows are {rows:?}, of {end:?}"));
        }
    }
    Ok(())
}

/// Makes one run. Returns the broken promise, if there was one.
fn simulate(seed: u64, setup: &Setup, mistake: Option<Mistake>, tells: bool) -> Run {
    let world = World::new(seed, setup.weather, mistake, tells);
    time::tell({
        let world = Arc::clone(&world);
        move || world.told()
    });
    let result = play(&world, setup);
    let violation = world.violation().or(result.err());
    Run { violation, story: world.story(), steps: shuttle::current::context_switches() }
}

fn play(world: &Arc<World>, setup: &Setup) -> Result<(), String> {
    let told = |error: EngineError| error.to_string();
    let engines: Vec<Arc<Engine>> = setup
        .workers
        .iter()
        .map(|&workers| open(world, world.line(), workers, &setup.plans).map_err(told))
        .collect::<Result<_, _>>()?;
    let front = open(world, world.line(), 0, &setup.plans).map_err(told)?;
    let content = Arc::new(AtomicUsize::new(0));
    for (job, &plan) in setup.plans.iter().enumerate() {
        let line = job % (engines.len() + 1);
        let through = (line, Arc::clone(engines.get(line).unwrap_or(&front)));
        let (world, front) = (Arc::clone(world), Arc::clone(&front));
        let content = Arc::clone(&content);
        thread::spawn(move || {
            client(&world, &through, &front, job, plan);
            content.fetch_add(1, Ordering::SeqCst);
        });
    }
    for &(line, from, length) in &setup.cuts {
        let world = Arc::clone(world);
        thread::spawn(move || {
            sleep(from);
            world.cut(line, true);
            sleep(length);
            world.cut(line, false);
        });
    }
    let death = setup.death.map(|(line, at)| {
        let (world, engine) = (Arc::clone(world), engines.get(line).cloned());
        thread::spawn(move || {
            sleep(at);
            world.die(line);
            engine.map(|engine| engine.shutdown(Duration::ZERO))
        })
    });
    sleep(STORM);
    world.calm_down();
    let settled = || {
        content.load(Ordering::SeqCst) == setup.plans.len()
            && world.all().iter().all(|record| record.state.is_complete())
    };
    while world.violation().is_none() && !settled() {
        if time::now() > CALM {
            return Err(format!("after {CALM:?} a job has not ended, or somebody waits: {:?}", world.all()));
        }
        sleep(LEASE / 2);
    }
    if let Some(violation) = world.violation() {
        return Err(violation);
    }
    if let Some(death) = death {
        // A panic of that thread has ended the run.
        let _ = death.join();
    }
    for engine in engines.iter().chain([&front]) {
        engine.shutdown(Duration::ZERO);
    }
    let ends = world.all();
    for (job, &plan) in setup.plans.iter().enumerate() {
        for end in ends.iter().filter(|end| *end.spec.kind() == job_core::JobKind::Algorithm(name(job))) {
            check_end(&front, plan, end).map_err(|why| format!("job {job}: {why}"))?;
        }
    }
    Ok(())
}

/// The outcome of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) violation: Option<String>,
    pub(crate) story: Vec<String>,
    pub(crate) steps: usize,
}

/// Runs the simulation of this seed.
pub(crate) fn run(seed: u64, mistake: Option<Mistake>, tells: bool) -> Run {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::None;
    let setup = Setup::of(seed);
    let every = setup.time_every;
    let run: Arc<std::sync::Mutex<Run>> = Arc::default();
    let of_run = Arc::clone(&run);
    let ran = panic::catch_unwind(AssertUnwindSafe(|| {
        Runner::new(Timed::new(Chance::new(seed)), config).run(move || {
            time::run(every, || {
                let run = simulate(seed, &setup, mistake, tells);
                let violation = run.violation.clone();
                *of_run.lock().unwrap_or_else(PoisonError::into_inner) = run;
                // The run ends at a violation, since it may never end otherwise.
                assert!(violation.is_none(), "{}", violation.unwrap_or_default());
            });
        })
    }));
    let mut run = std::mem::take(&mut *run.lock().unwrap_or_else(PoisonError::into_inner));
    if let (Err(panic), None) = (ran, &run.violation) {
        run.violation = Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".to_owned()));
    }
    run
}

/// Chooses the next task by the seed.
#[derive(Debug)]
struct Chance {
    seed: Option<u64>,
    chance: fastrand::Rng,
}

impl Chance {
    fn new(seed: u64) -> Self {
        Self { seed: Some(seed), chance: fastrand::Rng::with_seed(!seed) }
    }
}

impl Scheduler for Chance {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.seed.take().map(Schedule::new)
    }

    fn next_task(&mut self, runnable: &[&Task], _: Option<TaskId>, _: bool) -> Option<TaskId> {
        runnable.get(self.chance.usize(..runnable.len())).map(|task| task.id())
    }

    fn next_u64(&mut self) -> u64 {
        self.chance.u64(..)
    }
}
