//! Jobs of other engines for which this engine has a handle.

use std::sync::Arc;

use job_core::{JobRecord, JobState};
use job_store::{KnownRevision, StoreError};

use crate::{
    decide::claims::Claims,
    engine::core::EngineCore,
    job::{cancel::StopCause, entry::Entry, error::EngineError},
    source::cluster::Cluster,
};

/// Reads the record of a job that another engine may have changed, and announces the change.
pub(super) fn refresh(engine: &EngineCore, cluster: &Cluster, entry: &Arc<Entry>) -> Result<(), StoreError> {
    let stored = engine.store().get(entry.id)?;
    apply(engine, cluster, entry, stored);
    Ok(())
}

/// Shows the stored record if it is newer, and acts on its change.
pub(super) fn apply(engine: &EngineCore, cluster: &Cluster, entry: &Arc<Entry>, stored: Option<JobRecord>) {
    let Some(stored) = stored else {
        // The job ended and was removed before this engine looked.
        engine.scheduler().forget(entry);
        return entry.lose(EngineError::UnknownJob(entry.id));
    };
    let runs_here = {
        let Some(mut state) = entry.lock_unchanging() else {
            // The change that is being stored will fail with a conflict, and then read the new record. The next
            // look does the rest.
            return cluster.tell(Claims::want_look);
        };
        if stored.revision <= state.record.revision {
            return;
        }
        if let Some(attempt) = state.place.attempt() {
            match stored.state {
                JobState::Running { cancelling } if stored.attempt == attempt.number => {
                    if cancelling {
                        attempt.token.stop(StopCause::Cancel);
                    }
                }
                // Another engine has taken the job up.
                _ => attempt.end_lease(),
            }
        }
        engine.show(&mut state, stored.clone());
        let runs = state.runs();
        state.place.meet_change(runs);
        state.place.attempt().is_some()
    };
    if stored.state.is_complete() {
        if !runs_here {
            let mut scheduler = engine.scheduler();
            scheduler.queue.remove(stored.id);
            scheduler.forget(entry);
            drop(scheduler);
            engine.call();
        }
        entry.tell_end();
    } else {
        entry.tell_state();
    }
}

/// The jobs to look at, each with its known revision.
pub(super) fn to_look_at(engine: &EngineCore) -> Vec<(Arc<Entry>, KnownRevision)> {
    let all = {
        let mut scheduler = engine.scheduler();
        scheduler.registry.forget_unasked();
        scheduler.registry.all()
    };
    let wanted = all.into_iter().filter_map(|entry| {
        let state = entry.lock();
        let held = KnownRevision { id: entry.id, revision: state.record.revision };
        let wanted = state.place.is_here() || state.awaited;
        drop(state);
        wanted.then_some((entry, held))
    });
    wanted.collect()
}
