//! Locks of jobs: an engine has no compare-and-set, so the store reads, compares and writes under a lock.

use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use job_core::{JobId, JobRecord, JobSpec, JobState};
use parking_lot::{Mutex, MutexGuard};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{SegmentKey, StoreError};

/// The greatest id that ever was in the store. A greater one is free, so it needs no look-up. The ids of an engine
/// ascend.
#[derive(Default)]
pub(super) struct Newest(Mutex<Option<JobId>>);

impl Newest {
    /// Whether all of `records` have greater ids, and so are new; the last of them is the greatest id from now on.
    /// `look` finds the greatest id in the store, once. The caller holds the locks of the jobs.
    pub(super) fn pass(
        &self,
        records: &[JobRecord],
        look: impl FnOnce() -> Result<JobId, StoreError>,
    ) -> Result<bool, StoreError> {
        let mut newest = self.0.lock();
        let mut last = newest.map_or_else(look, Ok)?;
        let mut ascend = true;
        for record in records {
            ascend &= record.id > last;
            last = last.max(record.id);
        }
        *newest = Some(last);
        Ok(ascend)
    }
}

/// Locks of jobs and index entries, in stripes. There are more stripes than any likely number of submitters,
/// because a stripe is held during an fsync.
pub(super) struct Locks {
    stripes: Vec<Mutex<()>>,
    /// Unfinished jobs that this process wrote last, so that neither a compare-and-set nor the fence of a writer
    /// has to read the record. Changed only under the job's lock.
    known: Mutex<FxHashMap<JobId, Known>>,
}

/// The state of a job that is known without reading its record.
#[derive(Debug, Clone)]
struct Known {
    revision: u64,
    attempt: u32,
    running: bool,
    beside: Beside,
    spec: Arc<JobSpec>,
}

/// The entries that a job may have beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) checkpoint: bool,
    /// A pin, or the time of a reading.
    pub(super) note: bool,
}

impl Beside {
    /// A new job has no such entry.
    const NOTHING: Self = Self { checkpoint: false, note: false };
    /// A job of an earlier process may have any of these entries.
    pub(super) const ANYTHING: Self = Self { checkpoint: true, note: true };
}

impl Default for Locks {
    fn default() -> Self {
        Self { stripes: (0..Self::STRIPES).map(|_| Mutex::default()).collect(), known: Mutex::default() }
    }
}

/// The locks that a caller holds while it reads, compares and writes.
pub(super) type Held<'a> = Vec<MutexGuard<'a, ()>>;

impl Locks {
    const STRIPES: usize = 1024;

    /// The stripe of a job, an idempotency key or a piece of work.
    pub(super) fn stripe(name: impl Hash) -> usize {
        usize::try_from(FxBuildHasher.hash_one(name) % Self::STRIPES as u64).unwrap_or_default()
    }

    pub(super) fn job(&self, id: JobId) -> Held<'_> {
        self.all(vec![Self::stripe(id)])
    }

    /// The locks of all jobs and index entries.
    pub(super) fn everything(&self) -> Held<'_> {
        self.all((0..Self::STRIPES).collect())
    }

    /// The lock of a job; `None` if another thread holds it.
    pub(super) fn try_job(&self, id: JobId) -> Option<MutexGuard<'_, ()>> {
        self.stripes.get(Self::stripe(id)).and_then(Mutex::try_lock)
    }

    /// Takes all these locks in the order of the stripes, so that two callers cannot wait for each other.
    pub(super) fn all(&self, mut stripes: Vec<usize>) -> Held<'_> {
        stripes.sort_unstable();
        stripes.dedup();
        stripes.into_iter().filter_map(|stripe| self.stripes.get(stripe)).map(Mutex::lock).collect()
    }

    /// Whether the attempt is known to run. If it is not known, the caller reads the record.
    pub(super) fn is_running(&self, key: SegmentKey) -> bool {
        self.known.lock().get(&key.job).is_some_and(|known| known.running && known.attempt == key.attempt)
    }

    /// The known revision of an unfinished job and its entries; `None` if the caller has to read the record.
    pub(super) fn known(&self, job: JobId) -> Option<(u64, Beside)> {
        self.known.lock().get(&job).map(|known| (known.revision, known.beside))
    }

    /// The known request of an unfinished job.
    pub(super) fn spec(&self, job: JobId) -> Option<Arc<JobSpec>> {
        self.known.lock().get(&job).map(|known| Arc::clone(&known.spec))
    }

    /// Remembers jobs that have just been inserted. The caller holds their locks.
    pub(super) fn remember_new(&self, records: &[JobRecord]) {
        let mut known = self.known.lock();
        for record in records {
            put(&mut known, record, Beside::NOTHING);
        }
    }

    /// Remembers what a record says. The caller holds the job's lock.
    pub(super) fn remember(&self, record: &JobRecord) {
        let mut known = self.known.lock();
        let beside = known.get(&record.id).map_or(Beside::ANYTHING, |known| known.beside);
        put(&mut known, record, beside);
    }

    /// Remembers that the job has a checkpoint. The caller holds its lock.
    pub(super) fn remember_checkpoint(&self, job: JobId) {
        if let Some(known) = self.known.lock().get_mut(&job) {
            known.beside.checkpoint = true;
        }
    }

    /// Remembers that the job is pinned or was read. The caller holds its lock.
    pub(super) fn remember_note(&self, job: JobId) {
        if let Some(known) = self.known.lock().get_mut(&job) {
            known.beside.note = true;
        }
    }

    /// Forgets a job after a write whose outcome is unknown. The caller holds its lock.
    pub(super) fn forget(&self, job: JobId) {
        self.known.lock().remove(&job);
    }
}

fn put(known: &mut FxHashMap<JobId, Known>, record: &JobRecord, beside: Beside) {
    if record.state.is_complete() {
        known.remove(&record.id);
    } else {
        let running = matches!(record.state, JobState::Running { .. });
        let (revision, attempt) = (record.revision, record.attempt);
        let spec = Arc::clone(&record.spec);
        known.insert(record.id, Known { revision, attempt, running, beside, spec });
    }
}

#[cfg(test)]
mod tests {
    use job_core::{JobSpec, Timestamp};

    use super::*;

    #[test]
    fn ids_are_new_only_when_they_ascend_beyond_all_before() {
        let newest = Newest::default();
        let record =
            |n| JobRecord::waiting(JobId::from_bytes([n; 16]), JobSpec::vertex_filter(), Timestamp::default());
        let pass = |ids: &[u8]| {
            newest.pass(&ids.iter().map(|&n| record(n)).collect::<Vec<_>>(), || Ok(JobId::from_bytes([3; 16])))
        };
        assert_eq!(pass(&[3]), Ok(false));
        assert_eq!(pass(&[4, 6]), Ok(true));
        assert_eq!(pass(&[5]), Ok(false));
        assert_eq!(pass(&[8, 8]), Ok(false));
        assert_eq!(pass(&[9, 7]), Ok(false));
        assert_eq!(pass(&[9]), Ok(false));
        assert_eq!(pass(&[10]), Ok(true));
    }
}
