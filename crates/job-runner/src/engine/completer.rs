//! [`Completer`]: the ends of jobs that went well, on their way from the workers to the thread that stores them.

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
    /// `None` wakes the thread, which is to end.
    receiver: Receiver<Option<CompletedAttempt>>,
    closed: AtomicBool,
}

impl Default for Completer {
    fn default() -> Self {
        let (sender, receiver) = unbounded();
        Self { sender, receiver, closed: AtomicBool::new(false) }
    }
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

    /// Hands an end over. It comes back, with those that wait, when these are too many or the queue is closed.
    pub(crate) fn push(&self, end: CompletedAttempt) -> Result<(), Vec<CompletedAttempt>> {
        let is_full = self.sender.len() >= Self::BOUND;
        self.send(Some(end));
        // Looked at after it was sent: the thread may have taken the last ends before.
        let back = if is_full || self.is_closed() { self.take() } else { Vec::new() };
        if back.is_empty() { Ok(()) } else { Err(back) }
    }

    /// The ends that wait; `None` when the thread is to end and none waits.
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

    /// Has workers store ends themselves from here on. Ends that wait come back to a caller that the thread may wait for.
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
            // It was for the thread.
            self.send(None);
        }
        ends
    }
}
