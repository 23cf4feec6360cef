//! One attempt of one job, from its start to its recorded outcome.

use std::{cell::Cell, sync::Arc, time::Duration};

use job_core::{Event, Failure, FailureKind, JobRecord, JobResult, JobState, Timestamp};
use job_store::{Durability, ErrorKind, StoreError};

use crate::{
    attempt::Attempt,
    cancel::StopCause,
    completer::{self, End},
    context::{Core, JobContext},
    engine_core::EngineCore,
    entry::{Change, Entry},
    error::{EngineError, JobError},
    handler::Handler,
    inside,
    next::Work,
    outcome::{self, Circumstances, Ended, Verdict},
    shield, started,
};

/// A worker's life.
pub(crate) fn work(shared: &Arc<EngineCore>) {
    while let Some(work) = shared.next() {
        match work {
            Work::Job(entry) => run(shared, &entry),
            // One partition, then look again: a waiting job goes first.
            Work::Help(scan) => {
                scan.help();
                // Perhaps the last that has it, with what its body owns.
                shield::discard(scan);
            }
        }
    }
}

/// Runs one job to the end of this attempt, and gives its seat back whatever happens.
pub(crate) fn run(shared: &Arc<EngineCore>, entry: &Arc<Entry>) {
    let seat = Seat { shared, entry, held: Cell::new(true) };
    if let Err(message) = shield::run(|| run_on(&seat)) {
        end_panicked(&seat, message);
    }
}

/// The place of a job that a worker has taken.
struct Seat<'a> {
    shared: &'a Arc<EngineCore>,
    entry: &'a Arc<Entry>,
    held: Cell<bool>,
}

impl Seat<'_> {
    /// The worker is done with the job.
    fn release(&self, used: Duration) {
        if self.held.replace(false) {
            self.shared.release(self.entry, used);
        }
    }

    /// The outcome is stored later, by the thread that drives the engine; until then the job runs.
    fn owe(&self, outcome: Outcome) {
        self.held.set(false);
        self.shared.owed.lock().push(outcome);
    }

    /// The end of the job is the completer's from here on.
    fn free(&self, used: Duration) {
        self.held.set(false);
        self.shared.free(self.entry, used);
    }
}

fn run_on(seat: &Seat<'_>) {
    let Seat { shared, entry, .. } = seat;
    let from = shared.clock.now();
    let (core, handler) = match begin(shared, entry) {
        Begun::Running(core, handler) => (core, handler),
        Begun::Expired(record) => {
            seat.release(Duration::ZERO);
            return tell(shared, entry, &record);
        }
        Begun::Gone => return seat.release(Duration::ZERO),
        Begun::Stopped => {
            let stored = put_back_record(shared, entry);
            seat.release(Duration::ZERO);
            return stored.map_or((), |record| tell(shared, entry, &record));
        }
    };
    let ending = after_a_gap(&core, attempt(shared, entry, &core, &*handler));
    // Perhaps the last that has it: the engine may be gone.
    shield::discard(handler);
    let used = shared.clock.now().since(from);
    match ending {
        // Not a word more: the job may be another engine's.
        _ if core.attempt.is_lost() || core.attempt.is_left() => seat.release(used),
        Ending::Well(result) if shared.config.workers > 0 => {
            seat.free(used);
            let end = End { entry: Arc::clone(entry), core, result };
            if let Err(ends) = shared.completer.push(end) {
                completer::store(shared, ends);
            }
        }
        ending => {
            let mut outcome = Outcome::new(shared, entry, &core, ending, used);
            match outcome.store(shared) {
                Ok(stored) => {
                    seat.release(used);
                    if let Some(record) = stored {
                        tell(shared, entry, &record);
                    }
                }
                Err(_) => seat.owe(outcome),
            }
        }
    }
}

