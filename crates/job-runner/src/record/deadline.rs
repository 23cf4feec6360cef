//! Deadlines: jobs end at their deadline, whether they wait or run.

use std::{sync::Arc, time::Duration};

use job_core::{Event, Failure, FailureKind};
use job_store::ErrorKind;

use crate::{
    engine::core::EngineCore,
    job::{cancel::StopCause, entry::Entry},
    record::change::AdvanceError,
};

impl EngineCore {
    /// Ends jobs past their deadline: waiting ones at once, running ones at their next check.
    pub(crate) fn expire(&self) {
        let now = self.clock.now();
        loop {
            let entry = {
                let mut scheduler = self.scheduler();
                match scheduler.deadlines.first() {
                    Some(&(due, id)) if due <= now => {
                        scheduler.deadlines.pop_first();
                        scheduler.registry.get(id).filter(|entry| entry.lock().place.is_here()).cloned()
                    }
                    _ => return,
                }
            };
            if let Some(entry) = entry {
                self.expire_one(&entry);
            }
        }
    }

    fn expire_one(&self, entry: &Arc<Entry>) {
        if let Some(attempt) = entry.attempt() {
            attempt.token.stop(StopCause::Deadline);
            return;
        }
        let failure = Failure::new(FailureKind::Deadline, "its deadline passed while it waited");
        match self.advance(entry, Event::Expire(failure), self.config.durability) {
            Ok(record) => self.ended_waiting(entry, &record),
            // A worker has just taken the job, and checks the deadline itself.
            Err(AdvanceError::Illegal) => {}
            // Another engine has changed the job, probably by a cancel.
            Err(AdvanceError::Store(error))
                if error.kind == ErrorKind::Conflict && self.source.catch_up(self, entry) == Ok(true) => {}
            Err(AdvanceError::Store(error)) => {
                tracing::warn!(job = %entry.id, %error, "a deadline could not be recorded; it is tried again");
                let due = entry.record().spec.options().deadline;
                let mut scheduler = self.scheduler();
                // The next try comes later, since the store needs time.
                let again = self.clock.now().after(Duration::from_secs(1));
                scheduler.deadlines.insert((due.map_or(again, |due| due.max(again)), entry.id));
            }
        }
    }
}
