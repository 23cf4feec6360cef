//! Rows and results in RocksDB.

use std::ops::{ControlFlow, Range};

use job_core::{JobId, JobRecord, JobResult, Segment};
use rocksdb::{ReadOptions, WriteBatch};

use super::{JOBS, ROWS, RocksStore, failure, keys};
use crate::{
    Durability, ErrorKind, ResultStore, Rows, SealedBlock, SegmentKey, SegmentWriter, StoreError, codec,
    contract::{self, Tally},
};

impl ResultStore for RocksStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        self.check_attempt(key)?;
        Ok(Box::new(RocksSegment { store: self.clone(), tally: Tally::new(key) }))
    }

    fn complete(&self, next: &JobRecord, result: &JobResult, durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "store the result";
        contract::check_complete(next)?;
        let _lock = self.lock(next.id);
        let mut batch = WriteBatch::default();
        self.stage_replace(&mut batch, next, OPERATION)?;
        let jobs = self.family(JOBS, OPERATION)?;
        batch.put_cf(jobs, keys::key(keys::RESULT, next.id), codec::encode_result(next.id, result));
        // The rows went through the same log before this batch: syncing it syncs them.
        self.write(batch, durability, OPERATION, Some(next.id))
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        const OPERATION: &str = "read the result";
        let jobs = self.family(JOBS, OPERATION)?;
        let found = self
            .inner
            .db
            .get_pinned_cf(jobs, keys::key(keys::RESULT, id))
            .map_err(|e| failure(OPERATION, Some(id), &e))?;
        let decode = |bytes: &[u8]| {
            codec::decode_result(id, bytes)
                .map_err(|e| StoreError::new(ErrorKind::Corrupt, OPERATION, e.to_string()).on(id))
        };
        found.map(|bytes| decode(&bytes)).transpose()
    }

    fn read(
        &self,
        key: SegmentKey,
        rows: Range<u64>,
        each: &mut dyn FnMut(Rows<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut options = ReadOptions::default();
        options.set_iterate_range(key.block_key(0)..key.block_key(rows.end));
        let mut iterator = self.inner.db.raw_iterator_cf_opt(self.family(ROWS, "read rows")?, options);
        iterator.seek_for_prev(key.block_key(rows.start));
        let mut next = rows.start;
        while next < rows.end {
            let wanted = next..rows.end;
            let Some((at, bytes)) = iterator.item() else {
                iterator.status().map_err(|e| damaged(key, &wanted, &e))?;
                return Err(contract::missing(self, key, &wanted));
            };
            let first = SegmentKey::first_row(at).ok_or_else(|| key.corrupt(&wanted, "a key is damaged"))?;
            let (run, after) = contract::cut(key, first, bytes, wanted.clone())?;
            if run.is_empty() || first > next {
                return Err(contract::missing(self, key, &wanted));
            }
            if each(run)?.is_break() {
                return Ok(());
            }
            next = after;
            iterator.next();
        }
        Ok(())
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        const OPERATION: &str = "discard rows";
        let _lock = self.lock(job);
        contract::check_discardable(job, self.result(job)?.is_some())?;
        let mut batch = WriteBatch::default();
        self.stage_drop_rows(&mut batch, job, attempt, OPERATION)?;
        if batch.is_empty() { Ok(()) } else { self.write(batch, Durability::Buffered, OPERATION, Some(job)) }
    }
}

impl RocksStore {
    fn check_attempt(&self, key: SegmentKey) -> Result<(), StoreError> {
        contract::check_attempt(self.record(key.job, "write rows")?.as_ref(), key)
    }
}

/// RocksDB's own word on a block it could not load, with the rows that are lost by it.
fn damaged(key: SegmentKey, rows: &Range<u64>, error: &rocksdb::Error) -> StoreError {
    let found = failure("read rows", Some(key.job), error);
    if found.kind == ErrorKind::Corrupt { key.corrupt(rows, found.detail) } else { found }
}

#[derive(Debug)]
struct RocksSegment {
    store: RocksStore,
    tally: Tally,
}

impl SegmentWriter for RocksSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        const OPERATION: &str = "append rows";
        self.tally.check(&block)?;
        let key = self.tally.key;
        // Held from the fence to the write, so that an attempt cannot end between them.
        let _lock = self.store.lock(key.job);
        self.store.check_attempt(key)?;
        let mut batch = WriteBatch::default();
        batch.put_cf(self.store.family(ROWS, OPERATION)?, key.block_key(block.first_row), block.bytes);
        self.store.write(batch, Durability::Buffered, OPERATION, Some(key.job))?;
        self.tally.add(&block);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        self.store.check_attempt(self.tally.key)?;
        Ok(self.tally.segment())
    }
}
