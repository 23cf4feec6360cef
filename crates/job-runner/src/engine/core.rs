//! [`EngineCore`]: the state that the engine, its workers, the keeper and the handles share. Locks are taken in
//! the order scheduler, then job.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use job_core::{JobId, JobState, Timestamp};
use job_store::{Seat, Store, StoreError};

use crate::{
    decide::{
        queue::{Limits, Queue},
        retention,
    },
    engine::{
        completer::Completer,
        config::{Config, Mode},
        ended::EndedAttempt,
        health::Health,
        ids::IdSource,
        metrics::Metrics,
        recent::Recent,
        scheduler::{self, Phase, Scheduler},
        source::Source,
        started::Started,
    },
    handler::{Handlers, partition::Scan, services::Services, threads::ThreadBudget},
    job::{
        cancel::StopCause,
        entry::Entry,
        events::Audience,
        place::Place,
        registry::Registry,
        signal::{News, Signal},
    },
    read::{reads::Reads, unreadable::SetAside},
    seam::{
        chance::Chance,
        clock::{Clock, Shielded},
        sync::{Condvar, Instant, Mutex, assert_none_held, thread},
    },
};

/// The state that the engine, its workers and the handles share.
pub(crate) struct EngineCore {
    store: Arc<dyn Store>,
    /// The seat on the store, until the engine is shut down.
    seat: Mutex<Option<Seat>>,
    pub(crate) handlers: Handlers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<Chance>,
    pub(crate) config: Config,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) thread_budget: ThreadBudget,
    pub(crate) metrics: Metrics,
    pub(crate) recent: Recent,
    /// The readers of the changes of all jobs.
    pub(crate) events: Mutex<Audience>,
    /// Signalled when jobs leave the queue or stop running, so that other jobs have a new place in the queue.
    pub(crate) moved: Signal,
    pub(crate) health: Health,
    pub(crate) aside: SetAside,
    pub(crate) reads: Arc<Reads>,
    pub(crate) completer: Completer,
    /// The started threads that are not joined yet.
    pub(crate) threads: Mutex<Vec<thread::JoinHandle<()>>>,
    /// Outcomes that could not be stored, in an engine without a thread that tries again.
    pub(crate) owed: Mutex<Vec<EndedAttempt>>,
    pub(crate) ids: IdSource,
    /// When retention reads which jobs again.
    pub(crate) looks: Mutex<retention::Looks>,
    pub(crate) scheduler: Mutex<Scheduler>,
    /// Signalled when a worker has something to do.
    pub(crate) work: Condvar,
    /// Signalled when a queue has room.
    pub(crate) room: Condvar,
    /// Signalled when a job or a worker has ended.
    pub(crate) quiet: Condvar,
    /// Signalled when the keeper has to look again.
    pub(crate) keeper: Condvar,
    stopping: AtomicBool,
}

impl fmt::Debug for EngineCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineCore")
            .field("store", &self.store)
            .field("handlers", &self.handlers)
            .finish_non_exhaustive()
    }
}

impl AsRef<Signal> for EngineCore {
    fn as_ref(&self) -> &Signal {
        &self.moved
    }
}

