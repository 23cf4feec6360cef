//! [`Engine`]: takes jobs, runs them on a fixed pool of threads, answers for them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use job_core::{Event, IllegalMove, JobClass, JobId, JobRecord, JobSpec, Timestamp};
use job_store::{Durability, ErrorKind, Store, StoreError};
use parking_lot::{Condvar, Mutex};

use crate::{
    cancel::StopCause,
    clock::Clock,
    config::{Config, EngineBuilder},
    error::EngineError,
    explain::Explanation,
    handle::JobHandle,
    handler::Handlers,
    health::Health,
    ids::IdSource,
    live::{Live, until},
    metrics::Metrics,
    partition::Scan,
    pool::Pool,
    queue::{Limits, Queue, Waiting},
    reader::{JobReader, Reads},
    recover, retention,
    stats::Stats,
    watch::{Watch, Watchers},
    width::Spare,
    worker,
};

/// The job engine of one store: takes jobs, runs them, answers for them.
///
/// One engine has a store for itself; share the engine (`Arc<Engine>`), not the store. Dropping it stops the
/// running jobs and leaves what is unfinished to the next open; it waits for them no longer than
/// [`EngineBuilder::stop_grace`].
///
/// ```
/// use std::sync::Arc;
/// use job_runner::{Engine, JobContext, JobSpec, PageRequest, store::MemoryStore};
///
/// let engine = Engine::builder(Arc::new(MemoryStore::default()))
///     .vertex_filter(|ctx: &mut JobContext| {
///         let mut rows = ctx.rows("vertices")?;
///         for name in ["Sarah", "Sidney"] {
///             ctx.checkpoint()?;
///             rows.push(name)?;
///         }
///         Ok(())
///     })
///     .open()?;
/// let handle = engine.submit(JobSpec::vertex_filter().graph("movies"))?;
/// handle.wait()?;
/// let mut body = Vec::new();
/// handle.status(PageRequest::new(1, 10)?)?.write_to(&mut body)?;
/// assert_eq!(String::from_utf8(body)?, concat!(
///     r#"{"data":{"outputs":{"data_return_size":1,"data_offset":1,"data_total_size":2,"#,
///     r#""vertices":["Sidney"]}},"status":"complete"}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    pool: Pool,
}

/// What the engine, its workers and the handles share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) handlers: Handlers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) width: Spare,
    pub(crate) metrics: Metrics,
    pub(crate) watchers: Watchers,
    pub(crate) health: Health,
    pub(crate) reads: Arc<Reads>,
    ids: IdSource,
    scheduler: Mutex<Scheduler>,
    /// Something to do for a worker.
    work: Condvar,
    /// Room in a queue.
    room: Condvar,
    /// A job or a worker has ended.
    pub(crate) quiet: Condvar,
    /// The keeper has to look again.
    keeper: Condvar,
    stopping: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Scheduler {
    pub(crate) queue: Queue,
    pub(crate) live: HashMap<JobId, Arc<Live>>,
    /// Waiting jobs that nobody here can run.
    pub(crate) unhandled: HashSet<JobId>,
    pub(crate) deadlines: BTreeSet<(Timestamp, JobId)>,
    pub(crate) scans: Vec<Arc<Scan>>,
    pub(crate) phase: Phase,
    /// Places given to submissions that are being stored.
    reserved: [usize; 2],
    pub(crate) running: usize,
    pub(crate) threads: usize,
}

/// How far a shutdown is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Jobs come and go.
    Open,
    /// Running jobs may end, no other starts.
    Draining,
    /// Threads end.
    Closed,
}

/// What a worker does next.
pub(crate) enum Work {
    Job(Arc<Live>),
    Help(Arc<Scan>),
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("store", &self.store).field("handlers", &self.handlers).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts to set up an engine over `store`.
    #[must_use]
    pub fn builder(store: Arc<dyn Store>) -> EngineBuilder {
        EngineBuilder::new(store)
    }

