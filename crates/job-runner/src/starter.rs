//! The thread of an engine on a shared store that starts claimed jobs, many with one write.
//!
//! It starts one for each worker that is free, and a few ahead of them while jobs are short: no more than the workers
//! will have begun in [`BEAT`], as far as the last jobs tell. What they have not begun after [`PATIENCE`] waits again.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use job_core::{Event, Failure, FailureKind, JobId, JobRecord, Timestamp};
use job_store::Held;

use crate::{
    attempt::Attempt,
    cluster::Cluster,
    live::{Change, Live},
    shared::{Phase, Scheduler, Shared},
    shield,
    sync::MutexGuard,
    worker,
};

/// How much work is started ahead of the workers.
const BEAT: Duration = Duration::from_millis(5);
/// The most jobs for each worker that are started ahead of it. Those that are started when the process dies count as
/// interrupted, and a job that kills its process should not take many with it, again and again. Claims start more, but only
/// first attempts of jobs that may have another.
const MOST: usize = 4;
/// How long a started job may wait for a worker.
const PATIENCE: Duration = Duration::from_millis(50);

/// What the starter does next.
enum Step {
    Start(Vec<Arc<Live>>),
    PutBack(Vec<Arc<Live>>),
}

/// Jobs that are started and not begun, and what tells how many that may be.
#[derive(Debug)]
pub(crate) struct Started {
    /// Each with the time when it may not wait any longer.
    jobs: VecDeque<(Instant, Arc<Live>)>,
    /// Workers that wait for a job.
    pub(crate) idle: usize,
    /// How long a job takes, in microseconds: the later ones count most. Long before anything is known.
    pace: u64,
}

impl Default for Started {
    fn default() -> Self {
        Self { jobs: VecDeque::new(), idle: 0, pace: 1_000_000 }
    }
}

impl Started {
    /// The next for a worker.
    pub(crate) fn take(&mut self) -> Option<Arc<Live>> {
        self.jobs.pop_front().map(|(_, live)| live)
    }

    /// A job has used a worker for so long.
    pub(crate) fn worked(&mut self, used: Duration) {
        let used = u64::try_from(used.as_micros()).unwrap_or(u64::MAX);
        self.pace = self.pace.saturating_mul(7).saturating_add(used) / 8;
    }

    /// How many may be started ahead of the workers.
    fn ahead(&self, cluster: &Cluster) -> usize {
        self.begun_in(BEAT, cluster).min(cluster.ahead() / 2).min(cluster.seats * MOST)
    }

    /// How many jobs the workers will begin in this time, as far as the last ones tell.
    pub(crate) fn begun_in(&self, time: Duration, cluster: &Cluster) -> usize {
        let begun = time.as_micros().saturating_mul(cluster.seats as u128) / u128::from(self.pace.max(1));
        usize::try_from(begun).unwrap_or(usize::MAX)
    }

    /// How many to start.
    fn room(&self, cluster: &Cluster) -> usize {
        (self.idle + self.ahead(cluster)).saturating_sub(self.jobs.len())
    }

    /// Whether it is time to start more.
    pub(crate) fn is_low(&self, cluster: &Cluster) -> bool {
        let ahead = if cluster.starts { cluster.ahead() } else { self.ahead(cluster) };
        self.jobs.len() <= ahead / 2
    }

    /// Those that no worker will begin in time, or any more. A worker that waits for a job is about to begin one, however
    /// long the machine lets it wait.
    fn overdue(&mut self, phase: Phase) -> Vec<Arc<Live>> {
        let kept = if phase == Phase::Open { self.idle } else { 0 };
        let late = self.jobs.front().is_some_and(|(until, _)| *until <= Instant::now());
        if self.jobs.len() <= kept || (phase == Phase::Open && !late) {
            return Vec::new();
        }
        // Jobs are longer than was thought.
        self.pace = self.pace.max(u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX));
        self.jobs.drain(kept..).map(|(_, live)| live).collect()
    }
}

/// The life of the starter.
pub(crate) fn run(shared: &Arc<Shared>) {
    let Some(cluster) = &shared.cluster else { return };
    while let Some(step) = next(shared, cluster) {
        match step {
            Step::Start(batch) => start(shared, cluster, batch),
            Step::PutBack(batch) => {
                for live in batch {
                    worker::put_back(shared, &live);
                }
            }
        }
    }
}

/// Waits for something to do; `None` when the engine is closed.
fn next(shared: &Shared, cluster: &Cluster) -> Option<Step> {
    let mut scheduler = shared.scheduler();
    loop {
        let phase = scheduler.phase;
        let overdue = scheduler.started.overdue(phase);
        if !overdue.is_empty() {
            if phase == Phase::Open {
                cluster.claim_less();
            }
            return Some(Step::PutBack(overdue));
        }
        if phase == Phase::Closed {
            return None;
        }
        if phase == Phase::Open {
            let room = scheduler.started.room(cluster);
            let batch: Vec<_> = std::iter::from_fn(|| shared.pop(&mut scheduler)).take(room).collect();
            if !batch.is_empty() {
                cluster.taken(&scheduler);
                return Some(Step::Start(batch));
            }
        }
        shared.starter_waits(&mut scheduler);
    }
}

