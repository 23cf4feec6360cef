//! Taking up what an earlier process left.

use std::sync::Arc;

use job_core::{Event, Failure, FailureKind, JobRecord, JobState};
use job_store::{Durability, ErrorKind};

use crate::{error::EngineError, live::Live, shared::Shared};

/// Queues every unfinished job again, in the order of submission. One that ran is another failed attempt: its
/// rows go, and it runs again or, after too many, fails. So a job that kills its process cannot keep the engine
/// from opening, or kill it for ever.
pub(crate) fn recover(shared: &Arc<Shared>) -> Result<(), EngineError> {
    for record in shared.store.unfinished()? {
        let record = take_up(shared, record)?;
        if record.state != JobState::Waiting {
            continue;
        }
        let live = Arc::new(Live::new(record));
        let mut scheduler = shared.scheduler();
        scheduler.live.insert(live.id, Arc::clone(&live));
        shared.enqueue(&mut scheduler, &live);
    }
    Ok(())
}

/// What an unfinished job is when it is taken up by this engine: waiting, or at its end.
pub(crate) fn take_up(shared: &Shared, record: JobRecord) -> Result<JobRecord, EngineError> {
    let record = interrupted(shared, record)?;
    if record.state == JobState::Waiting && record.attempt > 0 {
        // Of the attempt that was interrupted, or of one before whose rows the process had no time to drop.
        shared.store.discard(record.id, record.attempt)?;
    }
    Ok(record)
}

/// The move of a job that was left running. Its record goes first: a thread of an engine that was dropped without
/// waiting for it can write nothing more from then on, and must not find its rows gone while it still can.
fn interrupted(shared: &Shared, mut record: JobRecord) -> Result<JobRecord, EngineError> {
    while let Ok(next) = record.apply(verdict(&record), shared.clock.now()) {
        match shared.replace(&next, Durability::Buffered) {
            Ok(()) => {
                tracing::info!(job = %next.id, attempt = next.attempt, state = %next.state, "took up an interrupted job");
                if next.state.is_complete() {
                    shared.store.discard(next.id, next.attempt)?;
                }
                return Ok(next);
            }
            // Such a thread has just ended it.
            Err(error) if error.kind == ErrorKind::Conflict => match shared.store.get(record.id)? {
                Some(stored) => record = stored,
                None => return Ok(record),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(record)
}

/// Pure: what becomes of it.
fn verdict(record: &JobRecord) -> Event {
    if record.state == (JobState::Running { cancelling: true }) {
        return Event::Stop;
    }
    let deaths = record.failed_attempts.saturating_add(1);
    let most = record.spec.options().max_attempts;
    if deaths >= most {
        let reason = format!("the process died while it ran (attempt {deaths} of {most})");
        return Event::Fail(Failure::new(FailureKind::Interrupted, reason));
    }
    Event::Requeue(Failure::new(FailureKind::Interrupted, "the process died while it ran"), None)
}

#[cfg(test)]
mod tests {
    use job_core::{EventKind, JobId, JobSpec, Timestamp};

    use super::*;

    #[test]
    fn an_interrupted_job_runs_again_until_it_has_failed_too_often() {
        let now = Timestamp::default();
        let mut record = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().graph("g").max_attempts(2), now);
        let mut ends = Vec::new();
        while !record.state.is_complete() {
            record = record.apply(Event::Start, now).unwrap();
            let event = verdict(&record);
            ends.push(event.kind());
            record = record.apply(event, now).unwrap();
        }
        assert_eq!(ends, [EventKind::Requeue, EventKind::Fail]);
        assert_eq!(record.failure.unwrap().message, "the process died while it ran (attempt 2 of 2)");
    }

    #[test]
    fn a_job_that_was_to_be_cancelled_is_cancelled() {
        let now = Timestamp::default();
        let waiting = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().graph("g"), now);
        let cancelling = waiting.apply(Event::Start, now).unwrap().apply(Event::Cancel, now).unwrap();
        assert_eq!(verdict(&cancelling), Event::Stop);
    }
}
