//! The thread of an engine on a shared store that claims jobs, and looks at those that are waited for.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use job_core::{JobId, JobRecord, JobState};
use job_store::{Claim, Claimed, Held, StoreError};

use crate::{
    attempt::Attempt,
    cancel::StopCause,
    cluster::Cluster,
    live::Live,
    recover,
    shared::{self, Phase, Scheduler, Shared},
    shield, suspicion,
};

/// The least time between two looks, and how much longer than a look the pause after it is: however many jobs are
/// waited for, and however often something is heard, looking takes a small part of the store's time.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOK_SHARE: u32 = 4;

/// How long a claim in vain keeps the next notice from another claim: at first, doubled each time, at most. A notice
/// reaches every engine, and one of them has the job: without a pause the others' claims would be most of what a database
/// of many engines does.
const PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(20);

/// How much work is claimed ahead of the workers: less where the claim starts it.
const AHEAD: Duration = Duration::from_millis(20);
const STARTED_AHEAD: Duration = Duration::from_millis(10);

/// Between two looks at started jobs that wait for a worker that is about to be there.
const MIN_REST: Duration = Duration::from_millis(1);

/// Longer times between polls might be more than the clock can count.
const LONGEST_POLL: Duration = Duration::from_hours(24 * 365);

/// When it is time to claim and to look.
#[derive(Debug)]
struct Turns {
    /// There may be jobs to claim.
    news: bool,
    claim: Instant,
    /// After the last claim.
    pause: Duration,
    look: Instant,
    /// When something may have been missed.
    poll: Instant,
}

impl Turns {
    fn new(now: Instant) -> Self {
        Self { news: true, claim: now, pause: Duration::ZERO, look: now, poll: now }
    }

    /// Whether to claim now; whoever asks for it here need not wait.
    fn claims(&mut self, now: Instant, asked: bool) -> bool {
        let due = asked || (self.news && now >= self.claim);
        self.news &= !due;
        due
    }

    /// A claim has found so many jobs.
    fn claimed(&mut self, now: Instant, asked: bool, jobs: usize) {
        if jobs > 0 {
            self.pause = Duration::ZERO;
        } else if !asked {
            self.pause = (self.pause * 2).clamp(PAUSE, MAX_PAUSE);
        }
        self.claim = now + self.pause;
    }

    /// How long to wait for news.
    fn rest(&self, now: Instant, looks: bool) -> Duration {
        let claim = self.news.then_some(self.claim);
        let look = looks.then_some(self.look);
        let next = claim.into_iter().chain(look).fold(self.poll, Instant::min);
        next.saturating_duration_since(now)
    }
}

/// The life of the claimer.
pub(crate) fn run(shared: &Arc<Shared>) {
    let Some(cluster) = &shared.cluster else { return };
    let (mut failures, mut turns) = (0, Turns::new(Instant::now()));
    while shared.scheduler().phase != Phase::Closed {
        match round(shared, cluster, &mut turns) {
            Ok(()) => {
                failures = 0;
                // Whoever has found it bad may have given up since.
                if shared.health.check().is_err() {
                    shared.health.recovered();
                }
            }
            Err(error) => {
                failures += 1;
                turns.news = true;
                tracing::warn!(%error, failures, "the shared store could not be looked at; it is tried again");
                if failures >= 2 || !error.kind.is_retryable() {
                    shared.health.failed(&error);
                }
                shared.health.pause(failures, || shared.scheduler().phase == Phase::Closed);
            }
        }
    }
    shared.take_back(cluster);
}

