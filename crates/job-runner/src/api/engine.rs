//! [`Engine`]: takes jobs, runs them on a fixed number of threads, and gives their results.

use std::{sync::Arc, time::Duration};

use job_core::{JobId, JobKind, JobRecord, JobSpec, Parameters};
use job_store::{ErrorKind, Holder, Seat, SharedStore, Store, StoreError};

use crate::{
    api::{
        builder::{EngineBuilder, SharedEngineBuilder},
        crash::Victim,
        driver::Driver,
        explain::Explanation,
        handle::JobHandle,
        submit::Patience,
    },
    engine::{
        config::Config, core::EngineCore, figures::Figures, scheduler::Shutdown, source::Source, stats::Stats,
    },
    handler::{Handlers, declared::Declaration},
    job::{
        entry::{Entry, until},
        error::EngineError,
        events::JobEvents,
    },
    read::reader::JobReader,
    seam::clock::Clock,
    worker::pool,
};

/// The job engine of one store. It stores submitted jobs, runs them, and reads their results.
///
/// An engine has a store for itself ([`builder`](Self::builder)), and a second engine on it is refused: share the
/// engine (`Arc<Engine>`), not the store. Or several engines, in any number of processes, share a store that is
/// made for it ([`builder_shared`](Self::builder_shared)).
///
/// Dropping the engine stops the running jobs, waits for them at most [`EngineBuilder::shutdown_timeout`], and
/// leaves unfinished jobs to the next open. Then the store is free for another engine. A body that did not stop
/// may be left behind. Once the next engine has taken up its job, every write of that body is refused.
///
/// ```
/// use std::sync::Arc;
/// use job_runner::{Engine, JobContext, JobSpec, PageRequest, store::MemoryStore};
///
/// let engine = Engine::builder(Arc::new(MemoryStore::default()))
///     .vertex_filter(|ctx: &mut JobContext| {
///         let mut rows = ctx.rows("vertices")?;
///         for name in ["Sarah", "Sidney"] {
///             ctx.check_stopped()?;
///             rows.push(name)?;
///         }
///         Ok(())
///     })
///     .open()?;
/// let handle = engine.submit(JobSpec::vertex_filter().with_graph("movies"))?;
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
    core: Arc<EngineCore>,
    /// A crash finds it by this.
    victim: Option<Arc<Victim>>,
}

impl Engine {
    /// Begins the set-up of an engine that has `store` for itself.
    #[must_use]
    pub fn builder(store: Arc<dyn Store>) -> EngineBuilder {
        EngineBuilder::new(store)
    }

    /// Begins the set-up of one of several engines that share a store. `store` is the claimant of this engine
    /// alone.
    ///
    /// A job can be submitted to any of these engines. One that has a handler for its kind and a free worker runs
    /// it. Any of them can cancel it, wait for it and read it. An engine without handlers is a front end: it only
    /// submits, cancels and reads. When an engine dies, others run its jobs again after at most a lease
    /// ([`EngineBuilder::lease_duration`]), as another attempt.
    ///
    /// Each engine has its own number of workers and threads, limits per graph and class, fair shares of graphs,
    /// and ageing. Jobs are claimed by priority, then by age. The number of waiting jobs in a shared store is not
    /// bounded. The deadline of a waiting job takes effect when an engine claims it. Times in records, deadlines
    /// and pauses before another attempt go by the clock of the engine that writes them. So the clocks of the
    /// machines should agree to about a second. Leases go by the store's clock. Handles see the changes of other
    /// engines when the store announces them, which is at once as a rule.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobContext, JobSpec, store::{MemoryStore, SharedMemory}};
    ///
    /// let store = SharedMemory::new(MemoryStore::default());
    /// let worker = Engine::builder_shared(Arc::new(store.claimant()))
    ///     .algorithm("answer", |ctx: &mut JobContext| Ok(ctx.set_output("answer", &42)?))
    ///     .open()?;
    /// let front = Engine::builder_shared(Arc::new(store)).front_end().open()?;
    /// let record = front.submit(JobSpec::algorithm("answer").with_graph("movies"))?.wait()?;
    /// assert!(record.state.is_complete());
    /// # drop(worker);
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    #[must_use]
    pub fn builder_shared(store: Arc<dyn SharedStore>) -> SharedEngineBuilder {
        EngineBuilder::sharing(store)
    }

