//! The next step of a worker: a job, a partition of a scan, or a call to wake it.

use std::{sync::Arc, time::Duration};

use crate::{
    engine::{
        core::EngineCore,
        scheduler::{Phase, Scheduler},
    },
    handler::partition::Scan,
    job::entry::Entry,
    seam::sync::thread,
};

/// The next step of a worker.
pub(crate) enum Work {
    Job(Arc<Entry>),
    Help(Arc<Scan>),
}

impl EngineCore {
    /// Blocks until there is work. `None` if the thread has to end, as in a shutdown.
    pub(crate) fn next(&self) -> Option<Work> {
        let mut scheduler = self.scheduler();
        loop {
            if scheduler.phase == Phase::Closed {
                return None;
            }
            if scheduler.has_many_workers(self.config.workers()) {
                // The worker whose substitute this thread is has stopped waiting. So this thread ends, and passes
                // its wake-up on to another one.
                scheduler.workers -= 1;
                scheduler.workers_left.push(thread::current().id());
                self.work.notify_one();
                return None;
            }
            if scheduler.phase == Phase::Open
                && let Some(entry) = self.take(&mut scheduler)
            {
                return Some(Work::Job(entry));
            }
            if let Some(scan) = scheduler.scans.iter().find(|scan| scan.has_work()) {
                return Some(Work::Help(Arc::clone(scan)));
            }
            scheduler.started.idle += 1;
            match scheduler.queue.next_due() {
                Some(due) if scheduler.phase == Phase::Open => {
                    let pause = due.since(self.clock.now()).max(Duration::from_millis(1));
                    self.work.wait_for(&mut scheduler, pause);
                }
                _ => self.work.wait(&mut scheduler),
            }
            scheduler.started.idle -= 1;
        }
    }

    /// A job for a worker: a waiting one, else one that its claim has started. Started ones are few, and must not
    /// keep jobs that are tried again from running.
    fn take(&self, scheduler: &mut Scheduler) -> Option<Arc<Entry>> {
        let entry = self.pop(scheduler).or_else(|| scheduler.started.take());
        self.source.worker_looked(scheduler, entry.is_some());
        entry
    }

    /// The next job, if there is one.
    pub(crate) fn try_next(&self) -> Option<Arc<Entry>> {
        let mut scheduler = self.scheduler();
        if scheduler.phase == Phase::Open { self.pop(&mut scheduler) } else { None }
    }

    /// Takes this job out of the queue if it may run now.
    pub(crate) fn take_waiting(&self, entry: &Entry) -> bool {
        let mut scheduler = self.scheduler();
        let now = self.clock.now();
        let taken = scheduler.phase == Phase::Open && scheduler.queue.take(entry.id, now);
        scheduler.running += usize::from(taken);
        taken
    }

    /// Takes the next job out of the queue.
    pub(crate) fn pop(&self, scheduler: &mut Scheduler) -> Option<Arc<Entry>> {
        let now = self.clock.now();
        while let Some(id) = scheduler.queue.pop(now) {
            self.room.notify_all();
            if let Some(entry) = scheduler.registry.get(id).cloned() {
                scheduler.running += 1;
                return Some(entry);
            }
            scheduler.queue.finish(id, Duration::ZERO);
            scheduler.queue.clear(id);
        }
        None
    }
}
