//! Takes up a job that another engine, or an earlier process, has left.

use job_core::{Event, JobRecord, JobState};
use job_store::{Durability, ErrorKind};

use crate::{engine::core::EngineCore, job::error::EngineError};

/// The record of an unfinished job after this engine takes it up: waiting, or ended. `verdict` decides about one
/// whose record says running.
pub(super) fn take_up(
    engine: &EngineCore,
    record: JobRecord,
    verdict: impl Fn(&JobRecord) -> Event,
) -> Result<JobRecord, EngineError> {
    let record = interrupted(engine, record, verdict)?;
    if record.state == JobState::Waiting && record.attempt > 0 {
        // Drops the rows of the interrupted attempt, and of earlier attempts whose rows the process had no time to
        // drop.
        engine.store().discard(record.id, record.attempt)?;
    }
    Ok(record)
}

/// The transition of a job that was left running. Its record is written first. From then on a thread of an engine
/// that was dropped without waiting for it can write nothing. It must not find its rows gone while it still can.
fn interrupted(
    engine: &EngineCore,
    mut record: JobRecord,
    verdict: impl Fn(&JobRecord) -> Event,
) -> Result<JobRecord, EngineError> {
    while matches!(record.state, JobState::Running { .. })
        && let Ok(next) = record.apply(verdict(&record), engine.clock.now())
    {
        match engine.replace(&next, Durability::Buffered) {
            Ok(()) => {
                tracing::info!(job = %next.id, attempt = next.attempt, state = %next.state, "took up an interrupted job");
                if next.state.is_complete() {
                    engine.store().discard(next.id, next.attempt)?;
                }
                return Ok(next);
            }
            // Such a thread has just ended the job.
            Err(error) if error.kind == ErrorKind::Conflict => match engine.store().get(record.id)? {
                Some(stored) => record = stored,
                None => return Ok(record),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(record)
}