/// Takes back, claims, looks, then waits for news.
fn round(shared: &Arc<Shared>, cluster: &Cluster, turns: &mut Turns) -> Result<(), StoreError> {
    shared.take_back(cluster);
    let asked = cluster.heard();
    if turns.claims(Instant::now(), asked)
        && let Some(jobs) = claim(shared, cluster)?
    {
        turns.claimed(Instant::now(), asked, jobs);
    }
    let now = Instant::now();
    if cluster.look.load(Ordering::Acquire) && now >= turns.look {
        look(shared, cluster)?;
        let took = now.elapsed();
        turns.look = now + took + LOOK_EVERY.max(took * LOOK_SHARE);
    }
    let now = Instant::now();
    let rest = turns.rest(now, cluster.look.load(Ordering::Acquire));
    let patience = shared.scheduler().started.patience(now).map(|patience| patience.max(MIN_REST));
    let rest = patience.map_or(rest, |patience| rest.min(patience));
    let heard = cluster.store().wait(rest)?;
    let now = Instant::now();
    if heard || now >= turns.poll {
        turns.news = true;
        turns.poll = now + cluster.sharing.poll.min(LONGEST_POLL);
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
    let changed = cluster.store().changed(&asked).inspect_err(|_| cluster.look.store(true, Ordering::Release))?;
    let lives: HashMap<JobId, &Arc<Live>> = known.iter().map(|(live, held)| (held.id, live)).collect();
    for (id, stored) in changed {
        if let Some(live) = lives.get(&id) {
            shared.meet(live, stored);
        }
    }
    Ok(())
}

/// Claims as many jobs as there is room for, and says how many they were; `None` without room for any.
pub(crate) fn claim(shared: &Arc<Shared>, cluster: &Cluster) -> Result<Option<usize>, StoreError> {
    if cluster.kinds.is_empty() {
        return Ok(None);
    }
    let _one = cluster.claiming.take();
    // Before the count: a worker that takes a job from now on says so.
    cluster.more.store(true, Ordering::Release);
    let room = {
        let scheduler = shared.scheduler();
        if scheduler.phase != Phase::Open {
            return Ok(None);
        }
        room(cluster, &scheduler)
    };
    // What a claim without an answer has started has its place already.
    let room = if cluster.unanswered.lock().is_some() { room.max(1) } else { room };
    if room == 0 {
        return Ok(None);
    }
    claim_up_to(shared, cluster, room).map(Some)
}

fn claim_up_to(shared: &Arc<Shared>, cluster: &Cluster, room: usize) -> Result<usize, StoreError> {
    let asked = Instant::now();
    let start = cluster.starts.then(|| shared.clock.now());
    let ((token, again), lost) = (cluster.next_token(), cluster.takes_over());
    let claim = Claim { start, token, again, lost, ..Claim::new(&cluster.kinds, room, cluster.sharing.lease) };
    let claimed = shield::stored("claim jobs", || cluster.store().claim(&claim))
        .inspect_err(|_| *cluster.unanswered.lock() = Some(token));
    cluster.note_trouble(asked, claimed.is_err());
    let claimed = claimed?;
    for error in cluster.store().unreadable() {
        if let Some(job) = error.job {
            shared.set_aside(job, &error);
        }
    }
    let jobs = claimed.len();
    if jobs < room {
        cluster.more.store(false, Ordering::Release);
    }
    let mut started = Vec::new();
    for Claimed { record, started: runs, lost } in claimed {
        if runs {
            started.push(take_in(shared, cluster, record, asked));
        } else if let Some(lease) = shared.lease(record.id) {
            // It had ended, and nobody else was there.
            cluster.extend(&lease, asked, record.revision);
        } else {
            adopt(shared, cluster, record, asked, lost);
        }
    }
    shared.hand_out(started);
    Ok(jobs)
}

/// How many jobs to claim: one for each idle worker, and some ahead of them, but no more than the workers will have
/// begun in [`AHEAD`]: other engines may be idle. What is ahead doubles when workers have run dry though jobs came to an
/// end, and when what waits here may not run beside what runs; it goes to nothing when jobs had to wait here while others
/// might have been idle.
fn room(cluster: &Cluster, scheduler: &Scheduler) -> usize {
    // Suspects that may not start yet keep no worker from other jobs.
    let late = scheduler.queue.suspects();
    let (waiting, held) = (scheduler.queue.waiting_in_all() - late, scheduler.queue.held() - late);
    let idle = held - waiting < cluster.seats;
    let mut ahead = cluster.ahead();
    let moved = cluster.moved.swap(false, Ordering::AcqRel);
    if idle && (moved || waiting > 0) {
        ahead = (ahead * 2).max(1).min(cluster.sharing.backlog);
        cluster.ahead.store(ahead, Ordering::Relaxed);
    }
    let soon = if cluster.starts {
        scheduler.started.begun_in(STARTED_AHEAD, cluster.seats).min(ahead)
    } else if idle && waiting > 0 {
        ahead
    } else {
        scheduler.started.begun_in(AHEAD, cluster.seats).min(ahead)
    };
    (cluster.seats + soon).saturating_sub(held)
}

/// Takes in a job that the claim has started: a worker has to begin it.
fn take_in(shared: &Arc<Shared>, cluster: &Cluster, record: JobRecord, asked: Instant) -> Arc<Live> {
    let lease = cluster.lease(&record, asked);
    let mut scheduler = shared.scheduler();
    if let Some(deadline) = record.spec.options().deadline {
        shared.watch_deadline(&mut scheduler, deadline, record.id);
    }
    scheduler.queue.run(shared::waiting(&record));
    scheduler.running += 1;
    let attempt = Attempt::under(Arc::clone(&lease), record.attempt, record.spec.options().budget);
    if record.state == (JobState::Running { cancelling: true }) {
        attempt.token.stop(StopCause::Cancel);
    }
    if scheduler.registry.get(record.id).is_none() {
        shared.watchers.tell(&record);
    }
    let live = shared.hold(&mut scheduler, record, lease);
    live.lock().place.start(Arc::new(attempt));
    live
}

/// Takes a claimed job in. `lost`: another engine had it, and has died or lost touch.
fn adopt(shared: &Arc<Shared>, cluster: &Cluster, record: JobRecord, asked: Instant, lost: bool) {
    let lease = cluster.lease(&record, asked);
    let live = shared.hold(&mut shared.scheduler(), record.clone(), lease);
    let verdict = |record: &JobRecord| {
        if lost {
            // That may have been the fault of whatever ran there, so only the one suspect of that engine is blamed.
            suspicion::verdict(record, record.is_suspect(), "its engine did not renew its lease while it ran")
        } else {
            suspicion::cut_off(record)
        }
    };
    match recover::take_up(shared, record, verdict) {
        Ok(record) => {
            // A cancel of it may be under way.
            let change = live.change();
            shared.show(&mut change.state(), record.clone());
            drop(change);
            if record.state.is_complete() {
                return shared.ended_waiting(&live, &record);
            }
            let mut scheduler = shared.scheduler();
            if scheduler.phase == Phase::Open {
                return shared.enqueue(&mut scheduler, &live);
            }
        }
        Err(error) => {
            tracing::warn!(job = %live.id, %error, "a claimed job could not be taken up: it is given back");
        }
    }
    cluster.leave(&mut shared.scheduler(), &live);
    cluster.give_back(&[live.id]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_hours(1);

    #[test]
    fn claims_in_vain_are_further_and_further_apart() {
        let mut now = Instant::now();
        let mut turns = Turns::new(now);
        turns.poll = now + FAR;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert!(turns.claims(now, false));
            turns.claimed(now, false, 0);
            assert_eq!(turns.rest(now, false), FAR, "nothing to do before there is news");
            turns.news = true;
            pauses.push(turns.rest(now, false).as_millis());
            assert!(!turns.claims(now, false));
            now += turns.rest(now, false);
            turns.poll = now + FAR;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 20, 20]);
        assert!(turns.claims(now, false));
        turns.claimed(now, false, 3);
        turns.news = true;
        assert!(turns.claims(now, false), "after a claim that found jobs there is no pause");
    }

    #[test]
    fn who_asks_here_does_not_wait_and_costs_no_pause() {
        let now = Instant::now();
        let mut turns = Turns::new(now);
        assert!(turns.claims(now, false));
        turns.claimed(now, false, 0);
        turns.news = true;
        assert!(!turns.claims(now, false));
        assert!(turns.claims(now, true));
        turns.claimed(now, true, 0);
        assert_eq!(turns.pause, PAUSE);
        assert!(!turns.news, "what was news has been looked for");
    }

    #[test]
    fn a_look_that_is_due_ends_the_rest() {
        let now = Instant::now();
        let mut turns = Turns::new(now);
        (turns.news, turns.poll, turns.look) = (false, now + FAR, now + PAUSE);
        assert_eq!((turns.rest(now, true), turns.rest(now, false)), (PAUSE, FAR));
    }
}
