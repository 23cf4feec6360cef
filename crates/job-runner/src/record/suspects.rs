//! Clears suspects that have run for long enough.

use std::sync::Arc;

use job_core::{Event, Timestamp};
use job_store::{Durability, ErrorKind, StoreError};

use crate::{decide::suspicion::cleared_at, engine::core::EngineCore, job::entry::Entry};

impl EngineCore {
    /// The suspect that runs in this engine, and the time when it is cleared.
    pub(crate) fn running_suspect(&self) -> Option<(Arc<Entry>, Timestamp)> {
        let entry = {
            let scheduler = self.scheduler();
            scheduler.registry.get(scheduler.queue.running_suspect()?).cloned()?
        };
        let due = {
            let state = entry.lock();
            state.place.attempt()?;
            cleared_at(&state.record)?
        };
        Some((entry, due))
    }

    /// Clears the suspect if it has run for long enough, so that the next suspect may run beside it.
    pub(crate) fn clear_suspect(&self) {
        let Some((entry, due)) = self.running_suspect() else { return };
        if due > self.clock.now() {
            return;
        }
        match self.clear(&entry) {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(job = %entry.id, "the job ran for long enough after its process had died: it is cleared");
                self.scheduler().queue.clear(entry.id);
                self.call();
            }
            // A caller has cancelled the suspect.
            Err(error) if error.kind == ErrorKind::Conflict && self.source.catch_up(self, &entry) == Ok(true) => {}
            Err(error) => {
                tracing::warn!(job = %entry.id, %error, "a job could not be cleared of suspicion; it is tried again");
            }
        }
    }

    /// Clears one job; `false` if it has ended or was cancelled meanwhile.
    fn clear(&self, entry: &Arc<Entry>) -> Result<bool, StoreError> {
        let change = entry.change();
        let next = {
            let state = change.state();
            let Some(_) = state.place.attempt() else { return Ok(false) };
            state.record.apply(Event::Clear, self.clock.now())
        };
        let Ok(next) = next else { return Ok(false) };
        self.replace(&next, Durability::Buffered)?;
        self.show(&mut change.state(), next);
        Ok(true)
    }
}
