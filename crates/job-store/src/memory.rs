//! [`MemoryStore`]: the reference backend, short enough to be read as the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, Range},
    sync::Arc,
};

use job_core::{JobId, JobRecord, JobResult, JobSpec, Segment, Timestamp};
use parking_lot::RwLock;

use crate::{
    BlockBuilder, Durability, EachBlock, EachRows, ErrorKind, JobStore, Listed, Pin, ResultStore, SealedBlock,
    Seat, Seats, SegmentKey, SegmentWriter, StoreError, Usage,
    contract::{self, Cut, Tally},
};

/// Keeps everything in memory, and nothing beyond its last clone. Clones share one content.
///
/// For tests, and for engines whose jobs need not survive the process: both durabilities are the same here.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    content: Arc<RwLock<Content>>,
    seats: Seats,
}

#[derive(Debug, Default)]
struct Content {
    jobs: BTreeMap<JobId, JobRecord>,
    results: BTreeMap<JobId, JobResult>,
    /// Key of a block -> its bytes, in row order.
    blocks: BTreeMap<[u8; 32], Arc<[u8]>>,
    /// Graph and idempotency key -> the job that has it.
    keys: BTreeMap<(String, String), JobId>,
    /// Hash of the work -> the job that did it last.
    finished: BTreeMap<[u8; 16], JobId>,
    reads: BTreeMap<JobId, Timestamp>,
    pinned: BTreeSet<JobId>,
    checkpoints: BTreeMap<JobId, Vec<u8>>,
}

impl Content {
    fn check_revision(&self, next: &JobRecord, operation: &'static str) -> Result<(), StoreError> {
        let found = self.jobs.get(&next.id).map(|record| record.revision);
        contract::check_revision(found, next, operation)
    }

    fn check_attempt(&self, key: SegmentKey) -> Result<(), StoreError> {
        contract::check_attempt(self.jobs.get(&key.job), key)
    }

    fn put(&mut self, next: &JobRecord) {
        if next.state.is_complete() {
            self.checkpoints.remove(&next.id);
        }
        self.jobs.insert(next.id, next.clone());
    }

    fn drop_rows(&mut self, job: JobId, until: u32) {
        let first = SegmentKey { job, attempt: 0, number: 0 }.block_key(0);
        let last = SegmentKey { job, attempt: until, number: u32::MAX }.block_key(u64::MAX);
        let dropped: Vec<_> = self.blocks.range(first..=last).map(|(key, _)| *key).collect();
        for key in dropped {
            self.blocks.remove(&key);
        }
    }
}

impl JobStore for MemoryStore {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.seats.take(engine)
    }

    fn insert(&self, records: &[JobRecord], _: Durability) -> Result<(), StoreError> {
        let mut content = self.content.write();
        let mut seen = BTreeSet::new();
        let mut keys = BTreeMap::new();
        for record in records {
            if let Some(key) = &record.spec.options().idempotency_key {
                let name = (record.spec.graph().to_owned(), key.clone());
                let held = |job: &&JobId| content.jobs.get(*job).is_none_or(contract::holds_key);
                if let Some(job) = keys.get(&name).or(content.keys.get(&name).filter(held)) {
                    return Err(contract::key_taken(*job, key));
                }
                keys.insert(name, record.id);
            }
            if content.jobs.contains_key(&record.id) || !seen.insert(record.id) {
                return Err(StoreError::new(ErrorKind::AlreadyExists, "insert", "the id is taken").on(record.id));
            }
        }
        content.jobs.extend(records.iter().map(|record| (record.id, record.clone())));
        content.keys.append(&mut keys);
        Ok(())
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        Ok(self.content.read().jobs.get(&id).cloned())
    }

    fn replace(&self, next: &JobRecord, _: Durability) -> Result<(), StoreError> {
        let mut content = self.content.write();
        content.check_revision(next, "replace the record")?;
        if next.state.is_complete() && !content.results.contains_key(&next.id) {
            content.drop_rows(next.id, u32::MAX);
        }
        content.put(next);
        Ok(())
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let content = self.content.read();
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let older = content.jobs.range((Bound::Unbounded, end)).rev();
        Ok(older
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .take(limit)
            .map(|(id, job)| Listed { id: *id, record: Ok(job.clone()) })
            .collect())
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        let content = self.content.read();
        let unfinished = content.jobs.iter().filter(|(_, record)| !record.state.is_complete());
        Ok(unfinished.map(|(id, record)| Listed { id: *id, record: Ok(record.clone()) }).collect())
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let mut content = self.content.write();
        let Some(record) = content.jobs.get(&id) else { return Ok(false) };
        contract::check_removable(record, content.pinned.contains(&id))?;
        if let Some(key) = record.spec.options().idempotency_key.clone() {
            let name = (record.spec.graph().to_owned(), key);
            if content.keys.get(&name) == Some(&id) {
                content.keys.remove(&name);
            }
        }
        content.finished.retain(|_, job| *job != id);
        content.jobs.remove(&id);
        content.results.remove(&id);
        content.reads.remove(&id);
        content.drop_rows(id, u32::MAX);
        Ok(true)
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        Ok(self.content.read().keys.get(&(graph.to_owned(), key.to_owned())).copied())
    }

    fn find_reusable(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        let content = self.content.read();
        let found = contract::work_hash(spec).and_then(|hash| content.finished.get(&hash));
        let record = found.and_then(|id| content.jobs.get(id));
        Ok(record.filter(|record| record.spec.is_same_work(spec)).map(|record| record.id))
    }

    fn record_reads(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        let mut content = self.content.write();
        for &(id, at) in reads {
            if content.jobs.contains_key(&id) {
                content.reads.insert(id, at);
            }
        }
        Ok(())
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        let mut content = self.content.write();
        if !content.jobs.contains_key(&id) {
            return Err(contract::no_such_job(id, "pin"));
        }
        match pin {
            Pin::Keep => content.pinned.insert(id),
            Pin::Release => content.pinned.remove(&id),
        };
        Ok(())
    }

    fn usage(&self, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError> {
        let content = self.content.read();
        let usage = |id| Usage { last_read: content.reads.get(id).copied(), pinned: content.pinned.contains(id) };
        Ok(jobs.iter().map(usage).collect())
    }
}

