//! [`Attempt`]: the state of one run of a job, which its body, its helpers and its watchers share.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use job_core::{Budget, InvalidOutput, Outputs, RowList, Segment, Timestamp};
use serde::Serialize;

use crate::{
    job::{
        cancel::{CancelToken, StopCause},
        error::{JobError, Resource},
        lease::Lease,
        progress::Counter,
    },
    seam::sync::Mutex,
};

#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    pub(crate) token: CancelToken,
    pub(crate) counter: Counter,
    /// The claim of the attempt, on a shared store.
    lease: Option<Arc<Lease>>,
    /// Whether the engine has abandoned the attempt. Writes of its body then have no effect.
    left: AtomicBool,
    budget: Budget,
    rows: AtomicU64,
    bytes: AtomicU64,
    written: Mutex<Written>,
}

/// The rows and values of the body so far.
#[derive(Debug, Default)]
struct Written {
    outputs: Outputs,
    list: Option<String>,
    /// The segments by number, as far as readers can see them.
    segments: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    rows: u64,
    bytes: u64,
    /// Whether the segment takes no more rows.
    closed: bool,
    /// Whether any row was passed to the store.
    used: bool,
}

impl Written {
    /// Checks that a value can be set under this name.
    fn check_name(&self, name: &str) -> Result<(), InvalidOutput> {
        if self.list.as_deref() == Some(name) {
            return Err(InvalidOutput::NameTaken { name: name.to_owned() });
        }
        self.outputs.check_name(name)
    }
}

impl Attempt {
    /// Begins at `now`.
    pub(crate) fn new(number: u32, budget: Budget, now: Timestamp) -> Self {
        Self {
            number,
            token: CancelToken::default(),
            counter: Counter::new(now),
            lease: None,
            left: AtomicBool::new(false),
            budget,
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            written: Mutex::default(),
        }
    }

    /// As [`new`](Self::new), under a claim.
    pub(crate) fn under(lease: Arc<Lease>, number: u32, budget: Budget, now: Timestamp) -> Self {
        Self { token: lease.token.clone(), lease: Some(lease), ..Self::new(number, budget, now) }
    }

    /// Whether another engine may have the job. The attempt has then been told to stop.
    pub(crate) fn is_lost(&self) -> bool {
        let lost = self.lease.as_ref().is_some_and(|lease| lease.is_over());
        if lost {
            self.end_lease();
        }
        lost
    }

    /// The claim under which the attempt runs.
    pub(crate) const fn lease(&self) -> Option<&Arc<Lease>> {
        self.lease.as_ref()
    }

    pub(crate) fn end_lease(&self) {
        if let Some(lease) = &self.lease {
            lease.end();
        }
    }

    /// Leaves the job to the next open, when the engine shuts down. The caller holds the job's lock, so its end is
    /// not being stored.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    pub(crate) fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Checks that the writes of the body still count.
    ///
    /// # Errors
    /// `Stopped` if the engine has left the attempt behind.
    pub(crate) fn check(&self) -> Result<(), JobError> {
        if self.left.load(Ordering::Relaxed) { Err(JobError::Stopped(StopCause::Shutdown)) } else { Ok(()) }
    }