    pub(crate) fn open(
        store: Arc<dyn Store>,
        handlers: Handlers,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<Self, EngineError> {
        let shared = Arc::new(Shared::new(store, handlers, clock, config));
        recover::recover(&shared)?;
        let pool = Pool::start(&shared)?;
        Ok(Self { shared, pool })
    }

    /// Takes a job. When this returns, the job is stored as durably as the engine is set to
    /// ([`EngineBuilder::durability`]) and will run, in this process or the next. Concurrent submissions share
    /// one fsync.
    ///
    /// With an idempotency key that was used before, or a result that may be reused, the job that is there
    /// comes back instead.
    ///
    /// # Errors
    /// [`EngineError::QueueFull`], [`ShuttingDown`](EngineError::ShuttingDown),
    /// [`Unhealthy`](EngineError::Unhealthy), [`InvalidSpec`](EngineError::InvalidSpec): nothing was stored.
    /// [`Store`](EngineError::Store): the store failed, and the job will not run unless it can be found later.
    pub fn submit(&self, spec: JobSpec) -> Result<JobHandle, EngineError> {
        let mut handles = self.shared.submit(vec![spec], None)?;
        handles.pop().ok_or(EngineError::ShuttingDown)
    }

    /// As [`submit`](Self::submit), but waits for room in the queue, at most `timeout`.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); `QueueFull` when there was no room in time.
    pub fn submit_timeout(&self, spec: JobSpec, timeout: Duration) -> Result<JobHandle, EngineError> {
        let mut handles = self.shared.submit(vec![spec], Some(until(timeout)))?;
        handles.pop().ok_or(EngineError::ShuttingDown)
    }

    /// Takes many jobs at once, all or none, with one write. Handles come in the order of `specs`.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_all(&self, specs: Vec<JobSpec>) -> Result<Vec<JobHandle>, EngineError> {
        self.shared.submit(specs, None)
    }

    /// The handle of a job, unfinished or finished; `None` if there is no such job.
    ///
    /// # Errors
    /// When the store fails.
    pub fn job(&self, id: JobId) -> Result<Option<JobHandle>, EngineError> {
        self.shared.handle(id)
    }

    /// Asks for the end of a job. A waiting one is cancelled when this returns; a running one shows
    /// `cancelling`, and is cancelled at its next checkpoint. Asking again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`], [`EngineError::AlreadyComplete`], or the store fails.
    pub fn cancel(&self, id: JobId) -> Result<JobRecord, EngineError> {
        self.job(id)?.ok_or(EngineError::UnknownJob(id))?.cancel()
    }

    /// Reads jobs and results; may be cloned and sent anywhere, and outlives the engine.
    #[must_use]
    pub fn reader(&self) -> JobReader {
        JobReader::with_reads(Arc::clone(&self.shared.store), Arc::clone(&self.shared.reads))
    }

    /// Removes a finished job with its rows; `false` if there was none. The space comes back in the background.
    ///
    /// # Errors
    /// When the job is unfinished or pinned, or the store fails.
    pub fn remove(&self, id: JobId) -> Result<bool, EngineError> {
        Ok(self.shared.store.remove(id)?)
    }

    /// Why a job waits, how far it is, or why it ended.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`], or the store fails.
    pub fn explain(&self, id: JobId) -> Result<Explanation, EngineError> {
        let handle = self.job(id)?.ok_or(EngineError::UnknownJob(id))?;
        Ok(Explanation::of(&self.shared, &handle.live()))
    }

    /// Every change of every job from now on.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.shared.watchers.add(None)
    }

    /// What the engine does at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.shared)
    }

    /// Whether outcomes can be stored.
    ///
    /// # Errors
    /// [`EngineError::Unhealthy`] says what fails.
    pub fn health(&self) -> Result<(), EngineError> {
        self.shared.health.check()
    }

    /// Runs the job that is next on the calling thread; `false` if none is ready. For engines with
    /// `workers(0)`: tests that decide themselves what happens when.
    pub fn run_one(&self) -> bool {
        match self.shared.try_next() {
            Some(live) => {
                worker::run(&self.shared, &live);
                true
            }
            None => false,
        }
    }

    /// Does what is due by the clock now: deadlines, retention, noting what was read. Engines with workers have
    /// a thread for it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn tick(&self) -> Result<(), EngineError> {
        self.shared.expire();
        self.shared.sweep()
    }

    /// Shuts down in order: takes no more jobs and starts none, gives running ones `grace` to end, then tells
    /// them to stop, and leaves those that do not obey within the stop grace to the next open.
    pub fn shutdown(mut self, grace: Duration) -> Shutdown {
        self.pool.stop(&self.shared, grace)
    }
}

