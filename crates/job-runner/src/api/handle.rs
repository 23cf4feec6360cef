//! [`JobHandle`]: one job, for those who wait for it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use job_core::{JobId, JobRecord, JobState, PageRequest, wire::Dialect};

use crate::{
    api::{
        changed::Changed,
        snapshot::{JobSnapshot, Look},
    },
    engine::core::EngineCore,
    job::{
        entry::{Entry, until},
        error::EngineError,
        events::JobEvents,
        progress::Progress,
        signal::{Listener, Listening, News},
    },
    read::{
        page::Page,
        reader::{JobReader, Status},
    },
    record::attempt,
    worker::{
        inside::{self, Body},
        waiting::{self, Waiting},
    },
};

/// A job of an engine. Clones are the same job; dropping all of them changes nothing about it.
///
/// It can be waited for from any thread ([`wait`](Self::wait)) and from any async runtime (`.await`).
///
/// Also inside the body of another job. That job's seat is free while it waits. It counts neither as one of the
/// workers' jobs nor against the limits of its graph and class, so the awaited job can run. It goes on when there is a
/// place for it under these limits again. The wait ends with an error that the body should return (`?`). It is
/// [`EngineError::ToldToStop`] when the waiting job is cancelled, late, or its engine shuts down. It is
/// [`EngineError::CannotWait`] when the jobs would wait for each other, as far as one engine can see, or when too many
/// wait already. An engine without workers runs the job that is waited for on the thread that waits.
pub struct JobHandle {
    core: Arc<EngineCore>,
    entry: Arc<Entry>,
    /// While it is polled inside the body of another job.
    waiting: Option<Waiting>,
    /// Since it was polled elsewhere; gone with the future.
    listening: Option<Listening<Entry>>,
}

impl Clone for JobHandle {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.core), Arc::clone(&self.entry))
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.entry.id).finish_non_exhaustive()
    }
}

impl JobHandle {
    pub(crate) const fn new(core: Arc<EngineCore>, entry: Arc<Entry>) -> Self {
        Self { core, entry, waiting: None, listening: None }
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.entry.id
    }

    /// The job as this engine knows it. That is how the store has it, unless another engine may have changed it since:
    /// [`refresh`](Self::refresh) asks. Cost: a copy in memory; it never calls the store.
    #[must_use]
    pub fn record(&self) -> JobRecord {
        self.entry.record()
    }

    /// The job as the store has it now. That is a read if another engine may change it, and else what is known here.
    /// [`snapshot`](Self::snapshot) and [`progress`](Self::progress) are as new from then on.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobContext, JobSpec, store::{MemoryStore, SharedMemory}};
    ///
    /// let store = SharedMemory::new(MemoryStore::default());
    /// let worker = Engine::builder_shared(Arc::new(store.claimant()))
    ///     .algorithm("nothing", |_: &mut JobContext| Ok(()))
    ///     .open()?;
    /// let front = Engine::builder_shared(Arc::new(store)).front_end().open()?;
    /// let job = front.submit(JobSpec::algorithm("nothing").with_graph("movies"))?;
    /// worker.job(job.id())?.ok_or("it is there")?.wait()?;
    /// assert!(job.refresh()?.state.is_complete() && job.record().state.is_complete());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`] when it was removed; or the store fails.
    pub fn refresh(&self) -> Result<JobRecord, EngineError> {
        self.core.refresh(&self.entry)
    }

