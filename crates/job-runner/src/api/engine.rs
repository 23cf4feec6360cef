//! [`Engine`]: takes jobs, runs them on a fixed pool of threads, answers for them.

use std::{sync::Arc, time::Duration};

use job_core::{JobId, JobRecord, JobSpec};
use job_store::{ErrorKind, Seat, SharedStore, Store, StoreError};

use crate::{
    api::{
        builder::{EngineBuilder, SharedEngineBuilder},
        driver::Driver,
        explain::Explanation,
        handle::JobHandle,
        submit::Patience,
    },
    engine::{config::Config, core::EngineCore, ids::IdSource, scheduler::Shutdown, source::Source, stats::Stats},
    handler::Handlers,
    job::{
        entry::{Entry, until},
        error::EngineError,
        events::JobEvents,
    },
    read::reader::JobReader,
    seam::clock::Clock,
    worker::pool,
};

/// The job engine of one store: takes jobs, runs them, answers for them.
///
/// One engine has a store for itself ([`builder`](Self::builder)); share the engine (`Arc<Engine>`), not the store: a
/// second one is refused. Or several engines, in any number of processes, share a store that is made for it
/// ([`builder_shared`](Self::builder_shared)). Dropping it stops the running jobs and leaves what is unfinished to the
/// next open; it waits for them no longer than [`EngineBuilder::shutdown_timeout`]. Then the store is free for another
/// engine. A body that did not stop may be left behind. Once the next engine has taken up its job, every write of that
/// body is refused.
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
}

impl Engine {
    /// Starts to set up an engine over `store`.
    #[must_use]
    pub fn builder(store: Arc<dyn Store>) -> EngineBuilder {
        EngineBuilder::new(store)
    }

