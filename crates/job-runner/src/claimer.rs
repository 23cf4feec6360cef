//! The thread of an engine on a shared store that claims jobs, and looks at those that are waited for.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use job_core::{JobId, JobRecord, JobState};
use job_store::{Claim, Held, StoreError};

use crate::{
    cluster::Cluster,
    error::EngineError,
    lease::Lease,
    live::Live,
    recover,
    shared::{Phase, Scheduler, Shared},
};

/// The least time between two looks, and how much longer than a look the pause after it is: however many jobs are
/// waited for, and however often something is heard, looking takes a small part of the store's time.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOK_SHARE: u32 = 4;

/// The life of the claimer.
pub(crate) fn run(shared: &Arc<Shared>) {
    let Some(cluster) = &shared.cluster else { return };
    let (mut failures, mut next_look) = (0, Instant::now());
    while shared.scheduler().phase != Phase::Closed {
        match round(shared, cluster, &mut next_look) {
            Ok(()) => {
                failures = 0;
                // Whoever has found it bad may have given up since.
                if shared.health.check().is_err() {
                    shared.health.recovered();
                }
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "the shared store could not be looked at; it is tried again");
                if failures >= 2 || !error.kind.is_retryable() {
                    shared.health.failed(&error);
                }
                shared.health.pause(failures, || shared.scheduler().phase == Phase::Closed);
            }
        }
    }
}

/// Claims, looks, then waits for news.
fn round(shared: &Arc<Shared>, cluster: &Cluster, next_look: &mut Instant) -> Result<(), StoreError> {
    cluster.heard();
    claim(shared, cluster)?;
    let mut pause = cluster.sharing.poll;
    let now = Instant::now();
    if cluster.look.load(Ordering::Acquire) {
        if now >= *next_look {
            look(shared, cluster)?;
            let took = now.elapsed();
            *next_look = now + took + LOOK_EVERY.max(took * LOOK_SHARE);
        } else {
            pause = pause.min(next_look.duration_since(now));
        }
    }
    let waited = Instant::now();
    // After a wait in vain too: something may have been missed.
    if cluster.store.wait(pause)? || waited.elapsed() >= cluster.sharing.poll {
        cluster.look.store(true, Ordering::Release);
    }
    Ok(())
}

/// Looks at the jobs that run here and at those that somebody here waits for.
pub(crate) fn look(shared: &Arc<Shared>, cluster: &Cluster) -> Result<(), StoreError> {
    cluster.look.store(false, Ordering::Release);
    let known = shared.to_look_at();
    if known.is_empty() {
        return Ok(());
    }
    let asked: Vec<Held> = known.iter().map(|(_, held)| *held).collect();
    let changed = cluster.store.changed(&asked).inspect_err(|_| cluster.look.store(true, Ordering::Release))?;
    let lives: HashMap<JobId, &Arc<Live>> = known.iter().map(|(live, held)| (held.id, live)).collect();
    for (id, stored) in changed {
        if let Some(live) = lives.get(&id) {
            shared.meet(live, stored);
        }
    }
    Ok(())
}

/// Claims as many jobs as there is room for.
pub(crate) fn claim(shared: &Arc<Shared>, cluster: &Cluster) -> Result<(), StoreError> {
    if cluster.kinds.is_empty() {
        return Ok(());
    }
    let _one = cluster.claiming.lock();
    // Before the count: a worker that takes a job from now on says so.
    cluster.more.store(true, Ordering::Release);
    let room = {
        let scheduler = shared.scheduler();
        if scheduler.phase != Phase::Open {
            return Ok(());
        }
        room(cluster, &scheduler)
    };
    if room == 0 {
        return Ok(());
    }
    cluster.claims.fetch_add(1, Ordering::AcqRel);
    let claimed = claim_up_to(shared, cluster, room);
    cluster.claims.fetch_add(1, Ordering::AcqRel);
    claimed
}

fn claim_up_to(shared: &Arc<Shared>, cluster: &Cluster, room: usize) -> Result<(), StoreError> {
    let asked = Instant::now();
    let claim = Claim { kinds: &cluster.kinds, limit: room, lease: cluster.sharing.lease };
    let claimed = cluster.store.claim(&claim).inspect_err(|_| cluster.doubtful.store(true, Ordering::Release))?;
    if claimed.len() < room {
        cluster.more.store(false, Ordering::Release);
    }
    for record in claimed {
        adopt(shared, cluster, record, asked);
    }
    Ok(())
}

/// How many jobs to claim: one for each idle worker, and some ahead of them as long as jobs are short. What is ahead
/// doubles when workers have run dry though jobs came to an end, and when what waits here may not run beside what runs;
/// it goes to nothing when jobs had to wait here while others might have been idle.
fn room(cluster: &Cluster, scheduler: &Scheduler) -> usize {
    let (waiting, held) = (scheduler.queue.waiting_in_all(), scheduler.queue.held());
    let idle = held - waiting < cluster.seats;
    let mut ahead = cluster.ahead.load(Ordering::Relaxed);
    let moved = cluster.moved.swap(false, Ordering::AcqRel);
    if idle && (moved || waiting > 0) {
        ahead = (ahead * 2).max(1).min(cluster.sharing.backlog);
        cluster.ahead.store(ahead, Ordering::Relaxed);
    }
    (cluster.seats + ahead).saturating_sub(held)
}

/// Takes a claimed job in.
fn adopt(shared: &Arc<Shared>, cluster: &Cluster, record: JobRecord, asked: Instant) {
    let id = record.id;
    let lease = Arc::new(Lease::new(asked, cluster.sharing.lease, record.revision));
    cluster.leases.lock().insert(id, Arc::clone(&lease));
    match recover::take_up(shared, record) {
        Ok(record) if record.state == JobState::Waiting && enqueue(shared, record.clone(), lease) => {}
        outcome => {
            cluster.leases.lock().remove(&id);
            settle(shared, cluster, id, outcome);
        }
    }
}

/// Puts a claimed job where a worker finds it; `false` when the engine takes no more.
fn enqueue(shared: &Arc<Shared>, record: JobRecord, lease: Arc<Lease>) -> bool {
    let mut scheduler = shared.scheduler();
    if scheduler.phase != Phase::Open {
        return false;
    }
    // With the handles that there are.
    let live = match scheduler.elsewhere.remove(&record.id) {
        Some(live) => live,
        None => Arc::new(Live::new(record.clone())),
    };
    {
        let mut state = live.lock();
        if state.record.revision < record.revision {
            shared.show(&mut state, record);
        }
        state.lease = Some(lease);
        state.lost_lease = false;
    }
    scheduler.live.insert(live.id, Arc::clone(&live));
    shared.enqueue(&mut scheduler, &live);
    true
}

/// A claimed job that cannot run here: it came to its end as it was taken up, or that failed, or the engine closes.
fn settle(shared: &Arc<Shared>, cluster: &Cluster, id: JobId, outcome: Result<JobRecord, EngineError>) {
    match outcome {
        Ok(record) if record.state.is_complete() => {
            shared.metrics.ended(&record);
            let live = shared.scheduler().elsewhere.remove(&id);
            if let Some(live) = live {
                shared.meet(&live, Some(record));
            }
        }
        Ok(_) => cluster.give_back(&[id]),
        Err(error) => {
            tracing::warn!(job = %id, %error, "a claimed job could not be taken up: it is given back");
            cluster.give_back(&[id]);
        }
    }
}