    /// The progress of the job. While it runs in this engine it is the body's last report. A succeeded job has all of
    /// it, and a cancelled one the progress at its end. Empty otherwise.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Look::at(&self.core, &self.entry).progress()
    }

    /// All that this engine knows of the job at one moment: [`record`](Self::record),
    /// [explanation](crate::Engine::explain) and [`progress`](Self::progress). Asked for one after the other, they may
    /// be of different moments.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, Explanation, JobContext, JobSpec, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .vertex_filter(|ctx: &mut JobContext| ctx.rows("vertices")?.push("Sarah"))
    ///     .open()?;
    /// let job = engine.submit(JobSpec::vertex_filter().with_graph("movies"))?;
    /// job.wait()?;
    /// let done = job.snapshot();
    /// assert_eq!((done.progress.percent(), done.rows), (100, 1));
    /// assert_eq!(done.explanation, Explanation::Succeeded(done.record.size));
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> JobSnapshot {
        JobSnapshot::of(&self.core, &self.entry)
    }

    /// Blocks the thread until the job is complete. Its end and its rows are stored then, as durably as
    /// [`EngineBuilder::durability`](crate::EngineBuilder::durability) says.
    ///
    /// # Errors
    /// When it will not complete in this process: [`EngineError::LeftUnfinished`] when the engine was shut down first. Of an
    /// engine without workers also [`EngineError::Unhealthy`] while the store fails: nothing goes on until its caller
    /// tries again.
    pub fn wait(&self) -> Result<JobRecord, EngineError> {
        self.prepare()?;
        waiting::wait(&self.core, &self.entry, None).unwrap_or(Err(EngineError::LeftUnfinished(self.entry.id)))
    }

    /// As [`wait`](Self::wait), for at most `timeout`; `None` when it is not complete by then.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<JobRecord>, EngineError> {
        self.prepare()?;
        waiting::wait(&self.core, &self.entry, until(timeout)).transpose()
    }

    /// Before a wait: what can be known of the job at once.
    fn prepare(&self) -> Result<(), EngineError> {
        self.core.source.watch_remote(&self.entry);
        self.core.try_refresh(&self.entry);
        if attempt::catch_up(&self.core) || self.entry.end().is_some() { Ok(()) } else { self.core.health.check() }
    }

    /// Calls `callback` when the job is complete, on the thread that completes it (at once if it is): keep it
    /// short. Dropped without a call, at once if that is known, if the job does not complete in this process.
    pub fn on_complete(&self, callback: impl FnOnce(&JobRecord) + Send + 'static) {
        self.entry.on_complete(Box::new(callback));
        self.core.source.watch_remote(&self.entry);
    }

    /// Every change of this job from now on; ends with the job. Of a job that another engine runs, this engine sees the
    /// state at each look, and not each change between two.
    #[must_use]
    pub fn watch(&self) -> JobEvents {
        self.core.source.watch_remote(&self.entry);
        self.entry.watch()
    }

    /// Resolves when the job's record, its progress, its rows or its place in the queue has changed. Begin it, then look:
    /// a change between the two is not missed. The passing of time is no change. It resolves at once when nothing can
    /// change any more.
    ///
    /// Needs no particular runtime. One that is dropped leaves nothing behind.
    ///
    /// ```
    /// # use std::{pin::pin, sync::Arc, task::{Context, Wake, Waker}, thread::{self, Thread}};
    /// # use job_runner::{Engine, JobContext, JobHandle, JobSpec, store::MemoryStore};
    /// # struct Unpark(Thread);
    /// # impl Wake for Unpark {
    /// #     fn wake(self: Arc<Self>) { self.0.unpark() }
    /// # }
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     let waker = Waker::from(Arc::new(Unpark(thread::current())));
    /// #     let mut future = pin!(future);
    /// #     loop {
    /// #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
    /// #             std::task::Poll::Ready(value) => return value,
    /// #             std::task::Poll::Pending => thread::park(),
    /// #         }
    /// #     }
    /// # }
    /// async fn explained(job: JobHandle) -> Vec<String> {
    ///     let mut explained = Vec::new();
    ///     loop {
    ///         let changed = job.changed();
    ///         let now = job.snapshot();
    ///         explained.push(now.explanation.to_string());
    ///         if now.record.state.is_complete() {
    ///             return explained;
    ///         }
    ///         changed.await;
    ///     }
    /// }
    /// # let engine = Engine::builder(Arc::new(MemoryStore::default()))
    /// #     .algorithm("nothing", |_: &mut JobContext| Ok(()))
    /// #     .open()?;
    /// # let job = engine.submit(JobSpec::algorithm("nothing").with_graph("movies"))?;
    /// # assert_eq!(block_on(explained(job)).pop().as_deref(), Some("it succeeded with 0 rows"));
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    pub fn changed(&self) -> Changed {
        self.core.source.watch_remote(&self.entry);
        Changed::any(&self.core, &self.entry)
    }

    /// As [`changed`](Self::changed), but not for progress, rows or the place in the queue.
    pub fn state_changed(&self) -> Changed {
        self.core.source.watch_remote(&self.entry);
        Changed::of(&self.entry, News::State)
    }

    /// Asks for the end of the job; see [`Engine::cancel`](crate::Engine::cancel). The request is stored when this
    /// returns.
    ///
    /// # Errors
    /// [`EngineError::AlreadyComplete`]; [`EngineError::Closed`] when the engine is gone, because the job may be
    /// another's by now; or the store fails.
    pub fn cancel(&self) -> Result<JobRecord, EngineError> {
        self.core.cancel(&self.entry)
    }

    /// The answer to a status query: the document's payload. Cost: the record and the result's head; rows are read when
    /// the answer is written.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status(&self, page: PageRequest) -> Result<Status, EngineError> {
        self.reader().status(self.entry.id, page)
    }

    /// As [`status`](Self::status) in the words of this dialect. While the job runs in this engine, it has the rows so
    /// far, if there are any.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status_so_far(&self, dialect: Dialect, page: PageRequest) -> Result<Status, EngineError> {
        match self.running_page(page).filter(|rows| !rows.list().is_empty()) {
            Some(rows) => Ok(Status::with_rows(dialect.so_far(rows.list(), rows.total(), page), rows)),
            None => self.reader().status_in(dialect, self.entry.id, page),
        }
    }

    /// A page of the rows. While the job runs in this engine it has the rows so far, marked
    /// [`partial`](Page::is_partial), with offsets that will not change.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`] when the job was removed; or the store fails.
    pub fn page(&self, page: PageRequest) -> Result<Page, EngineError> {
        self.running_page(page).map_or_else(|| self.reader().page(self.entry.id, page), Ok)
    }

    /// The rows of a job that runs in this engine.
    fn running_page(&self, page: PageRequest) -> Option<Page> {
        let attempt = {
            let state = self.entry.lock();
            match state.record.state {
                JobState::Running { .. } => state.place.attempt().cloned(),
                _ => None,
            }
        }?;
        let list = attempt.readable().unwrap_or_default();
        Some(Page::whole(Arc::clone(self.core.store()), self.entry.id, list, page).into_partial())
    }

    fn reader(&self) -> JobReader {
        JobReader::with_reads(Arc::clone(self.core.store()), Arc::clone(&self.core.reads))
    }
}

