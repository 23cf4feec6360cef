//! The leases of an engine on a shared store: a thread renews them three times as often as needed.

use std::sync::Arc;

use job_core::{JobId, JobRecord, JobState};
use job_store::{ClaimId, StoreError};
use rustc_hash::FxHashMap;

use crate::{
    decide::{claims::Claims, suspicion},
    engine::core::EngineCore,
    job::{entry::Entry, error::EngineError, lease::Lease, place::Stopped},
    seam::sync::Instant,
    source::{cluster::Cluster, remote, take_up::take_up},
};

/// The loop of the keeper of the leases.
pub(super) fn keep(engine: &Arc<EngineCore>, cluster: &Cluster) {
    let every = cluster.sharing.lease / 3;
    let mut pause = every;
    while cluster.rest(pause) {
        let asked = Instant::now();
        pause = match renew(engine, cluster) {
            // A lease counts from the beginning of its call.
            Ok(()) => every.saturating_sub(asked.elapsed()),
            Err(error) => {
                tracing::warn!(%error, "leases could not be renewed; it is tried again");
                every / 3
            }
        };
    }
}

/// Renews every lease, notes the lost ones, and puts back jobs that have stopped without a lease.
pub(super) fn renew(engine: &Arc<EngineCore>, cluster: &Cluster) -> Result<(), StoreError> {
    let (leased, stopped) = to_renew(engine);
    let running = leased.iter().map(|(job, lease)| ClaimId { job: *job, token: lease.claim() });
    let claims: Vec<ClaimId> =
        running.chain(stopped.iter().map(|(entry, stopped)| claim(entry, *stopped))).collect();
    if claims.is_empty() {
        return Ok(());
    }
    let (asked, began) = (Instant::now(), cluster.now());
    let renewed = cluster.store().renew(&claims, cluster.sharing.lease);
    cluster.tell(|claims| claims.note_answer(began, cluster.now(), renewed.is_err()));
    let held: FxHashMap<JobId, u64> = match &renewed {
        Ok(held) => held.iter().map(|held| (held.id, held.revision)).collect(),
        Err(_) => FxHashMap::default(),
    };
    let mut lost = Vec::new();
    for (id, lease) in &leased {
        match held.get(id) {
            Some(revision) => cluster.extend(lease, asked, *revision),
            // Without an answer the lease holds until its end.
            None if renewed.is_err() && !lease.is_over() => {}
            // Either the lease is lost, or the job has just ended and no attempt is left to stop.
            None => {
                lease.end();
                lost.push(*id);
            }
        }
    }
    if renewed.is_ok() {
        for (entry, stopped) in stopped {
            if held.contains_key(&entry.id) {
                put_back(engine, cluster, &entry, stopped);
            } else {
                // Another engine has the job.
                entry.lock().place.settle();
            }
        }
    }
    cluster.give_up_waiting(engine, &lost);
    if !lost.is_empty() {
        cluster.tell(Claims::want_look);
    }
    share_waiting(engine, cluster, &leased);
    renewed.map(drop)
}

type Leased = Vec<(JobId, Arc<Lease>)>;
type StoppedHere = Vec<(Arc<Entry>, Stopped)>;

fn claim(entry: &Entry, stopped: Stopped) -> ClaimId {
    ClaimId { job: entry.id, token: stopped.token }
}

/// The leases of this engine, and the jobs that have stopped here without one.
fn to_renew(engine: &EngineCore) -> (Leased, StoppedHere) {
    let (mut leased, mut stopped) = (Vec::new(), Vec::new());
    let all = engine.scheduler().registry.all();
    for entry in all {
        let state = entry.lock();
        if let Some(lease) = state.place.lease() {
            leased.push((entry.id, Arc::clone(lease)));
        } else if let Some(attempt) = state.place.stopped() {
            drop(state);
            stopped.push((entry, attempt));
        }
    }
    (leased, stopped)
}

/// Puts back a job whose body has ended here without a lease, if this engine still has it.
fn put_back(engine: &Arc<EngineCore>, cluster: &Cluster, entry: &Arc<Entry>, stopped: Stopped) {
    match put_one_back(engine, entry.id, stopped.attempt) {
        Ok(record) => {
            entry.lock().place.settle();
            if let Some(record) = record {
                tracing::info!(job = %entry.id, "a job that was stopped without its lease waits again");
                remote::apply(engine, cluster, entry, Some(record));
                cluster.give_back(&[claim(entry, stopped)]);
            }
        }
        Err(error) => {
            tracing::warn!(job = %entry.id, %error, "a job that was stopped without its lease could not be put back");
        }
    }
}

/// The record after the job was put back; `None` if the job has changed meanwhile.
fn put_one_back(engine: &EngineCore, id: JobId, attempt: u32) -> Result<Option<JobRecord>, EngineError> {
    let runs = |record: &JobRecord| record.attempt == attempt && matches!(record.state, JobState::Running { .. });
    match engine.store().get(id)?.filter(runs) {
        Some(record) => take_up(engine, record, suspicion::cut_off).map(Some),
        None => Ok(None),
    }
}

/// Gives back jobs that have waited here for a worker for a third of a lease: another engine may be idle.
fn share_waiting(engine: &EngineCore, cluster: &Cluster, known: &[(JobId, Arc<Lease>)]) {
    let long = |lease: &Lease| lease.age() >= cluster.sharing.lease / 3;
    let stale: Vec<JobId> = known.iter().filter(|(_, lease)| long(lease)).map(|(id, _)| *id).collect();
    if cluster.give_up_waiting(engine, &stale) > 0 {
        cluster.tell(Claims::claim_less);
    }
}
