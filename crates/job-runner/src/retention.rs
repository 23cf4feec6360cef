//! [`Retention`]: which finished jobs go, and when.

use std::time::Duration;

use job_core::{JobId, JobRecord, Timestamp};
use job_store::{Store, StoreError, Use};

/// How long finished jobs are kept. Each limit by itself is off by default; pinned jobs always stay.
///
/// Over a limit, jobs go in the order in which they were last read (or, never read, finished).
///
/// ```
/// use std::time::Duration;
/// use job_runner::Retention;
///
/// let week = Retention::default().max_age(Duration::from_secs(7 * 24 * 3_600)).max_bytes(100 << 30);
/// assert_eq!(week.bytes, Some(100 << 30));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Jobs that finished longer ago go.
    pub age: Option<Duration>,
    /// More finished jobs than this are not kept.
    pub jobs: Option<u64>,
    /// More bytes of rows than this are not kept.
    pub bytes: Option<u64>,
}

impl Retention {
    /// How often limits are looked at.
    pub(crate) const EVERY: Duration = Duration::from_secs(30);

    /// Removes jobs that finished longer ago than `age`.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Keeps at most `jobs` finished jobs.
    #[must_use]
    pub const fn max_jobs(mut self, jobs: u64) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Keeps at most `bytes` bytes of rows, as JSON.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Jobs of this id and later ones need not be looked at: ids tell when jobs were submitted, and none has finished before.
    fn oldest(&self, now: Timestamp) -> Option<JobId> {
        let age = self.age.filter(|_| self.jobs.is_none() && self.bytes.is_none())?;
        let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        let then = now.as_micros().saturating_sub(micros);
        Some(JobId::from_parts(Timestamp::from_micros(then), [0xff; 10]))
    }

    pub(crate) const fn is_off(&self) -> bool {
        self.age.is_none() && self.jobs.is_none() && self.bytes.is_none()
    }
}

/// A finished job as retention sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: JobId,
    pub(crate) finished: Timestamp,
    /// The later of its end and its last reading.
    pub(crate) used: Timestamp,
    pub(crate) bytes: u64,
}

/// Which of `jobs` have to go: pure.
pub(crate) fn surplus(mut jobs: Vec<Kept>, policy: Retention, now: Timestamp) -> Vec<JobId> {
    jobs.sort_unstable_by_key(|job| (job.used, job.id));
    let mut left = jobs.len() as u64;
    let mut bytes: u64 = jobs.iter().fold(0, |sum, job| sum.saturating_add(job.bytes));
    let mut gone = Vec::new();
    for job in jobs {
        let old = policy.age.is_some_and(|age| now.since(job.finished) > age);
        let many = policy.jobs.is_some_and(|most| left > most);
        // A job without rows frees nothing.
        let large = policy.bytes.is_some_and(|most| bytes > most) && job.bytes > 0;
        if old || many || large {
            left -= 1;
            bytes = bytes.saturating_sub(job.bytes);
            gone.push(job.id);
        }
    }
    gone
}

/// Applies `policy` once; how many jobs were removed comes back. Cost: one pass over the records, in pieces; where only
/// age counts, over those of jobs that were submitted so long ago.
pub(crate) fn sweep(store: &dyn Store, policy: Retention, now: Timestamp) -> Result<u64, StoreError> {
    const PIECE: usize = 1_000;
    let mut jobs = Vec::new();
    let mut before = policy.oldest(now);
    loop {
        let records = store.list(before, 0, PIECE)?;
        let ids: Vec<JobId> = records.iter().map(|record| record.id).collect();
        let uses = store.uses(&ids)?;
        jobs.extend(records.iter().zip(uses).filter_map(|(record, known)| kept(record, known)));
        match records.last() {
            Some(last) if records.len() == PIECE => before = Some(last.id),
            _ => break,
        }
    }
    let mut removed = 0;
    for id in surplus(jobs, policy, now) {
        // Pinned since the listing: it stays.
        match store.remove(id) {
            Ok(there) => removed += u64::from(there),
            Err(error) if error.kind == job_store::ErrorKind::Invalid => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

fn kept(record: &JobRecord, known: Use) -> Option<Kept> {
    let finished = record.finished_at.filter(|_| record.state.is_complete() && !known.pinned)?;
    let used = known.last_read.map_or(finished, |read| finished.max(read));
    Some(Kept { id: record.id, finished, used, bytes: record.size.bytes })
}

#[cfg(test)]
mod tests {
    use job_core::{Event, JobSpec};
    use job_store::{Durability, JobStore};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn job(n: u8, finished: u64, used: u64, bytes: u64) -> Kept {
        Kept { id: JobId::from_bytes([n; 16]), finished: at(finished), used: at(used), bytes }
    }

    fn gone(jobs: &[Kept], policy: Retention) -> Vec<u8> {
        surplus(jobs.to_vec(), policy, at(100)).iter().map(|id| id.as_bytes()[0]).collect()
    }

    #[test]
    fn where_only_age_counts_young_jobs_are_not_looked_at() {
        let store = job_store::MemoryStore::default();
        let end = |seconds| {
            let id = JobId::from_parts(at(seconds), [0; 10]);
            let record = JobRecord::waiting(id, JobSpec::vertex_filter().graph("g"), at(seconds));
            let ended = record.apply(Event::Cancel, at(seconds)).unwrap();
            store.insert(&[record], Durability::Buffered).unwrap();
            store.replace(&ended, Durability::Buffered).unwrap();
            id
        };
        let [first, second, third] = [10, 40, 70].map(end);
        let minute = Retention::default().max_age(Duration::from_mins(1));
        let seen = |policy: Retention| store.list(policy.oldest(at(100)), 0, 9).unwrap().len();
        assert_eq!((seen(minute), seen(minute.max_jobs(9)), seen(minute.max_bytes(9))), (2, 3, 3));
        assert_eq!(sweep(&store, minute, at(100)).unwrap(), 1);
        assert_eq!(sweep(&store, minute, at(101)).unwrap(), 1);
        assert_eq!([first, second, third].map(|id| store.get(id).unwrap().is_some()), [false, false, true]);
    }

    #[test]
    fn each_limit_takes_what_was_used_longest_ago() {
        let jobs = [job(1, 10, 90, 50), job(2, 20, 20, 0), job(3, 30, 30, 70), job(4, 99, 99, 10)];
        let policy = Retention::default();
        assert_eq!(gone(&jobs, policy), [0u8; 0]);
        assert_eq!(gone(&jobs, policy.max_jobs(2)), [2, 3]);
        assert_eq!(gone(&jobs, policy.max_bytes(60)), [3]); // 2 frees nothing
        assert_eq!(gone(&jobs, policy.max_age(Duration::from_secs(75))), [2, 1]); // age counts from the end
        assert_eq!(gone(&jobs, policy.max_bytes(0)), [3, 1, 4]);
    }
}