impl Shared {
    /// Until somebody calls, a delayed job is due, or a started one has waited too long.
    fn starter_waits(&self, scheduler: &mut MutexGuard<'_, Scheduler>) {
        let due = scheduler.queue.next_due().map(|due| due.since(self.clock.now()));
        let late =
            scheduler.started.jobs.front().map(|(until, _)| until.saturating_duration_since(Instant::now()));
        match due.into_iter().chain(late).min() {
            Some(pause) => {
                self.starter.wait_for(scheduler, pause.max(Duration::from_millis(1)));
            }
            None => self.starter.wait(scheduler),
        }
    }
}

/// Starts these jobs with one write, for the workers to begin. What that does not start, each worker tries by itself.
fn start(shared: &Shared, cluster: &Cluster, batch: Vec<Arc<Live>>) {
    let now = shared.clock.now();
    let prepared: Vec<(JobRecord, Change)> = batch.iter().filter_map(|live| prepare(live, now)).collect();
    let records: Vec<JobRecord> = prepared.iter().map(|(next, _)| next.clone()).collect();
    let stored = store(cluster, &records);
    for (next, change) in prepared {
        let mut state = change.state();
        if stored.contains(&next.id)
            && let Some(lease) = state.lease.clone()
        {
            let budget = next.spec.options().budget;
            state.attempt = Some(Arc::new(Attempt::under(lease, next.attempt, budget)));
            shared.show(&mut state, next);
        }
    }
    started(shared, batch);
}

/// Hands started jobs to the workers. A shutdown lets those wait again that none has taken.
pub(crate) fn started(shared: &Shared, batch: Vec<Arc<Live>>) {
    if batch.is_empty() {
        return;
    }
    let (until, count) = (Instant::now() + PATIENCE, batch.len());
    let mut scheduler = shared.scheduler();
    if scheduler.phase == Phase::Closed {
        // Nobody is there any more who would do it.
        drop(scheduler);
        return batch.iter().for_each(|live| worker::put_back(shared, live));
    }
    scheduler.started.jobs.extend(batch.into_iter().map(|live| (until, live)));
    let calls = count.min(scheduler.started.idle);
    drop(scheduler);
    shared.call_workers(calls);
    // It has to know when they are late.
    shared.starter.notify_one();
}

/// The record of a job that starts now, if it can and nobody else changes it.
fn prepare(live: &Arc<Live>, now: Timestamp) -> Option<(JobRecord, Change)> {
    let change = live.try_change()?;
    let state = change.state();
    let late = state.record.spec.options().deadline.is_some_and(|deadline| now >= deadline);
    if late || state.lease.as_ref().is_none_or(|lease| lease.is_over()) {
        return None;
    }
    let next = state.record.apply(Event::Start, now).ok()?;
    drop(state);
    Some((next, change))
}

/// Which of them are stored.
fn store(cluster: &Cluster, next: &[JobRecord]) -> HashSet<JobId> {
    let mut stored: HashSet<JobId> = match shield::stored("start jobs", || cluster.store().start(next)) {
        Ok(stored) => stored.into_iter().collect(),
        Err(error) => {
            tracing::warn!(%error, jobs = next.len(), "jobs could not be started together; each is tried by itself");
            HashSet::new()
        }
    };
    // A write that was reported as failed may have happened.
    let doubtful = |next: &&JobRecord| !stored.contains(&next.id);
    let asked: HashMap<JobId, &JobRecord> = next.iter().filter(doubtful).map(|next| (next.id, next)).collect();
    let known: Vec<Held> =
        asked.values().map(|next| Held { id: next.id, revision: next.revision.saturating_sub(1) }).collect();
    if !known.is_empty()
        && let Ok(changed) = cluster.store().changed(&known)
    {
        let same = |(id, found): &(JobId, Option<JobRecord>)| found.as_ref() == asked.get(id).copied();
        stored.extend(changed.iter().filter(|found| same(found)).map(|(id, _)| *id));
    }
    stored
}

/// Why a job that was started waits again.
pub(crate) fn put_back() -> Event {
    Event::Requeue(Failure::new(FailureKind::Shutdown, "no worker was free to begin it"), None)
}

#[cfg(test)]
mod tests {
    use job_core::JobSpec;

    use super::*;

    #[test]
    fn what_no_worker_is_there_for_waits_again() {
        let mut started = Started { idle: 1, pace: 3, ..Started::default() };
        let spec = Arc::new(JobSpec::vertex_filter().graph("g"));
        for _ in 0..3 {
            let record = JobRecord::waiting(JobId::MIN, Arc::clone(&spec), Timestamp::default());
            started.jobs.push_back((Instant::now(), Arc::new(Live::new(record))));
        }
        assert_eq!(started.overdue(Phase::Open).len(), 2, "one worker waits for a job");
        assert_eq!(u128::from(started.pace), PATIENCE.as_micros(), "jobs were not as short as that");
        assert_eq!(started.overdue(Phase::Open).len(), 0);
        assert_eq!(started.overdue(Phase::Draining).len(), 1);
    }
}
