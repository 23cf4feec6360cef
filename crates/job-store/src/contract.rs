//! Write a store: the checks of the contract, each in one place, as every backend of this library makes them.
//!
//! There are two ways to write a store. Over an ordered key-value engine it is an [adaptor](crate::key_value) of
//! some 100 lines: keys, blocks, locks and rules are there. A store of another shape implements [`JobStore`] and
//! [`ResultStore`](crate::ResultStore) with the functions of this module. `examples/sqlite-store` in the
//! repository is such a store, in tables of SQLite. Its `src/lib.rs` makes each write as one transaction. The
//! table below names the check of each call. The shortest such store is [`MemoryStore`](crate::MemoryStore):
//! `src/memory.rs` uses only public items.
//!
//! | in a call | ask |
//! | --- | --- |
//! | `insert` | [`holds_key`] of the job that has an idempotency key, and [`key_taken`] if it does |
//! | `replace` | [`check_revision`]; the rows of a job that ends go with it, and so does its checkpoint |
//! | `complete` | [`check_complete`], [`check_revision`]; [`work_hash`] of the jobs that [`is_reusable`] says |
//! | `find_reusable` | [`work_hash`], and `is_same_work` of what is found, since two works may share a hash |
//! | `remove` | [`check_removable`]; [`check_unreadable_removable`] of a record that cannot be read |
//! | `pin` | [`no_such_job`] |
//! | `filtered_entries`, `least_used` | nothing, if reading every job is cheap enough; [`Term`] and [`last_used`] of jobs as they end, for an index |
//! | `segment`, and each call of its writer | [`check_attempt`]; [`Tally::check`] before a block is taken, [`Tally::add`] after |
//! | `append`, if its engine does not pack | [`Packer`] of the store's [`Packing`](crate::Packing), which gives the bytes to store |
//! | `read` | [`cut`] of each block, [`missing`] where there is none |
//! | `discard` | [`check_discardable`] |
//! | `save_checkpoint` | [`check_checkpoint`], [`check_attempt`] |
//! | `save_failures` | [`check_failures`], [`check_attempt`] |
//!
//! A check and its write are one step: a transaction, a statement, or a section under a lock.
//!
//! A store is a handle, and its clones share one content. The writer of a segment holds a clone, because a worker
//! keeps it for as long as an attempt lasts. A store that wraps another forwards calls with
//! [`forward!`](crate::forward).
//!
//! Blocks are stored as they come, under [`SegmentKey::block_key`], which sorts them as their rows.
//! [`codec`](crate::codec) makes bytes of records, results, checkpoints and failed attempts, with a checksum around them.
//! [`StoreError::caused`] gives an error of the database or the file system its class. [`Seats`](crate::Seats)
//! admits one engine at a time. `job-runner` has all this as `job_runner::store`.
//!
//! [`conformance`](crate::conformance) tests a store. A fixture opens it. The other methods of a fixture let the
//! laws about crashes, damage and costs run; without them these laws pass untested. `tests/laws.rs` of the example
//! implements all of them. There the law of costs found a page that scanned the whole table:
//!
//! ```
//! # #[cfg(feature = "conformance")] mod tests {
//! use std::sync::Arc;
//! use job_store::{MemoryStore, Store, conformance::Fixture};
//!
//! #[derive(Default)]
//! struct Mine(MemoryStore); // Yours.
//!
//! impl Fixture for Mine {
//!     fn open(&self) -> Arc<dyn Store> {
//!         Arc::new(self.0.clone())
//!     }
//! }
//!
//! job_store::conformance_tests!(Mine::default());
//! # }
//! ```

use std::ops::Range;

use job_core::{FailedAttempt, JobId, JobKind, JobRecord, JobResult, JobSpec, JobState, Outcome, Segment};
use xxhash_rust::xxh3::Xxh3;

use crate::{Block, ErrorKind, InvalidBlock, JobStore, MAX_CHECKPOINT, Rows, SealedBlock, SegmentKey, StoreError};

pub use crate::{
    block::Packer,
    guard::is_cancel,
    index::{Term, last_used, outcome, outcome_number, outcomes},
};

/// Checks the revision for a compare-and-set: that of `next` is one more than that of the record `found`.
///
/// ```
/// use job_core::{JobId, JobRecord, JobSpec, Timestamp};
/// use job_store::{ErrorKind, contract};
///
/// let now = Timestamp::from_micros(1);
/// let stored = JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("movies"), now);
/// let next = JobRecord { revision: stored.revision + 1, ..stored.clone() };
/// assert!(contract::check_revision(Some(stored.revision), &next, "replace the record").is_ok());
/// let again = contract::check_revision(Some(next.revision), &next, "replace the record");
/// assert_eq!(again.unwrap_err().kind, ErrorKind::Conflict);
/// ```
///
/// # Errors
/// `Conflict`, and `NotFound` when there is no record.
pub fn check_revision(found: Option<u64>, next: &JobRecord, operation: &'static str) -> Result<(), StoreError> {
    match found {
        Some(found) if next.revision.checked_sub(1) == Some(found) => Ok(()),
        Some(found) => {
            let detail = format!("revision {} was to follow, but the store is at {found}", next.revision);
            Err(StoreError::new(ErrorKind::Conflict, operation, detail).on(next.id))
        }
        None => Err(StoreError::new(ErrorKind::NotFound, operation, "no such job").on(next.id)),
    }
}

