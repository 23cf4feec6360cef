//! [`EngineCore`]: what the engine, its workers, the keeper and the handles share; all moves of jobs but those of a
//! running attempt (`worker`) are here. Locks are taken in the order scheduler, then job.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use job_core::{Event, IllegalMove, JobId, JobRecord, JobState, Timestamp};
use job_store::{Durability, ErrorKind, Seat, Store, StoreError};

use crate::{
    cancel::StopCause,
    clock::{Clock, Shielded},
    completer::Completer,
    config::Config,
    engine::Shutdown,
    entry::{Entry, State},
    error::EngineError,
    handle::JobHandle,
    handler::Handlers,
    health::Health,
    ids::IdSource,
    metrics::Metrics,
    partition::Scan,
    place::Place,
    pool::Pool,
    queue::{Limits, Queue, Waiting},
    reader::Reads,
    registry::Registry,
    retention, shield,
    source::Source,
    started::Started,
    sync::{Condvar, Mutex, assert_none_held, thread},
    unreadable::SetAside,
    watch::Watchers,
    width::Spare,
    worker::{self, Outcome},
};

/// What the engine, its workers and the handles share.
pub(crate) struct EngineCore {
    store: Arc<dyn Store>,
    /// The right to work on it, until the engine is shut down.
    seat: Mutex<Option<Seat>>,
    pub(crate) handlers: Handlers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) width: Spare,
    pub(crate) metrics: Metrics,
    pub(crate) watchers: Watchers,
    pub(crate) health: Health,
    pub(crate) aside: SetAside,
    pub(crate) reads: Arc<Reads>,
    pub(crate) completer: Completer,
    pub(crate) pool: Pool,
    /// Outcomes that could not be stored, and that no thread of the engine tries again.
    pub(crate) owed: Mutex<Vec<Outcome>>,
    pub(crate) ids: IdSource,
    /// When retention looks at which jobs.
    looks: Mutex<retention::Looks>,
    pub(crate) scheduler: Mutex<Scheduler>,
    /// Something to do for a worker.
    pub(crate) work: Condvar,
    /// Room in a queue.
    pub(crate) room: Condvar,
    /// A job or a worker has ended.
    pub(crate) quiet: Condvar,
    /// The keeper has to look again.
    pub(crate) keeper: Condvar,
    stopping: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Scheduler {
    pub(crate) queue: Queue,
    pub(crate) registry: Registry,
    pub(crate) deadlines: BTreeSet<(Timestamp, JobId)>,
    pub(crate) scans: Vec<Arc<Scan>>,
    /// On a shared store.
    pub(crate) started: Started,
    pub(crate) phase: Phase,
    /// Places given to submissions that are being stored.
    pub(crate) reserved: [usize; 2],
    pub(crate) running: usize,
    pub(crate) threads: usize,
    /// Which jobs wait for which others, in their bodies: once for each thread.
    pub(crate) waits: Vec<(JobId, JobId)>,
    /// Threads that work, and those of them that wait in a body.
    pub(crate) workers: usize,
    pub(crate) blocked: usize,
    /// Workers that have left, because others went on.
    pub(crate) workers_left: Vec<thread::ThreadId>,
    /// The answer of a shutdown, once it is over.
    pub(crate) left: Option<Shutdown>,
}

/// How far a shutdown is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Jobs come and go.
    Open,
    /// Running jobs may end, no other starts.
    Draining,
    /// Threads end.
    Closed,
}

