//! [`JobContext`]: the inputs and outputs of the body of a job.

use std::{
    collections::VecDeque,
    ops::{ControlFlow, Range},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use job_core::{InvalidOutput, JobId, JobResult, JobSpec, RowList, Segment};
use job_store::{ErrorKind, StoreError};
use serde::Serialize;

use crate::{
    handler::{
        partition::{self, Partition, ScanOptions},
        rows::{RowWriter, SegmentBuffer},
        saved::{Call, Saved},
        services::Services,
        threads::{Grant, ThreadPermits},
    },
    job::{
        attempt::Attempt,
        cancel::{CancelToken, StopCause},
        entry::Entry,
        error::JobError,
        progress::Task,
    },
    seam::{shield, sync::Mutex},
};

/// The context of a handler: the request, the rows and values of the result, and the request to stop.
///
/// If the engine has shut down and left the body behind, because it did not stop in time, every fallible call
/// fails.
///
/// The body may share it with threads of its own (`&JobContext` is `Send`).
#[derive(Debug)]
pub struct JobContext {
    core: Arc<Core>,
}

/// The part of the context that the threads of one body share, as in `scan`.
#[derive(Debug)]
pub(crate) struct Core {
    services: Arc<dyn Services>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) spec: Arc<JobSpec>,
    /// Segments that are closed later, because their writer was dropped or the store is still writing them.
    parked: Mutex<VecDeque<SegmentBuffer>>,
    closed: Mutex<Vec<Segment>>,
    /// Writers of rows that are not dropped yet.
    writers: AtomicUsize,
    /// Threads that the body was granted.
    permits: Mutex<Vec<Weak<Grant>>>,
    /// The next iterative algorithm of this attempt.
    iterations: Mutex<Call>,
    /// The saved state for the next attempt; `None` before it was read.
    saved: Mutex<Option<Versioned>>,
}

/// The saved state, and how often it has changed.
#[derive(Debug, Clone, Default)]
struct Versioned {
    version: u64,
    saved: Saved,
}

impl Core {
    pub(crate) fn new(
        services: Arc<dyn Services>,
        entry: Arc<Entry>,
        attempt: Arc<Attempt>,
        spec: Arc<JobSpec>,
    ) -> Self {
        Self {
            services,
            entry,
            attempt,
            spec,
            parked: Mutex::default(),
            closed: Mutex::default(),
            writers: AtomicUsize::new(0),
            permits: Mutex::default(),
            iterations: Mutex::default(),
            saved: Mutex::default(),
        }
    }

    pub(crate) fn services(&self) -> &dyn Services {
        &*self.services
    }

