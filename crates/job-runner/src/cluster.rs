//! [`Cluster`]: the part of an engine that shares its store with others. An engine that has a store for itself has
//! none of this.
//!
//! The jobs that an engine runs are those that it has claimed: the [`Place`] of each has a [`Lease`]. The registry holds
//! the others too that somebody here has a handle of; `claimer` looks at those that are waited for.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use job_core::{JobId, JobKind, JobRecord, JobSpec, JobState};
use job_store::{Held, SharedStore, StoreError};

use crate::{
    cancel::StopCause,
    claimer,
    claims::{Claims, Settings},
    config::Config,
    error::EngineError,
    handle::JobHandle,
    lease::Lease,
    live::Live,
    place::Place,
    recover,
    shared::{Phase, Scheduler, Shared},
    suspicion,
    sync::{Condvar, Mutex, assert_none_held},
    turn::Turn,
};

/// How an engine shares its store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sharing {
    /// How long a claim lasts when it is not renewed.
    pub(crate) lease: Duration,
    /// The most jobs that are claimed ahead of the workers.
    pub(crate) backlog: usize,
    /// How long nothing is heard before the store is looked at all the same.
    pub(crate) poll: Duration,
}

/// What an engine on a shared store has beside [`Shared`].
pub(crate) struct Cluster {
    store: Arc<dyn SharedStore>,
    pub(crate) kinds: Vec<JobKind>,
    pub(crate) sharing: Sharing,
    /// Whether claims start what they claim.
    pub(crate) starts: bool,
    claims: Mutex<Claims>,
    /// The times of `claims` are counted from here.
    opened: Instant,
    /// One claim at a time.
    pub(crate) claiming: Turn,
    /// Whether the keeper of the leases is to end.
    closed: Mutex<bool>,
    closing: Condvar,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("sharing", &self.sharing)
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    pub(crate) fn new(store: Arc<dyn SharedStore>, kinds: Vec<JobKind>, config: &Config) -> Self {
        let Sharing { lease, backlog, poll } = config.sharing;
        let starts = config.workers > 0 && config.per_graph == usize::MAX && config.per_class == [usize::MAX; 2];
        // Without workers the caller runs one at a time.
        let seats = if kinds.is_empty() { 0 } else { config.workers.max(1) };
        let token = RandomState::new().hash_one(());
        Self {
            store,
            kinds,
            sharing: config.sharing,
            starts,
            claims: Mutex::new(Claims::new(
                Settings { seats, starts, backlog, lease, poll },
                token,
                Duration::ZERO,
            )),
            opened: Instant::now(),
            claiming: Turn::default(),
            closed: Mutex::new(false),
            closing: Condvar::new(),
        }
    }

    /// The store, as [`Shared::store`].
    pub(crate) fn store(&self) -> &dyn SharedStore {
        assert_none_held();
        &*self.store
    }

    /// The time for `claims`.
    pub(crate) fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Tells the policy of claims what has happened, and wakes the claimer if that is news for it.
    pub(crate) fn tell<T>(&self, news: impl FnOnce(&mut Claims) -> T) -> T {
        let (answer, wakes) = {
            let mut claims = self.claims.lock();
            (news(&mut claims), claims.wakes())
        };
        if wakes {
            self.store.wake();
        }
        answer
    }

    /// The lease on a job that a claim has given, which was asked for at that time.
    pub(crate) fn lease(&self, record: &JobRecord, asked: Instant) -> Arc<Lease> {
        Arc::new(Lease::new(asked, self.sharing.lease, record.revision))
    }

    /// Renews a lease by an answer of the store to a question of that time.
    pub(crate) fn extend(&self, lease: &Lease, asked: Instant, revision: u64) {
        if lease.extend(asked, self.sharing.lease, revision) {
            self.tell(Claims::want_look);
        }
    }

    /// Waits between two renewals; `false` when the engine is closed.
    pub(crate) fn rest(&self, pause: Duration) -> bool {
        let mut closed = self.closed.lock();
        if !*closed {
            self.closing.wait_for(&mut closed, pause);
        }
        !*closed
    }

    /// Goes along with a phase of the engine.
    pub(crate) fn enter(&self, phase: Phase) {
        if phase == Phase::Closed {
            *self.closed.lock() = true;
            self.closing.notify_all();
        }
        self.store.wake();
    }

