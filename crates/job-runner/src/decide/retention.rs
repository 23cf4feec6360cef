//! [`Retention`]: the finished jobs to keep.

use std::time::Duration;

use job_core::{JobId, JobRecord, Timestamp};
use job_store::{ErrorKind, Store, StoreError, Usage};

/// The limits up to which finished jobs are kept. Each is off by default; pinned jobs always stay.
///
/// Over a limit, the job goes first that was last read the longest ago. A job that was never read counts by its end.
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
    /// The longest time since the end of a job.
    pub age: Option<Duration>,
    /// The most finished jobs.
    pub jobs: Option<u64>,
    /// The most bytes of rows.
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

    /// The age, where nothing else counts.
    fn age_alone(&self) -> Option<Duration> {
        self.age.filter(|_| self.jobs.is_none() && self.bytes.is_none())
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

/// The most records that are read at once.
const PIECE: usize = if cfg!(test) { 7 } else { 1_000 };

/// The times at which jobs have to be looked at again, where only age counts. Ids stand for places here, not for
/// times. Of each run of ids a time is known before which none in it has finished. The run is left alone until that is
/// long ago.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// From the newest ids to the oldest.
    parts: Vec<Part>,
    last: Timestamp,
}

/// The ids from this one to the part before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    from: JobId,
    /// No job in it has finished earlier; those that come or end later do so after the last look.
    since: Timestamp,
    /// How many jobs it had.
    jobs: usize,
}

impl Looks {
    /// The jobs to look at now, in order; after a clock that went back, all.
    fn begin(&mut self, now: Timestamp) -> Vec<Part> {
        let went_back = now < std::mem::replace(&mut self.last, now);
        let parts = std::mem::take(&mut self.parts);
        if parts.is_empty() || went_back {
            return vec![Part { from: JobId::MIN, since: Timestamp::default(), jobs: 0 }];
        }
        parts
    }

    /// Notes a part, as one with the part before it when both are small.
    fn note(&mut self, part: Part) {
        match self.parts.last_mut() {
            Some(last) if last.jobs + part.jobs <= PIECE => {
                *last = Part { from: part.from, since: last.since.min(part.since), jobs: last.jobs + part.jobs };
            }
            _ => self.parts.push(part),
        }
    }
}

/// Applies `policy` once; how many jobs were removed comes back. Cost: one pass over the records, in pieces. Where
/// only age counts the first pass is such a one. Later passes look at a job again when it is old enough, or about once
/// in that time.
pub(crate) fn sweep(
    store: &dyn Store,
    policy: Retention,
    now: Timestamp,
    looks: &mut Looks,
) -> Result<u64, StoreError> {
    let Some(age) = policy.age_alone() else {
        let mut jobs = Vec::new();
        read(store, None, JobId::MIN, |piece| {
            jobs.extend(piece.jobs);
            Ok(())
        })?;
        return remove(store, surplus(jobs, policy, now));
    };
    let (mut removed, mut before) = (0, None);
    for part in looks.begin(now) {
        if now.since(part.since) > age {
            read(store, before, part.from, |piece| {
                let young = piece.jobs.iter().map(|job| job.finished).filter(|&end| now.since(end) <= age);
                let since = young.chain(piece.pinned.iter().copied()).fold(now, Timestamp::min);
                let all = piece.jobs.len() + piece.pinned.len();
                let gone = surplus(piece.jobs, policy, now);
                looks.note(Part { from: piece.from, since, jobs: all - gone.len() });
                removed += remove(store, gone)?;
                Ok(())
            })?;
        } else {
            looks.note(part);
        }
        before = Some(part.from);
    }
    Ok(removed)
}

/// Finished jobs next to each other.
struct Piece {
    jobs: Vec<Kept>,
    /// The ends of jobs that may not be removed.
    pinned: Vec<Timestamp>,
    /// Where it ends.
    from: JobId,
}

/// Hands over the finished jobs from `from` to `before`, the newest ids first, in pieces.
fn read(
    store: &dyn Store,
    mut before: Option<JobId>,
    from: JobId,
    mut each: impl FnMut(Piece) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    loop {
        let mut entries = store.entries(before, 0, PIECE)?;
        let is_last = entries.len() < PIECE;
        entries.retain(|entry| entry.id >= from);
        let end = entries.last().map(|last| last.id).filter(|_| !is_last && entries.len() == PIECE);
        // A record that cannot be read stays: a later version may read it.
        let records: Vec<JobRecord> = entries.into_iter().filter_map(|entry| entry.record.ok()).collect();
        let ids: Vec<JobId> = records.iter().map(|record| record.id).collect();
        let usage = usage(store, &ids)?;
        let (pinned, free): (Vec<_>, Vec<_>) = records.iter().zip(usage).partition(|(_, known)| known.pinned);
        let jobs = free.into_iter().filter_map(|(record, known)| kept(record, known)).collect();
        let pinned = pinned.into_iter().filter_map(|(record, _)| record.finished_at).collect();
        each(Piece { jobs, pinned, from: end.unwrap_or(from) })?;
        match end {
            Some(end) => before = Some(end),
            None => return Ok(()),
        }
    }
}