/// The engine itself panicked while it ran a job, outside of the handler: the job fails, and its seat is free.
fn end_panicked(seat: &Seat<'_>, message: String) {
    let Seat { shared, entry, .. } = seat;
    shield::log(
        || tracing::error!(job = %entry.id, message, "the engine panicked while it ran a job: it goes on"),
    );
    let failure =
        Failure::new(FailureKind::Panicked, format!("the engine panicked while it ran the job: {message}"));
    shared.health.panicked(message, shared.clock.now());
    if !seat.held.get() {
        return;
    }
    let stored = shield::run(|| fail(shared, entry, &failure)).unwrap_or_default();
    if stored.is_none() {
        entry.lose(EngineError::Thread(failure.message.into()));
        shared.watchers.end(entry.id);
    }
    seat.release(Duration::ZERO);
    if let Some(record) = stored {
        tell(shared, entry, &record);
    }
}

/// Ends a job that was taken, begun or not.
fn fail(shared: &EngineCore, entry: &Arc<Entry>, failure: &Failure) -> Option<JobRecord> {
    let mut stored = None;
    let now = shared.clock.now();
    store_surely(shared, entry, |change| {
        let attempt = {
            let state = change.state();
            if state.place.is_left() {
                return Ok(());
            }
            state.place.attempt().cloned()
        };
        let failed = [Event::Expire(failure.clone()), Event::Fail(failure.clone())];
        let next = failed.into_iter().find_map(|event| change.state().record.apply(event, now).ok());
        let Some(next) = next else { return Ok(()) };
        if attempt.is_some_and(|attempt| attempt.has_rows()) {
            shared.store().discard(next.id, next.attempt)?;
        }
        stored = Some(replace(shared, change, next)?);
        change.state().place.stop();
        Ok(())
    })
    .ok()?;
    stored
}

/// A write that was refused because the lease had ended says nothing of the job, also when the lease was renewed since.
fn after_a_gap(core: &Core, ending: Ending) -> Ending {
    match ending {
        Ending::Badly(Ended::Badly(JobError::Store(error)))
            if error.kind == ErrorKind::Fenced && core.attempt.lease().is_some() =>
        {
            core.attempt.token.stop(StopCause::LeaseLost);
            Ending::Badly(Ended::Badly(JobError::Cancelled))
        }
        ending => ending,
    }
}

/// Runs the body of an attempt that has begun.
fn attempt(shared: &Arc<EngineCore>, entry: &Arc<Entry>, core: &Arc<Core>, handler: &dyn Handler) -> Ending {
    let record = entry.record();
    let span = tracing::info_span!(
        "job", id = %record.id, kind = %record.spec.kind(), graph = record.spec.graph_name(), attempt = record.attempt
    );
    let _entered = span.enter();
    shared.metrics.started(&record);
    body(core, handler)
}

/// Tells and counts the end of a job. `record` is what was stored, not what the job is now: a job that waits again
/// may be another worker's already.
pub(crate) fn tell(shared: &EngineCore, entry: &Entry, record: &JobRecord) {
    if record.state.is_complete() {
        shared.metrics.ended(record);
        shield::log(
            || tracing::info!(job = %record.id, state = %record.state, rows = record.size.rows, "job ended"),
        );
        entry.tell_end();
    }
}

/// What became of a job that a worker took.
enum Begun {
    /// A new attempt runs.
    Running(Arc<Core>, Arc<dyn Handler>),
    /// Its deadline had passed, and that is stored.
    Expired(Box<JobRecord>),
    /// Somebody else ended it first, and has told so; or it could not be started at all.
    Gone,
    /// Its claim has started it, and it was told to stop before its turn came.
    Stopped,
}

