//! [`Completer`]: the successful ends of jobs, between the workers and the thread that stores them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use job_core::JobResult;

use crate::{
    handler::context::Core,
    job::entry::Entry,
    seam::sync::{Receiver, Sender, unbounded},
};

/// The ends that wait to be stored.
#[derive(Debug)]
pub(crate) struct Completer {
    sender: Sender<Option<CompletedAttempt>>,
    /// `None` wakes the thread, so that it looks whether to end.
    receiver: Receiver<Option<CompletedAttempt>>,
    closed: AtomicBool,
}

impl Default for Completer {
    fn default() -> Self {
        let (sender, receiver) = unbounded();
        Self { sender, receiver, closed: AtomicBool::new(false) }
    }
}

/// An attempt whose body has succeeded, with all its rows in the store.
#[derive(Debug)]
pub(crate) struct CompletedAttempt {
    pub(crate) entry: Arc<Entry>,
    pub(crate) core: Arc<Core>,
    pub(crate) result: JobResult,
}

impl Completer {
    /// The most ends that wait to be stored. If more wait, workers store their ends themselves.
    const BOUND: usize = 1_024;

    /// Adds an end. If too many wait, or the queue is closed, all waiting ends are returned to the caller.
    pub(crate) fn push(&self, end: CompletedAttempt) -> Result<(), Vec<CompletedAttempt>> {
        let is_full = self.sender.len() >= Self::BOUND;
        self.send(Some(end));
        // Checked after the send: the thread may have taken the last ends before.
        let back = if is_full || self.is_closed() { self.take() } else { Vec::new() };
        if back.is_empty() { Ok(()) } else { Err(back) }
    }

    /// Waits for ends. `None` when the thread has to end and none is left.
    pub(crate) fn next(&self) -> Option<Vec<CompletedAttempt>> {
        loop {
            let first = if self.is_closed() { None } else { self.receiver.recv().ok().flatten() };
            let mut ends = self.take();
            ends.extend(first);
            if !ends.is_empty() {
                return Some(ends);
            }
            if self.is_closed() {
                return None;
            }
        }
    }

    /// Closes the queue, so that workers store ends themselves. Returns the waiting ends, for a caller that the
    /// thread may wait for.
    pub(crate) fn bypass(&self) -> Vec<CompletedAttempt> {
        self.closed.store(true, Ordering::SeqCst);
        self.take()
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.send(None);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn send(&self, end: Option<CompletedAttempt>) {
        let sent = self.sender.send(end);
        debug_assert!(sent.is_ok(), "the other side is here");
    }

    fn take(&self) -> Vec<CompletedAttempt> {
        let mut ends = Vec::with_capacity(self.sender.len());
        let mut is_woken = false;
        for end in self.receiver.try_iter() {
            match end {
                Some(end) => ends.push(end),
                None => is_woken = true,
            }
        }
        if is_woken {
            // The signal was for the thread.
            self.send(None);
        }
        ends
    }
}