    pub(crate) fn writer_opened(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn writer_dropped(&self) {
        self.writers.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn park(&self, buffer: SegmentBuffer) {
        self.parked.lock().push_back(buffer);
    }

    /// Closes a segment now, or later if the store is still writing it. The worker goes on scanning meanwhile.
    pub(crate) fn settle(&self, mut buffer: SegmentBuffer) -> Result<(), JobError> {
        /// Bounds the number of files that are being written.
        const AT_MOST: usize = 4;
        if !buffer.settle(self)? {
            return self.close(buffer);
        }
        let oldest = {
            let mut parked = self.parked.lock();
            parked.push_back(buffer);
            if parked.len() > AT_MOST { parked.pop_front() } else { None }
        };
        oldest.map_or(Ok(()), |oldest| self.close(oldest))
    }

    fn close(&self, buffer: SegmentBuffer) -> Result<(), JobError> {
        if let Some(segment) = buffer.close(self)? {
            self.closed.lock().push(segment);
        }
        Ok(())
    }

    /// Drops the rows of these segments after their scan has failed. The body may go on and scan again.
    pub(crate) fn abandon(&self, segments: Range<u32>) {
        let of_scan = |number| segments.contains(&number);
        let gone: Vec<SegmentBuffer> = {
            let mut parked = self.parked.lock();
            let (gone, kept) =
                std::mem::take(&mut *parked).into_iter().partition(|buffer| of_scan(buffer.number()));
            *parked = kept;
            VecDeque::into(gone)
        };
        let mut rows = gone.iter().map(SegmentBuffer::rows).sum::<u64>();
        let mut bytes = gone.iter().map(SegmentBuffer::bytes).sum::<u64>();
        self.closed.lock().retain(|segment| {
            let gone = of_scan(segment.number);
            if gone {
                rows += segment.rows;
                bytes += segment.bytes;
            }
            !gone
        });
        self.attempt.abandon(segments.clone(), rows, bytes);
    }

    pub(crate) fn check_stopped(&self) -> Result<(), JobError> {
        self.stop_cause().map_or(Ok(()), |cause| Err(JobError::Stopped(cause)))
    }

    /// Why the body has to stop now.
    pub(crate) fn stop_cause(&self) -> Option<StopCause> {
        if let Some(deadline) = self.spec.options().deadline
            && self.attempt.token.cause().is_none()
            && self.services.clock().now() >= deadline
        {
            self.attempt.token.stop(StopCause::Deadline);
        }
        if self.attempt.is_lost() {
            // A lease ends by itself, also if the threads that renew it hang.
            Some(StopCause::LeaseLost)
        } else if self.attempt.is_left() {
            Some(StopCause::Shutdown)
        } else {
            self.attempt.token.cause()
        }
    }

    /// Stores the rows that are still in memory, and returns the whole result.
    pub(crate) fn result(&self) -> Result<JobResult, JobError> {
        if self.writers.load(Ordering::Relaxed) > 0 {
            return Err(JobError::failed(
                "the handler has forgotten a row writer, and its rows with it: drop every writer (mem::forget does not)",
            ));
        }
        let parked = std::mem::take(&mut *self.parked.lock());
        for buffer in parked {
            self.close(buffer)?;
        }
        let (outputs, list) = self.attempt.take_outputs();
        let mut segments = std::mem::take(&mut *self.closed.lock());
        segments.sort_unstable_by_key(|segment| segment.number);
        Ok(JobResult { outputs, list: list.map(|name| RowList::new(name, segments)) })
    }
}

impl Core {
    /// The state that this attempt or an earlier one saved.
    fn saved(&self) -> Result<Saved, StoreError> {
        if let Some(known) = &*self.saved.lock() {
            return Ok(known.saved.clone());
        }
        let found = match self.attempt.number {
            // The first attempt has no earlier state.
            1 => None,
            _ => shield::stored("read a checkpoint", || self.services.store().checkpoint(self.entry.id))?,
        };
        let found = Versioned { version: 0, saved: found.as_deref().map(Saved::decode).unwrap_or_default() };
        Ok(self.saved.lock().get_or_insert(found).saved.clone())
    }

    /// Changes the saved state, and stores the new one.
    fn save(&self, change: impl FnOnce(&mut Saved)) -> Result<(), StoreError> {
        match self.saved() {
            Ok(_) => {}
            // A damaged state is replaced.
            Err(error) if error.kind == ErrorKind::Corrupt => drop(self.saved.lock().get_or_insert_default()),
            Err(error) => return Err(error),
        }
        let (before, mut mine) = {
            let mut known = self.saved.lock();
            let known = known.get_or_insert_default();
            let before = known.saved.clone();
            known.version += 1;
            change(&mut known.saved);
            (before, known.clone())
        };
        loop {
            let state = mine.saved.encode();
            let save = || self.services.store().save_checkpoint(self.entry.id, self.attempt.number, &state);
            let stored = shield::stored("save a checkpoint", save);
            let mut known = self.saved.lock();
            let known = known.get_or_insert_default();
            if known.version == mine.version {
                if stored.is_err() {
                    known.saved = before;
                }
                return stored;
            }
            stored?;
            // Another thread has changed the state meanwhile, and may have stored it first.
            mine = known.clone();
        }
    }
}

/// One call of `iterate`. If the call does not succeed, later calls have other names.
struct Iteration<'c> {
    core: &'c Core,
    call: Call,
    is_well: bool,
}

impl<'c> Iteration<'c> {
    fn begin(core: &'c Core) -> Self {
        let mut next = core.iterations.lock();
        let call = *next;
        next.number = next.number.saturating_add(1);
        drop(next);
        Self { core, call, is_well: false }
    }
}

impl Drop for Iteration<'_> {
    fn drop(&mut self) {
        if !self.is_well {
            let mut next = self.core.iterations.lock();
            next.failed = next.failed.saturating_add(1);
        }
    }
}

/// Gives back the threads of permits that the body has forgotten, after it has returned.
impl Drop for JobContext {
    fn drop(&mut self) {
        let permits = std::mem::take(&mut *self.core.permits.lock());
        permits.iter().filter_map(Weak::upgrade).for_each(|grant| grant.give_back());
    }
}