    /// This engine is done with a job, or its lease is lost: if it is not complete, it is outside from now on. `true` if
    /// its claim has to be given back.
    pub(crate) fn leave(&self, scheduler: &mut Scheduler, live: &Arc<Live>) -> bool {
        self.tell(Claims::job_left);
        let (ends, back) = {
            let mut state = live.lock();
            let runs = state.runs();
            let back = state.place.go(runs);
            if matches!(state.place, Place::LeaseLost(_)) {
                tracing::warn!(job = %live.id, "the lease of a job was lost: it waits again, or another engine goes on with it");
            }
            (state.record.state.is_complete() || state.place.is_left(), back)
        };
        if ends {
            scheduler.forget(live);
            return false;
        }
        scheduler.forget_deadline(live);
        self.tell(Claims::want_look);
        back
    }

    /// Lets others have these jobs. Should that fail, their leases end by themselves.
    pub(crate) fn give_back(&self, jobs: &[JobId]) {
        if jobs.is_empty() {
            return;
        }
        if let Err(error) = self.store().release(jobs) {
            tracing::warn!(%error, jobs = jobs.len(), "claims could not be given back: they end with their leases");
        }
    }

    /// Takes those of `jobs` that wait in the queue out of it, and lets others have them.
    pub(crate) fn give_up_waiting(&self, shared: &Shared, jobs: &[JobId]) -> usize {
        let mut back = Vec::new();
        {
            let mut scheduler = shared.scheduler();
            for id in jobs {
                let Some(live) = scheduler.registry.get(*id).cloned() else { continue };
                if scheduler.queue.remove(*id) && self.leave(&mut scheduler, &live) {
                    back.push(*id);
                }
            }
        }
        if !jobs.is_empty() {
            // Suspects may have waited for one of them.
            shared.call();
        }
        self.give_back(&back);
        back.len()
    }

    /// At a shutdown: what has not begun is for others.
    pub(crate) fn drain(&self, shared: &Shared) {
        let jobs: Vec<JobId> = shared.scheduler().registry.all().iter().map(|live| live.id).collect();
        self.give_up_waiting(shared, &jobs);
    }
}

/// Renews, looks and claims once, on the calling thread.
pub(crate) fn tick(shared: &Arc<Shared>, cluster: &Cluster) -> Result<(), EngineError> {
    renew(shared, cluster)?;
    claimer::look(shared, cluster)?;
    claimer::claim_now(shared, cluster)?;
    Ok(())
}

/// The life of the keeper of the leases.
pub(crate) fn keep(shared: &Arc<Shared>) {
    let Some(cluster) = &shared.cluster else { return };
    let every = cluster.sharing.lease / 3;
    let mut pause = every;
    while cluster.rest(pause) {
        let asked = Instant::now();
        pause = match renew(shared, cluster) {
            // Leases count from when they were asked for.
            Ok(()) => every.saturating_sub(asked.elapsed()),
            Err(error) => {
                tracing::warn!(%error, "leases could not be renewed; it is tried again");
                every / 3
            }
        };
    }
}

/// Renews every lease, finds out which are lost, and puts back what has stopped without one.
pub(crate) fn renew(shared: &Arc<Shared>, cluster: &Cluster) -> Result<(), StoreError> {
    let (leased, stopped) = to_renew(shared);
    let jobs: Vec<JobId> = leased.iter().map(|(id, _)| *id).chain(stopped.iter().map(|live| live.id)).collect();
    if jobs.is_empty() {
        return Ok(());
    }
    let (asked, began) = (Instant::now(), cluster.now());
    let renewed = cluster.store().renew(&jobs, cluster.sharing.lease);
    cluster.tell(|claims| claims.note_answer(began, cluster.now(), renewed.is_err()));
    let held: HashMap<JobId, u64> = match &renewed {
        Ok(held) => held.iter().map(|held| (held.id, held.revision)).collect(),
        Err(_) => HashMap::new(),
    };
    let mut lost = Vec::new();
    for (id, lease) in &leased {
        match held.get(id) {
            Some(revision) => cluster.extend(lease, asked, *revision),
            // Unanswered: it is ours until its time is over.
            None if renewed.is_err() && !lease.is_over() => {}
            // Lost, or the job has just ended: then there is nothing left to stop.
            None => {
                lease.end();
                lost.push(*id);
            }
        }
    }
    if renewed.is_ok() {
        for live in stopped {
            if held.contains_key(&live.id) {
                put_back(shared, cluster, &live);
            } else {
                // Another's by now.
                live.lock().place.settle();
            }
        }
    }
    cluster.give_up_waiting(shared, &lost);
    if !lost.is_empty() {
        cluster.tell(Claims::want_look);
    }
    share_waiting(shared, cluster, &leased);
    renewed.map(drop)
}

