//! [`Scheduler`]: the jobs and threads of an engine, under one lock.

use std::{collections::BTreeSet, sync::Arc};

use job_core::{JobId, JobRecord, Timestamp};

use crate::{
    decide::queue::{Queue, Waiting},
    engine::started::Started,
    handler::partition::Scan,
    job::{entry::Entry, registry::Registry},
    seam::sync::thread,
};

#[derive(Debug)]
pub(crate) struct Scheduler {
    pub(crate) queue: Queue,
    pub(crate) registry: Registry,
    pub(crate) deadlines: BTreeSet<(Timestamp, JobId)>,
    pub(crate) scans: Vec<Arc<Scan>>,
    /// On a shared store.
    pub(crate) started: Started,
    pub(crate) phase: Phase,
    /// Places given to submissions that are being stored.
    pub(crate) reserved: [usize; 2],
    pub(crate) running: usize,
    pub(crate) threads: usize,
    /// Which jobs wait for which others, in their bodies: once for each thread.
    pub(crate) waits: Vec<(JobId, JobId)>,
    /// Threads that work, and those of them that wait in a body.
    pub(crate) workers: usize,
    pub(crate) blocked: usize,
    /// Workers that have left, because others went on.
    pub(crate) workers_left: Vec<thread::ThreadId>,
    /// The answer of a shutdown, once it is over.
    pub(crate) left: Option<Shutdown>,
}

/// How far a shutdown is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Jobs come and go.
    Open,
    /// Running jobs may end, no other starts.
    Draining,
    /// Threads end.
    Closed,
}

/// The state that a shutdown left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Jobs that wait for the next open.
    pub waiting: usize,
    /// Jobs whose bodies did not stop in time; the next open runs them again.
    pub abandoned: usize,
}

impl Scheduler {
    /// The jobs that this one waits for in its body.
    pub(crate) fn waits(&self, job: JobId) -> impl Iterator<Item = JobId> {
        self.waits.iter().filter(move |(waiter, _)| *waiter == job).map(|(_, awaited)| *awaited)
    }

    /// Whether fewer threads work and do not wait than there should be.
    pub(crate) const fn has_few_workers(&self, wanted: usize) -> bool {
        self.workers.saturating_sub(self.blocked) < wanted
    }

    /// Whether more threads work and do not wait than there should be.
    pub(crate) const fn has_many_workers(&self, wanted: usize) -> bool {
        self.workers.saturating_sub(self.blocked) > wanted
    }

    /// It is complete, or left to the next open: this engine has no more to do with it.
    pub(crate) fn forget(&mut self, entry: &Entry) {
        self.registry.remove(entry);
        self.forget_deadline(entry);
    }

    pub(crate) fn forget_deadline(&mut self, entry: &Entry) {
        if let Some(deadline) = entry.lock().record.spec.options().deadline {
            self.deadlines.remove(&(deadline, entry.id));
        }
    }
}

pub(crate) fn waiting(record: &JobRecord) -> Waiting<'_> {
    Waiting {
        id: record.id,
        class: record.spec.options().class,
        graph: record.spec.graph(),
        priority: record.spec.options().priority,
        submitted_at: record.submitted_at,
        not_before: record.not_before,
        suspect: record.is_suspect().then_some(record.failed_attempts),
    }
}