    pub(crate) fn open(
        store: Arc<dyn Store>,
        source: Arc<dyn Source>,
        handlers: Handlers,
        clock: Arc<dyn Clock>,
        config: Config,
        seat: Seat,
    ) -> Result<Self, EngineError> {
        let highest = highest_id(&*store)?;
        let core = Arc::new(EngineCore::new(store, source, handlers, clock, config, seat, highest));
        core.source.open(&core)?;
        pool::start(&core)?;
        Ok(Self { core, victim: None })
    }

    /// A crash may end it.
    pub(crate) fn mortal(mut self, victim: Option<Arc<Victim>>) -> Self {
        self.victim = victim;
        if let Some(victim) = &self.victim {
            victim.is(&self.core);
        }
        self
    }

    /// Submits a job. When this returns, the job is stored as durably as the engine is set to
    /// ([`EngineBuilder::durability`]) and will run, in this process or the next. Concurrent submissions share one
    /// fsync.
    ///
    /// Returns an existing job if the same request has used the idempotency key before, or if a finished result
    /// may be reused. A failed or cancelled job has lost its key.
    ///
    /// # Errors
    /// Nothing is stored after [`EngineError::QueueFull`], [`ShuttingDown`](EngineError::ShuttingDown),
    /// [`Unhealthy`](EngineError::Unhealthy), [`InvalidSpec`](EngineError::InvalidSpec),
    /// [`UnknownKind`](EngineError::UnknownKind), [`Refused`](EngineError::Refused) or
    /// [`KeyTaken`](EngineError::KeyTaken). After [`Store`](EngineError::Store) the store failed: the job runs
    /// only if it can be found later.
    pub fn submit(&self, spec: JobSpec) -> Result<JobHandle, EngineError> {
        self.submit_one(spec, Patience::None)
    }

    /// As [`submit`](Self::submit), but waits for room in the queue, at most `timeout`.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); `QueueFull` if there was no room in time.
    pub fn submit_timeout(&self, spec: JobSpec, timeout: Duration) -> Result<JobHandle, EngineError> {
        self.submit_one(spec, Patience::Until(until(timeout)))
    }

    /// Submits many jobs with one write, all or none. Handles come in the order of `specs`. A request that is
    /// submitted many times can be shared as an `Arc<JobSpec>`.
    ///
    /// # Errors
    /// As [`submit`](Self::submit).
    pub fn submit_all<S: Into<Arc<JobSpec>>>(
        &self,
        specs: impl IntoIterator<Item = S>,
    ) -> Result<Vec<JobHandle>, EngineError> {
        let specs: Vec<Arc<JobSpec>> = specs.into_iter().map(Into::into).collect();
        Ok(self.core.submit(&specs, Patience::None)?.into_iter().map(|entry| self.handle(entry)).collect())
    }

    fn submit_one(&self, spec: JobSpec, patience: Patience) -> Result<JobHandle, EngineError> {
        let mut entries = self.core.submit(&[spec.into()], patience)?;
        entries.pop().map(|entry| self.handle(entry)).ok_or(EngineError::ShuttingDown)
    }

    fn handle(&self, entry: Arc<Entry>) -> JobHandle {
        JobHandle::new(Arc::clone(&self.core), entry)
    }

    /// Whether this engine has a handler for jobs of this kind.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobContext, JobKind, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .vertex_filter(|_: &mut JobContext| Ok(()))
    ///     .open()?;
    /// assert!(engine.handles(&JobKind::VertexFilter) && !engine.handles(&JobKind::EdgeFilter));
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    #[must_use]
    pub fn handles(&self, kind: &JobKind) -> bool {
        self.core.handlers.has(kind)
    }