fn remove(store: &dyn Store, jobs: Vec<JobId>) -> Result<u64, StoreError> {
    let mut removed = 0;
    for id in jobs {
        // Pinned since the listing: it stays.
        match store.remove(id) {
            Ok(there) => removed += u64::from(there),
            Err(error) if error.kind == ErrorKind::Invalid => {}
            Err(error) if error.kind == ErrorKind::Corrupt => {
                tracing::warn!(job = %id, %error, "a finished job could not be removed");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// The reason that keeps these jobs. When a note of one of them is damaged, each is asked for by itself, and that one
/// stays.
fn usage(store: &dyn Store, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError> {
    match (store.usage(jobs), jobs) {
        (Err(error), [_]) if error.kind == ErrorKind::Corrupt => {
            tracing::warn!(%error, "it is not known what keeps a finished job: it stays");
            Ok(vec![Usage { pinned: true, ..Usage::default() }])
        }
        (Err(error), jobs) if error.kind == ErrorKind::Corrupt => {
            let each = jobs.iter().map(|job| usage(store, std::slice::from_ref(job)));
            Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
        }
        (usage, _) => usage,
    }
}

fn kept(record: &JobRecord, known: Usage) -> Option<Kept> {
    let finished = record.finished_at.filter(|_| record.state.is_complete())?;
    let used = known.last_read.map_or(finished, |read| finished.max(read));
    Some(Kept { id: record.id, finished, used, bytes: record.size.bytes })
}

#[cfg(test)]
mod tests {
    use job_core::{Event, JobSpec};
    use job_store::{Durability, JobStore};
    use proptest::prelude::*;

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

    /// Stores a job with an id of that second that has finished at another.
    fn end(store: &job_store::MemoryStore, id_second: u64, n: u8, finished: u64) -> JobId {
        let id = JobId::from_parts(at(id_second), [n; 10]);
        let record = JobRecord::waiting(id, JobSpec::vertex_filter().with_graph("g"), at(finished));
        let ended = record.apply(Event::Cancel, at(finished)).unwrap();
        store.insert(&[record], Durability::Buffered).unwrap();
        store.replace(&ended, Durability::Buffered).unwrap();
        id
    }

    /// Ids that a clock made while it was ten years ahead kept their jobs for ten years.
    #[test]
    fn age_counts_from_the_end_whatever_the_ids_say() {
        let store = job_store::MemoryStore::default();
        let [old, late, young] = [end(&store, 999_999, 1, 10), end(&store, 1, 2, 90), end(&store, 95, 3, 95)];
        let minute = Retention::default().max_age(Duration::from_mins(1));
        let mut looks = Looks::default();
        assert_eq!(sweep(&store, minute, at(100), &mut looks).unwrap(), 1);
        assert_eq!([old, late, young].map(|id| store.get(id).unwrap().is_some()), [false, true, true]);
        assert_eq!(sweep(&store, minute, at(150), &mut looks).unwrap(), 0);
        assert_eq!(sweep(&store, minute, at(151), &mut looks).unwrap(), 1);
        assert_eq!(sweep(&store, minute, at(156), &mut looks).unwrap(), 1);
    }

    #[test]
    fn a_job_that_is_too_old_goes_when_its_pin_is_gone() {
        let store = job_store::MemoryStore::default();
        let minute = Retention::default().max_age(Duration::from_mins(1));
        let mut looks = Looks::default();
        let id = end(&store, 10, 1, 10);
        store.pin(id, job_store::Pin::Keep).unwrap();
        assert_eq!(sweep(&store, minute, at(100), &mut looks).unwrap(), 0);
        store.pin(id, job_store::Pin::Release).unwrap();
        assert_eq!(sweep(&store, minute, at(101), &mut looks).unwrap(), 1);
    }

    #[test]
    fn what_is_not_old_enough_is_left_alone() {
        let store = job_store::MemoryStore::default();
        for n in 0..30 {
            end(&store, 11_000 + u64::from(n), n, 11_000 + u64::from(n));
        }
        let mut looks = Looks::default();
        let hour = Retention::default().max_age(Duration::from_hours(1));
        sweep(&store, hour, at(12_000), &mut looks).unwrap();
        let due = |looks: &Looks, now| {
            looks.parts.iter().filter(|part| at(now).since(part.since) > hour.age.unwrap()).count()
        };
        assert_eq!(looks.parts.len(), 5, "{looks:?}");
        assert_eq!([14_600, 14_601, 14_622, 15_600, 15_601].map(|now| due(&looks, now)), [0, 1, 4, 5, 5]);
        // Parts that have become small are one.
        sweep(&store, hour, at(14_628), &mut looks).unwrap();
        assert_eq!(looks.parts.len(), 1, "{looks:?}");
    }

    proptest! {
        #[test]
        fn no_job_stays_too_long_or_goes_too_soon(
            steps in prop::collection::vec((0u64..300, prop::collection::vec(0u64..2_000, 0..6), any::<bool>()), 1..30),
        ) {
            let (store, mut looks) = (job_store::MemoryStore::default(), Looks::default());
            let minute = Retention::default().max_age(Duration::from_mins(1));
            let (mut now, mut known) = (100_000, Vec::new());
            for (n, (by, ids, back)) in (0u8..).zip(steps) {
                now = if back { now - by / 2 } else { now + by };
                sweep(&store, minute, at(now), &mut looks).unwrap();
                for (m, second) in (0u8..).zip(ids) {
                    known.push((end(&store, second, n * 6 + m, now), now));
                }
                sweep(&store, minute, at(now), &mut looks).unwrap();
                for &(id, finished) in &known {
                    let old = at(now).since(at(finished)) > Duration::from_mins(1);
                    prop_assert!(!old || store.get(id).unwrap().is_none(), "{id} stays at {now}");
                }
                known.retain(|&(id, finished)| {
                    let there = store.get(id).unwrap().is_some();
                    assert!(there || at(now).since(at(finished)) > Duration::from_mins(1), "{id} went too soon");
                    there
                });
            }
        }
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
