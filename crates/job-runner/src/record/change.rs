//! A change of a job: it is begun, stored without a lock, then shown.

use std::sync::Arc;

use job_core::{Event, IllegalTransition, JobRecord};
use job_store::{Durability, ErrorKind, StoreError};

use crate::{
    engine::{core::EngineCore, scheduler::Phase},
    job::{
        entry::{Change, Entry, State},
        error::EngineError,
    },
    seam::shield,
};

impl EngineCore {
    /// One transition of a job: applies the event, stores the next record, then shows it.
    pub(crate) fn advance(
        &self,
        entry: &Arc<Entry>,
        event: Event,
        durability: Durability,
    ) -> Result<JobRecord, AdvanceError> {
        let change = entry.change();
        let next = change.state().record.apply(event, self.clock.now())?;
        self.replace(&next, durability)?;
        self.show(&mut change.state(), next.clone());
        Ok(next)
    }

    /// Shows a stored record, unless a later one was read from the store meanwhile. The caller holds the job's
    /// lock, so that watchers see changes in their order.
    pub(crate) fn show(&self, state: &mut State, next: JobRecord) {
        if state.record.revision < next.revision {
            self.events.lock().tell(&next);
            state.show(next);
        }
    }

    /// Reads the stored record of the job.
    pub(crate) fn refresh(&self, entry: &Arc<Entry>) -> Result<JobRecord, EngineError> {
        self.source.refresh(self, entry)?;
        match entry.end() {
            Some(Err(removed @ EngineError::UnknownJob(_))) => Err(removed),
            _ => Ok(entry.record()),
        }
    }

    /// Reads the record of a job again, if the store answers. On an error waiters go on with the old record, and a
    /// writer learns of the change by a conflict.
    pub(crate) fn try_refresh(&self, entry: &Arc<Entry>) {
        if let Err(error) = self.source.refresh(self, entry) {
            tracing::warn!(job = %entry.id, %error, "a job of another engine could not be looked at");
        }
    }

    /// Replaces a record. After an error it asks the store whether the write has happened.
    pub(crate) fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        shield::stored("change a job", || self.store().replace(next, durability))
            .or_else(|error| self.already(next, error))
    }

    /// A write that was reported as failed may have happened. Otherwise the next try would meet its own revision.
    pub(crate) fn already(&self, next: &JobRecord, error: StoreError) -> Result<(), StoreError> {
        let doubtful = error.kind == ErrorKind::Conflict || error.kind.is_retryable();
        if doubtful && self.store().get(next.id).is_ok_and(|stored| stored.as_ref() == Some(next)) {
            return Ok(());
        }
        Err(error)
    }
}

/// Why a transition was not made.
#[derive(Debug)]
pub(crate) enum AdvanceError {
    /// The job's state does not allow the change.
    Illegal,
    Store(StoreError),
}

impl From<IllegalTransition> for AdvanceError {
    fn from(_: IllegalTransition) -> Self {
        Self::Illegal
    }
}

impl From<StoreError> for AdvanceError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Announces and counts the end of a job. `record` is the stored record, not the present one: a job that waits
/// again may have another worker already.
pub(crate) fn tell(engine: &EngineCore, entry: &Entry, record: &JobRecord) {
    if record.state.is_complete() {
        engine.metrics.ended(record);
        shield::log(
            || tracing::info!(job = %record.id, state = %record.state, rows = record.size.rows, "job ended"),
        );
        entry.tell_end();
    }
}

pub(crate) fn replace(engine: &EngineCore, change: &Change, next: JobRecord) -> Result<JobRecord, StoreError> {
    engine.replace(&next, engine.config.durability)?;
    engine.show(&mut change.state(), next.clone());
    Ok(next)
}

/// Makes `write`, a change of the job, until it succeeds. The engine is unhealthy meanwhile. It gives up when the
/// engine stops: the store is then still consistent, and the next open goes on. It also gives up if the working
/// store refuses this job's change, since no further try helps. In an engine that its caller drives it is an error
/// after a few tries, and the caller tries again.
pub(crate) fn store_surely(
    engine: &EngineCore,
    entry: &Arc<Entry>,
    mut write: impl FnMut(&Change) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    const TRIES_WITHOUT_WORKERS: u32 = 3;
    let (mut failures, mut refusals) = (0, 0);
    loop {
        if entry.is_lease_over() {
            return Ok(()); // another engine's, or none's: it is not for this engine to write
        }
        // Each try is a change of its own, so that others may cancel the job in between.
        let written = shield::stored("change a job", || write(&entry.change()));
        let answered = written.as_ref().map_or_else(|error| refuses_job(error.kind), |()| true);
        if answered && failures > 0 {
            engine.health.recovered();
        }
        let Err(mut error) = written else { return Ok(()) };
        if answered {
            match engine.source.refused(engine, entry, error, refusals) {
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
            engine.health.failed(&error);
        }
        if engine.is_stopping() {
            // An engine that is closed, as after a crash, has left the job to the next open.
            let is_closed = engine.scheduler().phase == Phase::Closed;
            entry.lose(if is_closed {
                EngineError::LeftUnfinished(entry.id)
            } else {
                EngineError::Unhealthy(error)
            });
            return Ok(());
        }
        if engine.is_driven() {
            if failures >= TRIES_WITHOUT_WORKERS {
                return Err(error);
            }
        } else {
            engine.health.pause(failures, || engine.is_stopping());
        }
    }
}

/// Whether the error says that the store works, but another engine has the job, or it is damaged.
const fn refuses_job(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Fenced | ErrorKind::Invalid | ErrorKind::Corrupt
    )
}
