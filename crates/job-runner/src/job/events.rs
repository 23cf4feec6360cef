//! [`JobEvents`]: the changes of jobs, in the order in which they happen.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};

use job_core::{JobId, JobRecord, JobState, Timestamp};

use crate::{
    job::entry::{Entry, until},
    seam::sync::{Condvar, Instant, Mutex},
};

/// One change of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The job.
    pub id: JobId,
    /// The state after the change.
    pub state: JobState,
    /// Its attempt.
    pub attempt: u32,
    /// The revision, which orders the changes of a job.
    pub revision: u64,
    /// When the state began.
    pub at: Timestamp,
    /// How many changes the reader has lost just before this one, because it read too slowly.
    pub lagged: u64,
}

impl Change {
    fn of(record: &JobRecord) -> Self {
        let at =
            record.finished_at.or(record.cancel_requested_at).or(record.started_at).unwrap_or(record.submitted_at);
        Self {
            id: record.id,
            state: record.state,
            attempt: record.attempt,
            revision: record.revision,
            at,
            lagged: 0,
        }
    }
}

/// The changes of a job ([`JobHandle::watch`](crate::JobHandle::watch)) or of all jobs
/// ([`Engine::watch`](crate::Engine::watch)), for one reader.
///
/// The last [`CAPACITY`](Self::CAPACITY) changes are kept, once for all readers. A slower reader loses the earlier
/// ones, and [`Change::lagged`] says how many. A slow reader never delays a job.
///
/// ```
/// use std::sync::Arc;
/// use job_runner::{Engine, JobContext, JobSpec, store::MemoryStore};
///
/// let engine = Engine::builder(Arc::new(MemoryStore::default()))
///     .algorithm("nothing", |_: &mut JobContext| Ok(()))
///     .open()?;
/// let mut events = engine.watch();
/// engine.submit(JobSpec::algorithm("nothing").with_graph("movies"))?.wait()?;
/// let states: Vec<String> = events.by_ref().take(3).map(|change| change.state.to_string()).collect();
/// assert_eq!(states, ["waiting", "running", "succeeded"]);
/// # Ok::<(), job_runner::EngineError>(())
/// ```
#[derive(Debug)]
pub struct JobEvents {
    ring: Arc<Ring>,
    /// The number of the next change to read.
    next: u64,
    /// Keeps the entry of one job. The engine looks at a job of another engine while this exists.
    _of: Option<Arc<Entry>>,
}

impl JobEvents {
    /// How many changes are kept for slow readers.
    pub const CAPACITY: usize = 4_096;

    /// Waits for the next change; `None` if none came in time, or if there will be no more.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Change> {
        self.read(until(timeout))
    }

    /// The next change, if there is one already.
    pub fn try_next(&mut self) -> Option<Change> {
        self.next_timeout(Duration::ZERO)
    }

    fn read(&mut self, until: Option<Instant>) -> Option<Change> {
        let mut changes = self.ring.changes.lock();
        loop {
            let found = changes.get(self.next);
            if let Some((number, change)) = found {
                let lagged = number - self.next;
                self.next = number + 1;
                return Some(Change { lagged, ..change });
            }
            if changes.closed {
                return None;
            }
            match until {
                None => self.ring.told.wait(&mut changes),
                Some(until) if until <= Instant::now() => return None,
                Some(until) => _ = self.ring.told.wait_until(&mut changes, until),
            }
        }
    }
}

/// Waits for each change. Ends with the job or the engine.
impl Iterator for JobEvents {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        self.read(None)
    }
}

/// The changes that all readers share. Only threads wait for it, so an announcement calls no code of a host.
#[derive(Debug, Default)]
struct Ring {
    changes: Mutex<Changes>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Changes {
    /// The latest changes, at most the capacity.
    last: VecDeque<Change>,
    /// How many changes were dropped before these.
    before: u64,
    /// No more will come.
    closed: bool,
}

impl Changes {
    fn end(&self) -> u64 {
        self.before + self.last.len() as u64
    }

    /// The change with this number, or else the first kept one after it, with its number.
    fn get(&self, number: u64) -> Option<(u64, Change)> {
        let number = number.max(self.before);
        let at = usize::try_from(number - self.before).ok()?;
        self.last.get(at).map(|change| (number, change.clone()))
    }
}

/// Announces changes to readers. The ring exists only while there is a reader.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    ring: Weak<Ring>,
    closed: bool,
}

impl Audience {
    /// Adds a reader of the changes from now on.
    pub(crate) fn join(&mut self, of: Option<Arc<Entry>>) -> JobEvents {
        let ring = self.ring.upgrade().unwrap_or_default();
        let next = {
            let mut changes = ring.changes.lock();
            changes.closed |= self.closed;
            changes.end()
        };
        self.ring = Arc::downgrade(&ring);
        JobEvents { ring, next, _of: of }
    }

    pub(crate) fn tell(&self, record: &JobRecord) {
        let Some(ring) = self.ring.upgrade() else { return };
        {
            let mut changes = ring.changes.lock();
            if changes.last.len() >= JobEvents::CAPACITY {
                changes.last.pop_front();
                changes.before += 1;
            }
            changes.last.push_back(Change::of(record));
        }
        ring.told.notify_all();
    }

    /// No more will come.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        if let Some(ring) = self.ring.upgrade() {
            ring.changes.lock().closed = true;
            ring.told.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use job_core::JobSpec;

    use super::*;

    fn record() -> JobRecord {
        JobRecord::waiting(JobId::MIN, JobSpec::algorithm("a").with_graph("g"), Timestamp::from_micros(1))
    }

    /// The memory of a reader, and that of the ring.
    fn bytes(events: &JobEvents) -> (usize, usize) {
        let slots = events.ring.changes.lock().last.capacity();
        (size_of::<JobEvents>(), size_of::<Ring>() + slots * size_of::<Change>())
    }

    /// A channel for each watch would take 230 kB.
    #[test]
    fn a_watch_that_nobody_reads_costs_hundreds_of_bytes() {
        let mut audience = Audience::default();
        let watches: Vec<JobEvents> = (0..1_000).map(|_| audience.join(None)).collect();
        for _ in 0..3 {
            audience.tell(&record());
        }
        for watch in &watches {
            let (own, shared) = bytes(watch);
            assert!(own <= 64 && shared < 600, "{own} and {shared} bytes");
            assert!(Arc::ptr_eq(&watch.ring, &watches[0].ring), "one ring for all");
        }
        drop(watches);
        assert!(audience.ring.upgrade().is_none(), "nothing is left, and nothing is kept for nobody");
    }

    #[test]
    fn a_reader_that_is_slow_gets_the_last_changes_and_is_told_how_many_it_lost() {
        let mut audience = Audience::default();
        let (mut slow, mut late) = (audience.join(None), None);
        for number in 0..JobEvents::CAPACITY + 7 {
            if number == 3 {
                late = Some(audience.join(None));
            }
            audience.tell(&record());
        }
        audience.close();
        let lagged = |events: &mut JobEvents| events.map(|change| change.lagged).collect::<Vec<_>>();
        let (slow, late) = (lagged(&mut slow), lagged(&mut late.unwrap()));
        assert_eq!((slow.len(), slow[0], late.len(), late[0]), (JobEvents::CAPACITY, 7, JobEvents::CAPACITY, 4));
        assert!(slow[1..].iter().chain(&late[1..]).all(|lagged| *lagged == 0));
        assert_eq!(audience.join(None).next(), None, "a reader that comes later has missed nothing");
    }
}