/// Checks that the attempt of `key` runs: `found` is the stored record of its job. Every write of rows and of
/// checkpoints has this fence.
///
/// # Errors
/// `Fenced`.
pub fn check_attempt(found: Option<&JobRecord>, key: SegmentKey) -> Result<(), StoreError> {
    match found {
        Some(record) if record.attempt == key.attempt && matches!(record.state, JobState::Running { .. }) => {
            Ok(())
        }
        Some(record) => {
            let detail = format!(
                "attempt {} is over: the job is {}, attempt {}",
                key.attempt, record.state, record.attempt
            );
            Err(StoreError::new(ErrorKind::Fenced, "write rows", detail).on(key.job))
        }
        None => Err(StoreError::new(ErrorKind::Fenced, "write rows", "no such job").on(key.job)),
    }
}

/// Checks that a job may be removed.
///
/// # Errors
/// `Invalid` if the job is not complete, or is pinned.
pub fn check_removable(record: &JobRecord, pinned: bool) -> Result<(), StoreError> {
    let detail = match record.state.is_complete() {
        true if pinned => "it is pinned: release it first".to_owned(),
        true => return Ok(()),
        false => format!("it is {}: cancel it first", record.state),
    };
    Err(StoreError::new(ErrorKind::Invalid, "remove the record", detail).on(record.id))
}

/// As [`check_removable`], of a job whose record cannot be read.
///
/// # Errors
/// `Invalid` if the job is pinned.
pub fn check_unreadable_removable(job: JobId, pinned: bool) -> Result<(), StoreError> {
    if pinned {
        let detail = "it is pinned: release it first";
        return Err(StoreError::new(ErrorKind::Invalid, "remove the record", detail).on(job));
    }
    Ok(())
}

/// Checks that results may be stored with these records, before the store looks at any of the jobs.
///
/// # Errors
/// `Invalid` for the first record that does not say that its job is complete.
pub fn check_complete(ends: &[(&JobRecord, &JobResult)]) -> Result<(), StoreError> {
    let Some((next, _)) = ends.iter().find(|(next, _)| !next.state.is_complete()) else { return Ok(()) };
    let detail = format!("a result ends a job, but the record is {}", next.state);
    Err(StoreError::new(ErrorKind::Invalid, "store the result", detail).on(next.id))
}

/// Checks that the rows of a job may be discarded.
///
/// # Errors
/// `Invalid` when the job has a result.
pub fn check_discardable(job: JobId, has_result: bool) -> Result<(), StoreError> {
    if has_result {
        let detail = "its result is in use: remove the job instead";
        return Err(StoreError::new(ErrorKind::Invalid, "discard rows", detail).on(job));
    }
    Ok(())
}

/// The error of a call about an unknown job.
#[must_use]
pub fn no_such_job(job: JobId, operation: &'static str) -> StoreError {
    StoreError::new(ErrorKind::NotFound, operation, "no such job").on(job)
}

/// Whether a job keeps its idempotency key from others.
#[must_use]
pub fn holds_key(record: &JobRecord) -> bool {
    record.state.holds_key()
}

/// The error about a second job under one idempotency key, which `job` has.
#[must_use]
pub fn key_taken(job: JobId, key: &str) -> StoreError {
    let detail = format!("it has the idempotency key {key:?} already");
    StoreError::new(ErrorKind::AlreadyExists, "insert", detail).on(job)
}

/// The hash under which finished work is indexed: equal for specs that are the same work, and nearly never for
/// others. `None` without a graph version.
#[must_use]
pub fn work_hash(spec: &JobSpec) -> Option<[u8; 16]> {
    let version = spec.options().graph_version.as_deref()?;
    let (kind, algorithm) = match spec.kind() {
        JobKind::VertexFilter => ("v", ""),
        JobKind::EdgeFilter => ("e", ""),
        JobKind::Algorithm(name) => ("a", name.as_str()),
        JobKind::Action(name) => ("h", name.as_str()),
    };
    let mut hash = Xxh3::new();
    for part in [kind, algorithm, spec.graph(), version, spec.parameters().as_str()] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    Some(hash.digest128().to_be_bytes())
}

/// Whether this record is one that [`JobStore::find_reusable`] may give back.
#[must_use]
pub fn is_reusable(record: &JobRecord) -> bool {
    record.state == JobState::Complete(Outcome::Succeeded)
}

