//! [`JobHandle`]: one job of an engine, to wait for, read and cancel.

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

/// A handle of one job. Clones are handles of the same job. Dropping all of them does not change the job.
///
/// A caller waits for the job on any thread ([`wait`](Self::wait)) or in any async runtime (`.await`).
///
/// The body of another job may wait too. Its worker then runs other jobs. While it waits, it does not count
/// against the workers, nor against the limits of its graph and class. So the awaited job can run. It goes on when
/// these limits have room for it again.
///
/// The wait ends with an error that the body should return (`?`). [`EngineError::ToldToStop`] means that the
/// waiting job is cancelled or late, or that its engine shuts down. [`EngineError::CannotWait`] means that the
/// jobs would wait for each other, as far as one engine can see, or that too many jobs wait already. In an engine
/// without workers, the thread that waits runs the awaited job.
pub struct JobHandle {
    core: Arc<EngineCore>,
    entry: Arc<Entry>,
    /// Set while this handle is polled inside the body of another job.
    waiting: Option<Waiting>,
    /// Set once it was polled elsewhere; dropped with the future.
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

    /// The record as this engine knows it. It is the stored one, unless another engine may have changed the job
    /// since: [`refresh`](Self::refresh) reads it. Cost: a copy in memory; it never calls the store.
    #[must_use]
    pub fn record(&self) -> JobRecord {
        self.entry.record()
    }

    /// The record as the store has it now. It is read only if another engine may change the job.
    /// [`snapshot`](Self::snapshot) and [`progress`](Self::progress) are up to date from then on.
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
    /// [`EngineError::UnknownJob`] when the job was removed. Also when the store fails.
    pub fn refresh(&self) -> Result<JobRecord, EngineError> {
        self.core.refresh(&self.entry)
    }

    /// The progress of the job. While it runs in this engine it is the body's last report. A succeeded job has all
    /// of its steps done, and a cancelled one has its progress at the end. It is empty otherwise.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Look::at(&self.core, &self.entry).progress(self.core.clock.now())
    }

    /// The state of the job at one moment: [`record`](Self::record), [explanation](crate::Engine::explain) and
    /// [`progress`](Self::progress). Separate calls of those may be of different moments.
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

    /// Blocks the thread until the job is complete. Its end and its rows are then stored, as durably as
    /// [`EngineBuilder::durability`](crate::EngineBuilder::durability) says.
    ///
    /// # Errors
    /// When the job will not complete in this process: [`EngineError::LeftUnfinished`] after a shutdown of the
    /// engine. In an engine without workers also [`EngineError::Unhealthy`] while the store fails: the caller has
    /// to try again.
    pub fn wait(&self) -> Result<JobRecord, EngineError> {
        self.prepare()?;
        waiting::wait(&self.core, &self.entry, None).unwrap_or(Err(EngineError::LeftUnfinished(self.entry.id)))
    }

    /// As [`wait`](Self::wait), for at most `timeout`; `None` if the job is not complete by then.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<JobRecord>, EngineError> {
        self.prepare()?;
        waiting::wait(&self.core, &self.entry, until(timeout)).transpose()
    }

    /// Waits for all of these jobs together, for at most `timeout`. Their records come in the order of the jobs, with any
    /// outcome. With no time at all it only looks, which is how a test asks an engine without threads.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use job_runner::{Engine, JobContext, JobHandle, JobSpec, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .algorithm("answer", |ctx: &mut JobContext| Ok(ctx.set_output("answer", &42)?))
    ///     .open()?;
    /// let jobs = engine.submit_all((0..3).map(|_| JobSpec::algorithm("answer").with_graph("movies")))?;
    /// let records = JobHandle::wait_all(&jobs, Duration::from_secs(60))?;
    /// assert!(records.len() == 3 && records.iter().all(|record| record.state.is_complete()));
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::NotEnded`] says which jobs did not end in time, and why each has not. As [`wait`](Self::wait) of the
    /// first job that cannot be waited for.
    pub fn wait_all<'h>(
        jobs: impl IntoIterator<Item = &'h Self>,
        timeout: Duration,
    ) -> Result<Vec<JobRecord>, EngineError> {
        let (jobs, until): (Vec<&Self>, _) = (jobs.into_iter().collect(), until(timeout));
        let mut ended = Vec::with_capacity(jobs.len());
        let mut left = Vec::new();
        for job in &jobs {
            job.prepare()?;
            if let Some(record) = waiting::wait(&job.core, &job.entry, until).transpose()? {
                ended.push(record);
                continue;
            }
            match job.snapshot() {
                // Since.
                JobSnapshot { record, .. } if record.state.is_complete() => ended.push(record),
                JobSnapshot { explanation, .. } => left.push((job.id(), explanation.to_string())),
            }
        }
        if left.is_empty() {
            Ok(ended)
        } else {
            Err(EngineError::NotEnded { jobs: left, all: jobs.len(), timeout })
        }
    }

    /// Called before a wait: has the engine look at the job, and reads its present state where that is needed.
    fn prepare(&self) -> Result<(), EngineError> {
        self.core.source.watch_remote(&self.entry);
        self.core.try_refresh(&self.entry);
        if attempt::catch_up(&self.core) || self.entry.end().is_some() { Ok(()) } else { self.core.health.check() }
    }

    /// Calls `callback` when the job is complete, on the thread that completes it, or at once if it is complete.
    /// Keep it short. If the job does not complete in this process, the callback is dropped without a call, as
    /// soon as that is known.
    pub fn on_complete(&self, callback: impl FnOnce(&JobRecord) + Send + 'static) {
        self.entry.on_complete(Box::new(callback));
        self.core.source.watch_remote(&self.entry);
    }

    /// The changes of this job from now on, up to its end. If another engine runs the job, this engine sees its
    /// state at each look, and not each change between two looks.
    #[must_use]
    pub fn watch(&self) -> JobEvents {
        self.core.source.watch_remote(&self.entry);
        self.entry.watch()
    }

    /// Resolves when the job's record, its progress, its rows or its place in the queue has changed. First call
    /// it, then read the job, then await: no change is missed then. The passing of time is no change. It resolves
    /// at once if the job cannot change any more.
    ///
    /// The future works in any runtime. Dropping it leaves no thread and no listener.
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
    /// [`EngineError::AlreadyComplete`], or [`EngineError::Closed`] after a shutdown, since another engine may
    /// have the job by then. Also when the store fails.
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

    /// As [`status`](Self::status), in this dialect. While the job runs in this engine, the answer has its rows so
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

    /// A page of the rows. While the job runs in this engine, the page has its rows so far and is marked
    /// [`partial`](Page::is_partial). The offset of a row never changes.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`] when the job was removed. Also when the store fails.
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

/// Resolves when the job is complete. It works in any runtime, and many tasks may poll clones of it.
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
    /// The end, if it is known. Otherwise `waker` is woken at the end, as long as this future exists.
    fn listen(&mut self, waker: &Waker) -> Option<Result<JobRecord, EngineError>> {
        let mut end = self.entry.end();
        if end.is_none() {
            let known = self.listening.take().filter(|listening| listening.goes_on(waker));
            let begin = || Listening::begin(&self.entry, Listener::Task(News::End, Some(waker.clone())));
            self.listening = Some(known.unwrap_or_else(begin));
            // The end may have come just before the listener was added.
            end = self.entry.end();
        }
        if end.is_some() {
            self.listening = None;
        }
        end
    }

    /// Polls inside the body of a job. The stop of that job wakes no parked thread, so it looks again and again.
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
