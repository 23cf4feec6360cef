//! [`Completer`]: stores the ends of successful jobs, many with one write.
//!
//! A worker whose body has returned passes the end on, and takes the next job. All waiting ends are stored
//! together, with one write to the log and one fsync. Watchers learn of an end after it is stored.

use std::{sync::Arc, time::Duration};

use job_core::{Event, JobRecord, JobResult};
use job_store::StoreError;

use crate::{
    engine::{
        completer::CompletedAttempt,
        core::EngineCore,
        ended::{BodyResult, EndedAttempt},
    },
    job::entry::{Change, Entry},
    record::change,
    seam::shield,
};

/// The loop of the completer's thread.
pub(crate) fn record(engine: &Arc<EngineCore>) {
    while let Some(ends) = engine.completer.next() {
        store(engine, ends);
    }
}

/// Stores these ends with one write, then announces them.
pub(crate) fn store(engine: &Arc<EngineCore>, ends: Vec<CompletedAttempt>) {
    if ends.is_empty() {
        return;
    }
    let now = engine.clock.now();
    let mut moves: Vec<(JobRecord, CompletedAttempt, Change)> = Vec::with_capacity(ends.len());
    let mut missed = Vec::new();
    for end in ends {
        // Nothing is stored for a lost job. In the batch, it would keep the other ends from being stored.
        if end.core.attempt.is_lost() {
            engine.forget(&end.entry);
            continue;
        }
        // This end waits for another change of its job, such as a cancel. The thread holds no other change
        // meanwhile.
        let Some(change) = end.entry.try_change() else {
            missed.push(end);
            continue;
        };
        // Waiting callers have seen that the job runs again.
        if end.core.attempt.is_left() {
            drop(change);
            engine.forget(&end.entry);
            continue;
        }
        let next = change.state().record.apply(Event::Succeed(end.result.size()), now);
        match next {
            Ok(next) => moves.push((next, end, change)),
            Err(_) => missed.push(end),
        }
    }
    let batch: Vec<(&JobRecord, &JobResult)> = moves.iter().map(|(next, end, _)| (next, &end.result)).collect();
    let stored = shield::stored("complete jobs", || engine.store().complete(&batch, engine.config.durability));
    // All changes of jobs are dropped here, before failed ends are tried again. A cancel of one job must not wait
    // for the ends of the others.
    let mut told = Vec::with_capacity(moves.len());
    for (next, end, change) in moves {
        match settle(engine, &next, end, change, &stored) {
            Ok(entry) => told.push((entry, next)),
            Err(end) => missed.push(end),
        }
    }
    // Ends are announced after all are stored, since a callback may drop the engine, which waits for all ends.
    for (entry, record) in told {
        change::tell(engine, &entry, &record);
    }
    for end in missed {
        let ending = BodyResult::Well(end.result);
        let stored = EndedAttempt::new(engine, &end.entry, &end.core, ending, Duration::ZERO).store(engine);
        engine.forget(&end.entry);
        // An engine with a completer tries until it succeeds.
        if let Ok(Some(record)) = stored {
            change::tell(engine, &end.entry, &record);
        }
    }
}

/// The outcome of one end of the write. Returns the end if it was not stored.
fn settle(
    engine: &EngineCore,
    next: &JobRecord,
    end: CompletedAttempt,
    change: Change,
    stored: &Result<(), StoreError>,
) -> Result<Arc<Entry>, CompletedAttempt> {
    if let Err(error) = stored.as_ref().map_or_else(|error| engine.already(next, error.clone()), |()| Ok(())) {
        shield::log(|| {
            tracing::warn!(job = %end.entry.id, %error, "ends could not be stored together; each is tried by itself");
        });
        return Err(end);
    }
    {
        let mut state = change.state();
        engine.show(&mut state, next.clone());
        state.place.stop();
    }
    drop(change);
    engine.forget(&end.entry);
    Ok(end.entry)
}