/// Checks that a checkpoint is short enough.
///
/// # Errors
/// `Invalid` if the checkpoint is longer than [`MAX_CHECKPOINT`].
pub fn check_checkpoint(job: JobId, bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() <= MAX_CHECKPOINT {
        return Ok(());
    }
    let detail = format!("it has {} bytes: at most {MAX_CHECKPOINT} are allowed", bytes.len());
    Err(StoreError::new(ErrorKind::Invalid, "save the checkpoint", detail).on(job))
}

/// Checks that there are no more failed attempts than are kept.
///
/// # Errors
/// `Invalid` if there are more than [`FailedAttempt::KEPT`].
pub fn check_failures(job: JobId, failed: &[FailedAttempt]) -> Result<(), StoreError> {
    if failed.len() <= FailedAttempt::KEPT {
        return Ok(());
    }
    let detail = format!("there are {}: at most {} are kept", failed.len(), FailedAttempt::KEPT);
    Err(StoreError::new(ErrorKind::Invalid, "keep the failed attempts", detail).on(job))
}

/// The wanted rows of one block.
#[derive(Debug)]
pub struct Cut<'a> {
    /// The rows that were wanted of the block.
    pub rows: Rows<'a>,
    /// The first row of the block.
    pub first: u64,
    /// The row after the last row of `rows`.
    pub next: u64,
}

/// The rows of `wanted` in the block whose rows end before `end`. `None` when the block does not reach back to the
/// first of them: rows before it are missing.
///
/// # Errors
/// `Corrupt` when the bytes are no block.
pub fn cut<'a>(
    key: SegmentKey,
    end: u64,
    bytes: &'a [u8],
    wanted: &Range<u64>,
) -> Result<Option<Cut<'a>>, StoreError> {
    let corrupt = |what| key.corrupt(wanted, what);
    let block = Block::parse(bytes).map_err(corrupt)?;
    let length = block.len() as u64;
    let first = end.checked_sub(length).ok_or_else(|| corrupt(InvalidBlock::Torn))?;
    if first > wanted.start {
        return Ok(None);
    }
    let [from, to] = [wanted.start, wanted.end].map(|row| row.saturating_sub(first).min(length));
    let range = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
    let rows = block.rows(range).map_err(corrupt)?;
    Ok((!rows.is_empty()).then_some(Cut { rows, first, next: first + to }))
}

/// The error about missing rows: the job was removed, or the store is damaged.
#[must_use]
pub fn missing(store: &dyn JobStore, key: SegmentKey, rows: &Range<u64>) -> StoreError {
    match store.get(key.job) {
        Ok(Some(_)) => key.corrupt(rows, "they are missing"),
        Ok(None) => StoreError::new(ErrorKind::NotFound, "read rows", "the job was removed").on(key.job),
        Err(error) => error,
    }
}

/// Counts what a segment holds and refuses blocks that leave a gap.
///
/// ```
/// use job_core::JobId;
/// use job_store::{BlockBuilder, SegmentKey, contract::Tally};
///
/// let key = SegmentKey { job: JobId::MIN, attempt: 1, number: 0 };
/// let (mut tally, mut builder) = (Tally::new(key), BlockBuilder::new(key));
/// builder.push(&"Sarah")?;
/// let block = builder.seal();
/// tally.check(&block)?;
/// tally.add(&block);
/// assert_eq!(tally.segment().rows, 1);
/// assert!(tally.check(&block).is_err(), "it would be there twice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tally {
    key: SegmentKey,
    rows: u64,
    bytes: u64,
    stored: u64,
}

impl Tally {
    /// The tally of a segment without rows.
    #[must_use]
    pub const fn new(key: SegmentKey) -> Self {
        Self { key, rows: 0, bytes: 0, stored: 0 }
    }

    /// The key of the segment.
    #[must_use]
    pub const fn key(&self) -> SegmentKey {
        self.key
    }

    /// Checks that this block begins at the row after the last block.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self, block: &SealedBlock<'_>) -> Result<(), StoreError> {
        if block.key == self.key && block.first_row == self.rows && block.rows > 0 {
            return Ok(());
        }
        let detail = format!(
            "a block of {} rows at row {} of segment {}.{} cannot follow row {} of segment {}.{}",
            block.rows,
            block.first_row,
            block.key.attempt,
            block.key.number,
            self.rows,
            self.key.attempt,
            self.key.number,
        );
        Err(StoreError::new(ErrorKind::Invalid, "append rows", detail).on(self.key.job))
    }

    /// Counts a block that was taken, as it is stored.
    pub const fn add(&mut self, block: &SealedBlock<'_>) {
        self.rows += block.rows;
        self.bytes += block.json_bytes;
        self.stored += block.bytes.len() as u64;
    }

    /// The bytes of the blocks that were taken, as they are stored.
    #[must_use]
    pub const fn stored_bytes(&self) -> u64 {
        self.stored
    }

    /// How many rows were taken.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The entry of the segment in a result.
    #[must_use]
    pub const fn segment(&self) -> Segment {
        Segment { attempt: self.key.attempt, number: self.key.number, rows: self.rows, bytes: self.bytes }
    }
}