fn begin(shared: &Arc<EngineCore>, entry: &Arc<Entry>) -> Begun {
    let spec = entry.record().spec;
    if entry.is_lease_over() {
        return Begun::Gone;
    }
    let Some(handler) = shared.handlers.find(spec.kind()) else { return Begun::Gone };
    let started = entry.lock().place.begin();
    if started.as_ref().and_then(|attempt| attempt.token.cause()).is_some_and(|cause| cause != StopCause::Deadline)
    {
        return Begun::Stopped;
    }
    if spec.options().deadline.is_some_and(|deadline| shared.clock.now() >= deadline) {
        return expire(shared, entry);
    }
    if let Some(attempt) = started {
        // By its claim.
        return running(shared, entry, attempt, handler);
    }
    let now = shared.clock.now();
    // The start need not survive a power loss: without it the job simply still waits.
    let started = store_surely(shared, entry, |change| {
        let next = {
            let state = change.state();
            // The engine goes without it, or it was cancelled meanwhile: then there is nothing to start.
            if state.place.is_left() { None } else { state.record.apply(Event::Start, now).ok() }
        };
        let Some(next) = next else { return Ok(()) };
        shared.replace(&next, Durability::Buffered)?;
        let budget = spec.options().budget;
        let mut state = change.state();
        let attempt = match state.place.lease() {
            Some(lease) => Attempt::under(Arc::clone(lease), next.attempt, budget),
            None => Attempt::new(next.attempt, budget),
        };
        state.place.run(Arc::new(attempt));
        shared.show(&mut state, next);
        Ok(())
    });
    // What could not be started still waits.
    let Some(attempt) = entry.attempt().filter(|_| started.is_ok()) else { return Begun::Gone };
    running(shared, entry, attempt, handler)
}

fn running(
    shared: &Arc<EngineCore>,
    entry: &Arc<Entry>,
    attempt: Arc<Attempt>,
    handler: Arc<dyn Handler>,
) -> Begun {
    if shared.is_stopping() {
        attempt.token.stop(StopCause::Shutdown);
    }
    let spec = entry.record().spec;
    let core = Core::new(Arc::clone(shared), Arc::clone(entry), attempt, spec);
    Begun::Running(Arc::new(core), handler)
}

/// Lets a job wait again that was started and that no worker has begun; one that somebody has asked to end, ends.
pub(crate) fn put_back(shared: &EngineCore, entry: &Arc<Entry>) {
    let stored = put_back_record(shared, entry);
    shared.release(entry, Duration::ZERO);
    if let Some(record) = stored {
        tell(shared, entry, &record);
    }
}

fn put_back_record(shared: &EngineCore, entry: &Arc<Entry>) -> Option<JobRecord> {
    let now = shared.clock.now();
    let mut stored = None;
    let put_back = store_surely(shared, entry, |change| {
        let next = {
            let record = &change.state().record;
            let cancelling = record.state == JobState::Running { cancelling: true };
            record.apply(if cancelling { Event::Stop } else { started::put_back() }, now)
        };
        // One that could not be started waits anyhow.
        let Ok(next) = next else { return Ok(()) };
        stored = Some(replace(shared, change, next)?);
        Ok(())
    });
    entry.lock().place.stop();
    stored.filter(|_| put_back.is_ok())
}

fn expire(shared: &EngineCore, entry: &Arc<Entry>) -> Begun {
    // One that its claim has started, and that no worker had begun, fails.
    let failure = Failure::new(FailureKind::Deadline, "its deadline passed while it waited");
    fail(shared, entry, &failure).map_or(Begun::Gone, |record| Begun::Expired(Box::new(record)))
}

/// How an attempt came to its end, before that is stored.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// The body returned, and all its rows are in the store.
    Well(JobResult),
    /// It did not, or they are not.
    Badly(Ended),
}

/// Calls the handler and stores the rows that are left in memory.
fn body(core: &Arc<Core>, handler: &dyn Handler) -> Ending {
    let mut ctx = JobContext::new(Arc::clone(core));
    let _inside = inside::enter(core);
    match shield::run(|| handler.run(&mut ctx).and_then(|()| core.result())) {
        Ok(Ok(result)) => Ending::Well(result),
        Ok(Err(error)) => Ending::Badly(Ended::Badly(error)),
        Err(message) => Ending::Badly(Ended::Panicked(message)),
    }
}

