//! Runs one attempt of one job, from its start to its stored outcome.

use std::{cell::Cell, sync::Arc, time::Duration};

use job_core::{Event, Failure, FailureKind, JobRecord};
use job_store::{Durability, ErrorKind};
use tracing::Span;

use crate::{
    decide::outcome::BodyOutcome,
    engine::{
        completer::CompletedAttempt,
        core::EngineCore,
        ended::{BodyResult, EndedAttempt},
    },
    handler::{
        Handler,
        context::{Core, JobContext},
        services::Services,
    },
    job::{
        attempt::Attempt,
        cancel::StopCause,
        entry::Entry,
        error::{EngineError, JobError},
    },
    record::{
        attempt::{fail, put_back_record},
        change::{store_surely, tell},
        completer,
    },
    seam::shield,
    worker::{inside, next::Work},
};

/// The loop of a worker.
pub(crate) fn work(engine: &Arc<EngineCore>) {
    while let Some(work) = engine.next() {
        match work {
            Work::Job(entry) => run(engine, &entry),
            // Scans one partition, then looks again, since a waiting job goes first.
            Work::Help(scan) => {
                let inside = inside::enter(engine, scan.core());
                // A subscriber of the host may panic.
                let of_job = shield::run(|| span(engine, scan.core())).unwrap_or_else(|_| Span::none());
                of_job.in_scope(|| scan.help());
                drop(inside);
                // This line may drop the last reference to the scan and to the values of its body.
                shield::discard(scan);
            }
        }
    }
}

/// Runs one job to the end of this attempt. Frees its seat in every case.
pub(crate) fn run(engine: &Arc<EngineCore>, entry: &Arc<Entry>) {
    let seat = Seat { engine, entry, held: Cell::new(true) };
    if let Err(message) = shield::run(|| run_on(&seat)) {
        end_panicked(&seat, message);
    }
}

/// The place of a job that a worker has taken.
struct Seat<'a> {
    engine: &'a Arc<EngineCore>,
    entry: &'a Arc<Entry>,
    held: Cell<bool>,
}

impl Seat<'_> {
    /// Frees the seat when the attempt is over.
    fn release(&self, used: Duration) {
        if self.held.replace(false) {
            self.engine.release(self.entry, used);
        }
    }

    /// Leaves the outcome to the thread that drives the engine. The job counts as running until then.
    fn owe(&self, outcome: EndedAttempt) {
        self.held.set(false);
        self.engine.owed.lock().push(outcome);
    }

    /// Frees the seat, and leaves the end to the completer.
    fn free(&self, used: Duration) {
        self.held.set(false);
        self.engine.free(self.entry, used);
    }
}

fn run_on(seat: &Seat<'_>) {
    let Seat { engine, entry, .. } = seat;
    let from = engine.clock.now();
    let (core, handler) = match begin(engine, entry) {
        Begun::Running(core, handler) => (core, handler),
        Begun::Expired(record) => {
            seat.release(Duration::ZERO);
            return tell(engine, entry, &record);
        }
        Begun::Gone => return seat.release(Duration::ZERO),
        Begun::Stopped => {
            let stored = put_back_record(engine, entry);
            seat.release(Duration::ZERO);
            return stored.map_or((), |record| tell(engine, entry, &record));
        }
    };
    // Every later job in the queue has a new place.
    engine.tell_moved();
    let ending = after_a_gap(&core, attempt(engine, entry, &core, &*handler));
    // This line may drop the last reference to the handler, since the engine may be gone.
    shield::discard(handler);
    let used = engine.clock.now().since(from);
    match ending {
        // Nothing is stored, since another engine may have the job.
        _ if core.attempt.is_lost() || core.attempt.is_left() => seat.release(used),
        BodyResult::Well(result) if engine.config.workers() > 0 => {
            seat.free(used);
            let end = CompletedAttempt { entry: Arc::clone(entry), core, result };
            if let Err(ends) = engine.completer.push(end) {
                completer::store(engine, ends);
            }
        }
        ending => {
            let mut outcome = EndedAttempt::new(engine, entry, &core, ending, used);
            match outcome.store(engine) {
                Ok(stored) => {
                    seat.release(used);
                    if let Some(record) = stored {
                        tell(engine, entry, &record);
                    }
                }
                Err(_) => seat.owe(outcome),
            }
        }
    }
}

/// Called when the engine itself panicked while it ran a job, outside of the handler. The job fails, and its seat
/// is free.
fn end_panicked(seat: &Seat<'_>, message: String) {
    let Seat { engine, entry, .. } = seat;
    shield::log(
        || tracing::error!(job = %entry.id, message, "the engine panicked while it ran a job: it goes on"),
    );
    let failure =
        Failure::new(FailureKind::Panicked, format!("the engine panicked while it ran the job: {message}"));
    engine.health.panicked(message, engine.clock.now());
    if !seat.held.get() {
        return;
    }
    let stored = shield::run(|| fail(engine, entry, &failure)).unwrap_or_default();
    if stored.is_none() {
        entry.lose(EngineError::Thread(failure.message.into()));
    }
    seat.release(Duration::ZERO);
    if let Some(record) = stored {
        tell(engine, entry, &record);
    }
}

