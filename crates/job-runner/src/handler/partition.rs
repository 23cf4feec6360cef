//! [`Partition`]: a part of a job's scan, which idle workers share.

use std::{
    any::Any,
    fmt, mem,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use serde::Serialize;

use crate::{
    handler::{context::Core, rows::RowWriter},
    job::{cancel::StopCause, error::JobError},
    seam::{
        shield,
        sync::{Condvar, Mutex},
    },
};

/// How a scan is cut into partitions.
///
/// ```
/// use job_runner::ScanOptions;
///
/// let options = ScanOptions::default().partition_size(10_000);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanOptions {
    partition_size: Option<u64>,
}

impl ScanOptions {
    /// Partitions for each worker, if no size is set. With this many the workers share the work evenly.
    const PARTITIONS_A_WORKER: u64 = 16;
    /// The most ids of a partition, if no size is set, so that other jobs do not wait long for a worker.
    const LARGEST: u64 = 65_536;

    /// How many ids a partition has, at least 1. By default there are 16 partitions for each worker, of at most
    /// 65,536 ids. If one id stands for much work, such as a range of keys, set 1.
    #[must_use]
    pub const fn partition_size(mut self, ids: u64) -> Self {
        self.partition_size = Some(ids);
        self
    }

    fn size(self, ids: u64, workers: usize) -> u64 {
        let partitions =
            u64::try_from(workers).unwrap_or(u64::MAX).max(1).saturating_mul(Self::PARTITIONS_A_WORKER);
        self.partition_size.unwrap_or_else(|| ids.div_ceil(partitions).min(Self::LARGEST)).max(1)
    }
}

/// The body of a scan: called once for each partition.
pub(crate) type Body = Box<dyn Fn(&mut Partition<'_>) -> Result<(), JobError> + Send + Sync>;

/// A run of ids of a scan, with a writer for its rows. See [`JobContext::scan`](crate::JobContext::scan).
#[derive(Debug)]
pub struct Partition<'c> {
    ids: Range<u64>,
    core: &'c Core,
    rows: RowWriter<'c>,
}

impl Partition<'_> {
    /// The ids to scan.
    #[must_use]
    pub fn ids(&self) -> Range<u64> {
        self.ids.clone()
    }

    /// Appends one row. Readers get the rows of a partition in this order.
    ///
    /// # Errors
    /// As [`RowWriter::push`].
    pub fn push<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<(), JobError> {
        self.rows.push(row)
    }

    /// Appends one row of bytes that are JSON already.
    ///
    /// # Errors
    /// As [`RowWriter::push_json`].
    pub fn push_json(&mut self, json: &[u8]) -> Result<(), JobError> {
        self.rows.push_json(json)
    }

    /// Appends one row of bytes that are JSON already, unchecked.
    ///
    /// # Errors
    /// As [`RowWriter::push_json_unchecked`].
    pub fn push_json_unchecked(&mut self, json: &[u8]) -> Result<(), JobError> {
        self.rows.push_json_unchecked(json)
    }

    /// Checks whether the scan may go on, as [`JobContext::check_stopped`](crate::JobContext::check_stopped).
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the scan must stop now.
    pub fn check_stopped(&self) -> Result<(), JobError> {
        self.core.check_stopped()
    }
}

/// A running scan that idle workers can join.
pub(crate) struct Scan {
    core: Arc<Core>,
    body: Body,
    ids: Range<u64>,
    size: u64,
    first_segment: u32,
    count: u32,
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    next: u32,
    /// The number of partitions that threads are scanning.
    open: u32,
    finished: u32,
    outcome: Outcome,
}

/// The outcome of a partition, or of the whole scan.
#[derive(Default)]
enum Outcome {
    #[default]
    Well,
    Error(JobError),
    Panic(Box<dyn Any + Send>),
}

impl Outcome {
    /// Whether the rows of the scan are dropped. The rows of a scan that was stopped from outside are kept, for a
    /// job that may keep them.
    const fn leaves_nothing(&self) -> bool {
        match self {
            Self::Well | Self::Error(JobError::Stopped(_) | JobError::OverBudget(..)) => false,
            Self::Error(_) | Self::Panic(_) => true,
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        // The body is dropped on the last thread that helped, so its panic is caught.
        shield::discard(mem::replace(&mut self.body, Box::new(|_| Ok(()))));
        let outcome = mem::take(&mut self.state.lock().outcome);
        shield::discard(outcome);
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("job", &self.core.entry.id)
            .field("partitions", &self.count)
            .finish_non_exhaustive()
    }
}

impl Scan {
    /// The attempt whose body runs the scan.
    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Whether a partition is left that no worker has taken.
    pub(crate) fn has_work(&self) -> bool {
        self.state.lock().next < self.count
    }

