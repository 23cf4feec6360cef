//! Cancels jobs, and ends jobs without a worker.

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
        // Another engine may have the store by now, and would not learn of the cancel.
        let closed = self.scheduler().phase == Phase::Closed;
        let record = loop {
            let change = entry.change();
            let next = {
                let state = change.state();
                let asked = state.record.state == JobState::Running { cancelling: true };
                if asked && let Some(attempt) = state.place.attempt() {
                    // The cancel is stored already, but the body may not have seen the flag.
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
                    // Another engine has changed the job first. The cancel is tried again from the present record.
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

    /// Called after a waiting job has changed without a worker. Takes it out of the queue, and announces its end.
    pub(crate) fn ended_waiting(&self, entry: &Entry, record: &JobRecord) {
        if record.state.is_complete() {
            let mut scheduler = self.scheduler();
            scheduler.queue.remove(record.id);
            scheduler.forget(entry);
            drop(scheduler);
            self.room.notify_all();
            // The job may have been the suspect for which other suspects wait.
            self.call();
            self.metrics.ended(record);
            entry.tell_end();
            self.tell_moved();
        }
    }
}
