//! [`Alone`]: an engine that has its store for itself. Every unfinished job is its own.

use std::{slice, sync::Arc};

use job_core::{JobRecord, JobState};
use job_store::{ErrorKind, Listed, StoreError};

use super::{Life, Source, take_up::take_up};
use crate::{
    error::EngineError,
    live::Live,
    place::Place,
    shared::{Phase, Scheduler, Shared},
    suspicion::{self, Death},
    sync::MutexGuard,
};

/// An engine alone.
#[derive(Debug)]
pub(crate) struct Alone;

impl Source for Alone {
    fn open(&self, shared: &Arc<Shared>) -> Result<(), EngineError> {
        recover(shared)
    }

    fn threads(self: Arc<Self>, _workers: usize) -> Vec<(&'static str, Life)> {
        Vec::new()
    }

    fn is_driven(&self, workers: usize) -> bool {
        workers == 0
    }

    fn tick(&self, _shared: &Arc<Shared>) -> Result<(), EngineError> {
        Ok(())
    }

    fn queues(&self) -> bool {
        true
    }

    fn accept(&self, shared: &Shared, scheduler: &mut Scheduler, new: &[Arc<Live>]) {
        for live in new {
            shared.enqueue(scheduler, live);
        }
    }

    fn worker_looked(&self, _scheduler: &Scheduler, _found: bool) {}

    fn worker_is_free(&self) {}

    fn release(&self, shared: &Shared, mut scheduler: MutexGuard<'_, Scheduler>, live: &Arc<Live>) {
        // Read under this lock: whoever cancels it later finds it in the queue.
        let waits = {
            let state = live.lock();
            state.record.state == JobState::Waiting && !state.place.is_left()
        };
        if waits {
            shared.enqueue(&mut scheduler, live);
        } else {
            scheduler.forget(live);
        }
    }

    fn catch_up(&self, _shared: &Shared, _live: &Arc<Live>) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn refused(
        &self,
        shared: &Shared,
        live: &Arc<Live>,
        error: StoreError,
        _times: u32,
    ) -> Result<(), Option<StoreError>> {
        leave(shared, live, error);
        Ok(())
    }

    /// It was left to the next open. Waiting for it would never end, so it says so.
    fn find(&self, shared: &Shared, record: JobRecord) -> Arc<Live> {
        let live = Arc::new(Live::new(record, Place::Outside));
        live.lose(shared.health.check().err().unwrap_or(EngineError::LeftUnfinished(live.id)));
        live
    }

    fn has(&self, _place: &Place) -> bool {
        true
    }

    fn watch(&self, _live: &Live) {}

    fn freshen(&self, _shared: &Shared, _live: &Arc<Live>) {}

    fn enter(&self, _phase: Phase) {}

    fn drain(&self, _shared: &Shared) {}
}

/// Queues every unfinished job again, in the order of submission; one that cannot be read holds up no other. Those that
/// ran go back to the queue without their rows.
/// Whichever of them can alone be to blame for the death of the process has failed an attempt by it; the others are
/// suspects. So a job that kills its process cannot keep the engine from opening, or kill it for ever, and takes no other
/// with it.
fn recover(shared: &Arc<Shared>) -> Result<(), EngineError> {
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
        scheduler.registry.insert(slice::from_ref(&live));
        shared.enqueue(&mut scheduler, &live);
    }
    Ok(())
}

/// Leaves a job to whoever has it now: what the store says is true.
fn leave(shared: &Shared, live: &Live, error: StoreError) {
    tracing::error!(job = %live.id, %error, "the store refused the change of a job: it is left as it is stored");
    if let Ok(Some(stored)) = shared.store().get(live.id) {
        let complete = stored.state.is_complete();
        shared.watchers.tell(&stored);
        live.lock().record = stored;
        if complete {
            return live.tell_end();
        }
    }
    live.lose(EngineError::Store(error));
    shared.watchers.end(live.id);
}