type Leased = Vec<(JobId, Arc<Lease>)>;

/// The leases of this engine, and the jobs that have stopped here without one.
fn to_renew(shared: &Shared) -> (Leased, Vec<Arc<Live>>) {
    let (mut leased, mut stopped) = (Vec::new(), Vec::new());
    let all = shared.scheduler().registry.all();
    for live in all {
        let state = live.lock();
        if let Some(lease) = state.place.lease() {
            leased.push((live.id, Arc::clone(lease)));
        } else if state.place.stopped().is_some() {
            drop(state);
            stopped.push(live);
        }
    }
    (leased, stopped)
}

/// Lets a job wait again whose body has ended here without a lease, and that is still this engine's.
fn put_back(shared: &Arc<Shared>, cluster: &Cluster, live: &Arc<Live>) {
    let Some(attempt) = live.lock().place.stopped() else { return };
    match put_one_back(shared, live.id, attempt) {
        Ok(record) => {
            live.lock().place.settle();
            if let Some(record) = record {
                tracing::info!(job = %live.id, "a job that was stopped without its lease waits again");
                shared.meet(live, Some(record));
                // Unless a claim has given it to this engine meanwhile.
                if !live.lock().place.is_here() {
                    cluster.give_back(&[live.id]);
                }
            }
        }
        Err(error) => {
            tracing::warn!(job = %live.id, %error, "a job that was stopped without its lease could not be put back");
        }
    }
}

/// The job as it is then; `None` if it has gone on without.
fn put_one_back(shared: &Shared, id: JobId, attempt: u32) -> Result<Option<JobRecord>, EngineError> {
    let runs = |record: &JobRecord| record.attempt == attempt && matches!(record.state, JobState::Running { .. });
    match shared.store().get(id)?.filter(runs) {
        Some(record) => recover::take_up(shared, record, suspicion::cut_off).map(Some),
        None => Ok(None),
    }
}

/// What has waited for a worker here for a third of a lease goes back to the others: one of them may be idle.
fn share_waiting(shared: &Shared, cluster: &Cluster, known: &[(JobId, Arc<Lease>)]) {
    let long = |lease: &Lease| lease.age() >= cluster.sharing.lease / 3;
    let stale: Vec<JobId> = known.iter().filter(|(_, lease)| long(lease)).map(|(id, _)| *id).collect();
    if cluster.give_up_waiting(shared, &stale) > 0 {
        cluster.tell(Claims::claim_less);
    }
}

impl Shared {
    /// As `store_new`, for whichever engine is free first.
    pub(crate) fn store_for_all(
        self: &Arc<Self>,
        cluster: &Cluster,
        specs: &[&Arc<JobSpec>],
    ) -> Result<Vec<JobHandle>, EngineError> {
        let now = self.clock.now();
        let lives: Vec<Arc<Live>> = specs
            .iter()
            .map(|&spec| {
                let record = JobRecord::waiting(self.ids.next(now), Arc::clone(spec), now);
                Arc::new(Live::new(record, Place::Outside))
            })
            .collect();
        let records: Vec<JobRecord> = lives.iter().map(|live| live.record()).collect();
        {
            // Known before they are stored: this engine may claim them at once, and their handles go along.
            let mut scheduler = self.scheduler();
            if scheduler.phase != Phase::Open {
                return Err(EngineError::ShuttingDown);
            }
            scheduler.registry.insert(&lives);
        }
        if let Err(error) = self.insert(&records) {
            let mut scheduler = self.scheduler();
            for live in &lives {
                scheduler.registry.remove(live);
            }
            return Err(error.into());
        }
        for live in &lives {
            let state = live.lock();
            // Later changes may have been told already.
            if state.record.revision == 0 {
                self.watchers.tell(&state.record);
            }
        }
        cluster.tell(Claims::ask);
        if self.scheduler().phase == Phase::Closed {
            for live in &lives {
                live.lose(EngineError::LeftUnfinished(live.id));
            }
        }
        self.metrics.submitted(lives.len());
        Ok(lives.into_iter().map(|live| JobHandle::new(Arc::clone(self), live)).collect())
    }