    /// Starts to set up one of several engines that share `store`, which is a claimant of its own for each of them.
    ///
    /// A job is submitted to any of them, and run by one that has a handler of its kind and a free worker. Any of them
    /// cancels it, waits for it and reads it. One without handlers only submits, cancels and reads: a front end. When
    /// an engine dies, its jobs are run again by others after at most a lease ([`EngineBuilder::lease_duration`]), as
    /// another attempt.
    ///
    /// Each engine has its own number of workers and threads, limits per graph and class, fair shares of graphs, and
    /// ageing. Jobs are claimed by priority, then age. There is no bound on what waits in a shared store. A deadline
    /// of a waiting job takes effect when an engine claims it. The times in records, deadlines and pauses before
    /// another attempt are by the clock of the engine that writes them. So the clocks of the machines should agree to
    /// about a second. Leases are by the store's clock. Handles see the changes that other engines make when the store
    /// tells of them, which is at once as a rule.
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
        let ids = IdSource::after(highest_id(&*store)?);
        let core = Arc::new(EngineCore::new(store, source, handlers, clock, config, seat, ids));
        core.source.open(&core)?;
        pool::start(&core)?;
        Ok(Self { core })
    }

    /// Takes a job. When this returns, the job is stored as durably as the engine is set to
    /// ([`EngineBuilder::durability`]) and will run, in this process or the next. Concurrent submissions share
    /// one fsync.
    ///
    /// The existing job comes back when the idempotency key was used before for the same request, or when a result may
    /// be reused. A job that has failed or was cancelled has its key no more.
    ///
    /// # Errors
    /// [`EngineError::QueueFull`], [`ShuttingDown`](EngineError::ShuttingDown),
    /// [`Unhealthy`](EngineError::Unhealthy), [`InvalidSpec`](EngineError::InvalidSpec), [`KeyTaken`](EngineError::KeyTaken):
    /// nothing was stored.
    /// [`Store`](EngineError::Store): the store failed, and the job will not run unless it can be found later.
    pub fn submit(&self, spec: JobSpec) -> Result<JobHandle, EngineError> {
        self.submit_one(spec, Patience::None)
    }

    /// As [`submit`](Self::submit), but waits for room in the queue, at most `timeout`.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); `QueueFull` when there was no room in time.
    pub fn submit_timeout(&self, spec: JobSpec, timeout: Duration) -> Result<JobHandle, EngineError> {
        self.submit_one(spec, Patience::Until(until(timeout)))
    }

    /// Takes many jobs at once, all or none, with one write. Handles come in the order of `specs`. A request that is
    /// made many times can be shared: `Arc<JobSpec>` will do.
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

    /// The handle of a job, unfinished or finished; `None` if there is no such job.
    ///
    /// # Errors
    /// When the store fails.
    pub fn job(&self, id: JobId) -> Result<Option<JobHandle>, EngineError> {
        Ok(self.core.find(id)?.map(|entry| self.handle(entry)))
    }

    /// Asks for the end of a job. A waiting one is cancelled when this returns; a running one shows
    /// `cancelling`, and is cancelled at its next check. Asking again changes nothing.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`], [`EngineError::AlreadyComplete`], [`EngineError::Closed`] after a shutdown,
    /// or the store fails.
    pub fn cancel(&self, id: JobId) -> Result<JobRecord, EngineError> {
        self.job(id)?.ok_or(EngineError::UnknownJob(id))?.cancel()
    }

    /// Reads jobs and results; may be cloned and sent anywhere, and outlives the engine.
    #[must_use]
    pub fn reader(&self) -> JobReader {
        JobReader::with_reads(Arc::clone(self.core.store()), Arc::clone(&self.core.reads))
    }

    /// Removes a finished job with its rows, or one that [cannot be read](crate::Unreadable); `false` if there was none. The space comes back in the background. With
    /// either [`Durability`](crate::Durability), a power cut soon after may bring the job back, whole.
    ///
    /// # Errors
    /// When the job is unfinished or pinned, or the store fails.
    pub fn remove(&self, id: JobId) -> Result<bool, EngineError> {
        let entry = self.core.scheduler().registry.get(id).cloned();
        if let Some(entry) = entry.filter(|entry| entry.lock().place.is_here()) {
            let detail = format!("it is {}: cancel it first", entry.record().state);
            return Err(StoreError::new(ErrorKind::Invalid, "remove the record", detail).on(id).into());
        }
        let removed = self.core.store().remove(id)?;
        self.core.aside.forget(id);
        Ok(removed)
    }

    /// Why a job waits, how far it is, or why it ended.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`], or the store fails.
    pub fn explain(&self, id: JobId) -> Result<Explanation, EngineError> {
        let job = self.job(id)?.ok_or(EngineError::UnknownJob(id))?;
        job.refresh()?;
        Ok(job.snapshot().explanation)
    }

    /// Every change of every job from now on; on a shared store, of the jobs that this engine runs or waits for.
    #[must_use]
    pub fn watch(&self) -> JobEvents {
        self.core.events.lock().join(None)
    }

    /// The engine's state at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Whether outcomes can be stored, and whether the engine's threads live. A job that cannot be read does not count:
    /// [`Stats::unreadable`] names it.
    ///
    /// # Errors
    /// [`EngineError::Unhealthy`] says what fails, until the store works again; no job is taken meanwhile.
    /// [`EngineError::ThreadPanicked`] for a minute, by the clock of the engine, after one of its threads has panicked
    /// outside of every handler and callback. The thread has been started anew, jobs are taken and run, and
    /// [`Stats::thread_panics`] goes on counting. In a process that was forked from the one that opened the engine it
    /// is always unhealthy: the threads of the engine stayed there.
    pub fn health(&self) -> Result<(), EngineError> {
        self.core.health.report(self.core.clock.now())
    }

    /// Drives an engine that has no threads ([`EngineBuilder::manual`]), step by step: for tests that decide themselves
    /// what happens when.
    #[must_use]
    pub const fn driver(&self) -> Driver<'_> {
        Driver::new(&self.core)
    }

    /// Shuts down in order. The engine takes no more jobs and starts none, gives running ones `grace` to end, then
    /// tells them to stop. It leaves those that do not stop within the stop grace to the next open.
    ///
    /// Returns at the end of it; afterwards the engine only answers for what it has, and another may be opened on the
    /// store. A second call does nothing, and answers the same.
    ///
    /// A body that is left behind can do nothing more: every call of its context fails, and nothing it does is stored. A
    /// handler may shut its own engine down or drop the last of it: its own job is left behind at once.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn shutdown(&self, grace: Duration) -> Shutdown {
        pool::stop(&self.core, grace)
    }
}

/// The greatest id that is stored.
fn highest_id(store: &dyn Store) -> Result<JobId, StoreError> {
    match store.list(None, 0, 1) {
        Ok(newest) => Ok(newest.first().map_or(JobId::MIN, |record| record.id)),
        // Its record is damaged, which concerns no other job.
        Err(StoreError { kind: ErrorKind::Corrupt, job: Some(id), .. }) => Ok(id),
        Err(error) => Err(error),
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        pool::stop(&self.core, Duration::ZERO);
    }
}