/// Resolves when the job is complete. Needs no particular runtime, and may be polled by many tasks.
impl Future for JobHandle {
    type Output = Result<JobRecord, EngineError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(body) = self.waiting.as_ref().map(|waiting| waiting.body().clone()).or_else(inside::body) {
            return self.poll_inside(&body, context);
        }
        let end = self.listen(context.waker());
        if end.is_none() {
            self.core.source.watch_remote(&self.entry);
        }
        end.map_or(Poll::Pending, Poll::Ready)
    }
}

impl JobHandle {
    /// The end if it is there; else `waker` is woken when it is, as long as this future is there.
    fn listen(&mut self, waker: &Waker) -> Option<Result<JobRecord, EngineError>> {
        let mut end = self.entry.end();
        if end.is_none() {
            let known = self.listening.take().filter(|listening| listening.goes_on(waker));
            let begin = || Listening::begin(&self.entry, Listener::Task(News::End, Some(waker.clone())));
            self.listening = Some(known.unwrap_or_else(begin));
            // It may have come just before.
            end = self.entry.end();
        }
        if end.is_some() {
            self.listening = None;
        }
        end
    }

    /// In the body of a job no thread would wake a parked one when the job is to stop: so it looks again and again.
    fn poll_inside(
        mut self: Pin<&mut Self>,
        body: &Body,
        context: &Context<'_>,
    ) -> Poll<Result<JobRecord, EngineError>> {
        let mut end = self.entry.end();
        if end.is_none() {
            self.core.source.watch_remote(&self.entry);
            let waiting = match self.waiting.take() {
                Some(waiting) => waiting,
                None => match Waiting::begin(body, &self.entry) {
                    Ok(waiting) => waiting,
                    Err(error) => return Poll::Ready(Err(error)),
                },
            };
            end = waiting.step(&self.core, &self.entry, None);
            self.waiting = Some(waiting);
        }
        let Some(end) = end else {
            context.waker().wake_by_ref();
            return Poll::Pending;
        };
        match self.waiting.take() {
            Some(waiting) => waiting.end(Some(end)).map_or(Poll::Pending, Poll::Ready),
            None => Poll::Ready(end),
        }
    }
}
