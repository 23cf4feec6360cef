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
    /// The started jobs of a shared store.
    pub(crate) started: Started,
    pub(crate) phase: Phase,
    /// Places in the queue for submissions that are being stored.
    pub(crate) reserved: [usize; 2],
    pub(crate) running: usize,
    pub(crate) threads: usize,
    /// Pairs of a job and one that its body waits for, once for each thread.
    pub(crate) waits: Vec<(JobId, JobId)>,
    /// The number of worker threads. The next field counts the worker threads that wait in a body.
    pub(crate) workers: usize,
    pub(crate) blocked: usize,
    /// Substitute workers that have ended, because the workers that waited in bodies went on.
    pub(crate) workers_left: Vec<thread::ThreadId>,
    /// The answer of a finished shutdown.
    pub(crate) left: Option<Shutdown>,
}

/// The phases of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The engine takes and runs jobs.
    Open,
    /// Running jobs may end, and no other starts.
    Draining,
    /// Threads end.
    Closed,
}

/// The numbers of jobs that a shutdown left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// The number of jobs that wait for the next open.
    pub waiting: usize,
    /// The number of jobs whose bodies did not stop in time. The next open runs them again.
    pub abandoned: usize,
}

impl Scheduler {
    /// The jobs for which the body of this job waits.
    pub(crate) fn waits(&self, job: JobId) -> impl Iterator<Item = JobId> {
        self.waits.iter().filter(move |(waiter, _)| *waiter == job).map(|(_, awaited)| *awaited)
    }

    /// Whether fewer than `wanted` workers do not wait.
    pub(crate) const fn has_few_workers(&self, wanted: usize) -> bool {
        self.workers.saturating_sub(self.blocked) < wanted
    }

    /// Whether more than `wanted` workers do not wait.
    pub(crate) const fn has_many_workers(&self, wanted: usize) -> bool {
        self.workers.saturating_sub(self.blocked) > wanted
    }

    /// Removes a job that is complete or left to the next open.
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
