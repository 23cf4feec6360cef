//! The checks of the contract that every backend makes, each in one place.

use std::ops::Range;

use job_core::{Ending, JobId, JobKind, JobRecord, JobSpec, JobState, Segment};
use xxhash_rust::xxh3::Xxh3;

use crate::{Block, ErrorKind, InvalidBlock, JobStore, MAX_CHECKPOINT, Rows, SealedBlock, SegmentKey, StoreError};

/// The compare of every compare-and-set.
pub(crate) fn check_revision(
    found: Option<u64>,
    next: &JobRecord,
    operation: &'static str,
) -> Result<(), StoreError> {
    match found {
        Some(found) if next.revision.checked_sub(1) == Some(found) => Ok(()),
        Some(found) => {
            let detail = format!("revision {} was to follow, but the store is at {found}", next.revision);
            Err(StoreError::new(ErrorKind::Conflict, operation, detail).on(next.id))
        }
        None => Err(StoreError::new(ErrorKind::NotFound, operation, "no such job").on(next.id)),
    }
}

/// The fence of every write of rows.
pub(crate) fn check_attempt(found: Option<&JobRecord>, key: SegmentKey) -> Result<(), StoreError> {
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

pub(crate) fn check_removable(record: &JobRecord, pinned: bool) -> Result<(), StoreError> {
    let detail = match record.state.is_complete() {
        true if pinned => "it is pinned: release it first".to_owned(),
        true => return Ok(()),
        false => format!("it is {}: cancel it first", record.state),
    };
    Err(StoreError::new(ErrorKind::Invalid, "remove the record", detail).on(record.id))
}

/// As [`check_removable`], of a job whose record cannot be read.
pub(crate) fn check_unreadable_removable(job: JobId, pinned: bool) -> Result<(), StoreError> {
    if pinned {
        let detail = "it is pinned: release it first";
        return Err(StoreError::new(ErrorKind::Invalid, "remove the record", detail).on(job));
    }
    Ok(())
}

pub(crate) fn check_complete(next: &JobRecord) -> Result<(), StoreError> {
    if next.state.is_complete() {
        return Ok(());
    }
    let detail = format!("a result ends a job, but the record is {}", next.state);
    Err(StoreError::new(ErrorKind::Invalid, "store the result", detail).on(next.id))
}

pub(crate) fn check_discardable(job: JobId, has_result: bool) -> Result<(), StoreError> {
    if has_result {
        let detail = "its result is in use: remove the job instead";
        return Err(StoreError::new(ErrorKind::Invalid, "discard rows", detail).on(job));
    }
    Ok(())
}

pub(crate) fn no_such_job(job: JobId, operation: &'static str) -> StoreError {
    StoreError::new(ErrorKind::NotFound, operation, "no such job").on(job)
}

/// Whether a job keeps its idempotency key from others.
pub(crate) fn holds_key(record: &JobRecord) -> bool {
    record.state.holds_key()
}

/// The refusal of a second job under one idempotency key; `job` has it already.
pub(crate) fn key_taken(job: JobId, key: &str) -> StoreError {
    let detail = format!("it has the idempotency key {key:?} already");
    StoreError::new(ErrorKind::AlreadyExists, "insert", detail).on(job)
}

/// Where the work of `spec` is indexed when it is done: equal for specs that are the same work, and nearly never
/// for others. `None` without a graph version.
pub(crate) fn work_hash(spec: &JobSpec) -> Option<[u8; 16]> {
    let version = spec.options().graph_version.as_deref()?;
    let (kind, algorithm) = match spec.kind() {
        JobKind::VertexFilter => ("v", ""),
        JobKind::EdgeFilter => ("e", ""),
        JobKind::Algorithm(name) => ("a", name.as_str()),
    };
    let mut hash = Xxh3::new();
    for part in [kind, algorithm, spec.graph_name(), version, spec.json().as_str()] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    Some(hash.digest128().to_be_bytes())
}

/// Whether this record is one that [`JobStore::find_finished`] may give back.
pub(crate) fn is_reusable(record: &JobRecord) -> bool {
    record.state == JobState::Complete(Ending::Succeeded)
}

pub(crate) fn check_checkpoint(job: JobId, bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() <= MAX_CHECKPOINT {
        return Ok(());
    }
    let detail = format!("it has {} bytes: at most {MAX_CHECKPOINT} are allowed", bytes.len());
    Err(StoreError::new(ErrorKind::Invalid, "save the checkpoint", detail).on(job))
}

/// Rows of one block.
pub(crate) struct Cut<'a> {
    pub(crate) rows: Rows<'a>,
    /// The first row of the block.
    pub(crate) first: u64,
    /// The row after those that were cut.
    pub(crate) next: u64,
}

/// The rows of `wanted` in the block whose rows end before `end`. `None` when the block does not reach back to the
/// first of them: rows before it are missing.
pub(crate) fn cut<'a>(
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

/// Why rows are not there: the job went, or the store is damaged.
pub(crate) fn missing(store: &dyn JobStore, key: SegmentKey, rows: &Range<u64>) -> StoreError {
    match store.get(key.job) {
        Ok(Some(_)) => key.corrupt(rows, "they are missing"),
        Ok(None) => StoreError::new(ErrorKind::NotFound, "read rows", "the job was removed").on(key.job),
        Err(error) => error,
    }
}

/// Counts what a segment holds and refuses blocks that leave a gap.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) key: SegmentKey,
    rows: u64,
    bytes: u64,
}

impl Tally {
    pub(crate) const fn new(key: SegmentKey) -> Self {
        Self { key, rows: 0, bytes: 0 }
    }

    pub(crate) fn check(&self, block: &SealedBlock<'_>) -> Result<(), StoreError> {
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

    pub(crate) const fn add(&mut self, block: &SealedBlock<'_>) {
        self.rows += block.rows;
        self.bytes += block.json_bytes;
    }

    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) const fn segment(&self) -> Segment {
        Segment { attempt: self.key.attempt, number: self.key.number, rows: self.rows, bytes: self.bytes }
    }
}