    /// The handle of a job, unfinished or finished; `None` if there is no such job.
    ///
    /// # Errors
    /// When the store fails.
    pub fn job(&self, id: JobId) -> Result<Option<JobHandle>, EngineError> {
        Ok(self.core.find(id)?.map(|entry| self.handle(entry)))
    }

    /// The handle of an unfinished job that this engine has in memory; `None` for any other, about which
    /// [`job`](Self::job) asks the store. It never blocks, so an async task may call it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobSpec, JobState, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default())).accept_any_kind().open()?;
    /// let id = engine.submit(JobSpec::vertex_filter().with_graph("movies"))?.id();
    /// assert_eq!(engine.job_in_memory(id).map(|job| job.record().state), Some(JobState::Waiting));
    /// engine.cancel(id)?;
    /// assert!(engine.job_in_memory(id).is_none() && engine.job(id)?.is_some());
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    #[must_use]
    pub fn job_in_memory(&self, id: JobId) -> Option<JobHandle> {
        self.core.known(id).map(|entry| self.handle(entry))
    }

    /// Asks for the end of a job. A waiting job is cancelled when this returns. A running one is `cancelling`, and
    /// is cancelled at its next check. Asking again changes nothing. The request is stored as durably as a
    /// submission.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`], [`EngineError::AlreadyComplete`], or [`EngineError::Closed`] after a shutdown.
    /// Also when the store fails.
    pub fn cancel(&self, id: JobId) -> Result<JobRecord, EngineError> {
        self.job(id)?.ok_or(EngineError::UnknownJob(id))?.cancel()
    }

    /// A reader of jobs and results. It may be cloned and sent to any thread, and outlives the engine.
    #[must_use]
    pub fn reader(&self) -> JobReader {
        JobReader::with_reads(Arc::clone(self.core.store()), Arc::clone(&self.core.reads))
    }

    /// Removes a finished job with its rows, or one that [cannot be read](crate::Unreadable); `false` if there is
    /// none. The space comes back in the background. With either [`Durability`](crate::Durability), the whole job
    /// may be there again after a power cut soon afterwards.
    ///
    /// # Errors
    /// When the job is unfinished or pinned, or the store fails.
    pub fn remove(&self, id: JobId) -> Result<bool, EngineError> {
        let entry = self.core.scheduler().registry.get(id).cloned();
        // A job whose end is stored may be its worker's for a moment longer.
        let unfinished = |entry: &Arc<Entry>| {
            let state = entry.lock();
            state.place.is_here() && !state.record.state.is_complete()
        };
        if let Some(entry) = entry.filter(unfinished) {
            let detail = format!("it is {}: cancel it first", entry.record().state);
            return Err(StoreError::new(ErrorKind::Invalid, "remove the record", detail).on(id).into());
        }
        let removed = self.core.store().remove(id)?;
        self.core.aside.forget(id);
        Ok(removed)
    }

    /// Explains why a job waits, its progress, or why it ended.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`], or the store fails.
    pub fn explain(&self, id: JobId) -> Result<Explanation, EngineError> {
        let job = self.job(id)?.ok_or(EngineError::UnknownJob(id))?;
        job.refresh()?;
        Ok(job.snapshot().explanation)
    }

    /// The engine on a shared store that has a job, and the end of its lease. `None` if no engine has it, or if this engine
    /// has its store for itself. Cost: a point read.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use job_runner::{Engine, JobContext, JobSpec, store::{MemoryStore, SharedMemory}};
    /// let store = Arc::new(SharedMemory::new(MemoryStore::default()));
    /// let (end, ended) = std::sync::mpsc::channel::<()>();
    /// let ended = std::sync::Mutex::new(ended);
    /// let engine = Engine::builder_shared(store)
    ///     .algorithm("long", move |_: &mut JobContext| {
    ///         let _ = ended.lock().unwrap().recv();
    ///         Ok(())
    ///     })
    ///     .open()?;
    /// let job = engine.submit(JobSpec::algorithm("long").with_graph("movies"))?;
    /// let holder = loop {
    ///     if let Some(holder) = engine.holder(job.id())? {
    ///         break holder;
    ///     }
    /// };
    /// assert!(holder.is_asked);
    /// # drop(end);
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    ///
    /// # Errors
    /// When the store fails.
    pub fn holder(&self, id: JobId) -> Result<Option<Holder>, EngineError> {
        Ok(self.core.source.holder(id)?)
    }

