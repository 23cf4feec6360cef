//! Cancelling jobs, and the end of one that no worker has.

use std::sync::Arc;

use job_core::{Event, JobRecord, JobState};
use job_store::ErrorKind;

use crate::{
    engine::{core::EngineCore, scheduler::Phase},
    job::{cancel::StopCause, entry::Entry, error::EngineError},
    record::attempt,
};

impl EngineCore {
    pub(crate) fn cancel(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<JobRecord, EngineError> {
        attempt::catch_up(self);
        self.try_refresh(entry);
        // The store may have another engine by now, which would not hear of it.
        let closed = self.scheduler().phase == Phase::Closed;
        let record = loop {
            let change = entry.change();
            let next = {
                let state = change.state();
                let asked = state.record.state == JobState::Running { cancelling: true };
                if asked && let Some(attempt) = state.place.attempt() {
                    // Asked before: nothing new to store, but the flag may still have to be seen.
                    attempt.token.stop(StopCause::Cancel);
                    return Ok(state.record.clone());
                }
                if asked && !closed {
                    return Ok(state.record.clone());
                }
                let next = state.record.apply(Event::Cancel, self.clock.now());
                next.map_err(|_| EngineError::AlreadyComplete(entry.id))?
            };
            if closed {
                return Err(EngineError::Closed(entry.id));
            }
            match self.replace(&next, self.config.durability) {
                Ok(()) => {}
                Err(error) => {
                    drop(change);
                    // Another engine was first: once more, from what the job is now.
                    if error.kind == ErrorKind::Conflict && self.source.catch_up(self, entry)? {
                        continue;
                    }
                    return Err(error.into());
                }
            }
            let mut state = change.state();
            self.show(&mut state, next.clone());
            if let Some(attempt) = state.place.attempt() {
                attempt.token.stop(StopCause::Cancel);
            }
            break next;
        };
        self.ended_waiting(entry, &record);
        Ok(record)
    }

    /// After a waiting job has changed without a worker: takes it out of the queue and tells its end.
    pub(crate) fn ended_waiting(&self, entry: &Entry, record: &JobRecord) {
        if record.state.is_complete() {
            let mut scheduler = self.scheduler();
            scheduler.queue.remove(record.id);
            scheduler.forget(entry);
            drop(scheduler);
            self.room.notify_all();
            // It may have been the suspect that others wait for.
            self.call();
            self.metrics.ended(record);
            entry.tell_end();
            self.tell_moved();
        }
    }
}
