//! Taking up what an earlier process left.

use std::sync::Arc;

use job_core::{Event, JobRecord, JobState};
use job_store::{Durability, ErrorKind, Listed};

use crate::{
    error::EngineError,
    live::Live,
    place::Place,
    shared::Shared,
    suspicion::{self, Death},
};

/// Queues every unfinished job again, in the order of submission; one that cannot be read holds up no other. Those that ran go back to the queue without their rows.
/// Whichever of them can alone be to blame for the death of the process has failed an attempt by it; the others are
/// suspects. So a job that kills its process cannot keep the engine from opening, or kill it for ever, and takes no other
/// with it.
pub(crate) fn recover(shared: &Arc<Shared>) -> Result<(), EngineError> {
    let mut left = Vec::new();
    for Listed { id, record } in shared.store().unfinished_entries()? {
        match record {
            Ok(record) => left.push(record),
            Err(error) => shared.set_aside(id, &error),
        }
    }
    let death = Death::of(&left);
    // Blamed jobs first: if this process dies in the middle of this, the blame is known.
    left.sort_by_key(|record| !death.blames(record));
    for record in left {
        let is_blamed = death.blames(&record);
        let died = |record: &JobRecord| suspicion::verdict(record, is_blamed, "the process died while it ran");
        let id = record.id;
        let record = match take_up(shared, record, died) {
            Err(EngineError::Store(error)) if error.kind == ErrorKind::Corrupt => {
                shared.set_aside(id, &error);
                continue;
            }
            taken_up => taken_up?,
        };
        if record.state != JobState::Waiting {
            continue;
        }
        let live = Arc::new(Live::new(record, Place::Waiting(None)));
        let mut scheduler = shared.scheduler();
        scheduler.registry.insert(std::slice::from_ref(&live));
        shared.enqueue(&mut scheduler, &live);
    }
    Ok(())
}

/// What an unfinished job is when it is taken up by this engine: waiting, or at its end. `verdict` says what becomes of
/// one that runs in its record.
pub(crate) fn take_up(
    shared: &Shared,
    record: JobRecord,
    verdict: impl Fn(&JobRecord) -> Event,
) -> Result<JobRecord, EngineError> {
    let record = interrupted(shared, record, verdict)?;
    if record.state == JobState::Waiting && record.attempt > 0 {
        // Of the attempt that was interrupted, or of one before whose rows the process had no time to drop.
        shared.store().discard(record.id, record.attempt)?;
    }
    Ok(record)
}

/// The move of a job that was left running. Its record goes first: a thread of an engine that was dropped without
/// waiting for it can write nothing more from then on, and must not find its rows gone while it still can.
fn interrupted(
    shared: &Shared,
    mut record: JobRecord,
    verdict: impl Fn(&JobRecord) -> Event,
) -> Result<JobRecord, EngineError> {
    while matches!(record.state, JobState::Running { .. })
        && let Ok(next) = record.apply(verdict(&record), shared.clock.now())
    {
        match shared.replace(&next, Durability::Buffered) {
            Ok(()) => {
                tracing::info!(job = %next.id, attempt = next.attempt, state = %next.state, "took up an interrupted job");
                if next.state.is_complete() {
                    shared.store().discard(next.id, next.attempt)?;
                }
                return Ok(next);
            }
            // Such a thread has just ended it.
            Err(error) if error.kind == ErrorKind::Conflict => match shared.store().get(record.id)? {
                Some(stored) => record = stored,
                None => return Ok(record),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(record)
}
