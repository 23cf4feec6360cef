//! [`Partition`]: one job's scan, shared with the workers that are idle.

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

/// The body of a scan: called once for each partition.
pub(crate) type Body = Box<dyn Fn(&mut Partition<'_>) -> Result<(), JobError> + Send + Sync>;

/// A run of ids of a scan, and the place for its rows. See
/// [`JobContext::scan_partitions`](crate::JobContext::scan_partitions).
#[derive(Debug)]
pub struct Partition<'c> {
    ids: Range<u64>,
    core: &'c Core,
    rows: RowWriter<'c>,
}

impl Partition<'_> {
    /// The ids to look at.
    #[must_use]
    pub fn ids(&self) -> Range<u64> {
        self.ids.clone()
    }

    /// Appends one row; rows of a partition are read in the order they were pushed.
    ///
    /// # Errors
    /// As [`RowWriter::push`].
    pub fn push<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<(), JobError> {
        self.rows.push(row)
    }

    /// Asks whether to go on, as [`JobContext::checkpoint`](crate::JobContext::checkpoint).
    ///
    /// # Errors
    /// [`JobError::Cancelled`] when the scan must stop now.
    pub fn checkpoint(&self) -> Result<(), JobError> {
        self.core.checkpoint()
    }
}

/// A scan in progress, as idle workers find it.
pub(crate) struct Scan {
    core: Arc<Core>,
    body: Body,
    ids: u64,
    size: u64,
    first_segment: u32,
    count: u32,
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    next: u32,
    /// Partitions that some thread is in.
    open: u32,
    finished: u32,
    outcome: Outcome,
}

/// How a partition went, or the whole scan.
#[derive(Default)]
enum Outcome {
    #[default]
    Well,
    Error(JobError),
    Panic(Box<dyn Any + Send>),
}

impl Outcome {
    /// Whether its rows go. Those of a scan that was stopped from outside are kept, for a job that may keep them.
    const fn leaves_nothing(&self) -> bool {
        match self {
            Self::Well | Self::Error(JobError::Cancelled | JobError::OverBudget(..)) => false,
            Self::Error(_) | Self::Panic(_) => true,
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        // On whichever thread was the last to help.
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
    /// The body that it is part of.
    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Whether a partition is left that nobody has taken.
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
        self.core.attempt.counter.set(u64::from(state.finished), u64::from(self.count));
        if state.open == 0 {
            self.done.notify_all();
        }
        drop(state);
        // Of no interest any more.
        shield::discard(surplus);
        true
    }

    /// Keeps the first failure and sees to it that no other partition goes on; a later one comes back.
    fn fail(&self, state: &mut State, failure: Outcome) -> Option<Outcome> {
        state.next = self.count;
        self.core.attempt.token.stop(StopCause::Sibling);
        // Under this lock the first came before any that the stop leads to.
        if matches!(state.outcome, Outcome::Well) {
            state.outcome = failure;
            None
        } else {
            Some(failure)
        }
    }

    fn scan(&self, number: u32) -> Result<(), JobError> {
        self.core.checkpoint()?;
        let start = u64::from(number) * self.size;
        let rows = RowWriter::new(&self.core, self.first_segment + number);
        let ids = start..start.saturating_add(self.size).min(self.ids);
        let mut partition = Partition { ids, core: &self.core, rows };
        (self.body)(&mut partition)?;
        partition.rows.settle()
    }

    /// Waits until no thread is inside a partition, and says how it went.
    fn join(&self) -> Outcome {
        let mut state = self.state.lock();
        while state.open > 0 {
            self.done.wait(&mut state);
        }
        mem::take(&mut state.outcome)
    }

    /// The numbers of its segments.
    const fn segments(&self) -> Range<u32> {
        self.first_segment..self.first_segment + self.count
    }
}

/// Scans `0..ids` with the help of idle workers.
pub(crate) fn scan(core: &Arc<Core>, name: &str, ids: u64, size: u64, body: Body) -> Result<(), JobError> {
    let size = size.max(1);
    let count = u32::try_from(ids.div_ceil(size))
        .map_err(|_| JobError::failed(format!("{ids} ids in partitions of {size} are too many partitions")))?;
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
