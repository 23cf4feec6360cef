//! [`Cluster`]: the source of an engine that shares its store with others.
//!
//! An engine runs the jobs that it has claimed: the [`Place`] of each has a [`Lease`]. The registry also holds
//! jobs of other engines that have a handle here. `remote` looks at the awaited ones.

use std::{fmt, sync::Arc, time::Duration};

use job_core::{JobId, JobKind, JobRecord};
use job_store::{ClaimId, ErrorKind, Holder, SharedStore, StoreError};

use crate::{
    decide::claims::{Claims, Settings},
    engine::{
        config::{Config, Mode, Sharing},
        core::EngineCore,
        scheduler::{Phase, Scheduler},
        source::{Life, Source},
    },
    job::{entry::Entry, error::EngineError, lease::Lease, place::Place},
    seam::sync::{Condvar, Instant, Mutex, MutexGuard, assert_none_held, random},
    source::{claimer, leases, remote, turn::Turn},
};

/// The source of one of several engines on a store.
pub(crate) struct Cluster {
    store: Arc<dyn SharedStore>,
    pub(crate) kinds: Vec<JobKind>,
    pub(crate) sharing: Sharing,
    /// Whether claims also start their jobs.
    pub(crate) starts: bool,
    claims: Mutex<Claims>,
    /// The moment from which the times of `claims` count.
    opened: Instant,
    /// Held by the thread that claims: one claim runs at a time.
    pub(crate) claiming: Turn,
    /// Whether the keeper of the leases has to end.
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
        let Sharing { lease, max_prefetch, poll } = config.sharing;
        let starts = config.workers() > 0 && config.per_graph == usize::MAX && config.per_class == [usize::MAX; 2];
        // Without workers, the caller runs one job at a time.
        let seats = if kinds.is_empty() { 0 } else { config.workers().max(1) };
        let token = u64::try_from(u128::from_be_bytes(random()) >> 64).unwrap_or_default();
        Self {
            store,
            kinds,
            sharing: config.sharing,
            starts,
            claims: Mutex::new(Claims::new(
                Settings { seats, starts, max_prefetch, lease, poll },
                token,
                Duration::ZERO,
            )),
            opened: Instant::now(),
            claiming: Turn::default(),
            closed: Mutex::new(false),
            closing: Condvar::new(),
        }
    }

    /// The store, as [`EngineCore::store`].
    pub(crate) fn store(&self) -> &dyn SharedStore {
        assert_none_held();
        &*self.store
    }

    /// The time for `claims`.
    pub(crate) fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Reports an event to the policy of claims, and wakes the claimer if it has something to do.
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

    /// The lease on a job of a claim that began at `asked`.
    pub(crate) fn lease(&self, record: &JobRecord, asked: Instant, token: u64) -> Arc<Lease> {
        Arc::new(Lease::new(asked, self.sharing.lease, record.revision, token))
    }

    /// Renews a lease after an answer of the store to a call that began at `asked`.
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

    /// Called when this engine no longer holds a job, or its lease is lost. An unfinished job is outside from now
    /// on. Returns the claim that has to be given back.
    pub(crate) fn leave(&self, scheduler: &mut Scheduler, entry: &Arc<Entry>) -> Option<ClaimId> {
        self.tell(Claims::job_left);
        let (ends, back) = {
            let mut state = entry.lock();
            let runs = state.runs();
            let token = state.place.lease().map(|lease| lease.claim());
            let back = state.place.go(runs).then_some(token).flatten();
            if matches!(state.place, Place::LeaseLost(_)) {
                tracing::warn!(job = %entry.id, "the lease of a job was lost: it waits again, or another engine goes on with it");
            }
            (state.record.state.is_complete() || state.place.is_left(), back)
        };
        if ends {
            scheduler.forget(entry);
            return None;
        }
        scheduler.forget_deadline(entry);
        self.tell(Claims::want_look);
        back.map(|token| ClaimId { job: entry.id, token })
    }

    /// Gives these claims back. If that fails, their leases end by themselves.
    pub(crate) fn give_back(&self, claims: &[ClaimId]) {
        if claims.is_empty() {
            return;
        }
        if let Err(error) = self.store().release(claims) {
            tracing::warn!(%error, jobs = claims.len(), "claims could not be given back: they end with their leases");
        }
    }

    /// Takes waiting jobs out of the queue, and gives their claims back.
    pub(crate) fn give_up_waiting(&self, engine: &EngineCore, jobs: &[JobId]) -> usize {
        let (mut gone, mut back) = (Vec::new(), Vec::new());
        {
            let mut scheduler = engine.scheduler();
            for id in jobs {
                let Some(entry) = scheduler.registry.get(*id).cloned() else { continue };
                if scheduler.queue.remove(*id) {
                    back.extend(self.leave(&mut scheduler, &entry));
                    gone.push(entry);
                }
            }
        }
        for entry in gone {
            entry.tell_state();
        }
        if !jobs.is_empty() {
            // Suspects may have waited for the end of one of these jobs.
            engine.call();
        }
        self.give_back(&back);
        back.len()
    }

    /// Whether this engine claims jobs.
    fn runs(&self) -> bool {
        !self.kinds.is_empty()
    }
}