impl fmt::Debug for EngineCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineCore")
            .field("store", &self.store)
            .field("handlers", &self.handlers)
            .finish_non_exhaustive()
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
        ids: IdSource,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Shielded::new(clock));
        let limits = Limits {
            ageing: config.ageing,
            longest_pause: config.retry.most,
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
            width: Spare::new(config.threads.saturating_sub(config.workers)),
            store,
            seat: Mutex::new(Some(seat)),
            source,
            handlers,
            config,
            metrics: Metrics::default(),
            watchers: Watchers::default(),
            health: Health::default(),
            aside: SetAside::default(),
            reads: Arc::new(Reads::new(Arc::clone(&clock))),
            clock,
            completer: Completer::default(),
            pool: Pool::default(),
            owed: Mutex::default(),
            ids,
            looks: Mutex::default(),
            scheduler: Mutex::new(scheduler),
            work: Condvar::new(),
            room: Condvar::new(),
            quiet: Condvar::new(),
            keeper: Condvar::new(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The store. Nobody calls it with a lock of the engine in his hands.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        assert_none_held();
        &self.store
    }

    pub(crate) fn scheduler(&self) -> crate::sync::MutexGuard<'_, Scheduler> {
        self.scheduler.lock()
    }

    /// Whether the engine has no thread that runs jobs or waits for the store: its caller does it all.
    pub(crate) fn is_driven(&self) -> bool {
        self.source.is_driven(self.config.workers)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Puts a waiting job of the registry where a worker finds it.
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
        let mut waiting = waiting(record);
        let now = self.clock.now();
        waiting.not_before = waiting.not_before.filter(|due| *due > now);
        scheduler.queue.push(waiting);
        self.call();
    }

    pub(crate) fn handle(self: &Arc<Self>, id: JobId) -> Result<Option<JobHandle>, EngineError> {
        let known = self.scheduler().registry.get(id).cloned();
        let entry = match known {
            Some(entry) => entry,
            None => match self.store().get(id)? {
                Some(record) if record.state.is_complete() => Arc::new(Entry::new(record, Place::Outside)),
                Some(record) => self.source.find(self, record),
                None => return Ok(None),
            },
        };
        Ok(Some(JobHandle::new(Arc::clone(self), entry)))
    }

    /// A worker is done with a job: it is complete, waits again, or is left to the next open.
    pub(crate) fn release(&self, entry: &Arc<Entry>, used: Duration) {
        self.free(entry, used);
        self.forget(entry);
        self.call();
    }

    /// A worker is done with a job whose end is still to be stored: its place under the limits is free.
    pub(crate) fn free(&self, entry: &Entry, used: Duration) {
        let mut scheduler = self.scheduler();
        scheduler.queue.finish(entry.id, used);
        if !used.is_zero() {
            scheduler.started.worked(used);
        }
    }

    /// The end of a freed job is stored, or it waits again, or is left to the next open.
    pub(crate) fn forget(&self, entry: &Arc<Entry>) {
        let mut scheduler = self.scheduler();
        scheduler.running -= 1;
        // Not before its end is stored: else the next one might kill the process, and both would be there again.
        let is_next = scheduler.queue.clear(entry.id);
        self.source.release(self, scheduler, entry);
        if is_next {
            self.call();
        }
        self.quiet.notify_all();
    }

    /// One move of a job: applies the event, stores the next record, then shows it.
    pub(crate) fn advance(
        &self,
        entry: &Arc<Entry>,
        event: Event,
        durability: Durability,
    ) -> Result<JobRecord, AdvanceError> {
        let change = entry.change();
        let next = change.state().record.apply(event, self.clock.now())?;
        self.replace(&next, durability)?;
        self.show(&mut change.state(), next.clone());
        Ok(next)
    }

    /// Shows a record that is stored, unless a later one was read from the store meanwhile. Under the job's lock, so that
    /// watchers see changes in their order.
    pub(crate) fn show(&self, state: &mut State, next: JobRecord) {
        if state.record.revision < next.revision {
            self.watchers.tell(&next);
            state.record = next;
        }
    }

    /// Replaces, and believes the store rather than the error.
    pub(crate) fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        shield::stored("change a job", || self.store().replace(next, durability))
            .or_else(|error| self.already(next, error))
    }

    /// A write that was reported as failed may have happened; or the next try meets its own revision.
    pub(crate) fn already(&self, next: &JobRecord, error: StoreError) -> Result<(), StoreError> {
        let doubtful = error.kind == ErrorKind::Conflict || error.kind.is_retryable();
        if doubtful && self.store().get(next.id).is_ok_and(|stored| stored.as_ref() == Some(next)) {
            return Ok(());
        }
        Err(error)
    }

    pub(crate) fn cancel(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<JobRecord, EngineError> {
        worker::catch_up(self);
        self.source.refresh(self, entry);
        // The store may have another engine by now, which would not hear of it.
        let closed = self.scheduler().phase == Phase::Closed;
        let record = loop {
            let change = entry.change();
            let next = {
                let state = change.state();
                let asked = state.record.state == JobState::Running { cancelling: true };
                if asked && let Some(attempt) = state.place.attempt() {
                    // Asked before: nothing new to store, but the flag may still have to be seen.
                    attempt.token.stop(StopCause::Cancel);
                    return Ok(state.record.clone());
                }
                if asked && !closed {
                    return Ok(state.record.clone());
                }
                let next = state.record.apply(Event::Cancel, self.clock.now());
                next.map_err(|_| EngineError::AlreadyComplete(entry.id))?
            };
            if closed {
                return Err(EngineError::Closed(entry.id));
            }
            match self.replace(&next, self.config.durability) {
                Ok(()) => {}
                Err(error) => {
                    drop(change);
                    // Another engine was first: once more, from what the job is now.
                    if error.kind == ErrorKind::Conflict && self.source.catch_up(self, entry)? {
                        continue;
                    }
                    return Err(error.into());
                }
            }
            let mut state = change.state();
            self.show(&mut state, next.clone());
            if let Some(attempt) = state.place.attempt() {
                attempt.token.stop(StopCause::Cancel);
            }
            break next;
        };
        self.ended_waiting(entry, &record);
        Ok(record)
    }

    /// After a waiting job has changed without a worker: takes it out of the queue and tells its end.
    pub(crate) fn ended_waiting(&self, entry: &Entry, record: &JobRecord) {
        if record.state.is_complete() {
            let mut scheduler = self.scheduler();
            scheduler.queue.remove(record.id);
            scheduler.forget(entry);
            drop(scheduler);
            self.room.notify_all();
            // It may have been the suspect that others wait for.
            self.call();
            self.metrics.ended(record);
            entry.tell_end();
        }
    }

    /// Without workers nobody tries again what could not be stored, so nobody else would see that the store works.
    pub(crate) fn probe(&self) {
        if self.config.workers == 0 && self.health.check().is_err() && self.store().touch(&[]).is_ok() {
            self.health.recovered();
        }
    }

    /// Removes what retention does not keep, and notes what was read.
    pub(crate) fn sweep(&self) -> Result<(), EngineError> {
        self.sweep_reads()?;
        self.sweep_surplus()
    }

    /// Removes what retention does not keep.
    pub(crate) fn sweep_surplus(&self) -> Result<(), EngineError> {
        if !self.config.retention.is_off() {
            // Taken meanwhile: one that sweeps at the same time looks at everything.
            let mut looks = std::mem::take(&mut *self.looks.lock());
            let removed = retention::sweep(&**self.store(), self.config.retention, self.clock.now(), &mut looks)?;
            *self.looks.lock() = looks;
            self.metrics.removed(removed);
        }
        Ok(())
    }

    /// Notes when results were last read.
    pub(crate) fn sweep_reads(&self) -> Result<(), EngineError> {
        let reads = self.reads.take();
        if reads.is_empty() {
            return Ok(());
        }
        let noted = self.store().touch(&reads);
        if noted.is_err() {
            self.reads.put_back(reads);
        }
        Ok(noted?)
    }

    /// Waits until the keeper has something to do; `false` when it is to end.
    pub(crate) fn keeper_waits(&self, at_most: Duration) -> bool {
        // One that could not be cleared in time is tried again when there is something else to do.
        let now = self.clock.now();
        let cleared = self.running_suspect().map(|(_, due)| due).filter(|due| *due > now);
        let mut scheduler = self.scheduler();
        if scheduler.phase == Phase::Closed {
            return false;
        }
        let deadline = scheduler.deadlines.first().map(|&(due, _)| due);
        let next = deadline.into_iter().chain(cleared).min().map(|due| due.since(self.clock.now()));
        let pause = next.map_or(at_most, |next| next.min(at_most)).max(Duration::from_millis(1));
        self.keeper.wait_for(&mut scheduler, pause);
        scheduler.phase != Phase::Closed
    }

    /// Goes to the next phase of a shutdown and wakes everybody who should know.
    pub(crate) fn enter(&self, phase: Phase) {
        {
            let mut scheduler = self.scheduler();
            // Never back, when two shut down at once.
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

    /// Another engine may have the store.
    pub(crate) fn leave_seat(&self) {
        let seat = self.seat.lock().take();
        drop(seat);
    }

    /// Tells every running job to stop. Whoever starts meanwhile sees the flag after it can be told.
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
}

impl Scheduler {
    /// The jobs that this one waits for in its body.
    pub(crate) fn waits(&self, job: JobId) -> impl Iterator<Item = JobId> {
        self.waits.iter().filter(move |(waiter, _)| *waiter == job).map(|(_, awaited)| *awaited)
    }

    /// Whether fewer threads work and do not wait than there should be.
    pub(crate) const fn has_few_workers(&self, wanted: usize) -> bool {
        self.workers.saturating_sub(self.blocked) < wanted
    }

    /// Whether more threads work and do not wait than there should be.
    pub(crate) const fn has_many_workers(&self, wanted: usize) -> bool {
        self.workers.saturating_sub(self.blocked) > wanted
    }

    /// It is complete, or left to the next open: nobody here has to do with it any more.
    pub(crate) fn forget(&mut self, entry: &Entry) {
        self.registry.remove(entry);
        self.forget_deadline(entry);
    }

    pub(crate) fn forget_deadline(&mut self, entry: &Entry) {
        if let Some(deadline) = entry.lock().record.spec.options().deadline {
            self.deadlines.remove(&(deadline, entry.id));
        }
    }
}

/// Why a move was not made.
#[derive(Debug)]
pub(crate) enum AdvanceError {
    /// The job's state does not allow it.
    Illegal,
    Store(StoreError),
}

impl From<IllegalMove> for AdvanceError {
    fn from(_: IllegalMove) -> Self {
        Self::Illegal
    }
}

impl From<StoreError> for AdvanceError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(crate) fn waiting(record: &JobRecord) -> Waiting<'_> {
    Waiting {
        id: record.id,
        class: record.spec.options().class,
        graph: record.spec.graph_name(),
        priority: record.spec.options().priority,
        submitted_at: record.submitted_at,
        not_before: record.not_before,
        suspect: record.is_suspect().then_some(record.failed_attempts),
    }
}