/// The state that a shutdown left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Jobs that wait for the next open.
    pub waiting: usize,
    /// Jobs whose bodies did not stop in time; the next open runs them again.
    pub abandoned: usize,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.pool.stop(&self.shared, Duration::ZERO);
    }
}

impl Shared {
    fn new(store: Arc<dyn Store>, handlers: Handlers, clock: Arc<dyn Clock>, config: Config) -> Self {
        let limits = Limits { ageing: config.ageing, per_graph: config.per_graph, per_class: config.per_class };
        let scheduler = Scheduler {
            queue: Queue::new(limits),
            live: HashMap::new(),
            unhandled: HashSet::new(),
            deadlines: BTreeSet::new(),
            scans: Vec::new(),
            phase: Phase::Open,
            reserved: [0; 2],
            running: 0,
            threads: 0,
        };
        Self {
            width: Spare::new(config.threads.saturating_sub(config.workers)),
            store,
            handlers,
            clock,
            config,
            metrics: Metrics::default(),
            watchers: Watchers::default(),
            health: Health::default(),
            reads: Arc::default(),
            ids: IdSource::default(),
            scheduler: Mutex::new(scheduler),
            work: Condvar::new(),
            room: Condvar::new(),
            quiet: Condvar::new(),
            keeper: Condvar::new(),
            stopping: AtomicBool::new(false),
        }
    }