impl JobContext {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.core.entry.id
    }

    /// The request.
    #[must_use]
    pub fn spec(&self) -> &JobSpec {
        &self.core.spec
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.core.attempt.number
    }

    /// Checks whether the body may go on. Call it about once a millisecond: it costs one atomic load, and one look
    /// at the clock if the job has a deadline.
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the body must stop now. Return it as it is (`?`).
    pub fn check_stopped(&self) -> Result<(), JobError> {
        self.core.check_stopped()
    }

    /// The flag behind [`check_stopped`](Self::check_stopped), for code that cannot hold the context.
    #[must_use]
    pub fn cancel_token(&self) -> CancelToken {
        self.core.attempt.token.clone()
    }

    /// Reports that `done` of `total` steps are done. The body chooses the size of a step.
    pub fn set_progress(&self, done: u64, total: u64) {
        self.core.attempt.counter.set(done, total);
    }

    /// Opens a named part of the job with its own progress.
    #[must_use]
    pub fn task(&self, name: &str) -> Task {
        self.core.attempt.counter.task(name)
    }

    /// Sets a named value of the result, such as `modularity`. A result has at most
    /// [`Outputs::MAX`](crate::Outputs::MAX) values, of 1 MiB together.
    ///
    /// # Errors
    /// When the name is taken or too long, when the value is not JSON, or when there are too many values or bytes.
    pub fn set_output<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), InvalidOutput> {
        self.core.attempt.output(name, value)
    }

    /// Opens the job's list `name` for appending. A second call with the same name appends after the existing
    /// rows. Several threads may open it at the same time: each writer fills its own segment.
    ///
    /// # Errors
    /// When the job has a list of another name, or the name is taken by a value.
    pub fn rows(&self, name: &str) -> Result<RowWriter<'_>, JobError> {
        let number = self.core.attempt.open_segments(name, 1)?;
        Ok(RowWriter::new(&self.core, number))
    }

    /// Runs `scan` over a range of ids in partitions, on this thread and on all idle workers. Readers get the rows
    /// in the order of ids, whichever worker wrote them. A worker looks for waiting jobs before each further
    /// partition, so a large scan never keeps all workers. Progress counts partitions.
    ///
    /// [`ScanOptions`] says how large a partition is. A store gathers some rows of a partition in memory (4 MiB as
    /// JSON in `RocksStore`). More rows are written while the next partition is scanned.
    ///
    /// # Errors
    /// The first error of `scan`; the other partitions then stop at their next check. The rows of a scan that
    /// fails or panics are dropped, so the body may go on and scan again. The rows are kept if the body was told
    /// to stop, or if a budget is used up.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobContext, JobSpec, Partition, ScanOptions, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .vertex_filter(|ctx: &mut JobContext| {
    ///         let ages: Arc<[u32]> = (0..10_000).map(|n| n % 90).collect();
    ///         ctx.scan("vertices", 0..10_000, ScanOptions::default(), move |part: &mut Partition<'_>| {
    ///             for id in part.ids() {
    ///                 if usize::try_from(id).ok().and_then(|id| ages.get(id)) == Some(&24) {
    ///                     part.push(&id)?;
    ///                 }
    ///             }
    ///             part.check_stopped()
    ///         })
    ///     })
    ///     .open()?;
    /// let record = engine.submit(JobSpec::vertex_filter().with_graph("people"))?.wait()?;
    /// assert_eq!(record.size.rows, 111);
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    pub fn scan<F>(&self, name: &str, ids: Range<u64>, options: ScanOptions, scan: F) -> Result<(), JobError>
    where
        F: Fn(&mut Partition<'_>) -> Result<(), JobError> + Send + Sync + 'static,
    {
        partition::scan(&self.core, name, ids, options, Box::new(scan))
    }

    /// As [`scan`](Self::scan) over ranges of the host's own kind: keys, files, shards of a graph whose ids are not
    /// `0..n`. Each range is a partition, on this thread or on an idle worker. Rows are read in the order of the ranges,
    /// so ranges in the order of their keys give rows in that order. Some 16 ranges for each worker share the work
    /// evenly. A range of about 100 ms keeps no waiting job from a worker for long.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    ///
    /// ```
    /// use std::{collections::BTreeMap, sync::Arc};
    /// use job_runner::{Engine, JobContext, JobSpec, Partition, store::MemoryStore};
    ///
    /// let ages: Arc<BTreeMap<&str, u32>> = Arc::new([("Aaron", 61), ("Sarah", 24), ("Sidney", 17)].into());
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .vertex_filter(move |ctx: &mut JobContext| {
    ///         let ages = Arc::clone(&ages);
    ///         ctx.scan_ranges("vertices", vec!["A".."M", "M".."T", "T".."["], move |range, part: &mut Partition<'_>| {
    ///             for (name, age) in ages.range(range.clone()) {
    ///                 part.check_stopped()?;
    ///                 if *age >= 18 {
    ///                     part.push(name)?;
    ///                 }
    ///             }
    ///             Ok(())
    ///         })
    ///     })
    ///     .open()?;
    /// let record = engine.submit(JobSpec::vertex_filter().with_graph("people"))?.wait()?;
    /// assert_eq!(record.size.rows, 2);
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    pub fn scan_ranges<R, F>(&self, name: &str, ranges: Vec<R>, scan: F) -> Result<(), JobError>
    where
        R: Send + Sync + 'static,
        F: Fn(&R, &mut Partition<'_>) -> Result<(), JobError> + Send + Sync + 'static,
    {
        let places = 0..ranges.len() as u64;
        let one_each = ScanOptions::default().partition_size(1);
        self.scan(name, places, one_each, move |part| {
            let range = usize::try_from(part.ids().start).ok().and_then(|place| ranges.get(place));
            range.map_or(Ok(()), |range| scan(range, part))
        })
    }

    /// Asks for up to `most` threads for the work inside this job, its own thread included. The engine grants at
    /// least 1, from one budget for all jobs. They go back when the guard is dropped, or at the end of the body.
    /// So all jobs together never use more threads than the engine has.
    #[must_use]
    pub fn acquire_threads(&self, most: usize) -> ThreadPermits {
        let granted = self.core.services.threads().grant(most);
        let mut permits = self.core.permits.lock();
        permits.retain(|known| known.strong_count() > 0);
        permits.push(granted.grant());
        granted
    }

    /// Reports that the body uses `bytes` bytes of memory now.
    ///
    /// # Errors
    /// When `bytes` is above the job's budget.
    pub fn report_memory(&self, bytes: u64) -> Result<(), JobError> {
        self.core.attempt.check_memory(bytes)
    }

    /// Stores a state from which the next attempt can go on after a crash. It replaces the last saved state, and
    /// leaves the state of an [iterative](Self::iterate) algorithm alone. When this returns, the state survives
    /// the death of the process, but not a power loss. Both states together have at most 64 MiB.
    ///
    /// # Errors
    /// When the store fails.
    pub fn save_checkpoint(&self, state: &[u8]) -> Result<(), JobError> {
        self.core.attempt.check()?;
        let state = Arc::from(state);
        Ok(self.core.save(|saved| saved.own = Some(state))?)
    }

    /// The state that [`save_checkpoint`](Self::save_checkpoint) saved last, in this attempt or an earlier one.
    ///
    /// # Errors
    /// When the store fails, or the stored state is damaged.
    pub fn load_checkpoint(&self) -> Result<Option<Vec<u8>>, JobError> {
        self.core.attempt.check()?;
        Ok(self.core.saved()?.own.map(|own| own.to_vec()))
    }

    /// Runs an iterative algorithm step by step, with a check and progress between steps. It saves the state every
    /// [`checkpoint_interval`](crate::EngineBuilder::checkpoint_interval), and begins with the state that an
    /// earlier attempt saved. A body may run several algorithms, one after the other. The next attempt continues
    /// the one that was running. The algorithms before it run again, and have to end as before, with success or
    /// failure. Otherwise the one that was running begins anew.
    ///
    /// # Errors
    /// The first error of a step, or of the store.
    pub fn iterate<I: Iterative>(&self, algorithm: &mut I) -> Result<(), JobError> {
        // The state of one algorithm must not be used for another.
        let mut iteration = Iteration::begin(&self.core);
        let call = iteration.call;
        let saved = self.core.saved()?.iterative;
        // This call must not replace the saved state of a later call.
        let later = saved.as_ref().is_some_and(|(saved, _)| saved.number > call.number);
        if let Some((_, state)) = saved.filter(|(saved, _)| *saved == call) {
            algorithm.restore(&state)?;
        }
        let every = self.core.services.checkpoint_interval();
        let mut saved_at = self.core.services.clock().now();
        loop {
            self.check_stopped()?;
            let flow = algorithm.step()?;
            let Range { start: done, end: total } = algorithm.progress();
            self.set_progress(done, total);
            if flow.is_break() {
                iteration.is_well = true;
                return Ok(());
            }
            let now = self.core.services.clock().now();
            if !later
                // If the clock has gone back, the age of the saved state is unknown.
                && (now.since(saved_at) >= every || now < saved_at)
                && let Some(state) = algorithm.save()
            {
                self.core.save(|saved| saved.iterative = Some((call, state.into())))?;
                saved_at = now;
            }
        }
    }
}

/// An algorithm that runs step by step. See [`JobContext::iterate`].
pub trait Iterative {
    /// Makes one bounded step. `Break` when the algorithm has finished.
    ///
    /// # Errors
    /// Any error ends the job.
    fn step(&mut self) -> Result<ControlFlow<()>, JobError>;

    /// The number of steps that are done, and the number of all steps.
    fn progress(&self) -> Range<u64>;

    /// The state after the last step; `None` if it cannot be saved.
    fn save(&self) -> Option<Vec<u8>>;

    /// Restores a state that [`save`](Self::save) gave in an earlier attempt.
    ///
    /// # Errors
    /// When the state cannot be used. The job fails then.
    fn restore(&mut self, state: &[u8]) -> Result<(), JobError>;
}
