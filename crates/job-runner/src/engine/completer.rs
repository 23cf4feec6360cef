//! [`Completer`]: the ends of jobs that went well, on their way from the workers to the thread that stores them.

use std::sync::Arc;

use job_core::JobResult;

use crate::{
    handler::context::Core,
    job::entry::Entry,
    seam::sync::{Condvar, Mutex},
};

/// The ends that wait to be stored.
#[derive(Debug, Default)]
pub(crate) struct Completer {
    pending: Mutex<Pending>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    ends: Vec<CompletedAttempt>,
    closed: bool,
}

/// A body that went well, with all its rows in the store.
#[derive(Debug)]
pub(crate) struct CompletedAttempt {
    pub(crate) entry: Arc<Entry>,
    pub(crate) core: Arc<Core>,
    pub(crate) result: JobResult,
}

impl Completer {
    /// How many ends may wait before workers store them themselves.
    const BOUND: usize = 1_024;

    /// Hands an end over; back when too many wait.
    pub(crate) fn push(&self, end: CompletedAttempt) -> Result<(), Vec<CompletedAttempt>> {
        let mut pending = self.pending.lock();
        pending.ends.push(end);
        if pending.closed || pending.ends.len() > Self::BOUND {
            return Err(std::mem::take(&mut pending.ends));
        }
        drop(pending);
        self.filled.notify_one();
        Ok(())
    }

    /// The ends that wait; `None` when the thread is to end and none waits.
    pub(crate) fn next(&self) -> Option<Vec<CompletedAttempt>> {
        let mut pending = self.pending.lock();
        while pending.ends.is_empty() {
            if pending.closed {
                return None;
            }
            self.filled.wait(&mut pending);
        }
        Some(std::mem::take(&mut pending.ends))
    }

    /// Has workers store ends themselves from here on. Ends that wait come back to a caller that the thread may wait
    /// for.
    pub(crate) fn bypass(&self) -> Vec<CompletedAttempt> {
        let mut pending = self.pending.lock();
        pending.closed = true;
        std::mem::take(&mut pending.ends)
    }

    pub(crate) fn close(&self) {
        self.pending.lock().closed = true;
        self.filled.notify_all();
    }
}