    /// Takes one partition and scans it; `false` if none is left.
    pub(crate) fn help(&self) -> bool {
        let number = {
            let mut state = self.state.lock();
            if state.next >= self.count {
                return false;
            }
            state.open += 1;
            state.next += 1;
            state.next - 1
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.scan(number)))
            .map_or_else(Outcome::Panic, |ended| ended.map_or_else(Outcome::Error, |()| Outcome::Well));
        let mut state = self.state.lock();
        state.open -= 1;
        state.finished += 1;
        let surplus = match outcome {
            Outcome::Well => None,
            outcome => self.fail(&mut state, outcome),
        };
        self.core.attempt.counter.note(u64::from(state.finished), u64::from(self.count));
        if state.open == 0 {
            self.done.notify_all();
        }
        drop(state);
        self.core.attempt.counter.tell();
        // Failures after the first one are dropped.
        shield::discard(surplus);
        true
    }

    /// Keeps the first failure, and stops the other partitions. Returns a later failure.
    fn fail(&self, state: &mut State, failure: Outcome) -> Option<Outcome> {
        state.next = self.count;
        self.core.attempt.token.stop(StopCause::Sibling);
        // Under this lock the first failure comes before any that its stop causes.
        if matches!(state.outcome, Outcome::Well) {
            state.outcome = failure;
            None
        } else {
            Some(failure)
        }
    }

    fn scan(&self, number: u32) -> Result<(), JobError> {
        self.core.check_stopped()?;
        let start = self.ids.start + u64::from(number) * self.size;
        let rows = RowWriter::new(&self.core, self.first_segment + number);
        let ids = start..start.saturating_add(self.size).min(self.ids.end);
        let mut partition = Partition { ids, core: &self.core, rows };
        (self.body)(&mut partition)?;
        partition.rows.settle()
    }

    /// Waits until no thread scans a partition, and returns the outcome.
    fn join(&self) -> Outcome {
        let mut state = self.state.lock();
        while state.open > 0 {
            self.done.wait(&mut state);
        }
        mem::take(&mut state.outcome)
    }

    /// The numbers of the scan's segments.
    const fn segments(&self) -> Range<u32> {
        self.first_segment..self.first_segment + self.count
    }
}

/// Scans a range of ids with the help of idle workers.
pub(crate) fn scan(
    core: &Arc<Core>,
    name: &str,
    ids: Range<u64>,
    options: ScanOptions,
    body: Body,
) -> Result<(), JobError> {
    let many = ids.end.saturating_sub(ids.start);
    let size = options.size(many, core.services().workers());
    let count = u32::try_from(many.div_ceil(size))
        .map_err(|_| JobError::failed(format!("{many} ids in partitions of {size} are too many partitions")))?;
    let first_segment = core.attempt.open_segments(name, count)?;
    core.attempt.counter.set(0, u64::from(count));
    let scan = Arc::new(Scan {
        core: Arc::clone(core),
        body,
        ids,
        size,
        first_segment,
        count,
        state: Mutex::default(),
        done: Condvar::new(),
    });
    core.services().offer(&scan);
    while scan.help() {}
    let outcome = scan.join();
    core.services().withdraw(&scan);
    core.attempt.token.forgive_sibling();
    if outcome.leaves_nothing() {
        core.abandon(scan.segments());
    }
    match outcome {
        Outcome::Well => Ok(()),
        Outcome::Error(error) => Err(error),
        Outcome::Panic(panic) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_as_large_as_it_is_set_or_as_workers_share_evenly() {
        let size = |options: ScanOptions, ids, workers| options.size(ids, workers);
        let (unset, set) = (ScanOptions::default(), |ids| ScanOptions::default().partition_size(ids));
        assert_eq!([size(unset, 0, 4), size(unset, 3, 4), size(unset, 64, 4), size(unset, 65, 4)], [1, 1, 1, 2]);
        assert_eq!([size(unset, 10_000_000, 1), size(unset, u64::MAX, usize::MAX)], [65_536, 1]);
        assert_eq!([size(set(0), 10, 1), size(set(7), 10, 1), size(unset, 160, 0)], [1, 7, 10]);
    }
}
