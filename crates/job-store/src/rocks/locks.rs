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
    /// Unfinished jobs that this process wrote last, so that neither a compare-and-set nor the fence of a writer
    /// has to read the record. Changed only under the job's lock.
    known: Mutex<HashMap<JobId, Known>>,
}

/// What is known of a job without a look at its record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) revision: u64,
    attempt: u32,
    running: bool,
    /// Whether it may have a checkpoint.
    pub(super) checkpoint: bool,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            stripes: (0..Self::STRIPES).map(|_| Mutex::default()).collect(),
            hasher: BuildHasherDefault::default(),
            known: Mutex::default(),
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
        self.known.lock().get(&key.job).is_some_and(|known| known.running && known.attempt == key.attempt)
    }

    /// What is known of an unfinished job; if nothing, the record knows.
    pub(super) fn known(&self, job: JobId) -> Option<Known> {
        self.known.lock().get(&job).copied()
    }

    /// Remembers a job that has just been inserted. The caller holds its lock.
    pub(super) fn remember_new(&self, record: &JobRecord) {
        self.put(record, false);
    }

    /// Remembers what a record says. The caller holds the job's lock.
    pub(super) fn remember(&self, record: &JobRecord) {
        // Of a job from an earlier process nobody knows.
        let checkpoint = self.known(record.id).is_none_or(|known| known.checkpoint);
        self.put(record, checkpoint);
    }

    /// Remembers that the job has a checkpoint. The caller holds its lock.
    pub(super) fn remember_checkpoint(&self, job: JobId) {
        if let Some(known) = self.known.lock().get_mut(&job) {
            known.checkpoint = true;
        }
    }

    fn put(&self, record: &JobRecord, checkpoint: bool) {
        let mut known = self.known.lock();
        if record.state.is_complete() {
            known.remove(&record.id);
        } else {
            let running = matches!(record.state, JobState::Running { .. });
            let (revision, attempt) = (record.revision, record.attempt);
            known.insert(record.id, Known { revision, attempt, running, checkpoint });
        }
    }

    /// Forgets a job whose record may have changed or not. The caller holds its lock.
    pub(super) fn forget(&self, job: JobId) {
        self.known.lock().remove(&job);
    }
}