    /// Notes a named value. The value's own code runs under no lock, since it may be slow or read its job.
    pub(crate) fn output<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), InvalidOutput> {
        if self.is_left() {
            return Err(InvalidOutput::AttemptOver);
        }
        self.written.lock().check_name(name)?;
        let json = Outputs::encode(name, value)?;
        let mut written = self.written.lock();
        written.check_name(name)?;
        written.outputs.insert_json(name, json)
    }

    /// Opens `count` segments of the list `name` after the existing ones. Returns the number of the first.
    pub(crate) fn open_segments(&self, name: &str, count: u32) -> Result<u32, JobError> {
        self.check()?;
        let mut written = self.written.lock();
        match &written.list {
            Some(list) if list == name => {}
            Some(list) => {
                Outputs::check_length(name)?;
                return Err(InvalidOutput::SecondList { name: name.to_owned(), list: list.clone() }.into());
            }
            None => {
                written.outputs.check_name(name)?;
                written.list = Some(name.to_owned());
            }
        }
        let first = u32::try_from(written.segments.len()).unwrap_or(u32::MAX);
        let end = first.saturating_add(count);
        if end > RowList::MAX_SEGMENTS {
            return Err(InvalidOutput::TooManySegments { max: RowList::MAX_SEGMENTS }.into());
        }
        written.segments.resize(usize::try_from(end).unwrap_or(usize::MAX), Slot::default());
        Ok(first)
    }

    /// Notes how many rows of a segment can be read.
    pub(crate) fn publish(&self, number: u32, rows: u64, bytes: u64, closed: bool) {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(slot) = self.written.lock().segments.get_mut(at) {
            *slot = Slot { rows, bytes, closed, used: slot.used || rows > 0 };
        }
        self.counter.tell();
    }

    /// Notes that rows of a segment were passed to the store, readable or not.
    pub(crate) fn mark_used(&self, number: u32) {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(slot) = self.written.lock().segments.get_mut(at) {
            slot.used = true;
        }
    }

    /// Whether the store has rows that a failed attempt must discard.
    pub(crate) fn has_rows(&self) -> bool {
        self.written.lock().segments.iter().any(|slot| slot.used)
    }

    /// Whether the body has made any row or value.
    pub(crate) fn has_output(&self) -> bool {
        let written = self.written.lock();
        written.list.is_some() || written.outputs.iter().next().is_some()
    }

    /// Counts a row of `bytes` bytes against the budget. A refused row is not counted. Costs nothing without a
    /// budget.
    pub(crate) fn charge_row(&self, bytes: u64) -> Result<(), JobError> {
        self.check()?;
        if let Some(most) = self.budget.rows
            && self.rows.fetch_add(1, Ordering::Relaxed) >= most
        {
            self.rows.fetch_sub(1, Ordering::Relaxed);
            return Err(JobError::OverBudget(Resource::Rows, most));
        }
        if let Some(most) = self.budget.bytes
            && self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > most
        {
            self.refund(1, bytes);
            return Err(JobError::OverBudget(Resource::Bytes, most));
        }
        Ok(())
    }

    /// Subtracts rows from the count.
    fn refund(&self, rows: u64, bytes: u64) {
        if self.budget.rows.is_some() {
            self.rows.fetch_sub(rows, Ordering::Relaxed);
        }
        if self.budget.bytes.is_some() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Drops segments whose scan has failed: their rows are not read any more, and do not count.
    pub(crate) fn abandon(&self, segments: Range<u32>, rows: u64, bytes: u64) {
        self.refund(rows, bytes);
        for number in segments {
            self.publish(number, 0, 0, true);
        }
    }

    pub(crate) fn check_memory(&self, bytes: u64) -> Result<(), JobError> {
        self.check()?;
        match self.budget.memory {
            Some(most) if bytes > most => Err(JobError::OverBudget(Resource::Memory, most)),
            _ => Ok(()),
        }
    }

    /// Takes the named values and the name of the list.
    pub(crate) fn take_outputs(&self) -> (Outputs, Option<String>) {
        let mut written = self.written.lock();
        (std::mem::take(&mut written.outputs), written.list.clone())
    }

    /// The readable part of the list: whole segments in order, then the readable part of the first open one. So
    /// the offset of a row never changes.
    pub(crate) fn readable(&self) -> Option<RowList> {
        let written = self.written.lock();
        let name = written.list.clone()?;
        let mut segments = Vec::new();
        for (number, slot) in (0u32..).zip(&written.segments) {
            if slot.rows > 0 {
                segments.push(Segment { attempt: self.number, number, rows: slot.rows, bytes: slot.bytes });
            }
            if !slot.closed {
                break;
            }
        }
        Some(RowList::new(name, segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_ends_at_the_first_segment_that_grows() {
        let attempt = Attempt::new(1, Budget::default(), Timestamp::default());
        assert_eq!(attempt.readable(), None);
        assert_eq!(attempt.open_segments("vertices", 3).unwrap(), 0);
        attempt.publish(2, 50, 500, true);
        attempt.publish(0, 10, 100, true);
        attempt.publish(1, 4, 40, false);
        let list = attempt.readable().unwrap();
        assert_eq!((list.rows(), list.segments().len()), (14, 2));
        attempt.publish(1, 20, 200, true);
        assert_eq!(attempt.readable().unwrap().rows(), 80);
    }

    #[test]
    fn a_result_has_one_list_and_every_name_once() {
        let attempt = Attempt::new(1, Budget::default(), Timestamp::default());
        attempt.open_segments("vertices", 1).unwrap();
        assert_eq!(attempt.open_segments("vertices", 1).unwrap(), 1);
        assert!(attempt.open_segments("edges", 1).is_err());
        assert!(attempt.output("vertices", &1).is_err());
        attempt.output("runtime", &1).unwrap();
        let other = Attempt::new(1, Budget::default(), Timestamp::default());
        other.output("runtime", &1).unwrap();
        assert!(other.open_segments("runtime", 1).is_err());
    }

    /// Without the limit, a result with more segments than a decoder allows could be stored and never be read.
    #[test]
    fn a_list_has_no_more_segments_than_can_be_read_back() {
        let attempt = Attempt::new(1, Budget::default(), Timestamp::default());
        assert_eq!(attempt.open_segments("rows", 10).unwrap(), 0);
        let error = attempt.open_segments("rows", RowList::MAX_SEGMENTS - 9).unwrap_err();
        assert!(error.to_string().starts_with("the list has more than 4194304 segments"), "{error}");
        assert!(attempt.open_segments("rows", u32::MAX).is_err());
        assert_eq!(attempt.open_segments("rows", 1).unwrap(), 10);
    }

    #[test]
    fn budgets_count_exactly() {
        let attempt =
            Attempt::new(1, Budget { rows: Some(2), bytes: Some(100), memory: Some(10) }, Timestamp::default());
        assert!(attempt.charge_row(40).is_ok() && attempt.charge_row(60).is_ok());
        assert_eq!(attempt.charge_row(0), Err(JobError::OverBudget(Resource::Rows, 2)));
        let bytes = Attempt::new(1, Budget { bytes: Some(100), ..Budget::default() }, Timestamp::default());
        assert_eq!(bytes.charge_row(101), Err(JobError::OverBudget(Resource::Bytes, 100)));
        assert!(bytes.charge_row(100).is_ok(), "what was refused is not counted");
        assert!(attempt.check_memory(10).is_ok() && attempt.check_memory(11).is_err());
    }
}
