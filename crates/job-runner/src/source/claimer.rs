//! The thread of an engine on a shared store that claims jobs, and looks at the awaited ones.

use std::{sync::Arc, time::Duration};

use job_core::{JobId, JobRecord, JobState};
use job_store::{Claim, ClaimId, Claimed, KnownRevision, StoreError};
use rustc_hash::FxHashMap;

use crate::{
    decide::{
        claims::{Action, Ask, Claims, Load},
        suspicion,
    },
    engine::{
        core::EngineCore,
        scheduler::{self, Phase, Scheduler},
    },
    job::{attempt::Attempt, cancel::StopCause, entry::Entry, lease::Lease},
    record::attempt,
    seam::{shield, sync::Instant},
    source::{cluster::Cluster, remote, take_up::take_up},
};

/// The time between two looks at started jobs whose worker is about to begin.
const MIN_REST: Duration = Duration::from_millis(1);

/// The loop of the claimer.
pub(super) fn run(engine: &Arc<EngineCore>, cluster: &Cluster) {
    let mut failures = 0;
    while engine.scheduler().phase != Phase::Closed {
        match step(engine, cluster) {
            Ok(Answered::Yes) => {
                failures = 0;
                // The thread that noted the failure may have given up since.
                if engine.health.check().is_err() {
                    engine.health.recovered();
                }
            }
            Ok(Answered::NotAsked) => {}
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "the shared store could not be looked at; it is tried again");
                if failures >= 2 || !error.kind.is_retryable() {
                    engine.health.failed(&error);
                }
                engine.health.pause(failures, || engine.scheduler().phase == Phase::Closed);
            }
        }
    }
    take_back(engine, cluster);
}

/// Whether a step has had an answer of the store.
enum Answered {
    Yes,
    NotAsked,
}

/// Puts back jobs that have waited for too long, and takes the next step of the policy.
fn step(engine: &Arc<EngineCore>, cluster: &Cluster) -> Result<Answered, StoreError> {
    take_back(engine, cluster);
    let load = load(&engine.scheduler());
    match cluster.tell(|claims| claims.next(cluster.now(), load)) {
        Action::Claim(ask) => claim(engine, cluster, ask).map(|()| Answered::Yes),
        Action::Look => look(engine, cluster).map(|()| Answered::Yes),
        Action::Rest(rest) => {
            let patience = engine.scheduler().started.patience(Instant::now());
            let rest = patience.map_or(rest, |patience| rest.min(patience.max(MIN_REST)));
            if cluster.store().wait(rest)? {
                cluster.tell(|claims| claims.hear(cluster.now()));
            }
            Ok(Answered::NotAsked)
        }
    }
}

/// Reads the running jobs of this engine, and those that its callers wait for.
pub(super) fn look(engine: &Arc<EngineCore>, cluster: &Cluster) -> Result<(), StoreError> {
    let began = cluster.now();
    let known = remote::to_look_at(engine);
    let asked: Vec<KnownRevision> = known.iter().map(|(_, held)| *held).collect();
    let changed = if asked.is_empty() { Ok(Vec::new()) } else { cluster.store().changed(&asked) };
    cluster.tell(|claims| claims.looked(began, cluster.now(), changed.is_err()));
    let entries: FxHashMap<JobId, &Arc<Entry>> = known.iter().map(|(entry, held)| (held.id, entry)).collect();
    for (id, stored) in changed? {
        if let Some(entry) = entries.get(&id) {
            remote::apply(engine, cluster, entry, stored);
        }
    }
    Ok(())
}

/// Claims as many jobs as there is room for.
pub(super) fn claim_now(engine: &Arc<EngineCore>, cluster: &Cluster) -> Result<(), StoreError> {
    let _one = cluster.claiming.take();
    let load = load(&engine.scheduler());
    let ask = cluster.tell(|claims| {
        claims.ask();
        claims.claim(cluster.now(), load)
    });
    ask.map_or(Ok(()), |ask| ask_store(engine, cluster, ask))
}

fn claim(engine: &Arc<EngineCore>, cluster: &Cluster, ask: Ask) -> Result<(), StoreError> {
    let _one = cluster.claiming.take();
    ask_store(engine, cluster, ask)
}

