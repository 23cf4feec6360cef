//! [`MemoryStore`]: the reference backend, short enough to be read as the contract.

use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Range},
    sync::Arc,
};

use job_core::{JobId, JobRecord, JobResult, Segment};
use parking_lot::RwLock;

use crate::{
    Durability, ErrorKind, JobStore, ResultStore, Rows, SealedBlock, SegmentKey, SegmentWriter, StoreError,
    contract::{self, Tally},
};

/// Keeps everything in memory, and nothing beyond its last clone. Clones share one content.
///
/// For tests, and for engines whose jobs need not survive the process: both durabilities are the same here.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    content: Arc<RwLock<Content>>,
}

#[derive(Debug, Default)]
struct Content {
    jobs: BTreeMap<JobId, JobRecord>,
    results: BTreeMap<JobId, JobResult>,
    /// Key of a block -> its bytes, in row order.
    blocks: BTreeMap<[u8; 32], Arc<[u8]>>,
}

impl Content {
    fn check_revision(&self, next: &JobRecord, operation: &'static str) -> Result<(), StoreError> {
        let found = self.jobs.get(&next.id).map(|record| record.revision);
        contract::check_revision(found, next, operation)
    }

    fn check_attempt(&self, key: SegmentKey) -> Result<(), StoreError> {
        contract::check_attempt(self.jobs.get(&key.job), key)
    }

    fn drop_rows(&mut self, job: JobId, attempts: Range<u32>) {
        let [from, to] =
            [attempts.start, attempts.end].map(|attempt| SegmentKey { job, attempt, number: 0 }.block_key(0));
        let dropped: Vec<_> = self.blocks.range(from..to).map(|(key, _)| *key).collect();
        for key in dropped {
            self.blocks.remove(&key);
        }
    }
}

impl JobStore for MemoryStore {
    fn insert(&self, records: &[JobRecord], _: Durability) -> Result<(), StoreError> {
        let mut content = self.content.write();
        let mut seen = std::collections::BTreeSet::new();
        for record in records {
            if content.jobs.contains_key(&record.id) || !seen.insert(record.id) {
                return Err(StoreError::new(ErrorKind::AlreadyExists, "insert", "the id is taken").on(record.id));
            }
        }
        content.jobs.extend(records.iter().map(|record| (record.id, record.clone())));
        Ok(())
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        Ok(self.content.read().jobs.get(&id).cloned())
    }

    fn replace(&self, next: &JobRecord, _: Durability) -> Result<(), StoreError> {
        let mut content = self.content.write();
        content.check_revision(next, "replace the record")?;
        content.jobs.insert(next.id, next.clone());
        Ok(())
    }

    fn list(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<JobRecord>, StoreError> {
        let content = self.content.read();
        let older = content.jobs.range(..before.unwrap_or(JobId::MAX)).rev();
        Ok(older
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .take(limit)
            .map(|(_, job)| job.clone())
            .collect())
    }

    fn unfinished(&self) -> Result<Vec<JobRecord>, StoreError> {
        let content = self.content.read();
        Ok(content.jobs.values().filter(|record| !record.state.is_complete()).cloned().collect())
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let mut content = self.content.write();
        match content.jobs.get(&id) {
            None => return Ok(false),
            Some(record) => contract::check_removable(record)?,
        }
        content.jobs.remove(&id);
        content.results.remove(&id);
        content.drop_rows(id, 0..u32::MAX);
        Ok(true)
    }
}

impl ResultStore for MemoryStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        self.content.read().check_attempt(key)?;
        Ok(Box::new(MemorySegment { content: Arc::clone(&self.content), tally: Tally::new(key) }))
    }

    fn complete(&self, next: &JobRecord, result: &JobResult, _: Durability) -> Result<(), StoreError> {
        contract::check_complete(next)?;
        let mut content = self.content.write();
        content.check_revision(next, "store the result")?;
        content.jobs.insert(next.id, next.clone());
        content.results.insert(next.id, result.clone());
        Ok(())
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        Ok(self.content.read().results.get(&id).cloned())
    }

    fn read(
        &self,
        key: SegmentKey,
        rows: Range<u64>,
        each: &mut dyn FnMut(Rows<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut next = rows.start;
        while next < rows.end {
            // The lock is not held while `each` runs.
            let found = {
                let content = self.content.read();
                let mut upto = content.blocks.range(key.block_key(0)..=key.block_key(next));
                upto.next_back().map(|(key, bytes)| (*key, Arc::clone(bytes)))
            };
            let Some((at, bytes)) = found else {
                return Err(contract::missing(self, key, &(next..rows.end)));
            };
            let first = SegmentKey::first_row(&at).unwrap_or_default();
            let (run, after) = contract::cut(key, first, &bytes, next..rows.end)?;
            if run.is_empty() {
                return Err(contract::missing(self, key, &(next..rows.end)));
            }
            if each(run)?.is_break() {
                return Ok(());
            }
            next = after;
        }
        Ok(())
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        let mut content = self.content.write();
        contract::check_discardable(job, content.results.contains_key(&job))?;
        content.drop_rows(job, 0..attempt.saturating_add(1));
        Ok(())
    }
}

#[derive(Debug)]
struct MemorySegment {
    content: Arc<RwLock<Content>>,
    tally: Tally,
}

impl SegmentWriter for MemorySegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        self.tally.check(&block)?;
        let mut content = self.content.write();
        content.check_attempt(self.tally.key)?;
        content.blocks.insert(block.key.block_key(block.first_row), block.bytes.into());
        drop(content);
        self.tally.add(&block);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        self.content.read().check_attempt(self.tally.key)?;
        Ok(self.tally.segment())
    }
}
