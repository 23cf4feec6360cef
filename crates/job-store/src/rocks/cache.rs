//! What was read before, so that the common small reads need not ask RocksDB twice.

use std::{collections::BTreeMap, hash::BuildHasher, ops::Range};

use job_core::{JobId, JobRecord};
use parking_lot::Mutex;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::SegmentKey;

/// Decoded records of complete jobs: what status queries ask for. A few MiB at most.
pub(super) struct Records {
    shards: Vec<Mutex<FxHashMap<JobId, JobRecord>>>,
}

impl Default for Records {
    fn default() -> Self {
        Self { shards: (0..Self::SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Records {
    const SHARDS: usize = 64;
    const PER_SHARD: usize = 128;
    /// Larger ones are rare and would cost the memory of many.
    const MAX_PARAMETERS: usize = 4 << 10;

    fn shard(&self, id: JobId) -> Option<&Mutex<FxHashMap<JobId, JobRecord>>> {
        // Not by the bits that the table in the shard goes by.
        let mixed = FxBuildHasher.hash_one(id) >> 20;
        self.shards.get(usize::try_from(mixed).unwrap_or_default() % Self::SHARDS)
    }

    pub(super) fn get(&self, id: JobId) -> Option<JobRecord> {
        self.shard(id)?.lock().get(&id).cloned()
    }

    /// The caller holds the job's lock, so that the record is the one in the store.
    pub(super) fn note(&self, record: &JobRecord) {
        if !record.state.is_complete() || record.spec.json().as_str().len() > Self::MAX_PARAMETERS {
            return;
        }
        let Some(shard) = self.shard(record.id) else { return };
        let mut shard = shard.lock();
        if shard.len() >= Self::PER_SHARD {
            let any = shard.keys().next().copied();
            any.and_then(|any| shard.remove(&any));
        }
        shard.insert(record.id, record.clone());
    }

    /// The caller holds the job's lock, until the change is written: then nobody notes the old record again.
    pub(super) fn forget(&self, id: JobId) {
        if let Some(shard) = self.shard(id) {
            shard.lock().remove(&id);
        }
    }
}

/// Where blocks of segments end, as far as reads have come past them: the key of a block, for a read that lies inside
/// it. Blocks never change while their job lives, so a note can be of a block that is gone, never wrong.
#[derive(Default)]
pub(super) struct Blocks {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// End of a block -> a row from which on it is known to hold them.
    segments: BTreeMap<SegmentKey, BTreeMap<u64, u64>>,
    count: usize,
}

impl Blocks {
    /// About 4 MiB of notes.
    const MAX: usize = 64 << 10;

    /// The end of the one block that holds all of `rows`, if it is known.
    pub(super) fn of(&self, key: SegmentKey, rows: &Range<u64>) -> Option<u64> {
        let known = self.known.lock();
        let (&end, &from) = known.segments.get(&key)?.range(rows.start.saturating_add(1)..).next()?;
        (from <= rows.start && rows.end <= end).then_some(end)
    }

    pub(super) fn note(&self, key: SegmentKey, from: u64, end: u64) {
        let mut known = self.known.lock();
        if known.count >= Self::MAX {
            *known = Known::default();
        }
        let blocks = known.segments.entry(key).or_default();
        let fresh = !blocks.contains_key(&end);
        blocks.entry(end).and_modify(|known| *known = from.min(*known)).or_insert(from);
        known.count += usize::from(fresh);
    }

    pub(super) fn forget(&self, job: JobId) {
        let mut known = self.known.lock();
        let bound = |attempt| SegmentKey { job, attempt, number: attempt };
        let keys: Vec<_> = known.segments.range(bound(0)..=bound(u32::MAX)).map(|(key, _)| *key).collect();
        let dropped: usize = keys.iter().filter_map(|key| known.segments.remove(key)).map(|ends| ends.len()).sum();
        known.count -= dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(job: u8) -> SegmentKey {
        SegmentKey { job: JobId::from_bytes([job; 16]), attempt: 1, number: 0 }
    }

    #[test]
    fn only_rows_that_lie_in_one_known_block_are_found() {
        let blocks = Blocks::default();
        blocks.note(key(1), 12, 20);
        assert_eq!(blocks.of(key(1), &(12..20)), Some(20));
        assert_eq!(blocks.of(key(1), &(11..13)), None);
        assert_eq!(blocks.of(key(1), &(19..21)), None);
        assert_eq!(blocks.of(key(2), &(12..20)), None);
        blocks.note(key(1), 10, 20);
        assert_eq!(blocks.of(key(1), &(10..13)), Some(20));
        blocks.forget(key(1).job);
        assert_eq!(blocks.of(key(1), &(10..13)), None);
    }

    #[test]
    fn the_notes_have_a_limit() {
        let blocks = Blocks::default();
        for end in 1..=Blocks::MAX as u64 + 10 {
            blocks.note(key(1), end - 1, end);
        }
        assert!(blocks.known.lock().count <= Blocks::MAX);
    }
}