    /// Counts a claimed job among those of this engine, with the handles that there are.
    pub(crate) fn hold(&self, scheduler: &mut Scheduler, record: JobRecord, lease: Arc<Lease>) -> Arc<Live> {
        let live = scheduler.registry.get_or_insert(&record);
        let mut state = live.lock();
        self.show(&mut state, record);
        state.place.wait(Some(lease));
        drop(state);
        live
    }

    /// The claim of this engine on a job.
    pub(crate) fn lease(&self, id: JobId) -> Option<Arc<Lease>> {
        self.scheduler().registry.get(id)?.lease()
    }

    /// The one [`Live`] of an unfinished job of a shared store.
    pub(crate) fn elsewhere(&self, record: JobRecord) -> Arc<Live> {
        let mut scheduler = self.scheduler();
        if scheduler.phase != Phase::Closed || scheduler.registry.get(record.id).is_some() {
            return scheduler.registry.get_or_insert(&record);
        }
        drop(scheduler);
        let live = Arc::new(Live::new(record, Place::Outside));
        live.lose(EngineError::LeftUnfinished(live.id));
        live
    }

    /// Somebody waits for this job from now on; if it is elsewhere, it is looked at.
    pub(crate) fn attend(&self, live: &Live) {
        let Some(cluster) = &self.cluster else { return };
        let news = {
            let mut state = live.lock();
            !std::mem::replace(&mut state.awaited, true) && !state.is_settled_or_here()
        };
        if news {
            cluster.tell(Claims::want_look);
        }
    }

    /// Brings the record of a job that is elsewhere up to date, as far as the store answers.
    pub(crate) fn freshen(&self, live: &Arc<Live>) {
        if self.cluster.is_none() || live.lock().is_settled_or_here() {
            return;
        }
        if let Err(error) = self.refresh(live) {
            tracing::warn!(job = %live.id, %error, "a job of another engine could not be looked at");
        }
    }

    /// Reads the record of a job that somebody else may have changed, and shows it.
    pub(crate) fn refresh(&self, live: &Arc<Live>) -> Result<(), StoreError> {
        let stored = self.store().get(live.id)?;
        self.meet(live, stored);
        Ok(())
    }

    /// What the store has of a job may be news: shows it, and does what somebody else has asked for.
    pub(crate) fn meet(&self, live: &Arc<Live>, stored: Option<JobRecord>) {
        let Some(stored) = stored else {
            // It was complete and has been removed before anybody here looked.
            self.scheduler().forget(live);
            live.lose(EngineError::UnknownJob(live.id));
            return self.watchers.end(live.id);
        };
        let runs_here = {
            let Some(mut state) = live.lock_unchanging() else {
                // Whoever changes it finds out by himself; what he does not, the next look does.
                return self.cluster.iter().for_each(|cluster| cluster.tell(Claims::want_look));
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
                    // Another has taken it up.
                    _ => attempt.end_lease(),
                }
            }
            self.show(&mut state, stored.clone());
            let runs = state.runs();
            state.place.meet_change(runs);
            state.place.attempt().is_some()
        };
        if stored.state.is_complete() {
            if !runs_here {
                let mut scheduler = self.scheduler();
                scheduler.queue.remove(stored.id);
                scheduler.forget(live);
                drop(scheduler);
                self.call();
            }
            live.tell_end();
        }
    }

    /// What a look is about: each job with the revision that is known.
    pub(crate) fn to_look_at(&self) -> Vec<(Arc<Live>, Held)> {
        let all = {
            let mut scheduler = self.scheduler();
            scheduler.registry.forget_unasked();
            scheduler.registry.all()
        };
        let wanted = all.into_iter().filter_map(|live| {
            let state = live.lock();
            let held = Held { id: live.id, revision: state.record.revision };
            let wanted = state.place.is_here() || state.awaited;
            drop(state);
            wanted.then_some((live, held))
        });
        wanted.collect()
    }
}
