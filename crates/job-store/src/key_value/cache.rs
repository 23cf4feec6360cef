//! Caches of earlier reads, so that common small reads do not ask the engine twice.

use std::{collections::BTreeMap, hash::BuildHasher, ops::Range};

use job_core::{JobId, JobRecord, JobResult};
use parking_lot::Mutex;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::SegmentKey;

/// Decoded records or results of complete jobs, for status queries. They take a few MiB at most.
pub(super) struct Decoded<T> {
    shards: Vec<Mutex<FxHashMap<JobId, T>>>,
}

/// Whether a value is small enough for the cache. Large values are rare, and one would take the room of many.
pub(super) trait Keep: Clone {
    fn is_kept(&self) -> bool;
}

impl Keep for JobRecord {
    fn is_kept(&self) -> bool {
        self.state.is_complete() && self.spec.text_bytes() <= 4 << 10
    }
}

impl Keep for JobResult {
    fn is_kept(&self) -> bool {
        let outputs: usize = self.outputs.iter().map(|(name, json)| name.len() + json.len()).sum();
        outputs <= 1 << 10 && self.list.as_ref().is_none_or(|list| list.segments().len() <= 16)
    }
}

impl<T> Default for Decoded<T> {
    fn default() -> Self {
        Self { shards: (0..Self::SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl<T> Decoded<T> {
    const SHARDS: usize = 64;
    const PER_SHARD: usize = 128;

    fn shard(&self, id: JobId) -> Option<&Mutex<FxHashMap<JobId, T>>> {
        // The table inside the shard uses the other bits of the hash.
        let mixed = FxBuildHasher.hash_one(id) >> 20;
        self.shards.get(usize::try_from(mixed).unwrap_or_default() % Self::SHARDS)
    }

    pub(super) fn get(&self, id: JobId) -> Option<T>
    where
        T: Clone,
    {
        self.shard(id)?.lock().get(&id).cloned()
    }

    /// The caller holds the job's lock, so that `decoded` is the stored value.
    pub(super) fn note(&self, id: JobId, decoded: &T)
    where
        T: Keep,
    {
        let Some(shard) = self.shard(id).filter(|_| decoded.is_kept()) else { return };
        let mut shard = shard.lock();
        if shard.len() >= Self::PER_SHARD {
            let any = shard.keys().next().copied();
            any.and_then(|any| shard.remove(&any));
        }
        shard.insert(id, decoded.clone());
    }

    /// The caller holds the job's lock until the change is written, so the old record is not noted again.
    pub(super) fn forget(&self, id: JobId) {
        if let Some(shard) = self.shard(id) {
            shard.lock().remove(&id);
        }
    }
}

/// The first and last rows of blocks that reads have passed, for reads of few rows. A block never changes while
/// its job lives. So a note may be of a block that is gone, and is never wrong.
#[derive(Default)]
pub(super) struct Blocks {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// End of a block -> its first row.
    segments: BTreeMap<SegmentKey, BTreeMap<u64, u64>>,
    count: usize,
}

impl Blocks {
    /// The notes take about 4 MiB.
    const MAX: usize = 64 << 10;

    /// The ends of the one or two blocks that hold all of `rows`, if they are known. A read of more blocks is a
    /// scan.
    pub(super) fn of(&self, key: SegmentKey, rows: &Range<u64>) -> [Option<u64>; 2] {
        let known = self.known.lock();
        let Some(blocks) = known.segments.get(&key) else { return [None; 2] };
        let mut after = blocks.range(rows.start.saturating_add(1)..).map(|(&end, &first)| (first, end));
        match (after.next(), after.next()) {
            (Some((first, end)), _) if first <= rows.start && rows.end <= end => [Some(end), None],
            (Some((first, middle)), Some((second, end)))
                if first <= rows.start && second == middle && rows.end <= end =>
            {
                [Some(middle), Some(end)]
            }
            _ => [None; 2],
        }
    }

    pub(super) fn note(&self, key: SegmentKey, first: u64, end: u64) {
        let mut known = self.known.lock();
        if known.count >= Self::MAX {
            *known = Known::default();
        }
        let blocks = known.segments.entry(key).or_default();
        known.count += usize::from(blocks.insert(end, first).is_none());
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
    fn only_rows_that_lie_in_one_or_two_known_blocks_are_found() {
        let blocks = Blocks::default();
        blocks.note(key(1), 12, 20);
        assert_eq!(blocks.of(key(1), &(12..20)), [Some(20), None]);
        assert_eq!(blocks.of(key(1), &(11..13)), [None; 2]);
        assert_eq!(blocks.of(key(1), &(19..21)), [None; 2]);
        assert_eq!(blocks.of(key(2), &(12..20)), [None; 2]);
        let of_row = |of, row| blocks.of(of, &(row..row + 1));
        assert_eq!(
            [11, 12, 19, 20].map(|row| of_row(key(1), row)),
            [[None; 2], [Some(20), None], [Some(20), None], [None; 2]]
        );
        assert_eq!(of_row(key(2), 12), [None; 2]);
        blocks.note(key(1), 25, 30);
        assert_eq!(blocks.of(key(1), &(19..26)), [None; 2], "nobody knows what is between them");
        blocks.note(key(1), 20, 25);
        assert_eq!(blocks.of(key(1), &(19..25)), [Some(20), Some(25)]);
        assert_eq!(blocks.of(key(1), &(19..26)), [None; 2]);
        blocks.forget(key(1).job);
        assert_eq!(blocks.of(key(1), &(12..13)), [None; 2]);
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