    pub(crate) fn scheduler(&self) -> parking_lot::MutexGuard<'_, Scheduler> {
        self.scheduler.lock()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Stores new jobs and queues them. `wait`: `None` refuses at once when there is no room; else until when to
    /// wait for it.
    #[expect(clippy::option_option, reason = "no wait, or a wait with or without an end")]
    fn submit(
        self: &Arc<Self>,
        specs: Vec<JobSpec>,
        wait: Option<Option<Instant>>,
    ) -> Result<Vec<JobHandle>, EngineError> {
        for spec in &specs {
            spec.check()?;
        }
        self.health.check()?;
        let mut found: Vec<Option<JobHandle>> =
            specs.iter().map(|spec| self.find_existing(spec)).collect::<Result<_, _>>()?;
        let new: Vec<&JobSpec> =
            specs.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(spec, _)| spec).collect();
        if !new.is_empty() {
            let mut stored = self.store_new(&new, wait)?.into_iter();
            for place in found.iter_mut().filter(|place| place.is_none()) {
                *place = stored.next();
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The job that stands for this request already.
    fn find_existing(self: &Arc<Self>, spec: &JobSpec) -> Result<Option<JobHandle>, EngineError> {
        let options = spec.options();
        if let Some(key) = &options.idempotency_key
            && let Some(id) = self.store.find_key(spec.graph_name(), key)?
            && let Some(handle) = self.handle(id)?
        {
            return Ok(Some(handle));
        }
        if options.reuse
            && let Some(id) = self.store.find_finished(spec)?
        {
            return self.handle(id);
        }
        Ok(None)
    }

    #[expect(clippy::option_option, reason = "no wait, or a wait with or without an end")]
    fn store_new(
        self: &Arc<Self>,
        specs: &[&JobSpec],
        wait: Option<Option<Instant>>,
    ) -> Result<Vec<JobHandle>, EngineError> {
        let places = count_classes(specs);
        self.reserve(places, wait)?;
        let now = self.clock.now();
        let records: Vec<JobRecord> =
            specs.iter().map(|&spec| JobRecord::waiting(self.ids.next(now), spec.clone(), now)).collect();
        let stored = self.insert(&records);
        let mut scheduler = self.scheduler();
        for (held, places) in scheduler.reserved.iter_mut().zip(places) {
            *held -= places;
        }
        if let Err(error) = stored {
            drop(scheduler);
            self.room.notify_all();
            return self.taken_meanwhile(specs, wait, error);
        }
        let lives: Vec<Arc<Live>> = records.into_iter().map(|record| Arc::new(Live::new(record))).collect();
        for live in &lives {
            self.enqueue(&mut scheduler, live);
        }
        let closed = scheduler.phase == Phase::Closed;
        drop(scheduler);
        for live in &lives {
            if closed {
                // Stored and acknowledged; the next open runs it.
                live.lose(EngineError::ShuttingDown);
            }
            self.watchers.tell(&live.record());
        }
        self.metrics.submitted(lives.len());
        Ok(lives.into_iter().map(|live| JobHandle::new(Arc::clone(self), live)).collect())
    }

    /// Another thread submitted the same idempotency key between our look and our write: its job is the answer.
    #[expect(clippy::option_option, reason = "no wait, or a wait with or without an end")]
    fn taken_meanwhile(
        self: &Arc<Self>,
        specs: &[&JobSpec],
        wait: Option<Option<Instant>>,
        error: StoreError,
    ) -> Result<Vec<JobHandle>, EngineError> {
        let keyed = specs.iter().any(|spec| spec.options().idempotency_key.is_some());
        if error.kind != ErrorKind::AlreadyExists || !keyed {
            return Err(error.into());
        }
        // One by one, so that two requests of this batch under one key become one job as well.
        specs
            .iter()
            .map(|&spec| match self.find_existing(spec)? {
                Some(handle) => Ok(handle),
                None if specs.len() > 1 => {
                    self.store_new(&[spec], wait)?.pop().ok_or_else(|| EngineError::Store(error.clone()))
                }
                None => Err(EngineError::Store(error.clone())),
            })
            .collect()
    }

    /// Inserts, and believes the store rather than the error: a write may have happened although it was
    /// reported as failed.
    fn insert(&self, records: &[JobRecord]) -> Result<(), StoreError> {
        self.store.insert(records, self.config.durability).or_else(|error| match records.first() {
            Some(first) if error.kind.is_retryable() && self.store.get(first.id) == Ok(Some(first.clone())) => Ok(()),
            _ => Err(error),
        })
    }

    #[expect(clippy::option_option, reason = "no wait, or a wait with or without an end")]
    fn reserve(&self, places: [usize; 2], wait: Option<Option<Instant>>) -> Result<(), EngineError> {
        let mut scheduler = self.scheduler();
        loop {
            if scheduler.phase != Phase::Open {
                return Err(EngineError::ShuttingDown);
            }
            let Some(class) = self.full(&scheduler, places) else { break };
            let full = EngineError::QueueFull { class, bound: self.config.queue_bound };
            match wait {
                None => return Err(full),
                Some(None) => self.room.wait(&mut scheduler),
                Some(Some(until)) => {
                    if self.room.wait_until(&mut scheduler, until).timed_out() {
                        return if self.full(&scheduler, places).is_some() { Err(full) } else { continue };
                    }
                }
            }
        }
        for (held, places) in scheduler.reserved.iter_mut().zip(places) {
            *held += places;
        }
        Ok(())
    }

    /// The class that has no room for that many more.
    fn full(&self, scheduler: &Scheduler, places: [usize; 2]) -> Option<JobClass> {
        JobClass::ALL.into_iter().zip(scheduler.reserved).zip(places).find_map(|((class, reserved), places)| {
            let taken = scheduler.queue.waiting(class) + reserved;
            (places > 0 && taken + places > self.config.queue_bound).then_some(class)
        })
    }

    /// Puts a waiting job where a worker finds it.
    pub(crate) fn enqueue(&self, scheduler: &mut Scheduler, live: &Arc<Live>) {
        let record = live.record();
        if let Some(deadline) = record.spec.options().deadline {
            scheduler.deadlines.insert((deadline, record.id));
            self.keeper.notify_one();
        }
        scheduler.live.insert(record.id, Arc::clone(live));
        if self.handlers.find(record.spec.kind()).is_none() {
            scheduler.unhandled.insert(record.id);
            return;
        }
        scheduler.queue.push(waiting(&record));
        self.work.notify_one();
    }

    pub(crate) fn handle(self: &Arc<Self>, id: JobId) -> Result<Option<JobHandle>, EngineError> {
        let live = self.scheduler().live.get(&id).cloned();
        let live = match live {
            Some(live) => live,
            None => match self.store.get(id)? {
                Some(record) => Arc::new(Live::new(record)),
                None => return Ok(None),
            },
        };
        Ok(Some(JobHandle::new(Arc::clone(self), live)))
    }

    /// What a worker does next; waits for it. `None` when the thread is to end.
    pub(crate) fn next(&self) -> Option<Work> {
        let mut scheduler = self.scheduler();
        loop {
            if scheduler.phase == Phase::Closed {
                return None;
            }
            if scheduler.phase == Phase::Open
                && let Some(live) = Self::pop(&mut scheduler, self.clock.now())
            {
                self.room.notify_all();
                return Some(Work::Job(live));
            }
            if let Some(scan) = scheduler.scans.iter().find(|scan| scan.has_work()) {
                return Some(Work::Help(Arc::clone(scan)));
            }
            match scheduler.queue.next_due() {
                Some(due) if scheduler.phase == Phase::Open => {
                    let pause = due.since(self.clock.now()).max(Duration::from_millis(1));
                    self.work.wait_for(&mut scheduler, pause);
                }
                _ => self.work.wait(&mut scheduler),
            }
        }
    }

    /// The job that is next, if one is.
    fn try_next(&self) -> Option<Arc<Live>> {
        let mut scheduler = self.scheduler();
        let live = if scheduler.phase == Phase::Open { Self::pop(&mut scheduler, self.clock.now()) } else { None };
        self.room.notify_all();
        live
    }

    fn pop(scheduler: &mut Scheduler, now: Timestamp) -> Option<Arc<Live>> {
        while let Some(id) = scheduler.queue.pop(now) {
            if let Some(live) = scheduler.live.get(&id) {
                scheduler.running += 1;
                return Some(Arc::clone(live));
            }
            scheduler.queue.finish(id, Duration::ZERO);
        }
        None
    }

    /// A worker is done with a job: it is complete, waits again, or is left to the next open.
    pub(crate) fn release(&self, live: &Arc<Live>, used: Duration) {
        let mut scheduler = self.scheduler();
        scheduler.queue.finish(live.id, used);
        scheduler.running -= 1;
        // Read under this lock: whoever cancels it later finds it in the queue.
        let record = live.record();
        if record.state == job_core::JobState::Waiting {
            self.enqueue(&mut scheduler, live);
        } else {
            scheduler.forget(&record);
        }
        drop(scheduler);
        // A place under a limit is free.
        self.work.notify_one();
        self.quiet.notify_all();
    }

    /// Offers the partitions of a scan to idle workers.
    pub(crate) fn offer(&self, scan: &Arc<Scan>) {
        self.scheduler().scans.push(Arc::clone(scan));
        self.work.notify_all();
    }

    pub(crate) fn withdraw(&self, scan: &Arc<Scan>) {
        self.scheduler().scans.retain(|other| !Arc::ptr_eq(other, scan));
    }

    /// One move of a job: applies the event, stores the next record, then shows it.
    pub(crate) fn advance(
        &self,
        live: &Live,
        event: Event,
        durability: Durability,
    ) -> Result<JobRecord, AdvanceError> {
        let mut state = live.lock();
        let next = state.record.apply(event, self.clock.now())?;
        self.replace(&next, durability)?;
        state.record = next.clone();
        Ok(next)
    }

    /// Replaces, and believes the store rather than the error.
    pub(crate) fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        self.store.replace(next, durability).or_else(|error| self.already(next, error))
    }

    /// A write that was reported as failed may have happened: then the next try meets its own revision.
    pub(crate) fn already(&self, next: &JobRecord, error: StoreError) -> Result<(), StoreError> {
        if error.kind == ErrorKind::Conflict && self.store.get(next.id)?.as_ref() == Some(next) {
            return Ok(());
        }
        Err(error)
    }

    pub(crate) fn cancel(&self, live: &Live) -> Result<JobRecord, EngineError> {
        let record = {
            let mut state = live.lock();
            if let Some(attempt) = &state.attempt
                && state.record.state == (job_core::JobState::Running { cancelling: true })
            {
                // Asked before: nothing new to store, but the flag may still have to be seen.
                attempt.token.stop(StopCause::Cancel);
                return Ok(state.record.clone());
            }
            let next = state
                .record
                .apply(Event::Cancel, self.clock.now())
                .map_err(|_| EngineError::AlreadyComplete(live.id))?;
            self.replace(&next, self.config.durability)?;
            state.record = next.clone();
            if let Some(attempt) = &state.attempt {
                attempt.token.stop(StopCause::Cancel);
            }
            next
        };
        self.ended_waiting(live, &record);
        Ok(record)
    }

    /// After a waiting job has changed without a worker: takes it out of the queue and tells.
    fn ended_waiting(&self, live: &Live, record: &JobRecord) {
        self.watchers.tell(record);
        if record.state.is_complete() {
            let mut scheduler = self.scheduler();
            scheduler.queue.remove(record.id);
            scheduler.forget(record);
            drop(scheduler);
            self.room.notify_all();
            self.metrics.ended(record);
            live.tell_end();
        }
    }

    /// Ends what is past its deadline: waiting jobs at once, running ones at their next checkpoint.
    pub(crate) fn expire(&self) {
        let now = self.clock.now();
        loop {
            let live = {
                let mut scheduler = self.scheduler();
                match scheduler.deadlines.first() {
                    Some(&(due, id)) if due <= now => {
                        scheduler.deadlines.pop_first();
                        scheduler.live.get(&id).cloned()
                    }
                    _ => return,
                }
            };
            if let Some(live) = live {
                self.expire_one(&live);
            }
        }
    }

    fn expire_one(&self, live: &Live) {
        if let Some(attempt) = live.attempt() {
            attempt.token.stop(StopCause::Deadline);
            return;
        }
        let failure = job_core::Failure::new(job_core::FailureKind::Deadline, "its deadline passed while it waited");
        match self.advance(live, Event::Expire(failure), self.config.durability) {
            Ok(record) => self.ended_waiting(live, &record),
            // A worker took it at this moment; its own checkpoint looks at the deadline.
            Err(AdvanceError::Illegal) => {}
            Err(AdvanceError::Store(error)) => {
                tracing::warn!(job = %live.id, %error, "a deadline could not be recorded; it is tried again");
                let due = live.record().spec.options().deadline;
                let mut scheduler = self.scheduler();
                // Not at once: the store needs time.
                let again = crate::clock::after(self.clock.now(), Duration::from_secs(1));
                scheduler.deadlines.insert((due.map_or(again, |due| due.max(again)), live.id));
            }
        }
    }

    /// Removes what retention does not keep, and notes what was read.
    pub(crate) fn sweep(&self) -> Result<(), EngineError> {
        self.sweep_reads()?;
        if !self.config.retention.is_off() {
            let removed = retention::sweep(&*self.store, self.config.retention, self.clock.now())?;
            self.metrics.removed(removed);
        }
        Ok(())
    }

    /// Notes when results were last read.
    pub(crate) fn sweep_reads(&self) -> Result<(), EngineError> {
        let reads = self.reads.take();
        if reads.is_empty() { Ok(()) } else { Ok(self.store.touch(&reads)?) }
    }

    /// Waits until the keeper has something to do; `false` when it is to end.
    pub(crate) fn keeper_waits(&self, at_most: Duration) -> bool {
        let mut scheduler = self.scheduler();
        if scheduler.phase == Phase::Closed {
            return false;
        }
        let next = scheduler.deadlines.first().map(|&(due, _)| due.since(self.clock.now()));
        let pause = next.map_or(at_most, |next| next.min(at_most)).max(Duration::from_millis(1));
        self.keeper.wait_for(&mut scheduler, pause);
        scheduler.phase != Phase::Closed
    }

    /// Goes to the next phase of a shutdown and wakes everybody who should know.
    pub(crate) fn enter(&self, phase: Phase) {
        self.scheduler().phase = phase;
        for condition in [&self.work, &self.room, &self.keeper, &self.quiet] {
            condition.notify_all();
        }
    }

    /// Tells every running job to stop. Whoever starts meanwhile sees the flag after it can be told.
    pub(crate) fn stop_running(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let lives: Vec<_> = self.scheduler().live.values().cloned().collect();
        for live in lives {
            if let Some(attempt) = live.attempt() {
                attempt.token.stop(StopCause::Shutdown);
            }
        }
    }
}

impl Scheduler {
    fn forget(&mut self, record: &JobRecord) {
        self.live.remove(&record.id);
        self.unhandled.remove(&record.id);
        if let Some(deadline) = record.spec.options().deadline {
            self.deadlines.remove(&(deadline, record.id));
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

fn count_classes(specs: &[&JobSpec]) -> [usize; 2] {
    JobClass::ALL.map(|class| specs.iter().filter(|spec| spec.options().class == class).count())
}

fn waiting(record: &JobRecord) -> Waiting {
    Waiting {
        id: record.id,
        class: record.spec.options().class,
        graph: record.spec.graph_name().to_owned(),
        priority: record.spec.options().priority,
        submitted_at: record.submitted_at,
        not_before: record.not_before,
    }
}