impl Source for Cluster {
    /// Jobs come only by claims.
    fn open(&self, _shared: &Arc<EngineCore>) -> Result<(), EngineError> {
        Ok(())
    }

    /// An engine that only submits and reads also needs a thread without workers.
    fn threads(self: Arc<Self>, mode: Mode) -> Vec<(&'static str, Life)> {
        let (runs, claimer, keeper) = (self.runs(), Arc::clone(&self), self);
        let mut threads: Vec<(&'static str, Life)> = Vec::new();
        if mode != Mode::Manual {
            threads.push(("job-claimer", Arc::new(move |engine| claimer::run(engine, &claimer))));
        }
        if runs && matches!(mode, Mode::Workers(_)) {
            threads.push(("job-leases", Arc::new(move |engine| leases::keep(engine, &keeper))));
        }
        threads
    }

    fn tick(&self, engine: &Arc<EngineCore>) -> Result<(), EngineError> {
        leases::renew(engine, self)?;
        claimer::look(engine, self)?;
        claimer::claim_now(engine, self)?;
        Ok(())
    }

    /// New jobs wait in the store, for any free engine.
    fn queues(&self) -> bool {
        false
    }

    fn accept(&self, _shared: &EngineCore, _scheduler: &mut Scheduler, _new: &[Arc<Entry>]) {
        self.tell(Claims::ask);
    }

    fn worker_looked(&self, scheduler: &Scheduler, found: bool) {
        let left = scheduler.queue.waiting_in_all() + scheduler.started.len();
        self.tell(|claims| claims.worker_took(found, left));
    }

    fn worker_is_free(&self) {
        self.tell(Claims::ask_for_more);
    }

    /// Any free engine runs the job again.
    fn release(&self, _shared: &EngineCore, mut scheduler: MutexGuard<'_, Scheduler>, entry: &Arc<Entry>) {
        let back = self.leave(&mut scheduler, entry);
        drop(scheduler);
        entry.tell_state();
        self.give_back(back.as_slice());
    }

    fn catch_up(&self, engine: &EngineCore, entry: &Arc<Entry>) -> Result<bool, StoreError> {
        remote::refresh(engine, self, entry)?;
        Ok(true)
    }

    fn refused(
        &self,
        engine: &EngineCore,
        entry: &Arc<Entry>,
        error: StoreError,
        times: u32,
    ) -> Result<(), Option<StoreError>> {
        const MOST: u32 = 100;
        if error.kind == ErrorKind::Conflict && times < MOST {
            // The job was probably cancelled.
            return Err(remote::refresh(engine, self, entry).err());
        }
        tracing::warn!(job = %entry.id, %error, "the store refused the change of a job: it is left to other engines");
        if let Some(lease) = entry.lease() {
            lease.end();
        }
        Ok(())
    }

    fn find(&self, engine: &EngineCore, record: JobRecord) -> Arc<Entry> {
        let mut scheduler = engine.scheduler();
        if scheduler.phase != Phase::Closed || scheduler.registry.get(record.id).is_some() {
            return scheduler.registry.get_or_insert(&record);
        }
        drop(scheduler);
        let entry = Arc::new(Entry::new(record, Place::Outside));
        entry.lose(EngineError::LeftUnfinished(entry.id));
        entry
    }

    fn has(&self, place: &Place) -> bool {
        place.is_here()
    }

    /// A job that is awaited here and that another engine may have is looked at.
    fn watch_remote(&self, entry: &Entry) {
        let news = {
            let mut state = entry.lock();
            !std::mem::replace(&mut state.awaited, true) && !state.is_settled_or_here()
        };
        if news {
            self.tell(Claims::want_look);
        }
    }

    fn refresh(&self, engine: &EngineCore, entry: &Arc<Entry>) -> Result<(), StoreError> {
        let is_true = entry.lock().is_settled_or_here();
        if is_true { Ok(()) } else { remote::refresh(engine, self, entry) }
    }

    fn holder(&self, job: JobId) -> Result<Option<Holder>, StoreError> {
        self.store().holder(job)
    }

    fn enter(&self, phase: Phase) {
        if phase == Phase::Closed {
            *self.closed.lock() = true;
            self.closing.notify_all();
        }
        self.store.wake();
    }

    fn drain(&self, engine: &EngineCore) {
        let jobs: Vec<JobId> = engine.scheduler().registry.all().iter().map(|entry| entry.id).collect();
        self.give_up_waiting(engine, &jobs);
    }
}
