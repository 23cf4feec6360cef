//! [`Retention`]: the finished jobs to keep.

use std::time::Duration;

use job_core::{JobId, JobRecord, Timestamp};
use job_store::{ErrorKind, Kept, LeastUsed, Store, StoreError, Usage};

/// The limits up to which finished jobs are kept. Each is off by default; pinned jobs always stay.
///
/// Jobs that are too old go first, and the other limits count those that are left. Above such a limit, the job
/// whose last reading is longest ago is removed first. A job that was never read counts by its end. Cost: limits of
/// number and bytes cost the removed jobs. An age reads every record once after the engine opens, and later the jobs
/// that are old enough.
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
    /// The time between two checks of the limits.
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

    pub(crate) const fn is_off(&self) -> bool {
        self.age.is_none() && self.jobs.is_none() && self.bytes.is_none()
    }
}

/// The excess over the limits of number and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Surplus {
    jobs: u64,
    bytes: u64,
}

impl Surplus {
    /// `None` if no job has to be removed.
    fn of(policy: Retention, kept: Kept) -> Option<Self> {
        let over = |most: Option<u64>, kept: u64| most.map_or(0, |most| kept.saturating_sub(most));
        Self { jobs: over(policy.jobs, kept.jobs), bytes: over(policy.bytes, kept.bytes) }.some()
    }

    /// Whether to remove this job, given that no other job was unused for longer.
    const fn takes(self, job: &LeastUsed) -> bool {
        // A job without rows frees no bytes.
        self.jobs > 0 || (self.bytes > 0 && job.bytes > 0)
    }

    /// The excess after this job is removed; `None` if no other job has to be removed.
    fn without(self, job: &LeastUsed) -> Option<Self> {
        Self { jobs: self.jobs.saturating_sub(1), bytes: self.bytes.saturating_sub(job.bytes) }.some()
    }

    fn some(self) -> Option<Self> {
        Some(self).filter(|left| left.jobs > 0 || left.bytes > 0)
    }
}

/// The most records that are read at once.
const PIECE: usize = if cfg!(test) { 7 } else { 1_000 };

/// The times at which jobs have to be read again because of their age. Jobs are grouped into runs of neighbouring
/// ids; the time in an id is not used. For each run a time is known before which none of its jobs has finished.
/// The run is not read again before that time is old enough.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// The runs of ids, from the newest to the oldest.
    parts: Vec<Part>,
    last: Timestamp,
}

/// The ids from this one to the part before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    from: JobId,
    /// No job of the run has finished before this time. Jobs that come or end later do so after the last look.
    since: Timestamp,
    /// How many jobs the run had.
    jobs: usize,
}

impl Looks {
    /// The runs to read now, in order; all of them after a clock that went back.
    fn begin(&mut self, now: Timestamp) -> Vec<Part> {
        let went_back = now < std::mem::replace(&mut self.last, now);
        let parts = std::mem::take(&mut self.parts);
        if parts.is_empty() || went_back {
            return vec![Part { from: JobId::MIN, since: Timestamp::default(), jobs: 0 }];
        }
        parts
    }

    /// Notes a run of ids. It is merged with the run before it if both are small.
    fn note(&mut self, part: Part) {
        match self.parts.last_mut() {
            Some(last) if last.jobs + part.jobs <= PIECE => {
                *last = Part { from: part.from, since: last.since.min(part.since), jobs: last.jobs + part.jobs };
            }
            _ => self.parts.push(part),
        }
    }
}

/// Applies `policy` once, and returns the number of removed jobs. Cost of the limits of number and size: the
/// removed jobs. Cost of an age: the first pass reads all records, in pieces. Later passes read a job again when
/// it is old enough, or about once in that time.
pub(crate) fn sweep(
    store: &dyn Store,
    policy: Retention,
    now: Timestamp,
    looks: &mut Looks,
) -> Result<u64, StoreError> {
    let old = policy.age.map_or(Ok(0), |age| sweep_old(store, age, now, looks))?;
    let limited = policy.jobs.is_some() || policy.bytes.is_some();
    Ok(old + if limited { sweep_surplus(store, policy)? } else { 0 })
}

