//! What workers do next: the jobs and scans they are given, and who is called when there is something.

use std::{sync::Arc, time::Duration};

use crate::{
    live::Live,
    partition::Scan,
    shared::{Phase, Scheduler, Shared},
    sync::thread,
};

/// What a worker does next.
pub(crate) enum Work {
    Job(Arc<Live>),
    Help(Arc<Scan>),
}

impl Shared {
    /// What a worker does next; waits for it. `None` when the thread is to end.
    pub(crate) fn next(&self) -> Option<Work> {
        let mut scheduler = self.scheduler();
        loop {
            if scheduler.phase == Phase::Closed {
                return None;
            }
            if scheduler.has_many_workers(self.config.workers) {
                // The one that it has worked for goes on. Whatever it was called for is another's.
                scheduler.workers -= 1;
                scheduler.workers_left.push(thread::current().id());
                self.work.notify_one();
                return None;
            }
            if scheduler.phase == Phase::Open
                && let Some(live) = self.take(&mut scheduler)
            {
                return Some(Work::Job(live));
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

    /// A job for a worker: one that waits, else one that its claim has started. The latter are few, and cannot keep a job
    /// from running that is tried again.
    fn take(&self, scheduler: &mut Scheduler) -> Option<Arc<Live>> {
        let live = self.pop(scheduler).or_else(|| scheduler.started.take());
        self.source.worker_looked(scheduler, live.is_some());
        live
    }

    /// There may be a job to take.
    pub(crate) fn call(&self) {
        self.work.notify_one();
    }

    /// The job that is next, if one is.
    pub(crate) fn try_next(&self) -> Option<Arc<Live>> {
        let mut scheduler = self.scheduler();
        if scheduler.phase == Phase::Open { self.pop(&mut scheduler) } else { None }
    }

    /// Takes this job out of the queue, if it may run now.
    pub(crate) fn take_waiting(&self, live: &Live) -> bool {
        let mut scheduler = self.scheduler();
        let now = self.clock.now();
        let taken = scheduler.phase == Phase::Open && scheduler.queue.take(live.id, now);
        scheduler.running += usize::from(taken);
        taken
    }

    /// Takes the next job out of the queue.
    pub(crate) fn pop(&self, scheduler: &mut Scheduler) -> Option<Arc<Live>> {
        let now = self.clock.now();
        while let Some(id) = scheduler.queue.pop(now) {
            self.room.notify_all();
            if let Some(live) = scheduler.registry.get(id).cloned() {
                scheduler.running += 1;
                return Some(live);
            }
            scheduler.queue.finish(id, Duration::ZERO);
            scheduler.queue.clear(id);
        }
        None
    }

    /// Offers the partitions of a scan to idle workers.
    pub(crate) fn offer(&self, scan: &Arc<Scan>) {
        self.scheduler().scans.push(Arc::clone(scan));
        self.work.notify_all();
    }

    pub(crate) fn withdraw(&self, scan: &Arc<Scan>) {
        self.scheduler().scans.retain(|other| !Arc::ptr_eq(other, scan));
    }
}
