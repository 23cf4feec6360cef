//! The two traits of a backend, and their contract. [`conformance`](crate::conformance) tests this text. Each
//! sentence has a name, as a variant of `conformance::Promise`, and each law names the sentences that it tests.

use std::{
    fmt::Debug,
    ops::{ControlFlow, Range},
};

use bytes::Bytes;
use job_core::{FailedAttempt, JobFilter, JobId, JobRecord, JobResult, JobSpec, Segment, Timestamp};

use crate::{Rows, SealedBlock, Seat, SegmentKey, StoreError, index::last_used, verify::goes_in_circles};

/// The longest checkpoint, in bytes.
pub const MAX_CHECKPOINT: usize = 64 << 20;

/// The place that a write must reach before the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// The operating system has it: it survives the death of the process (`kill -9`), not a power loss.
    Buffered,
    /// The disk has the write (fsync), so it survives power loss too. So does every write that was acknowledged
    /// before it.
    #[default]
    Synced,
}

/// Whether a job is kept for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pin {
    /// The job cannot be removed.
    Keep,
    /// The job can be removed again.
    Release,
}

/// Rows that lie in one block, in memory that outlives the [call](ResultStore::held_rows).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockRows {
    /// The number of rows.
    pub rows: u64,
    /// The rows as JSON, with a comma between every two.
    pub json: Bytes,
}

