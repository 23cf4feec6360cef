//! [`verify`]: reads a whole store and checks everything in it.

use std::{
    fmt,
    ops::{ControlFlow, Range},
};

use job_core::{JobId, JobRecord, JobState, Outcome, Segment};

use crate::{Block, ErrorKind, SegmentKey, Store, StoreError};

/// A damaged or missing part of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The job that the loss belongs to.
    pub job: JobId,
    /// Attempt and number of the segment, if it is in the rows.
    pub segment: Option<(u32, u32)>,
    /// The lost rows of the segment.
    pub rows: Option<Range<u64>>,
    /// The fault.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}", self.job)?;
        if let Some((attempt, number)) = self.segment {
            write!(f, ", segment {attempt}.{number}")?;
        }
        if let Some(rows) = &self.rows {
            write!(f, ", rows {}..{}", rows.start, rows.end)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// The counts of [`verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Records read.
    pub jobs: u64,
    /// Results read.
    pub results: u64,
    /// Segments that the results name.
    pub segments: u64,
    /// Blocks whose checksum is right.
    pub blocks: u64,
    /// The number of rows in the read blocks.
    pub rows: u64,
    /// The bytes of JSON of these rows.
    pub bytes: u64,
    /// The bytes of the read blocks as the store has them: packed, if it packs blocks. An engine that packs by itself shows
    /// that in [`size_on_disk`](crate::ResultStore::size_on_disk) alone.
    pub stored_bytes: u64,
    /// How many findings were reported.
    pub findings: u64,
}

/// Reads every record, result and block of a store, compares every checksum, table and count, and reports what is
/// wrong. Cost: the whole store is read once; memory for one block and a few hundred records.
///
/// Jobs that are submitted, end or are removed during the call are checked in the state in which they are found.
/// Rows that no result names, such as those of running jobs, are not read.
///
/// ```
/// use job_store::{MemoryStore, verify};
///
/// let seen = verify(&MemoryStore::default(), &mut |finding| eprintln!("{finding}"))?;
/// assert_eq!((seen.jobs, seen.findings), (0, 0));
/// # Ok::<(), job_store::StoreError>(())
/// ```
///
/// # Errors
/// When the store cannot be walked at all. Damage to a job is a finding, not an error.
pub fn verify(store: &dyn Store, report: &mut dyn FnMut(Finding)) -> Result<Verified, StoreError> {
    const BATCH: usize = 256;
    let mut walk = Walk { store, report, seen: Verified::default() };
    let mut before = None;
    // Reads records one by one around a damaged one, so that its neighbours are checked.
    let mut batch = BATCH;
    loop {
        match store.list(before, 0, batch) {
            Ok(records) => {
                let Some(last) = records.last() else { return Ok(walk.seen) };
                if before.is_some_and(|before| before <= last.id) {
                    return Err(goes_in_circles(last.id));
                }
                before = Some(last.id);
                records.iter().try_for_each(|record| walk.job(record))?;
                batch = BATCH;
            }
            Err(_) if batch > 1 => batch = 1,
            Err(StoreError { kind: ErrorKind::Corrupt, job: Some(job), detail, .. })
                if before.is_none_or(|b| job < b) =>
            {
                walk.find(job, None, None, format!("its record: {detail}"));
                before = Some(job);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The error about a list that repeats itself: a walk over it has no end.
pub(crate) fn goes_in_circles(job: JobId) -> StoreError {
    let detail = "the store lists it again, behind an older one: its list cannot be walked";
    StoreError::new(ErrorKind::Corrupt, "list the jobs", detail).on(job)
}

struct Walk<'a> {
    store: &'a dyn Store,
    report: &'a mut dyn FnMut(Finding),
    seen: Verified,
}

impl Walk<'_> {
    fn find(&mut self, job: JobId, segment: Option<Segment>, rows: Option<Range<u64>>, what: String) {
        self.seen.findings += 1;
        let segment = segment.map(|segment| (segment.attempt, segment.number));
        (self.report)(Finding { job, segment, rows, what });
    }

    fn job(&mut self, record: &JobRecord) -> Result<(), StoreError> {
        self.seen.jobs += 1;
        let result = match self.store.result(record.id) {
            Ok(Some(result)) => result,
            Ok(None) if record.state == JobState::Complete(Outcome::Succeeded) => {
                // The job may have been removed between the two reads.
                if self.store.get(record.id)?.is_some() {
                    self.find(record.id, None, None, "it succeeded, but its result is missing".to_owned());
                }
                return Ok(());
            }
            Ok(None) => return Ok(()),
            Err(error) if error.kind == ErrorKind::Corrupt => {
                self.find(record.id, None, None, format!("its result: {}", error.detail));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.seen.results += 1;
        if result.size() != record.size {
            let what = format!("its record counts {} rows, its result {}", record.size.rows, result.size().rows);
            self.find(record.id, None, None, what);
        }
        let segments = result.list.as_ref().map_or(&[][..], |list| list.segments());
        segments.iter().try_for_each(|segment| self.segment(record.id, *segment))
    }

    fn segment(&mut self, job: JobId, segment: Segment) -> Result<(), StoreError> {
        self.seen.segments += 1;
        let key = SegmentKey { job, attempt: segment.attempt, number: segment.number };
        let (mut next, mut bytes) = (0, 0);
        let mut damage = Vec::new();
        let seen = &mut self.seen;
        let walked = self.store.blocks(key, &mut |end, stored| {
            match check(key, next, end, stored) {
                Ok(json) => {
                    bytes += json;
                    seen.blocks += 1;
                    seen.rows += end - next;
                    seen.bytes += json;
                    seen.stored_bytes += stored.len() as u64;
                }
                Err(what) => damage.push((next..end, what)),
            }
            next = end;
            Ok(ControlFlow::Continue(()))
        });
        match walked {
            Err(error) if error.kind != ErrorKind::Corrupt => return Err(error),
            Err(error) => damage.push((next..segment.rows, error.detail)),
            Ok(()) if next < segment.rows && self.store.get(job)?.is_none() => return Ok(()),
            Ok(()) if next != segment.rows => {
                damage.push((next.min(segment.rows)..next.max(segment.rows), "they are missing".to_owned()));
            }
            Ok(()) if damage.is_empty() && bytes != segment.bytes => {
                let what = format!("its blocks have {bytes} bytes of JSON, its result counts {}", segment.bytes);
                damage.push((0..segment.rows, what));
            }
            Ok(()) => {}
        }
        for (rows, what) in damage {
            self.find(job, Some(segment), Some(rows), what);
        }
        Ok(())
    }
}

/// Checks one block that should start at row `next` and end before `end`. Returns its bytes of JSON.
fn check(key: SegmentKey, next: u64, end: u64, stored: &[u8]) -> Result<u64, String> {
    let block = Block::parse(stored).map_err(|e| e.to_string())?;
    let first = end.checked_sub(block.len() as u64).filter(|first| *first == next);
    let first = first.ok_or_else(|| format!("a block of {} rows ends before row {end}", block.len()))?;
    block.verify(key, first).map_err(|e| e.to_string())?;
    let rows = block.rows(0..block.len()).and_then(|rows| rows.json()).map_err(|e| e.to_string())?;
    Ok(rows.len() as u64)
}
