//! The checks of the contract that every backend makes, each in one place.

use std::ops::Range;

use job_core::{JobId, JobRecord, JobState, Segment};

use crate::{Block, ErrorKind, JobStore, Rows, SealedBlock, SegmentKey, StoreError};

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

pub(crate) fn check_removable(record: &JobRecord) -> Result<(), StoreError> {
    if record.state.is_complete() {
        return Ok(());
    }
    let detail = format!("it is {}: cancel it first", record.state);
    Err(StoreError::new(ErrorKind::Invalid, "remove the record", detail).on(record.id))
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

/// The rows of `wanted` that the block at `first` has, and the row after them.
pub(crate) fn cut<'a>(
    key: SegmentKey,
    first: u64,
    bytes: &'a [u8],
    wanted: Range<u64>,
) -> Result<(Rows<'a>, u64), StoreError> {
    let corrupt = |what| key.corrupt(&wanted, what);
    let block = Block::parse(bytes).map_err(corrupt)?;
    let length = block.len() as u64;
    let [from, to] = [wanted.start, wanted.end].map(|row| row.saturating_sub(first).min(length));
    let range = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
    Ok((block.rows(range).map_err(corrupt)?, first + to))
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

    pub(crate) const fn segment(&self) -> Segment {
        Segment { attempt: self.key.attempt, number: self.key.number, rows: self.rows, bytes: self.bytes }
    }
}