fn ask_store(engine: &Arc<EngineCore>, cluster: &Cluster, ask: Ask) -> Result<(), StoreError> {
    let (asked, began) = (Instant::now(), cluster.now());
    let claim = Claim {
        start: cluster.starts.then(|| engine.clock.now()),
        token: ask.token,
        again: ask.again,
        lost: ask.lost,
        ..Claim::new(&cluster.kinds, ask.limit, cluster.sharing.lease)
    };
    let claimed = shield::stored("claim jobs", || cluster.store().claim(&claim));
    let jobs = claimed.as_ref().ok().map(Vec::len);
    cluster.tell(|claims| claims.answered(ask, began, cluster.now(), jobs));
    let claimed = claimed?;
    for error in cluster.store().unreadable() {
        if let Some(job) = error.job {
            engine.set_aside(job, &error);
        }
    }
    let mut started = Vec::new();
    for Claimed { record, started: runs, lost } in claimed {
        if runs {
            let lease = cluster.lease(&record, asked, ask.token);
            started.push(take_in(engine, record, lease));
        } else if let Some(lease) = lease_of(engine, record.id) {
            // The lease of this engine had ended, and no other engine had claimed the job.
            lease.claimed_again(ask.token);
            cluster.extend(&lease, asked, record.revision);
        } else {
            let lease = cluster.lease(&record, asked, ask.token);
            adopt(engine, cluster, record, lease, lost);
        }
    }
    for entry in &started {
        entry.tell_state();
    }
    engine.hand_out(started);
    Ok(())
}

/// The present load of the engine.
fn load(scheduler: &Scheduler) -> Load {
    // Suspects that may not start yet use no worker.
    let late = scheduler.queue.suspects();
    Load {
        open: scheduler.phase == Phase::Open,
        held: scheduler.queue.held() - late,
        waiting: scheduler.queue.waiting_in_all() - late,
        pace: scheduler.started.pace(),
    }
}

/// Registers a job that the claim has started. A worker has to begin it.
fn take_in(engine: &Arc<EngineCore>, record: JobRecord, lease: Arc<Lease>) -> Arc<Entry> {
    let mut scheduler = engine.scheduler();
    if let Some(deadline) = record.spec.options().deadline {
        engine.watch_deadline(&mut scheduler, deadline, record.id);
    }
    scheduler.queue.run(scheduler::waiting(&record));
    scheduler.running += 1;
    let (budget, now) = (record.spec.options().budget, engine.clock.now());
    let attempt = Attempt::under(Arc::clone(&lease), record.attempt, budget, now);
    if scheduler.registry.get(record.id).is_none() {
        engine.events.lock().tell(&record);
    }
    let entry = hold(engine, &mut scheduler, record, lease);
    let mut state = entry.lock();
    // The job may have been cancelled in this engine since the claim.
    if state.record.state == (JobState::Running { cancelling: true }) {
        attempt.token.stop(StopCause::Cancel);
    }
    state.place.start(Arc::new(attempt));
    drop(state);
    entry
}

/// Registers a claimed job. `lost`: another engine had it, and has died or lost its connection.
fn adopt(engine: &Arc<EngineCore>, cluster: &Cluster, record: JobRecord, lease: Arc<Lease>, lost: bool) {
    let claim = ClaimId { job: record.id, token: lease.claim() };
    let entry = hold(engine, &mut engine.scheduler(), record.clone(), lease);
    let verdict = |record: &JobRecord| {
        if lost {
            // Another job of that engine may have been at fault, so only its one suspect is blamed.
            suspicion::verdict(record, record.is_suspect(), "its engine did not renew its lease while it ran")
        } else {
            suspicion::cut_off(record)
        }
    };
    match take_up(engine, record, verdict) {
        Ok(record) => {
            // A cancel of the job may be running.
            let change = entry.change();
            engine.show(&mut change.state(), record.clone());
            drop(change);
            if record.state.is_complete() {
                return engine.ended_waiting(&entry, &record);
            }
            let mut scheduler = engine.scheduler();
            if scheduler.phase == Phase::Open {
                return engine.enqueue(&mut scheduler, &entry);
            }
        }
        Err(error) => {
            tracing::warn!(job = %entry.id, %error, "a claimed job could not be taken up: it is given back");
        }
    }
    cluster.leave(&mut engine.scheduler(), &entry);
    cluster.give_back(&[claim]);
}

/// Adds a claimed job to the registry, together with the handles that exist.
fn hold(engine: &EngineCore, scheduler: &mut Scheduler, record: JobRecord, lease: Arc<Lease>) -> Arc<Entry> {
    let entry = scheduler.registry.get_or_insert(&record);
    let mut state = entry.lock();
    engine.show(&mut state, record);
    state.place.wait(Some(lease));
    drop(state);
    entry
}

/// The claim of this engine on a job.
fn lease_of(engine: &EngineCore, id: JobId) -> Option<Arc<Lease>> {
    engine.scheduler().registry.get(id)?.lease()
}

/// Puts back started jobs that no worker has begun in time; in a shutdown all of them.
fn take_back(engine: &EngineCore, cluster: &Cluster) {
    let (overdue, phase) = {
        let mut scheduler = engine.scheduler();
        let phase = scheduler.phase;
        (scheduler.started.overdue(phase, Instant::now()), phase)
    };
    if !overdue.is_empty() && phase == Phase::Open {
        cluster.tell(Claims::claim_less);
    }
    for entry in overdue {
        attempt::put_back(engine, &entry);
    }
}