    /// The changes of all jobs from now on. On a shared store these are the jobs that this engine runs or waits
    /// for.
    #[must_use]
    pub fn watch(&self) -> JobEvents {
        self.core.events.lock().join(None)
    }

    /// The kinds of work that have a handler or a declaration, in the order of their names, filters first.
    #[must_use]
    pub fn kinds(&self) -> Vec<(JobKind, Option<Declaration>)> {
        self.core.handlers.declared()
    }

    /// The parameters of a request for this kind of work without those that the engine leaves out, and the names of those.
    /// A server that checks a request itself asks first. Without
    /// [`ignore_unknown_parameters`](EngineBuilder::ignore_unknown_parameters) all parameters stay.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Declaration, Engine, JobKind, Parameters, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .declare(JobKind::VertexFilter, Declaration::new("Vertices"))
    ///     .ignore_unknown_parameters()
    ///     .open()?;
    /// let given = Parameters::from_text(r#"{"lables":[]}"#.to_owned())?;
    /// let (known, ignored) = engine.known_parameters(&JobKind::VertexFilter, given);
    /// assert_eq!((known.as_str(), ignored), ("{}", vec!["lables".to_owned()]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn known_parameters(&self, kind: &JobKind, parameters: Parameters) -> (Parameters, Vec<String>) {
        self.core.handlers.known(kind, parameters)
    }

    /// The load of the engine, now and in the last 15 minutes. Unlike [`stats`](Self::stats) it waits for no job
    /// and no store.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.core.figures()
    }

    /// The engine's state at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Whether outcomes can be stored, and whether the engine's threads run. An unreadable job does not count:
    /// [`Stats::unreadable`] names it.
    ///
    /// # Errors
    /// [`EngineError::Unhealthy`] with the failure, until the store works again. No job is taken meanwhile.
    /// [`EngineError::ThreadPanicked`] after one of its threads has panicked outside of every handler and
    /// callback, for a minute by the engine's clock. That thread was started again, jobs are taken and run, and
    /// [`Stats::thread_panics`] counts it. A process that was forked from the one that opened the engine is always
    /// unhealthy, since it does not have the threads.
    pub fn health(&self) -> Result<(), EngineError> {
        self.core.health.report(self.core.clock.now())
    }

    /// The driver of an engine without threads ([`EngineBuilder::manual`]). A test decides with it what happens at
    /// which time.
    #[must_use]
    pub const fn driver(&self) -> Driver<'_> {
        Driver::new(&self.core)
    }

    /// Shuts down in order. The engine takes and starts no more jobs, gives running ones `grace` to end, then
    /// tells them to stop. Those that do not stop within [`EngineBuilder::shutdown_timeout`] are left to the next
    /// open.
    ///
    /// Returns when the shutdown is over. After it the engine still answers about its jobs, and another one may be
    /// opened on the store. A second call does nothing, and returns the same answer.
    ///
    /// Every call to the context of a body that was left behind fails, and none of its writes is stored. A handler
    /// may shut its own engine down or drop the last handle of it. Its own job is then left behind at once.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn shutdown(&self, grace: Duration) -> Shutdown {
        pool::stop(&self.core, grace)
    }
}

/// The greatest id that is stored.
fn highest_id(store: &dyn Store) -> Result<JobId, StoreError> {
    match store.list(None, 0, 1) {
        Ok(newest) => Ok(newest.first().map_or(JobId::MIN, |record| record.id)),
        // The newest record is damaged, but its id is known.
        Err(StoreError { kind: ErrorKind::Corrupt, job: Some(id), .. }) => Ok(id),
        Err(error) => Err(error),
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        pool::stop(&self.core, Duration::ZERO);
    }
}
