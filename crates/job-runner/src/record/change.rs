//! One change of a job: begun, stored without a lock, then shown.

use std::sync::Arc;

use job_core::{Event, IllegalTransition, JobRecord};
use job_store::{Durability, ErrorKind, StoreError};

use crate::{
    engine::core::EngineCore,
    job::{
        entry::{Change, Entry, State},
        error::EngineError,
    },
    seam::shield,
};

impl EngineCore {
    /// One move of a job: applies the event, stores the next record, then shows it.
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

    /// Shows a record that is stored, unless a later one was read from the store meanwhile. Under the job's lock, so that
    /// watchers see changes in their order.
    pub(crate) fn show(&self, state: &mut State, next: JobRecord) {
        if state.record.revision < next.revision {
            self.events.lock().tell(&next);
            state.show(next);
        }
    }

    /// The job as the store has it now.
    pub(crate) fn refresh(&self, entry: &Arc<Entry>) -> Result<JobRecord, EngineError> {
        self.source.refresh(self, entry)?;
        match entry.end() {
            Some(Err(removed @ EngineError::UnknownJob(_))) => Err(removed),
            _ => Ok(entry.record()),
        }
    }

    /// Brings the record of a job up to date, as far as the store answers. Waiters go on, and a writer learns of the
    /// change then.
    pub(crate) fn try_refresh(&self, entry: &Arc<Entry>) {
        if let Err(error) = self.source.refresh(self, entry) {
            tracing::warn!(job = %entry.id, %error, "a job of another engine could not be looked at");
        }
    }

    /// Replaces, and believes the store rather than the error.
    pub(crate) fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        shield::stored("change a job", || self.store().replace(next, durability))
            .or_else(|error| self.already(next, error))
    }

    /// A write that was reported as failed may have happened; or the next try meets its own revision.
    pub(crate) fn already(&self, next: &JobRecord, error: StoreError) -> Result<(), StoreError> {
        let doubtful = error.kind == ErrorKind::Conflict || error.kind.is_retryable();
        if doubtful && self.store().get(next.id).is_ok_and(|stored| stored.as_ref() == Some(next)) {
            return Ok(());
        }
        Err(error)
    }
}

/// Why a move was not made.
#[derive(Debug)]
pub(crate) enum AdvanceError {
    /// The job's state does not allow it.
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

/// Tells and counts the end of a job. `record` is what was stored, not what the job is now: a job that waits again
/// may be another worker's already.
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

/// Does `write`, a change of the job, until it works. The engine is unhealthy meanwhile. Gives up when the engine
/// stops: the store then still says what is true, and the next open goes on from there. Gives up too when the store
/// works but refuses this job's change, which no further try would alter. An engine that is driven by its caller does
/// not keep him: after a few tries it is an error, and the caller tries again.
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
        // A change of its own for each try: others may cancel the job between them.
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
            entry.lose(EngineError::Unhealthy(error));
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

/// Whether the store works, but says that this job is another engine's by now, or damaged.
const fn refuses_job(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Conflict | ErrorKind::NotFound | ErrorKind::Fenced | ErrorKind::Invalid | ErrorKind::Corrupt
    )
}