impl EngineCore {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        source: Arc<dyn Source>,
        handlers: Handlers,
        clock: Arc<dyn Clock>,
        config: Config,
        seat: Seat,
        highest: JobId,
    ) -> Self {
        let chance = Arc::new(Chance::new(config.seed));
        let clock: Arc<dyn Clock> = Arc::new(Shielded::new(clock));
        let limits = Limits {
            priority_aging: config.priority_aging,
            longest_pause: config.retry.max_backoff,
            per_graph: config.per_graph,
            per_class: config.per_class,
        };
        let scheduler = Scheduler {
            queue: Queue::new(limits),
            registry: Registry::default(),
            deadlines: BTreeSet::new(),
            scans: Vec::new(),
            started: Started::default(),
            phase: Phase::Open,
            reserved: [0; 2],
            running: 0,
            threads: 0,
            waits: Vec::new(),
            workers: 0,
            blocked: 0,
            workers_left: Vec::new(),
            left: None,
        };
        Self {
            thread_budget: ThreadBudget::new(config.threads.saturating_sub(config.workers())),
            store,
            seat: Mutex::new(Some(seat)),
            source,
            handlers,
            config,
            metrics: Metrics::default(),
            recent: Recent::default(),
            events: Mutex::default(),
            moved: Signal::default(),
            health: Health::default(),
            aside: SetAside::default(),
            reads: Arc::new(Reads::new(Arc::clone(&clock))),
            clock,
            completer: Completer::default(),
            threads: Mutex::default(),
            owed: Mutex::default(),
            ids: IdSource::after(highest, Arc::clone(&chance)),
            chance,
            looks: Mutex::default(),
            scheduler: Mutex::new(scheduler),
            work: Condvar::new(),
            room: Condvar::new(),
            quiet: Condvar::new(),
            keeper: Condvar::new(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The store. The caller holds no lock of the engine.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        assert_none_held();
        &self.store
    }

    pub(crate) fn scheduler(&self) -> crate::seam::sync::MutexGuard<'_, Scheduler> {
        self.scheduler.lock()
    }

    /// Whether the engine has no thread that runs jobs or waits for the store, so that its caller does both.
    pub(crate) fn is_driven(&self) -> bool {
        self.config.mode == Mode::Manual
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Adds a waiting job of the registry to the queue.
    pub(crate) fn enqueue(&self, scheduler: &mut Scheduler, entry: &Arc<Entry>) {
        let mut state = entry.lock();
        let record = &state.record;
        if record.state != JobState::Waiting {
            return; // cancelled while it was being stored
        }
        if let Some(deadline) = record.spec.options().deadline {
            self.watch_deadline(scheduler, deadline, record.id);
        }
        if !self.handlers.has(record.spec.kind()) {
            return scheduler.registry.miss_handler(&mut state);
        }
        let mut waiting = scheduler::waiting(record);
        let now = self.clock.now();
        waiting.not_before = waiting.not_before.filter(|due| *due > now);
        scheduler.queue.push(waiting);
        self.call();
    }

    /// The entry of an unfinished job that is in the registry.
    pub(crate) fn known(&self, id: JobId) -> Option<Arc<Entry>> {
        let known = self.scheduler().registry.get(id).cloned();
        // A complete job is its worker's for a moment longer, and may be removed from the store in this time.
        known.filter(|entry| !entry.is_complete())
    }

    /// The entry of a job that is stored.
    pub(crate) fn find(self: &Arc<Self>, id: JobId) -> Result<Option<Arc<Entry>>, StoreError> {
        if let Some(entry) = self.known(id) {
            return Ok(Some(entry));
        }
        Ok(self.store().get(id)?.map(|record| match record.state {
            JobState::Complete(_) => Arc::new(Entry::new(record, Place::Outside)),
            _ => self.source.find(self, record),
        }))
    }

    /// Called when a worker no longer holds a job: the job is complete, waits again, or is left to the next open.
    pub(crate) fn release(&self, entry: &Arc<Entry>, used: Duration) {
        self.free(entry, used);
        self.forget(entry);
        self.call();
    }

    /// Called when a worker no longer holds a job whose end is not stored yet. Frees its place under the limits.
    pub(crate) fn free(&self, entry: &Entry, used: Duration) {
        let mut scheduler = self.scheduler();
        scheduler.queue.finish(entry.id, used);
        if !used.is_zero() {
            scheduler.started.worked(used);
        }
    }

    /// Called when the end of a freed job is stored, or when it waits again or is left to the next open.
    pub(crate) fn forget(&self, entry: &Arc<Entry>) {
        let mut scheduler = self.scheduler();
        scheduler.running -= 1;
        // The next suspect may run only after this end is stored. Otherwise it might kill the process, and both
        // would be suspects again.
        let is_next = scheduler.queue.clear(entry.id);
        self.source.release(self, scheduler, entry);
        if is_next {
            self.call();
        }
        self.quiet.notify_all();
        self.tell_moved();
    }

    /// Signals the tasks that watch waiting jobs. The caller holds no lock.
    pub(crate) fn tell_moved(&self) {
        self.moved.tell(News::Progress);
    }

    /// Enters a phase of a shutdown, and wakes every thread that waits for it.
    pub(crate) fn enter(&self, phase: Phase) {
        {
            let mut scheduler = self.scheduler();
            // The phase never goes back, even if two threads shut down at once.
            scheduler.phase = scheduler.phase.max(phase);
        }
        if phase == Phase::Closed {
            self.reads.close();
        }
        for condition in [&self.work, &self.room, &self.keeper, &self.quiet] {
            condition.notify_all();
        }
        self.source.enter(phase);
        self.health.wake();
    }

    /// Gives the seat on the store back, so that another engine may use the store.
    pub(crate) fn leave_seat(&self) {
        let seat = self.seat.lock().take();
        drop(seat);
    }

    /// Tells every running job to stop. A job that starts meanwhile sees the phase afterwards.
    pub(crate) fn stop_running(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let entries = self.scheduler().registry.all();
        for entry in entries {
            if let Some(attempt) = entry.attempt() {
                attempt.token.stop(StopCause::Shutdown);
            }
        }
        self.health.wake();
    }

    /// Wakes a worker, since there may be a job to take.
    pub(crate) fn call(&self) {
        self.work.notify_one();
    }

    pub(crate) fn watch_deadline(&self, scheduler: &mut Scheduler, deadline: Timestamp, id: JobId) {
        scheduler.deadlines.insert((deadline, id));
        self.keeper.notify_one();
    }

    /// Adds started jobs to the list for workers, and wakes workers.
    pub(crate) fn hand_out(&self, batch: Vec<Arc<Entry>>) {
        if batch.is_empty() {
            return;
        }
        let calls = self.scheduler().started.add(batch, Instant::now());
        for _ in 0..calls {
            self.call();
        }
    }

    /// Notes an unreadable job, and goes on without it.
    pub(crate) fn set_aside(&self, job: JobId, error: &StoreError) {
        if self.aside.add(job, error) {
            tracing::error!(%job, %error, "a job cannot be read: it is set aside, and the others go on");
        }
    }
}

impl Services for EngineCore {
    fn store(&self) -> &Arc<dyn Store> {
        Self::store(self)
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn workers(&self) -> usize {
        self.config.workers()
    }

    fn threads(&self) -> &ThreadBudget {
        &self.thread_budget
    }

    fn checkpoint_interval(&self) -> Duration {
        self.config.checkpoint_interval
    }

    fn rows_written(&self, rows: u64, bytes: u64, packed: u64) {
        self.metrics.rows_written(rows, bytes, packed);
    }

    /// Offers the partitions of a scan to idle workers.
    fn offer(&self, scan: &Arc<Scan>) {
        self.scheduler().scans.push(Arc::clone(scan));
        self.work.notify_all();
    }

    fn withdraw(&self, scan: &Arc<Scan>) {
        self.scheduler().scans.retain(|other| !Arc::ptr_eq(other, scan));
    }
}
