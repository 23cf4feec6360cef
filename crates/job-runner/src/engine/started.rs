//! [`Started`]: the jobs that a claim has started and no worker has begun.
//!
//! A claim starts at most as many jobs as the workers will soon begin, by the time of the last jobs. Jobs that
//! they have not begun after [`PATIENCE`] wait again.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use job_core::{Event, Failure, FailureKind};

use crate::{engine::scheduler::Phase, job::entry::Entry, seam::sync::Instant};

/// How long a started job may wait for a worker.
const PATIENCE: Duration = Duration::from_millis(50);

/// The started jobs that no worker has begun, and the average time of a job.
#[derive(Debug)]
pub(crate) struct Started {
    /// Each job, with the time after which it is put back to the waiting ones.
    jobs: VecDeque<(Instant, Arc<Entry>)>,
    /// The number of workers that wait for a job.
    pub(crate) idle: usize,
    /// The average time of a job in microseconds, with more weight on the latest. It is long before any job has
    /// run.
    pace: u64,
}

impl Default for Started {
    fn default() -> Self {
        Self { jobs: VecDeque::new(), idle: 0, pace: 1_000_000 }
    }
}

impl Started {
    /// Adds jobs that a claim has started. Returns how many workers to wake.
    pub(crate) fn add(&mut self, entries: Vec<Arc<Entry>>, now: Instant) -> usize {
        let (until, count) = (now + PATIENCE, entries.len());
        self.jobs.extend(entries.into_iter().map(|entry| (until, entry)));
        count.min(self.idle)
    }

    /// Takes the next job for a worker.
    pub(crate) fn take(&mut self) -> Option<Arc<Entry>> {
        self.jobs.pop_front().map(|(_, entry)| entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Updates the average time of a job.
    pub(crate) fn worked(&mut self, used: Duration) {
        let used = u64::try_from(used.as_micros()).unwrap_or(u64::MAX);
        self.pace = self.pace.saturating_mul(7).saturating_add(used) / 8;
    }

    /// The average time of a job.
    pub(crate) const fn pace(&self) -> Duration {
        Duration::from_micros(self.pace)
    }

    /// The time until the oldest of them has waited for too long.
    pub(crate) fn patience(&self, now: Instant) -> Option<Duration> {
        self.jobs.front().map(|(until, _)| until.saturating_duration_since(now))
    }

    /// Takes out the jobs that no worker will begin in time, and all of them in a shutdown. A worker that waits
    /// for a job is about to begin one, even if the machine delays it.
    pub(crate) fn overdue(&mut self, phase: Phase, now: Instant) -> Vec<Arc<Entry>> {
        let kept = if phase == Phase::Open { self.idle } else { 0 };
        let late = self.patience(now).is_some_and(|patience| patience.is_zero());
        if self.jobs.len() <= kept || (phase == Phase::Open && !late) {
            return Vec::new();
        }
        // Jobs take longer than the average said.
        self.pace = self.pace.max(u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX));
        self.jobs.drain(kept..).map(|(_, entry)| entry).collect()
    }
}

/// The event of a started job that waits again.
pub(crate) fn put_back() -> Event {
    Event::Requeue(Failure::new(FailureKind::Shutdown, "no worker was free to begin it"), None)
}

#[cfg(test)]
mod tests {
    use job_core::{JobId, JobRecord, JobSpec, Timestamp};

    use crate::job::place::Place;

    use super::*;

    #[test]
    fn what_no_worker_is_there_for_waits_again() {
        let mut started = Started { idle: 1, pace: 3, ..Started::default() };
        let (spec, now) = (Arc::new(JobSpec::vertex_filter().with_graph("g")), Instant::now());
        for _ in 0..3 {
            let record = JobRecord::waiting(JobId::MIN, Arc::clone(&spec), Timestamp::default());
            started.jobs.push_back((now + PATIENCE, Arc::new(Entry::new(record, Place::Outside))));
        }
        assert_eq!(started.patience(now), Some(PATIENCE));
        assert_eq!(started.overdue(Phase::Open, now).len(), 0, "a worker may be about to be free");
        assert_eq!(started.overdue(Phase::Open, now + PATIENCE).len(), 2, "one worker waits for a job");
        assert_eq!(u128::from(started.pace), PATIENCE.as_micros(), "jobs were not as short as that");
        assert_eq!(started.overdue(Phase::Open, now + PATIENCE).len(), 0);
        assert_eq!(started.overdue(Phase::Draining, now).len(), 1);
    }

    #[test]
    fn the_pace_follows_the_last_jobs() {
        let mut started = Started::default();
        assert_eq!(started.pace(), Duration::from_secs(1), "nothing is known");
        for _ in 0..100 {
            started.worked(Duration::from_micros(100));
        }
        assert!((100..=110).contains(&started.pace().as_micros()));
    }
}