/// Keeps job records.
///
/// # Contract
/// * Each call is atomic: after an error nothing has changed, for every reader and after every crash.
/// * A record changes only by [`replace`](Self::replace) or [`ResultStore::complete`], both a compare-and-set on
///   the revision. Of any number of racing writers exactly one wins; the others get `Conflict`.
/// * Calls may come from any number of threads.
pub trait JobStore: Debug + Send + Sync + 'static {
    /// Gives `engine` the one seat of an engine that has this store for itself. All values with the same content
    /// share one seat, such as a [`Seats`](crate::Seats). Reading needs none.
    ///
    /// # Errors
    /// `AlreadyOpen` when another engine has the seat; the error names that engine. `Invalid` when engines
    /// [share](crate::SharedStore) the store, so that none may have it for itself.
    fn seat(&self, engine: &str) -> Result<Seat, StoreError>;

    /// Adds new jobs, all of them or none. A record may have a history already: any state, revision and attempt. Keys are
    /// compared byte by byte.
    ///
    /// # Errors
    /// `AlreadyExists` when an id is taken, or an idempotency key on its graph; both also twice in `records`. For
    /// a taken key the error's `job` is the job that has it. A job that failed or was cancelled loses its key to
    /// the next job that asks for it.
    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError>;

    /// Reads one job; `None` if there is no such job. Every field is as it was written, parameters and messages byte by byte.
    /// Never touches rows.
    ///
    /// # Errors
    /// `Corrupt` when the stored record has changed since it was written.
    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError>;

    /// Replaces the record whose revision is one less by `next`. The caller knows which changes are legal, not the
    /// store. The caller ends a succeeded job with [`ResultStore::complete`]; no store needs to refuse another
    /// way.
    ///
    /// # Errors
    /// `Conflict` when the stored revision is another; `NotFound` when there is no such job.
    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError>;

    /// Lists jobs, newest id first: those older than `before` (all when `None`), without the first `skip`, at most
    /// `limit`. An unreadable record, damaged or of a later version, is in the list as an error, and hides no
    /// other. Cost: `skip` keys, `limit` records.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// The jobs that are not complete at one moment, oldest id first. An unreadable one is an error, as in
    /// [`entries`](Self::entries). Cost: those jobs only, however many are complete.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError>;

    /// As [`entries`](Self::entries), for the jobs that `filter` takes: newest id first, older than `before`, at
    /// most `limit`. An unreadable job is in the list if the filter takes it, or if that is unknown.
    ///
    /// Cost, unless a store has a better way: every job that is newer than the last one of the page. The stores of
    /// this library have an index. They read the page, and the unfinished jobs newer than its last one. A filter
    /// may set more than one of graph, kind, owner and labels. Then they read the complete jobs that match one of
    /// these: a label, else the owner, else the graph.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn filtered_entries(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        filtered(self, filter, before, limit)
    }

    /// How many jobs `filter` takes, counted up to `most`. Cost: as [`filtered_entries`](Self::filtered_entries)
    /// for that number.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn count(&self, filter: &JobFilter, most: u64) -> Result<u64, StoreError> {
        let (mut count, mut before) = (0, None);
        while count < most {
            let limit = usize::try_from(most - count).unwrap_or(usize::MAX).min(PIECE);
            let piece = self.filtered_entries(filter, before, limit)?;
            count += piece.len() as u64;
            let Some(last) = piece.last().filter(|_| piece.len() == limit) else { break };
            if before.is_some_and(|before| before <= last.id) {
                return Err(goes_in_circles(last.id));
            }
            before = Some(last.id);
        }
        Ok(count)
    }

    /// How many complete jobs have no pin, so that they can be removed, and how many bytes their rows have.
    /// Unreadable jobs do not count. Cost, unless a store has a better way: a look at every job.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn kept(&self) -> Result<Kept, StoreError> {
        kept(self)
    }

    /// The jobs of [`kept`](Self::kept) behind `after`, in the order of their last use and then of their ids, at
    /// most `limit`. `with_rows` takes only jobs whose rows have bytes. Cost, unless a store has a better way: a
    /// look at every job.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn least_used(
        &self,
        with_rows: bool,
        after: Option<LeastUsed>,
        limit: usize,
    ) -> Result<Vec<LeastUsed>, StoreError> {
        least_used(self, with_rows, after, limit)
    }

    /// Removes a complete job with its result and rows; `false` if there is none. The caller waits neither for the
    /// space to come back nor for the disk. After a power cut the whole job may be there again.
    ///
    /// An unreadable job is removed with everything that belongs to it, in any state. Cost of that: a look at
    /// every idempotency key.
    ///
    /// # Errors
    /// `Invalid` when the job is not complete (cancel it first) or is pinned (release it first). Also when it
    /// cannot be read here, and an engine that can read it has claimed it.
    fn remove(&self, id: JobId) -> Result<bool, StoreError>;

    /// The job that was submitted last on `graph` under this idempotency key, in any state; `None` if there is
    /// none or it was removed. Cost: a point read.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes have changed since they were written.
    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError>;

    /// The job that succeeded last among those whose spec [is the same work](JobSpec::is_same_work) as `spec`. `None`
    /// if there is none, if it was removed, or if `spec` names no graph version. Cost: two point reads.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes have changed since they were written.
    fn find_reusable(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError>;

    /// Notes when results were last read. The write is buffered, without an fsync. Unknown jobs are ignored. The
    /// note goes with the job.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn record_reads(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError>;

    /// Keeps a job from being removed, or allows its removal again. The write is [`Durability::Synced`].
    ///
    /// # Errors
    /// `NotFound` when there is no such job.
    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError>;

    /// The last reading and the pin of each of these jobs, in their order; nothing for an unknown job. Retention
    /// asks for many at once. Cost: two point reads each, unless the store has a better way.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes have changed since they were written.
    fn usage(&self, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError>;
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The id of the job.
    pub id: JobId,
    /// The record of the job, or the reason why it cannot be read.
    pub record: Result<JobRecord, StoreError>,
}

impl Listed {
    /// A listed job. An error that concerns more than this job is an error of the whole list.
    pub(crate) fn of(id: JobId, record: Result<JobRecord, StoreError>) -> Result<Self, StoreError> {
        match record {
            Err(error) if error.kind != crate::ErrorKind::Corrupt => Err(error),
            record => Ok(Self { id, record }),
        }
    }
}

/// How many jobs a walk over all jobs reads at once.
const PIECE: usize = 1_000;

/// Walks over the jobs older than `before`, the newest first.
fn walk<S: JobStore + ?Sized>(
    store: &S,
    mut before: Option<JobId>,
    each: &mut dyn FnMut(Listed) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    loop {
        let piece = store.entries(before, 0, PIECE)?;
        let Some(last) = piece.last().map(|last| last.id) else { return Ok(()) };
        if before.is_some_and(|before| before <= last) {
            return Err(goes_in_circles(last));
        }
        before = Some(last);
        let is_last = piece.len() < PIECE;
        for listed in piece {
            if each(listed)?.is_break() {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

/// As [`JobStore::filtered_entries`], by a look at every job.
pub(crate) fn filtered<S: JobStore + ?Sized>(
    store: &S,
    filter: &JobFilter,
    before: Option<JobId>,
    limit: usize,
) -> Result<Vec<Listed>, StoreError> {
    if filter.takes_all() {
        return store.entries(before, 0, limit);
    }
    let mut found = Vec::new();
    walk(store, before, &mut |listed| {
        if found.len() < limit && listed.record.as_ref().map_or(true, |record| filter.takes(record)) {
            found.push(listed);
        }
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

/// As [`JobStore::kept`], by a look at every job.
pub(crate) fn kept<S: JobStore + ?Sized>(store: &S) -> Result<Kept, StoreError> {
    let mut kept = Kept::default();
    each_kept(store, &mut |job| {
        kept.jobs += 1;
        kept.bytes = kept.bytes.saturating_add(job.bytes);
    })?;
    Ok(kept)
}

/// As [`JobStore::least_used`], by a look at every job.
pub(crate) fn least_used<S: JobStore + ?Sized>(
    store: &S,
    with_rows: bool,
    after: Option<LeastUsed>,
    limit: usize,
) -> Result<Vec<LeastUsed>, StoreError> {
    let mut all = Vec::new();
    let place = |job: &LeastUsed| (job.used, job.id);
    each_kept(store, &mut |job| {
        if (job.bytes > 0 || !with_rows) && after.is_none_or(|after| place(&after) < place(&job)) {
            all.push(job);
        }
    })?;
    all.sort_unstable_by_key(place);
    all.truncate(limit);
    Ok(all)
}

/// Passes every job that can be removed to `each`.
fn each_kept<S: JobStore + ?Sized>(store: &S, each: &mut dyn FnMut(LeastUsed)) -> Result<(), StoreError> {
    walk(store, None, &mut |listed| {
        if let Ok(record) = listed.record
            && record.state.is_complete()
            && let Some(Usage { pinned: false, last_read }) = store.usage(&[record.id])?.first().copied()
            && let Some(used) = last_used(&record, last_read)
        {
            each(LeastUsed { id: record.id, used, bytes: record.size.bytes });
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The counts of [`JobStore::kept`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Complete jobs.
    pub jobs: u64,
    /// Bytes of their rows, as JSON.
    pub bytes: u64,
}

/// A complete job in the order of last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeastUsed {
    /// The id of the job.
    pub id: JobId,
    /// The end of the job or, if that was later, the last time it was read.
    pub used: Timestamp,
    /// Bytes of its rows, as JSON.
    pub bytes: u64,
}

/// The last reading and the pin of a job, which keep it from retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The latest time of [`record_reads`](JobStore::record_reads).
    pub last_read: Option<Timestamp>,
    /// Whether the job is [pinned](JobStore::pin). A pinned job is not removed.
    pub pinned: bool,
}

/// A callback that takes stored blocks, each with the row after its last one.
pub type EachBlock<'a> = dyn FnMut(u64, &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// A callback that takes runs of rows, each with its bytes as the block has them.
pub type EachRows<'a> = dyn FnMut(Rows<'_>) -> Result<ControlFlow<()>, StoreError> + 'a;

/// Keeps the results of jobs.
///
/// # Contract
/// * Rows belong to a segment, a segment to an attempt, an attempt to a job. Rows of one segment are dense,
///   `0..rows`, in the order they were appended.
/// * Only the attempt that runs now may write: every write of an older attempt, or after the end of the job, is
///   `Fenced`.
/// * A record is `Succeeded` only together with its result ([`complete`](Self::complete)), so a reader that sees it
///   can read every row.
/// * A job that ends without a result ([`JobStore::replace`]) loses its rows in the same write: nothing could
///   ever name them.
pub trait ResultStore: Debug + Send + Sync + 'static {
    /// Opens a new segment of a running job for writing, also while the job is being cancelled. An attempt opens
    /// each number once. A store need not notice a second time, and the rows of such a segment are undefined.
    ///
    /// The writer borrows nothing: a worker keeps it beside its store for as long as the attempt lasts. So a store
    /// is a handle whose clones share one content, and the writer holds a clone.
    ///
    /// # Errors
    /// `Fenced` when that attempt of the job is not running.
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError>;

    /// Ends jobs with one atomic write, all of them or none. It replaces each record whose revision is one less,
    /// and stores the result with it. A job may be in `ends` once. With [`Durability::Synced`] the rows are as
    /// durable as the records.
    ///
    /// The storage of a store may fail while the engine goes on, such as a database server. Blocks that were
    /// appended before the failure may be lost. Such a store compares the segments of a result with its rows, in
    /// the same write.
    ///
    /// # Errors
    /// `Invalid` when a record is not complete, before the store looks at any. Else the error of the first job of
    /// `ends` that cannot be ended: `Conflict` and `NotFound` as [`JobStore::replace`]. `Lost` when rows of a result
    /// are gone.
    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError>;

    /// The named values of a job's result, and the segments of its list; `None` if the job has no result. Cost: a
    /// point read, however many rows there are.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes have changed since they were written.
    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError>;

    /// Passes the rows of one segment to `each`, block by block in order, without copying them, until the range
    /// ends or `each` breaks. An empty range passes nothing. `each` may call the store, also to read and write.
    /// Cost: one seek for any first row, then the blocks touched.
    ///
    /// # Errors
    /// `Corrupt` when a row of the range is not there, `NotFound` when the job was removed meanwhile, or the
    /// first error of `each`.
    fn read(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError>;

    /// The first rows of the range, as far as they lie in one block, without a copy. An engine that has the block in
    /// memory can hold it for the caller. The block stays in memory, and the store open, until the last clone is
    /// dropped. The call does not wait for the disk or a network. `None`, which is the default, says nothing about the
    /// rows: [`read`](Self::read) has them or the error.
    ///
    /// # Errors
    /// `Corrupt` when the block is damaged.
    fn held_rows(&self, _key: SegmentKey, _rows: Range<u64>) -> Result<Option<BlockRows>, StoreError> {
        Ok(None)
    }

    /// Passes every stored block of a segment to `each`, in order and as it is stored, with the row after its
    /// last. It is for inspection. An unknown segment has no blocks.
    ///
    /// # Errors
    /// `Corrupt` when a block cannot be loaded, or the first error of `each`.
    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError>;

    /// Drops every row that the attempts up to and including `attempt` wrote, sealed or not. The write is
    /// buffered. For an unknown job it does nothing.
    ///
    /// # Errors
    /// `Invalid` when the job has a result: its rows are in use.
    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError>;

    /// Stores a checkpoint of the running attempt in place of the last one. The write is buffered. A later attempt
    /// can read it; the end of the job removes it.
    ///
    /// # Errors
    /// `Fenced` when that attempt is not running; `Invalid` above [`MAX_CHECKPOINT`](crate::MAX_CHECKPOINT) bytes.
    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError>;

    /// The newest checkpoint of a job, whichever attempt wrote it.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes have changed since they were written.
    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps the failed attempts of a job in place of the last list of them. The write is buffered. The list outlives
    /// the attempt and the end of the job, and goes with the job.
    ///
    /// # Errors
    /// `Fenced` when that attempt is not running; `Invalid` for more than [`FailedAttempt::KEPT`].
    fn save_failures(&self, job: JobId, attempt: u32, failed: &[FailedAttempt]) -> Result<(), StoreError>;

    /// The failed attempts of a job, as they were kept last; empty if there are none. No list and no status reads
    /// them.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes have changed since they were written.
    fn failures(&self, job: JobId) -> Result<Vec<FailedAttempt>, StoreError>;

    /// About how many bytes the rows of all jobs take on disk; `None` for a store without a disk.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn size_on_disk(&self) -> Result<Option<u64>, StoreError>;

    /// The bytes of JSON at which a block should be sealed, for the fastest reads and writes. Without a better
    /// value it is [`BlockBuilder::BYTES`](crate::BlockBuilder::BYTES).
    fn block_bytes(&self) -> usize;
}

/// Writes one segment. If it is dropped without [`finish`](Self::finish), no result names the segment, and its
/// rows go with [`ResultStore::discard`] or the end of the job.
pub trait SegmentWriter: Debug + Send {
    /// Appends a block whose first row follows the last one appended.
    ///
    /// # Errors
    /// `Fenced` when the attempt is over, also if the block has another fault. `Invalid` when the block is of another
    /// segment, has no rows or leaves a gap.
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError>;

    /// How many rows from the start of the segment [`ResultStore::read`] can read already. A store may gather
    /// blocks before it makes them readable.
    fn visible_rows(&self) -> u64;

    /// The bytes of the appended blocks as they are stored: packed, if the store packs them. A store whose engine packs by
    /// itself counts them before that, since it learns no more. The default is 0: the store does not count them.
    fn stored_bytes(&self) -> u64 {
        0
    }

    /// Begins to store the gathered blocks; no block is appended after it. `true` if that goes on in the
    /// background until [`finish`](Self::finish). By default nothing begins, and it is `false`.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    fn start_flush(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Makes the rows that were appended so far readable, at once or soon, and takes more. A store that does so with each
    /// block has nothing to do, which is the default. A store of objects puts what it has gathered, as one object. A
    /// running job asks for this at most 60 times in its first minute, and later 42 times each time its age doubles.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    fn show_rows(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Makes every appended row readable. Returns the entry of the segment for the result.
    ///
    /// # Errors
    /// `Fenced` when the attempt is over.
    fn finish(self: Box<Self>) -> Result<Segment, StoreError>;
}

/// A whole store: what an engine needs. A type that implements both traits is one.
pub trait Store: JobStore + ResultStore {
    /// As [`entries`](JobStore::entries), all of them readable.
    ///
    /// # Errors
    /// `Corrupt` when a stored record is not what was written.
    fn list(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<JobRecord>, StoreError> {
        self.entries(before, skip, limit)?.into_iter().map(|listed| listed.record).collect()
    }

    /// As [`unfinished_entries`](JobStore::unfinished_entries), all of them readable.
    ///
    /// # Errors
    /// `Corrupt` when a stored record is not what was written.
    fn unfinished(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.unfinished_entries()?.into_iter().map(|listed| listed.record).collect()
    }
}

impl<T: JobStore + ResultStore + ?Sized> Store for T {}