/// An attempt whose body is over, and whose outcome is to be stored.
#[derive(Debug)]
pub(crate) struct Outcome {
    entry: Arc<Entry>,
    core: Arc<Core>,
    ended: Ended,
    result: Option<JobResult>,
    /// Whether rows of an attempt that was stopped can be kept: not when the store has lost them.
    keeps_rows: bool,
    /// The same in every try, so that a write that was done but reported as failed is known again.
    now: Timestamp,
    entropy: u64,
    /// How far the body was, in percent; the same in every try, too.
    percent: u8,
    /// For how long it used a worker.
    used: Duration,
}

impl Outcome {
    pub(crate) fn new(
        shared: &EngineCore,
        entry: &Arc<Entry>,
        core: &Arc<Core>,
        ending: Ending,
        used: Duration,
    ) -> Self {
        let (ended, result) = match ending {
            Ending::Well(result) => (Ended::Well, Some(result)),
            Ending::Badly(ended) => (ended, None),
        };
        let entropy = u64::from(core.attempt.started.elapsed().subsec_nanos()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (entry, core, now) = (Arc::clone(entry), Arc::clone(core), shared.clock.now());
        let percent = core.attempt.counter.snapshot().percent();
        Self { entry, core, ended, result, keeps_rows: true, now, entropy, percent, used }
    }

    /// Stores it: the record, if there was anything to store. A store that fails is tried again until it works or the
    /// engine stops; where no thread of the engine would do that, it is an error after a few tries.
    pub(crate) fn store(&mut self, shared: &Arc<EngineCore>) -> Result<Option<JobRecord>, StoreError> {
        let entry = Arc::clone(&self.entry);
        let mut stored = None;
        store_surely(shared, &entry, |change| {
            // Waits have been told that it runs again.
            if self.core.attempt.is_left() {
                return Ok(());
            }
            stored = match self.record(shared, change) {
                Err(error) if error.kind == ErrorKind::Lost => {
                    self.lose_rows(error);
                    self.record(shared, change)?
                }
                recorded => recorded?,
            };
            Ok(())
        })?;
        entry.lock().place.stop();
        Ok(stored)
    }

    /// The store does not have the rows any more: what succeeded has to run again, what was stopped keeps none.
    fn lose_rows(&mut self, error: StoreError) {
        self.result = None;
        self.keeps_rows = false;
        if self.ended == Ended::Well {
            self.ended = Ended::Badly(JobError::Store(error));
        }
    }

    fn verdict(&self, shared: &EngineCore, record: &JobRecord) -> Verdict {
        let at = Circumstances {
            cause: self.core.attempt.token.cause(),
            cancelling: record.state == JobState::Running { cancelling: true },
            attempt: record.attempt,
            failed_attempts: record.failed_attempts,
            max_attempts: record.spec.options().max_attempts,
            now: self.now,
            entropy: self.entropy,
            retry: shared.config.retry,
        };
        outcome::verdict(self.ended.clone(), at)
    }

    /// Stores the verdict: rows first, the record last. The record comes back, if there was anything to store.
    fn record(&mut self, shared: &EngineCore, change: &Change) -> Result<Option<JobRecord>, StoreError> {
        let record = change.state().record.clone();
        let event = match self.verdict(shared, &record) {
            Verdict::Succeed => {
                let result = self.result.get_or_insert_default();
                let Ok(next) = record.apply(Event::Succeed(result.size()), self.now) else {
                    return Ok(None);
                };
                return complete(shared, change, next, result).map(Some);
            }
            Verdict::Stop => Event::Stop,
            Verdict::Fail(failure) => Event::Fail(failure),
            Verdict::Requeue(failure, due) => Event::Requeue(failure, due),
        };
        let keeps = self.keeps_rows
            && keeps_rows(&event)
            && record.spec.options().keep_rows
            && self.core.attempt.has_output();
        let stopped = event == Event::Stop;
        let Ok(next) = record.apply(event, self.now) else { return Ok(None) };
        let next = if stopped { next.stopped_at(self.percent) } else { next };
        if keeps {
            if self.result.is_none() {
                // Rows that cannot be stored any more are lost; those that are stored are kept.
                self.result = self.core.result().ok();
            }
            if let Some(result) = &self.result {
                return complete(shared, change, next.keeping(result.size()), result).map(Some);
            }
        }
        if self.core.attempt.has_rows() {
            shared.store().discard(next.id, next.attempt)?;
        }
        replace(shared, change, next).map(Some)
    }
}

/// Tries again what could not be stored, where no thread of the engine does; whether the store works and nothing is left.
pub(crate) fn catch_up(shared: &Arc<EngineCore>) -> bool {
    if !shared.is_driven() {
        return true;
    }
    let owed = std::mem::take(&mut *shared.owed.lock());
    for mut outcome in owed {
        match outcome.store(shared) {
            Ok(stored) => {
                shared.release(&outcome.entry, outcome.used);
                if let Some(record) = stored {
                    tell(shared, &outcome.entry, &record);
                }
            }
            Err(_) => shared.owed.lock().push(outcome),
        }
    }
    shared.probe();
    shared.health.check().is_ok() && shared.owed.lock().is_empty()
}

/// Whether a job that ends so may keep its rows: it was stopped from outside, not by a mistake of its own.
fn keeps_rows(event: &Event) -> bool {
    match event {
        Event::Stop => true,
        Event::Fail(failure) => matches!(
            failure.kind,
            FailureKind::Deadline | FailureKind::RowBudget | FailureKind::ByteBudget | FailureKind::MemoryBudget
        ),
        _ => false,
    }
}

fn complete(
    shared: &EngineCore,
    change: &Change,
    next: JobRecord,
    result: &JobResult,
) -> Result<JobRecord, StoreError> {
    let stored = shared.store().complete(&next, result, shared.config.durability);
    stored.or_else(|error| shared.already(&next, error))?;
    shared.show(&mut change.state(), next.clone());
    Ok(next)
}

fn replace(shared: &EngineCore, change: &Change, next: JobRecord) -> Result<JobRecord, StoreError> {
    shared.replace(&next, shared.config.durability)?;
    shared.show(&mut change.state(), next.clone());
    Ok(next)
}

/// Does `write`, a change of the job, until it works. The engine is unhealthy meanwhile. Gives up when the engine
/// stops: the store then still says what is true, and the next open goes on from there. Gives up too when the store
/// works but refuses this job's change, which no further try would alter. An engine that is driven by its caller does
/// not keep him: after a few tries it is an error, and the caller tries again.
fn store_surely(
    shared: &EngineCore,
    entry: &Arc<Entry>,
    mut write: impl FnMut(&Change) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    const TRIES_WITHOUT_WORKERS: u32 = 3;
    let (mut failures, mut refusals) = (0, 0);
    loop {
        if entry.is_lease_over() {
            return Ok(()); // another engine's, or nobody's: it is not for us to write
        }
        // A change of its own for each try: others may cancel the job between them.
        let written = shield::stored("change a job", || write(&entry.change()));
        let answered = written.as_ref().map_or_else(|error| refuses_job(error.kind), |()| true);
        if answered && failures > 0 {
            shared.health.recovered();
        }
        let Err(mut error) = written else { return Ok(()) };
        if answered {
            match shared.source.refused(shared, entry, error, refusals) {
                Ok(()) => return Ok(()),
                Err(None) => {
                    refusals += 1;
                    continue;
                }
                Err(Some(failed)) => error = failed,
            }
        }
        failures += 1;
        tracing::error!(job = %entry.id, %error, failures, "a change of a job could not be stored");
        if failures >= 2 || !error.kind.is_retryable() {
            shared.health.failed(&error);
        }
        if shared.is_stopping() {
            entry.lose(EngineError::Unhealthy(error));
            return Ok(());
        }
        if shared.is_driven() {
            if failures >= TRIES_WITHOUT_WORKERS {
                return Err(error);
            }
        } else {
            shared.health.pause(failures, || shared.is_stopping());
        }
    }
}

/// Whether the store works, but says that this job is somebody else's by now, or damaged.
const fn refuses_job(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Fenced | ErrorKind::Invalid | ErrorKind::Corrupt
    )
}
