//! [`JobHandle`]: one job, for those who wait for it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use job_core::{JobId, JobRecord, JobState, PageRequest, wire::Dialect};

use crate::{
    api::snapshot::{JobSnapshot, Look},
    engine::{core::EngineCore, watch::Watch},
    job::{
        entry::{Entry, until},
        error::EngineError,
        progress::Progress,
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
/// Also inside the body of another job. That job's seat is free while it waits: it counts neither as one of the workers'
/// jobs nor against the limits of its graph and class, so what it waits for can run. It goes on when there is a place for it
/// under these limits again. The wait ends with an error that the body should return (`?`): [`EngineError::ToldToStop`]
/// when the waiting job is cancelled, late, or its engine shuts down; [`EngineError::CannotWait`] when the jobs would wait
/// for each other, as far as one engine can see, or when too many wait already. An engine without workers runs the job
/// that is waited for on the thread that waits.
pub struct JobHandle {
    shared: Arc<EngineCore>,
    entry: Arc<Entry>,
    /// While it is polled inside the body of another job.
    waiting: Option<Waiting>,
}

impl Clone for JobHandle {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared), Arc::clone(&self.entry))
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("id", &self.entry.id).finish_non_exhaustive()
    }
}

impl JobHandle {
    pub(crate) const fn new(shared: Arc<EngineCore>, entry: Arc<Entry>) -> Self {
        Self { shared, entry, waiting: None }
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.entry.id
    }

    /// The job as the store has it now. Of a job that another engine may change, that is a read; the last that is known,
    /// if it fails.
    #[must_use]
    pub fn record(&self) -> JobRecord {
        self.shared.source.refresh(&self.shared, &self.entry);
        self.entry.record()
    }

    /// How far it is: while it runs, in this engine, how far the body says that it is; of a job that has succeeded, all
    /// of it; of a cancelled one, how far it was. Empty otherwise.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Look::at(&self.shared, &self.entry).progress()
    }

    /// Everything about the job at one moment: [`record`](Self::record), [explanation](crate::Engine::explain) and
    /// [`progress`](Self::progress), which asked for one after the other may be of different moments.
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
        self.shared.source.refresh(&self.shared, &self.entry);
        JobSnapshot::of(&self.shared, &self.entry)
    }

    /// Waits until the job is complete.
    ///
    /// # Errors
    /// When it will not complete in this process: [`EngineError::LeftUnfinished`] when the engine was shut down first. Of an
    /// engine without workers also [`EngineError::Unhealthy`] while the store fails: nothing goes on until its caller
    /// tries again.
    pub fn wait(&self) -> Result<JobRecord, EngineError> {
        self.prepare()?;
        waiting::wait(&self.shared, &self.entry, None).unwrap_or(Err(EngineError::LeftUnfinished(self.entry.id)))
    }

    /// As [`wait`](Self::wait), at most `timeout`; `None` when it is not complete by then.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<JobRecord>, EngineError> {
        self.prepare()?;
        waiting::wait(&self.shared, &self.entry, until(timeout)).transpose()
    }

    /// Before a wait: what can be known of the job at once.
    fn prepare(&self) -> Result<(), EngineError> {
        self.shared.source.watch(&self.entry);
        self.shared.source.refresh(&self.shared, &self.entry);
        if attempt::catch_up(&self.shared) || self.entry.end().is_some() {
            Ok(())
        } else {
            self.shared.health.check()
        }
    }

    /// Calls `callback` when the job is complete, on the thread that completes it (at once if it is): keep it
    /// short. Dropped without a call, at once if that is known, if the job does not complete in this process.
    pub fn on_end(&self, callback: impl FnOnce(&JobRecord) + Send + 'static) {
        self.entry.on_end(Box::new(callback));
        self.shared.source.watch(&self.entry);
    }

    /// Every change of this job from now on; ends with the job. Of a job that another engine runs, the changes that are
    /// there when this one looks.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.shared.source.watch(&self.entry);
        // Under the job's lock no change can come between the look and the watch.
        let state = self.entry.lock();
        if state.record.state.is_complete() || state.place.is_left() {
            Watch::ended()
        } else {
            self.shared.watchers.add(Some(self.entry.id))
        }
    }

    /// Has changes that other engines make to this job looked for from now on, as waiting does, and so told to
    /// [`Engine::watch`](crate::Engine::watch). Without effect on a store that is not shared.
    pub fn follow(&self) {
        self.shared.source.watch(&self.entry);
    }

    /// Asks for the end of the job; see [`Engine::cancel`](crate::Engine::cancel).
    ///
    /// # Errors
    /// [`EngineError::AlreadyComplete`]; [`EngineError::Closed`] when the engine is gone, because the job may be
    /// another's by now; or the store fails.
    pub fn cancel(&self) -> Result<JobRecord, EngineError> {
        self.shared.cancel(&self.entry)
    }

    /// The answer to a status query: the document's payload.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status(&self, page: PageRequest) -> Result<Status, EngineError> {
        self.reader().status(self.entry.id, page)
    }

    /// As [`status`](Self::status) in the words of this dialect, and while the job runs in this engine with the rows that
    /// are there so far, if there are any.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status_so_far(&self, dialect: Dialect, page: PageRequest) -> Result<Status, EngineError> {
        match self.running_page(page).filter(|rows| !rows.list().is_empty()) {
            Some(rows) => Ok(Status::with_rows(dialect.so_far(rows.list(), rows.total(), page), rows)),
            None => self.reader().status_in(dialect, self.entry.id, page),
        }
    }

    /// A page of the rows, also while the job runs in this engine: then what is there so far, marked
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
        Some(Page::whole(Arc::clone(self.shared.store()), self.entry.id, list, page).into_partial())
    }

    fn reader(&self) -> JobReader {
        JobReader::with_reads(Arc::clone(self.shared.store()), Arc::clone(&self.shared.reads))
    }
}

/// Resolves when the job is complete. Needs no particular runtime, and may be polled by many tasks.
impl Future for JobHandle {
    type Output = Result<JobRecord, EngineError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(body) = self.waiting.as_ref().map(|waiting| waiting.body().clone()).or_else(inside::body) {
            return self.poll_inside(&body, context);
        }
        let end = self.entry.poll(context.waker());
        if end.is_none() {
            self.shared.source.watch(&self.entry);
        }
        end.map_or(Poll::Pending, Poll::Ready)
    }
}

impl JobHandle {
    /// In the body of a job nobody would tell a parked thread that the job is to stop: it looks again and again.
    fn poll_inside(
        mut self: Pin<&mut Self>,
        body: &Body,
        context: &Context<'_>,
    ) -> Poll<Result<JobRecord, EngineError>> {
        let mut end = self.entry.end();
        if end.is_none() {
            self.shared.source.watch(&self.entry);
            let waiting = match self.waiting.take() {
                Some(waiting) => waiting,
                None => match Waiting::begin(body, &self.entry) {
                    Ok(waiting) => waiting,
                    Err(error) => return Poll::Ready(Err(error)),
                },
            };
            end = waiting.step(&self.shared, &self.entry, None);
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