/// Removes the jobs that were used longest ago, until the limits hold.
fn sweep_surplus(store: &dyn Store, policy: Retention) -> Result<u64, StoreError> {
    let (mut removed, mut after) = (0, None);
    let mut surplus = Surplus::of(policy, store.kept()?);
    while let Some(left) = surplus {
        let jobs = store.least_used(left.jobs == 0, after, PIECE)?;
        let Some(last) = jobs.last() else { break };
        after = Some(*last);
        for job in &jobs {
            let Some(left) = surplus.filter(|left| left.takes(job)) else { continue };
            match remove(store, job.id)? {
                Gone::Stays => {}
                Gone::Before => surplus = left.without(job),
                Gone::Now => {
                    removed += 1;
                    surplus = left.without(job);
                }
            }
        }
    }
    Ok(removed)
}

fn sweep_old(store: &dyn Store, age: Duration, now: Timestamp, looks: &mut Looks) -> Result<u64, StoreError> {
    let (mut removed, mut before) = (0, None);
    let is_old = |finished: Timestamp| now.since(finished) > age;
    for part in looks.begin(now) {
        if is_old(part.since) {
            read(store, before, part.from, |piece| {
                let (old, young): (Vec<_>, Vec<_>) =
                    piece.jobs.iter().partition(|(_, finished)| is_old(*finished));
                let stay = young.iter().map(|(_, finished)| *finished).chain(piece.pinned.iter().copied());
                let (since, jobs) = stay.fold((now, 0), |(since, jobs), finished| (since.min(finished), jobs + 1));
                looks.note(Part { from: piece.from, since, jobs });
                for (id, _) in old {
                    removed += u64::from(remove(store, id)? == Gone::Now);
                }
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
    /// The jobs that can be removed, each with the time of its end.
    jobs: Vec<(JobId, Timestamp)>,
    /// The ends of jobs that may not be removed.
    pinned: Vec<Timestamp>,
    /// The oldest id of the piece.
    from: JobId,
}

/// Passes the finished jobs from `from` to `before` to `each`, the newest ids first, in pieces.
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
        let finished = |record: &JobRecord| record.finished_at.filter(|_| record.state.is_complete());
        let jobs = free.into_iter().filter_map(|(record, _)| Some((record.id, finished(record)?))).collect();
        let pinned = pinned.into_iter().filter_map(|(record, _)| finished(record)).collect();
        each(Piece { jobs, pinned, from: end.unwrap_or(from) })?;
        match end {
            Some(end) => before = Some(end),
            None => return Ok(()),
        }
    }
}

/// The outcome of the removal of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Now,
    /// Another engine has removed the job.
    Before,
    /// The job was pinned meanwhile, or its record cannot be read. A later version may read it.
    Stays,
}

fn remove(store: &dyn Store, id: JobId) -> Result<Gone, StoreError> {
    let removed = store.get(id).and_then(|found| if found.is_some() { store.remove(id) } else { Ok(false) });
    match removed {
        Ok(true) => Ok(Gone::Now),
        Ok(false) => Ok(Gone::Before),
        Err(error) if error.kind == ErrorKind::Invalid => Ok(Gone::Stays),
        Err(error) if error.kind == ErrorKind::Corrupt => {
            tracing::warn!(job = %id, %error, "a finished job could not be removed");
            Ok(Gone::Stays)
        }
        Err(error) => Err(error),
    }
}

/// The last readings and pins of these jobs. If one of these notes is damaged, each job is asked for by itself,
/// and that job stays.
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

#[cfg(test)]
mod tests {
    use job_core::{Event, JobSpec};
    use job_store::{Durability, JobStore};
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn job(n: u8, used: u64, bytes: u64) -> LeastUsed {
        LeastUsed { id: JobId::from_bytes([n; 16]), used: at(used), bytes }
    }

    /// Which of these jobs are removed. They come in the order of their last use.
    fn gone(jobs: &[LeastUsed], policy: Retention) -> Vec<u8> {
        let kept = Kept { jobs: jobs.len() as u64, bytes: jobs.iter().map(|job| job.bytes).sum() };
        let (mut surplus, mut gone) = (Surplus::of(policy, kept), Vec::new());
        for job in jobs {
            if let Some(left) = surplus.filter(|left| left.takes(job)) {
                gone.push(job.id.as_bytes()[0]);
                surplus = left.without(job);
            }
        }
        gone
    }

    /// Stores a job with an id of one second that has finished in another one.
    fn end(store: &job_store::MemoryStore, id_second: u64, n: u8, finished: u64) -> JobId {
        let id = JobId::from_parts(at(id_second), [n; 10]);
        let record = JobRecord::waiting(id, JobSpec::vertex_filter().with_graph("g"), at(finished));
        let ended = record.apply(Event::Cancel, at(finished)).unwrap();
        store.insert(&[record], Durability::Buffered).unwrap();
        store.replace(&ended, Durability::Buffered).unwrap();
        id
    }

    /// Ids of a clock that was ten years ahead must not keep their jobs for ten years.
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
    fn a_job_that_is_too_old_does_not_count_against_the_number() {
        let store = job_store::MemoryStore::default();
        let [old, young] = [end(&store, 1, 1, 10), end(&store, 2, 2, 90)];
        store.record_reads(&[(old, at(95))]).unwrap();
        let both = Retention::default().max_age(Duration::from_mins(1)).max_jobs(1);
        assert_eq!(sweep(&store, both, at(100), &mut Looks::default()).unwrap(), 1);
        assert_eq!([old, young].map(|id| store.get(id).unwrap().is_some()), [false, true]);
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
        // Small neighbouring runs are merged.
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
        let jobs = [job(2, 20, 0), job(3, 30, 70), job(1, 90, 50), job(4, 99, 10)];
        let policy = Retention::default();
        assert_eq!(gone(&jobs, policy), [0u8; 0]);
        assert_eq!(gone(&jobs, policy.max_jobs(4).max_bytes(130)), [0u8; 0]);
        assert_eq!(gone(&jobs, policy.max_jobs(2)), [2, 3]);
        assert_eq!(gone(&jobs, policy.max_bytes(60)), [3]); // 2 frees nothing
        assert_eq!(gone(&jobs, policy.max_bytes(0)), [3, 1, 4]);
        assert_eq!(gone(&jobs, policy.max_jobs(3).max_bytes(59)), [2, 3, 1]);
        assert_eq!(gone(&jobs, policy.max_jobs(0)), [2, 3, 1, 4]);
    }

    #[test]
    fn number_and_age_count_together() {
        let store = job_store::MemoryStore::default();
        for n in 0..60 {
            end(&store, u64::from(n), n, 100 + u64::from(n));
        }
        let pin = JobId::from_parts(at(0), [0; 10]);
        store.pin(pin, job_store::Pin::Keep).unwrap();
        assert_eq!(sweep(&store, Retention::default().max_jobs(40), at(999), &mut Looks::default()).unwrap(), 19);
        let left: Vec<_> =
            store.list(None, 0, 99).unwrap().iter().map(|record| record.id.as_bytes()[15]).rev().collect();
        assert_eq!(left, std::iter::once(0).chain(20..60).collect::<Vec<u8>>());
        // An age counts as well, from the end.
        let policy = Retention::default().max_jobs(39).max_age(Duration::from_secs(50));
        assert_eq!(sweep(&store, policy, at(175), &mut Looks::default()).unwrap(), 5);
        assert_eq!(store.kept().unwrap().jobs, 35);
    }
}