impl ResultStore for MemoryStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        self.content.read().check_attempt(key)?;
        Ok(Box::new(MemorySegment { content: Arc::clone(&self.content), tally: Tally::new(key) }))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], _: Durability) -> Result<(), StoreError> {
        let mut content = self.content.write();
        for (next, _) in ends {
            contract::check_complete(next)?;
            content.check_revision(next, "store the result")?;
        }
        for (next, result) in ends {
            content.put(next);
            content.results.insert(next.id, (*result).clone());
            if let Some(hash) = contract::work_hash(&next.spec).filter(|_| contract::is_reusable(next)) {
                content.finished.insert(hash, next.id);
            }
        }
        Ok(())
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        Ok(self.content.read().results.get(&id).cloned())
    }

    fn read(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError> {
        let mut wanted = rows;
        while !wanted.is_empty() {
            // The lock is not held while `each` runs.
            let found = {
                let content = self.content.read();
                let mut after = content.blocks.range(key.block_key(wanted.start + 1)..=key.block_key(u64::MAX));
                after.next().map(|(key, bytes)| (*key, Arc::clone(bytes)))
            };
            let block = found.as_ref().and_then(|(at, bytes)| Some((SegmentKey::of_block(at)?.1, bytes)));
            let run = block.map(|(end, bytes)| contract::cut(key, end, bytes, &wanted)).transpose()?.flatten();
            let Some(Cut { rows: run, next, .. }) = run else { return Err(contract::missing(self, key, &wanted)) };
            if each(run)?.is_break() {
                return Ok(());
            }
            wanted.start = next;
        }
        Ok(())
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let range = key.block_key(0)..=key.block_key(u64::MAX);
        let found: Vec<_> =
            self.content.read().blocks.range(range).map(|(at, bytes)| (*at, Arc::clone(bytes))).collect();
        for (at, bytes) in found {
            let Some((_, end)) = SegmentKey::of_block(&at) else { continue };
            if each(end, &bytes)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        let mut content = self.content.write();
        contract::check_discardable(job, content.results.contains_key(&job))?;
        content.drop_rows(job, attempt);
        Ok(())
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        contract::check_checkpoint(job, bytes)?;
        let mut content = self.content.write();
        content.check_attempt(SegmentKey { job, attempt, number: 0 })?;
        content.checkpoints.insert(job, bytes.to_vec());
        Ok(())
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.content.read().checkpoints.get(&job).cloned())
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    fn block_bytes(&self) -> usize {
        BlockBuilder::BYTES
    }
}

#[derive(Debug)]
struct MemorySegment {
    content: Arc<RwLock<Content>>,
    tally: Tally,
}

impl SegmentWriter for MemorySegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        let mut content = self.content.write();
        content.check_attempt(self.tally.key())?;
        self.tally.check(&block)?;
        content.blocks.insert(block.block_key(), block.bytes.into());
        drop(content);
        self.tally.add(&block);
        Ok(())
    }

    fn visible_rows(&self) -> u64 {
        self.tally.rows()
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        self.content.read().check_attempt(self.tally.key())?;
        Ok(self.tally.segment())
    }
}
