//! Deadlines: jobs end when their time is over, whether they wait or run.

use std::{sync::Arc, time::Duration};

use job_core::{Event, Failure, FailureKind, JobId, Timestamp};
use job_store::ErrorKind;

use crate::{
    cancel::StopCause,
    live::Live,
    shared::{AdvanceError, Scheduler, Shared},
};

impl Shared {
    pub(crate) fn watch_deadline(&self, scheduler: &mut Scheduler, deadline: Timestamp, id: JobId) {
        scheduler.deadlines.insert((deadline, id));
        self.keeper.notify_one();
    }

    /// Ends what is past its deadline: waiting jobs at once, running ones at their next checkpoint.
    pub(crate) fn expire(&self) {
        let now = self.clock.now();
        loop {
            let live = {
                let mut scheduler = self.scheduler();
                match scheduler.deadlines.first() {
                    Some(&(due, id)) if due <= now => {
                        scheduler.deadlines.pop_first();
                        scheduler.registry.get(id).filter(|live| live.lock().place.is_here()).cloned()
                    }
                    _ => return,
                }
            };
            if let Some(live) = live {
                self.expire_one(&live);
            }
        }
    }

    fn expire_one(&self, live: &Arc<Live>) {
        if let Some(attempt) = live.attempt() {
            attempt.token.stop(StopCause::Deadline);
            return;
        }
        let failure = Failure::new(FailureKind::Deadline, "its deadline passed while it waited");
        match self.advance(live, Event::Expire(failure), self.config.durability) {
            Ok(record) => self.ended_waiting(live, &record),
            // A worker took it at this moment; its own checkpoint looks at the deadline.
            Err(AdvanceError::Illegal) => {}
            // Another engine has changed it: cancelled, most likely.
            Err(AdvanceError::Store(error))
                if error.kind == ErrorKind::Conflict && self.source.catch_up(self, live) == Ok(true) => {}
            Err(AdvanceError::Store(error)) => {
                tracing::warn!(job = %live.id, %error, "a deadline could not be recorded; it is tried again");
                let due = live.record().spec.options().deadline;
                let mut scheduler = self.scheduler();
                // Not at once: the store needs time.
                let again = self.clock.now().after(Duration::from_secs(1));
                scheduler.deadlines.insert((due.map_or(again, |due| due.max(again)), live.id));
            }
        }
    }
}
