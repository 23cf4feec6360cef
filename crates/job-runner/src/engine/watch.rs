//! [`Watch`]: the changes of jobs as they happen.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use job_core::{JobId, JobRecord, JobState, Timestamp};

use crate::seam::sync::Mutex;

/// One change of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The job.
    pub id: JobId,
    /// Its state after the change.
    pub state: JobState,
    /// Its attempt.
    pub attempt: u32,
    /// Its revision, which tells an earlier change from a later one.
    pub revision: u64,
    /// When the state began.
    pub at: Timestamp,
    /// Changes that this watch lost just before, because it was not read fast enough.
    pub missed: u64,
}

/// A stream of changes. Dropping it ends the watch.
///
/// It holds up to [`CAPACITY`](Self::CAPACITY) changes; a watcher that is slower loses some and is told how many
/// ([`Change::missed`]). It never holds up a job.
#[derive(Debug)]
pub struct Watch(Receiver<Change>);

impl Watch {
    /// A watch of something that will not change any more.
    pub(crate) fn ended() -> Self {
        Self(bounded(0).1)
    }

    /// How many changes wait for a slow watcher.
    pub const CAPACITY: usize = 4_096;

    /// The next change; `None` when none came in time or the engine is gone.
    #[must_use]
    pub fn next_timeout(&self, timeout: Duration) -> Option<Change> {
        self.0.recv_timeout(timeout).ok()
    }

    /// The next change if it is there.
    #[must_use]
    pub fn try_next(&self) -> Option<Change> {
        self.0.try_recv().ok()
    }
}

/// Waits for each change; ends with the engine.
impl Iterator for Watch {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        self.0.recv().ok()
    }
}

/// Everybody who watches.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    watchers: Vec<Watcher>,
    closed: bool,
}

#[derive(Debug)]
struct Watcher {
    job: Option<JobId>,
    sender: Sender<Change>,
    missed: u64,
}

impl Watchers {
    pub(crate) fn add(&self, job: Option<JobId>) -> Watch {
        let (sender, receiver) = bounded(Watch::CAPACITY);
        let mut list = self.0.lock();
        // Otherwise the sender is dropped here, and the watch has ended before it began.
        if !list.closed {
            list.watchers.push(Watcher { job, sender, missed: 0 });
        }
        Watch(receiver)
    }

    pub(crate) fn tell(&self, record: &JobRecord) {
        self.0.lock().watchers.retain_mut(|watcher| {
            let concerned = watcher.job.is_none_or(|job| job == record.id);
            // A watch of one job that was dropped is found out at that job's next change; after its end there is none.
            !concerned || (watcher.tell(record) && !(watcher.job.is_some() && record.state.is_complete()))
        });
    }

    /// Ends the watches of one job: no change of it will be seen.
    pub(crate) fn end(&self, job: JobId) {
        self.0.lock().watchers.retain(|watcher| watcher.job != Some(job));
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        let mut list = self.0.lock();
        list.closed = true;
        list.watchers.clear();
    }
}

impl Watcher {
    /// Sends a change; `false` when nobody is there any more.
    fn tell(&mut self, record: &JobRecord) -> bool {
        let at =
            record.finished_at.or(record.cancel_requested_at).or(record.started_at).unwrap_or(record.submitted_at);
        let change = Change {
            id: record.id,
            state: record.state,
            attempt: record.attempt,
            revision: record.revision,
            at,
            missed: self.missed,
        };
        match self.sender.try_send(change) {
            Ok(()) => {
                self.missed = 0;
                true
            }
            Err(TrySendError::Full(_)) => {
                self.missed += 1;
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}
