//! [`Alone`]: the source of an engine with its own store. Every unfinished job belongs to it.

use std::{slice, sync::Arc};

use job_core::{JobId, JobRecord, JobState};
use job_store::{ErrorKind, Holder, Listed, StoreError};

use crate::{
    decide::suspicion::{self, Death},
    engine::{
        config::Mode,
        core::EngineCore,
        scheduler::{Phase, Scheduler},
        source::{Life, Source},
    },
    job::{entry::Entry, error::EngineError, place::Place},
    seam::sync::MutexGuard,
    source::take_up::take_up,
};

/// The source of an engine with its own store.
#[derive(Debug)]
pub(crate) struct Alone;

impl Source for Alone {
    fn open(&self, engine: &Arc<EngineCore>) -> Result<(), EngineError> {
        recover(engine)
    }

    fn threads(self: Arc<Self>, _mode: Mode) -> Vec<(&'static str, Life)> {
        Vec::new()
    }

    fn tick(&self, _shared: &Arc<EngineCore>) -> Result<(), EngineError> {
        Ok(())
    }

    fn queues(&self) -> bool {
        true
    }

    fn accept(&self, engine: &EngineCore, scheduler: &mut Scheduler, new: &[Arc<Entry>]) {
        for entry in new {
            engine.enqueue(scheduler, entry);
        }
    }

    fn worker_looked(&self, _scheduler: &Scheduler, _found: bool) {}

    fn worker_is_free(&self) {}

    fn release(&self, engine: &EngineCore, mut scheduler: MutexGuard<'_, Scheduler>, entry: &Arc<Entry>) {
        // The record is read under this lock, so a later cancel finds the job in the queue.
        let waits = {
            let state = entry.lock();
            state.record.state == JobState::Waiting && !state.place.is_left()
        };
        if waits {
            engine.enqueue(&mut scheduler, entry);
        } else {
            scheduler.forget(entry);
        }
    }

    fn catch_up(&self, _shared: &EngineCore, _entry: &Arc<Entry>) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn refused(
        &self,
        engine: &EngineCore,
        entry: &Arc<Entry>,
        error: StoreError,
        _times: u32,
    ) -> Result<(), Option<StoreError>> {
        leave(engine, entry, error);
        Ok(())
    }

    /// The job was left to the next open. A wait for it would never end, so it fails at once.
    fn find(&self, engine: &EngineCore, record: JobRecord) -> Arc<Entry> {
        let entry = Arc::new(Entry::new(record, Place::Outside));
        entry.lose(engine.health.check().err().unwrap_or(EngineError::LeftUnfinished(entry.id)));
        entry
    }

    fn has(&self, _place: &Place) -> bool {
        true
    }

    fn watch_remote(&self, _entry: &Entry) {}

    fn refresh(&self, _shared: &EngineCore, _entry: &Arc<Entry>) -> Result<(), StoreError> {
        Ok(())
    }

    fn holder(&self, _job: JobId) -> Result<Option<Holder>, StoreError> {
        Ok(None)
    }

    fn enter(&self, _phase: Phase) {}

    fn drain(&self, _shared: &EngineCore) {}
}

/// Queues every unfinished job again, in the order of submission, and skips unreadable ones. Jobs that ran go back
/// to the queue without their rows. If only one job can be to blame for the death of the process, it has failed an
/// attempt. Otherwise all that ran are suspects. So a job that kills its process cannot do so for ever, keep the
/// engine from opening, or take other jobs with it.
fn recover(engine: &Arc<EngineCore>) -> Result<(), EngineError> {
    let mut left = Vec::new();
    for Listed { id, record } in engine.store().unfinished_entries()? {
        match record {
            Ok(record) => left.push(record),
            Err(error) => engine.set_aside(id, &error),
        }
    }
    let death = Death::of(&left);
    // Blamed jobs come first. If this process dies in the middle of the recovery, the blame is stored.
    left.sort_by_key(|record| !death.blames(record));
    for record in left {
        let is_blamed = death.blames(&record);
        let died = |record: &JobRecord| suspicion::verdict(record, is_blamed, "the process died while it ran");
        let id = record.id;
        let record = match take_up(engine, record, died) {
            Err(EngineError::Store(error)) if error.kind == ErrorKind::Corrupt => {
                engine.set_aside(id, &error);
                continue;
            }
            taken_up => taken_up?,
        };
        if record.state != JobState::Waiting {
            continue;
        }
        let entry = Arc::new(Entry::new(record, Place::Waiting(None)));
        let mut scheduler = engine.scheduler();
        scheduler.registry.insert(slice::from_ref(&entry));
        engine.enqueue(&mut scheduler, &entry);
    }
    Ok(())
}

/// Leaves a job to its present engine. The stored record holds.
fn leave(engine: &EngineCore, entry: &Entry, error: StoreError) {
    tracing::error!(job = %entry.id, %error, "the store refused the change of a job: it is left as it is stored");
    if let Ok(Some(stored)) = engine.store().get(entry.id) {
        let complete = stored.state.is_complete();
        engine.events.lock().tell(&stored);
        entry.lock().show(stored);
        if complete {
            return entry.tell_end();
        }
    }
    entry.lose(EngineError::Store(error));
}
