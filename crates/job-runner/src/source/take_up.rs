//! Takes up a job that another engine, or an earlier process, has left.

use job_core::{Event, JobRecord, JobState};
use job_store::{Durability, ErrorKind};

use crate::{engine::core::EngineCore, job::error::EngineError, record::failed::keep_failure};

/// The record of an unfinished job after this engine takes it up: waiting, or ended. `verdict` decides about a job
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

/// The transition of a job that was left running. The record is written before the rows are dropped. A thread of a
/// dropped engine may still run the job, and can write nothing once the record is written. Without this order that
/// thread could end the job although its rows are gone.
fn interrupted(
    engine: &EngineCore,
    mut record: JobRecord,
    verdict: impl Fn(&JobRecord) -> Event,
) -> Result<JobRecord, EngineError> {
    while matches!(record.state, JobState::Running { .. }) {
        let (event, now) = (verdict(&record), engine.clock.now());
        let Ok(next) = record.apply(event.clone(), now) else { break };
        keep_failure(engine, &record, &event, now)?;
        match engine.replace(&next, Durability::Buffered) {
            Ok(()) => {
                tracing::info!(job = %next.id, attempt = next.attempt, state = %next.state, "took up an interrupted job");
                if next.state.is_complete() {
                    engine.store().discard(next.id, next.attempt)?;
                }
                return Ok(next);
            }
            // A thread of a dropped engine has just ended the job.
            Err(error) if error.kind == ErrorKind::Conflict => match engine.store().get(record.id)? {
                Some(stored) => record = stored,
                None => return Ok(record),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(record)
}