/// The outcome after a write that was refused because the lease had ended. The job is not at fault, even if the
/// lease was renewed since.
fn after_a_gap(core: &Core, ending: BodyResult) -> BodyResult {
    match ending {
        BodyResult::Badly(BodyOutcome::Badly(JobError::Store(error)))
            if error.kind == ErrorKind::Fenced && core.attempt.lease().is_some() =>
        {
            core.attempt.token.stop(StopCause::LeaseLost);
            BodyResult::Badly(BodyOutcome::Badly(JobError::Stopped(StopCause::LeaseLost)))
        }
        ending => ending,
    }
}

/// The span around the code of a host that works on a job. Lines of the log inside it have the id of the job.
fn span(engine: &EngineCore, core: &Core) -> Span {
    let span = tracing::info_span!(
        "job", id = %core.entry.id, kind = %core.spec.kind(), graph = core.spec.graph(), attempt = core.attempt.number,
        traceparent = core.spec.options().trace_parent.as_deref()
    );
    engine.handlers.adopt(&span, &core.spec);
    span
}

/// Runs the body of an attempt that has begun.
fn attempt(engine: &Arc<EngineCore>, entry: &Arc<Entry>, core: &Arc<Core>, handler: &dyn Handler) -> BodyResult {
    let record = entry.record();
    let span = span(engine, core);
    let _entered = span.enter();
    engine.started(&record);
    body(engine, core, handler)
}

/// The fate of a job that a worker took.
enum Begun {
    /// A new attempt runs.
    Running(Arc<Core>, Arc<dyn Handler>),
    /// The deadline of the job had passed, and its end is stored.
    Expired(Box<JobRecord>),
    /// Another thread ended the job first and announced its end, or the job could not be started.
    Gone,
    /// The claim has started the job, and the job was stopped before a worker began it.
    Stopped,
}

fn begin(engine: &Arc<EngineCore>, entry: &Arc<Entry>) -> Begun {
    let spec = entry.record().spec;
    if entry.is_lease_over() {
        return Begun::Gone;
    }
    let Some(handler) = engine.handlers.find(spec.kind()) else { return Begun::Gone };
    let started = entry.lock().place.begin();
    if started.as_ref().and_then(|attempt| attempt.token.cause()).is_some_and(|cause| cause != StopCause::Deadline)
    {
        return Begun::Stopped;
    }
    if spec.options().deadline.is_some_and(|deadline| engine.clock.now() >= deadline) {
        return expire(engine, entry);
    }
    if let Some(attempt) = started {
        // The claim has started the job.
        return running(engine, entry, attempt, handler);
    }
    let now = engine.clock.now();
    // The start is buffered: after a power loss without it the job still waits.
    let started = store_surely(engine, entry, |change| {
        let next = {
            let state = change.state();
            // The engine has left the job, or the job was cancelled meanwhile.
            if state.place.is_left() { None } else { state.record.apply(Event::Start, now).ok() }
        };
        let Some(next) = next else { return Ok(()) };
        engine.replace(&next, Durability::Buffered)?;
        let budget = spec.options().budget;
        let mut state = change.state();
        let attempt = match state.place.lease() {
            Some(lease) => Attempt::under(Arc::clone(lease), next.attempt, budget, now),
            None => Attempt::new(next.attempt, budget, now),
        };
        state.place.run(Arc::new(attempt));
        engine.show(&mut state, next);
        Ok(())
    });
    // A job that could not be started still waits.
    let Some(attempt) = entry.attempt().filter(|_| started.is_ok()) else { return Begun::Gone };
    running(engine, entry, attempt, handler)
}

fn running(
    engine: &Arc<EngineCore>,
    entry: &Arc<Entry>,
    attempt: Arc<Attempt>,
    handler: Arc<dyn Handler>,
) -> Begun {
    if engine.is_stopping() {
        attempt.token.stop(StopCause::Shutdown);
    }
    let spec = entry.record().spec;
    let services: Arc<dyn Services> = engine.clone();
    let core = Core::new(services, Arc::clone(entry), attempt, spec);
    Begun::Running(Arc::new(core), handler)
}

fn expire(engine: &EngineCore, entry: &Arc<Entry>) -> Begun {
    // A job that its claim has started, and that no worker had begun, fails.
    let failure = Failure::new(FailureKind::Deadline, "its deadline passed while it waited");
    fail(engine, entry, &failure).map_or(Begun::Gone, |record| Begun::Expired(Box::new(record)))
}

/// Calls the handler, and stores the rows that are left in memory.
fn body(engine: &Arc<EngineCore>, core: &Arc<Core>, handler: &dyn Handler) -> BodyResult {
    let mut ctx = JobContext::new(Arc::clone(core));
    let _inside = inside::enter(engine, core);
    match shield::run(|| handler.run(&mut ctx).and_then(|()| core.result())) {
        Ok(Ok(result)) => BodyResult::Well(result),
        Ok(Err(error)) => BodyResult::Badly(BodyOutcome::Badly(error)),
        Err(message) => BodyResult::Badly(BodyOutcome::Panicked(message)),
    }
}
