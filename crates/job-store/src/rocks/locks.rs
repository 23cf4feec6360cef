//! RocksDB has no compare-and-set, so read, compare and write happen under a lock of the job's.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash},
};

use job_core::{JobId, JobRecord, JobState};
use parking_lot::{Mutex, MutexGuard};

use crate::SegmentKey;

/// One lock per job or index entry, more or less: more stripes than any likely number of submitters, because a
/// stripe is held during an fsync.
pub(super) struct Locks {
    stripes: Vec<Mutex<()>>,
    hasher: BuildHasherDefault<DefaultHasher>,
    /// Attempts that are known to run, so that a writer's fence need not read the record for every block. Changed
    /// only under the job's lock.
    running: Mutex<HashMap<JobId, u32>>,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            stripes: (0..Self::STRIPES).map(|_| Mutex::default()).collect(),
            hasher: BuildHasherDefault::default(),
            running: Mutex::default(),
        }
    }
}

/// What a caller holds while it reads, compares and writes.
pub(super) type Held<'a> = Vec<MutexGuard<'a, ()>>;

impl Locks {
    const STRIPES: usize = 1024;

    /// The stripe of a job, an idempotency key or a piece of work.
    pub(super) fn stripe(&self, name: impl Hash) -> usize {
        usize::try_from(self.hasher.hash_one(name) % Self::STRIPES as u64).unwrap_or_default()
    }

    pub(super) fn job(&self, id: JobId) -> Held<'_> {
        self.all(vec![self.stripe(id)])
    }

    /// The lock of a job, unless somebody has it.
    pub(super) fn try_job(&self, id: JobId) -> Option<MutexGuard<'_, ()>> {
        self.stripes.get(self.stripe(id)).and_then(Mutex::try_lock)
    }

    /// Locks all of them, in the order of the stripes, so that two callers cannot wait for each other.
    pub(super) fn all(&self, mut stripes: Vec<usize>) -> Held<'_> {
        stripes.sort_unstable();
        stripes.dedup();
        stripes.into_iter().filter_map(|stripe| self.stripes.get(stripe)).map(Mutex::lock).collect()
    }

    /// Whether the attempt is known to run; if not, the record knows.
    pub(super) fn is_running(&self, key: SegmentKey) -> bool {
        self.running.lock().get(&key.job) == Some(&key.attempt)
    }

    /// Remembers what a record says. The caller holds the job's lock.
    pub(super) fn remember(&self, record: &JobRecord) {
        let mut running = self.running.lock();
        if matches!(record.state, JobState::Running { .. }) {
            running.insert(record.id, record.attempt);
        } else {
            running.remove(&record.id);
        }
    }

    /// Forgets a job whose record may have changed or not. The caller holds its lock.
    pub(super) fn forget(&self, job: JobId) {
        self.running.lock().remove(&job);
    }
}
