//! Stores the outcome of an attempt: the verdict, and the record after it.

use std::{sync::Arc, time::Duration};

use job_core::{Event, Failure, FailureKind, JobRecord, JobResult, JobState};
use job_store::{ErrorKind, StoreError};

use crate::{
    decide::outcome::{self, BodyOutcome, Circumstances, Verdict},
    engine::{core::EngineCore, ended::EndedAttempt, started},
    job::{
        entry::{Change, Entry},
        error::JobError,
    },
    record::{
        change::{replace, store_surely, tell},
        failed::keep_failure,
    },
};

impl EndedAttempt {
    /// Stores the outcome, and returns the record if there was one to store. A failed write is tried again until
    /// it succeeds or the engine stops. In an engine without a thread for that, it is an error after a few tries.
    pub(crate) fn store(&mut self, engine: &Arc<EngineCore>) -> Result<Option<JobRecord>, StoreError> {
        let entry = Arc::clone(&self.entry);
        let mut stored = None;
        store_surely(engine, &entry, |change| {
            // The waiters were told that the job runs again.
            if self.core.attempt.is_left() {
                return Ok(());
            }
            stored = match self.record(engine, change) {
                Err(error) if error.kind == ErrorKind::Lost => {
                    self.lose_rows(error);
                    self.record(engine, change)?
                }
                recorded => recorded?,
            };
            Ok(())
        })?;
        entry.lock().place.stop();
        Ok(stored)
    }

    /// Called when the store has lost the rows. A successful attempt runs again, and a stopped one keeps no rows.
    fn lose_rows(&mut self, error: StoreError) {
        self.result = None;
        self.keeps_rows = false;
        if self.ended == BodyOutcome::Well {
            self.ended = BodyOutcome::Badly(JobError::Store(error));
        }
    }

    fn verdict(&self, engine: &EngineCore, record: &JobRecord) -> Verdict {
        let at = Circumstances {
            cause: self.core.attempt.token.cause(),
            cancelling: record.state == JobState::Running { cancelling: true },
            attempt: record.attempt,
            failed_attempts: record.failed_attempts,
            max_attempts: record.spec.options().max_attempts,
            now: self.now,
            entropy: self.entropy,
            retry: engine.config.retry,
        };
        outcome::verdict(self.ended.clone(), at)
    }

    /// Stores the verdict: rows first, the record last. Returns the record, if there was one to store.
    fn record(&mut self, engine: &EngineCore, change: &Change) -> Result<Option<JobRecord>, StoreError> {
        let record = change.state().record.clone();
        let event = match self.verdict(engine, &record) {
            Verdict::Succeed => {
                let result = self.result.get_or_insert_default();
                let Ok(next) = record.apply(Event::Succeed(result.size()), self.now) else {
                    return Ok(None);
                };
                return complete(engine, change, next, result).map(Some);
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
        let Ok(next) = record.apply(event.clone(), self.now) else { return Ok(None) };
        keep_failure(engine, &record, &event, self.now)?;
        let next = if stopped { next.stopped_at(self.percent) } else { next };
        if keeps {
            if self.result.is_none() {
                // Rows that cannot be stored any more are lost. The stored ones are kept.
                self.result = self.core.result().ok();
            }
            if let Some(result) = &self.result {
                return complete(engine, change, next.keeping(result.size()), result).map(Some);
            }
        }
        if self.core.attempt.has_rows() {
            engine.store().discard(next.id, next.attempt)?;
        }
        replace(engine, change, next).map(Some)
    }
}

/// Tries failed writes again, in an engine without a thread for that. Returns whether the store works and no
/// failed write is left.
pub(crate) fn catch_up(engine: &Arc<EngineCore>) -> bool {
    if !engine.is_driven() {
        return true;
    }
    let owed = std::mem::take(&mut *engine.owed.lock());
    for mut outcome in owed {
        match outcome.store(engine) {
            Ok(stored) => {
                engine.release(&outcome.entry, outcome.used);
                if let Some(record) = stored {
                    tell(engine, &outcome.entry, &record);
                }
            }
            Err(_) => engine.owed.lock().push(outcome),
        }
    }
    engine.probe();
    engine.health.check().is_ok() && engine.owed.lock().is_empty()
}

impl EngineCore {
    /// In an engine without workers no thread tries failed writes again, so this call finds out whether the store
    /// works.
    pub(crate) fn probe(&self) {
        if self.config.workers() == 0 && self.health.check().is_err() && self.store().record_reads(&[]).is_ok() {
            self.health.recovered();
        }
    }
}

/// Whether a job with this end may keep its rows: it was stopped from outside, not by its own fault.
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
    engine: &EngineCore,
    change: &Change,
    next: JobRecord,
    result: &JobResult,
) -> Result<JobRecord, StoreError> {
    let stored = engine.store().complete(&[(&next, result)], engine.config.durability);
    stored.or_else(|error| engine.already(&next, error))?;
    engine.show(&mut change.state(), next.clone());
    Ok(next)
}

/// Fails a job that a worker has taken, begun or not.
pub(crate) fn fail(engine: &EngineCore, entry: &Arc<Entry>, failure: &Failure) -> Option<JobRecord> {
    let mut stored = None;
    let now = engine.clock.now();
    store_surely(engine, entry, |change| {
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
            engine.store().discard(next.id, next.attempt)?;
        }
        stored = Some(replace(engine, change, next)?);
        change.state().place.stop();
        Ok(())
    })
    .ok()?;
    stored
}

/// Puts a started job that no worker has begun back into the queue. A job with a cancel request ends.
pub(crate) fn put_back(engine: &EngineCore, entry: &Arc<Entry>) {
    let stored = put_back_record(engine, entry);
    engine.release(entry, Duration::ZERO);
    if let Some(record) = stored {
        tell(engine, entry, &record);
    }
}

pub(crate) fn put_back_record(engine: &EngineCore, entry: &Arc<Entry>) -> Option<JobRecord> {
    let now = engine.clock.now();
    let mut stored = None;
    let put_back = store_surely(engine, entry, |change| {
        let next = {
            let record = &change.state().record;
            let cancelling = record.state == JobState::Running { cancelling: true };
            record.apply(if cancelling { Event::Stop } else { started::put_back() }, now)
        };
        // A job that could not be started waits already.
        let Ok(next) = next else { return Ok(()) };
        stored = Some(replace(engine, change, next)?);
        Ok(())
    });
    entry.lock().place.stop();
    stored.filter(|_| put_back.is_ok())
}
