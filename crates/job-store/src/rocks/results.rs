//! Rows and results in RocksDB.

use std::ops::{ControlFlow, Range};

use job_core::{JobId, JobRecord, JobResult};
use rocksdb::{ReadOptions, WriteBatch};

use super::{JOBS, ROWS, RocksStore, failure, locks::Held, segment::RocksSegment};
use crate::{
    Durability, EachBlock, ErrorKind, ResultStore, Rows, SegmentKey, SegmentWriter, StoreError, codec,
    contract::{self, Cut},
    key_value::keys,
};

impl ResultStore for RocksStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        self.enter("write rows")?;
        self.fence(key)?;
        Ok(Box::new(RocksSegment::new(self.clone(), key)))
    }

    fn complete(&self, next: &JobRecord, result: &JobResult, durability: Durability) -> Result<(), StoreError> {
        self.complete_all(&[(next, result)], durability)
    }

    fn complete_all(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "store the result";
        self.enter(OPERATION)?;
        let records: Vec<&JobRecord> = ends.iter().map(|(next, _)| *next).collect();
        let held = self.lock_with_work(records.iter().copied());
        let jobs = self.family(JOBS, OPERATION)?;
        let mut batch = WriteBatch::default();
        // Kind after kind, because keys that come in order cost the memtable a third of others.
        let mut replaced = Vec::with_capacity(ends.len());
        for (next, _) in ends {
            contract::check_complete(next)?;
            replaced.push(self.stage_record(&mut batch, next, OPERATION)?);
        }
        for (next, result) in ends {
            batch.put_cf(jobs, keys::key(keys::RESULT, next.id), codec::encode_result(next.id, result));
            if let Some(hash) = contract::work_hash(&next.spec).filter(|_| contract::is_reusable(next)) {
                batch.put_cf(jobs, keys::work(hash), next.id.as_bytes());
            }
        }
        for ((next, _), replaced) in ends.iter().zip(&replaced) {
            self.stage_end(&mut batch, next.id, replaced, OPERATION)?;
        }
        // Rows of small segments went through the same log before this batch, so syncing it syncs them; files of
        // large ones were synced before they became part of the store.
        self.commit(batch, &records, durability, OPERATION, &held)
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        const OPERATION: &str = "read the result";
        if let Some(result) = self.inner.results.get(id) {
            return Ok(Some(result));
        }
        // As for records: under the lock, or just read.
        let held = self.inner.locks.try_job(id);
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
        let result = found.map(|bytes| decode(&bytes)).transpose()?;
        if let (Some(result), Some(_)) = (&result, held) {
            self.inner.results.note(id, result);
        }
        Ok(result)
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
        let mut wanted = rows;
        for end in self.inner.blocks.of(key, &wanted).into_iter().flatten() {
            match self.read_block(key, end, &wanted, each)? {
                Some(next) => wanted.start = next,
                None => break,
            }
            if wanted.is_empty() {
                return Ok(());
            }
        }
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(key.block_key(u64::MAX));
        // A reader may be the last to hold files of a removed job: deleting them is not its work.
        options.set_background_purge_on_iterator_cleanup(true);
        let mut iterator = self.inner.db.raw_iterator_cf_opt(self.family(ROWS, "read rows")?, options);
        iterator.seek(key.block_key(wanted.start + 1));
        loop {
            let Some((at, bytes)) = iterator.item() else {
                iterator.status().map_err(|e| damaged(key, &wanted, &e))?;
                return Err(contract::missing(self, key, &wanted));
            };
            let Some((_, end)) = SegmentKey::of_block(at).filter(|(segment, _)| *segment == key) else {
                return Err(key.corrupt(&wanted, "a key is damaged"));
            };
            let Some(Cut { rows: run, first, next }) = contract::cut(key, end, bytes, &wanted)? else {
                return Err(contract::missing(self, key, &wanted));
            };
            self.inner.blocks.note(key, first, end);
            if each(run)?.is_break() || next >= wanted.end {
                return Ok(());
            }
            wanted.start = next;
            iterator.next();
        }
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(key.block_key(u64::MAX));
        // Everything once: the blocks that pages are read from stay in memory.
        options.fill_cache(false);
        options.set_background_purge_on_iterator_cleanup(true);
        let mut iterator = self.inner.db.raw_iterator_cf_opt(self.family(ROWS, "read rows")?, options);
        iterator.seek(key.block_key(0));
        let mut next = 0;
        while let Some((at, bytes)) = iterator.item() {
            let end = SegmentKey::of_block(at).map(|(_, end)| end);
            let end = end.ok_or_else(|| key.corrupt(&(next..next), "a key is damaged"))?;
            if each(end, bytes)?.is_break() {
                return Ok(());
            }
            next = end;
            iterator.next();
        }
        iterator.status().map_err(|e| failure("read rows", Some(key.job), &e))
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        const OPERATION: &str = "discard rows";
        self.enter(OPERATION)?;
        let held = self.inner.locks.job(job);
        contract::check_discardable(job, self.has(&keys::key(keys::RESULT, job), OPERATION, job)?)?;
        let mut batch = WriteBatch::default();
        if self.stage_drop_rows(&mut batch, job, attempt, OPERATION)? {
            self.write(batch, Durability::Buffered, OPERATION, Some(job))?;
            drop(held);
            self.inner.reclaimer.queue(job, attempt);
        }
        Ok(())
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.put_checkpoint(job, attempt, bytes)
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        self.get_checkpoint(job)
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        const OPERATION: &str = "measure the store";
        let rows = self.family(ROWS, OPERATION)?;
        let read = |name: &std::ffi::CStr| {
            let found = self.inner.db.property_int_value_cf(rows, name);
            found.map(Option::unwrap_or_default).map_err(|e| failure(OPERATION, None, &e))
        };
        let files = read(rocksdb::properties::LIVE_SST_FILES_SIZE)?;
        // What is in memory is in the log as well.
        Ok(Some(files + read(rocksdb::properties::CUR_SIZE_ALL_MEM_TABLES)?))
    }

    fn block_bytes(&self) -> usize {
        self.inner.options.block_bytes
    }
}

impl RocksStore {
    /// Reads the first of the wanted rows, known to be in the block that ends before `end`; the row after them comes
    /// back, the end of `wanted` when `each` has enough, and nothing if the block is gone. A point read costs a third of
    /// an iterator.
    fn read_block(
        &self,
        key: SegmentKey,
        end: u64,
        wanted: &Range<u64>,
        each: &mut dyn FnMut(Rows<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<Option<u64>, StoreError> {
        let found = self.inner.db.get_pinned_cf(self.family(ROWS, "read rows")?, key.block_key(end));
        let Some(bytes) = found.map_err(|e| damaged(key, wanted, &e))? else { return Ok(None) };
        let Some(cut) = contract::cut(key, end, &bytes, wanted)? else { return Ok(None) };
        Ok(Some(if each(cut.rows)?.is_break() { wanted.end } else { cut.next }))
    }

    /// Whether the attempt may write at this moment; cheap while it runs.
    pub(super) fn fence(&self, key: SegmentKey) -> Result<(), StoreError> {
        if self.inner.locks.is_running(key) {
            return Ok(());
        }
        let held = self.inner.locks.job(key.job);
        self.check_attempt(key, &held)
    }

    /// Whether the attempt may write as long as the caller holds the job's lock.
    pub(super) fn check_attempt(&self, key: SegmentKey, _held: &Held<'_>) -> Result<(), StoreError> {
        if self.inner.locks.is_running(key) {
            return Ok(());
        }
        let record = self.record(key.job, "write rows")?;
        contract::check_attempt(record.as_ref(), key)?;
        if let Some(record) = &record {
            self.inner.locks.remember(record);
        }
        Ok(())
    }
}

/// RocksDB's own word on a block it could not load, with the rows that are lost by it.
fn damaged(key: SegmentKey, rows: &Range<u64>, error: &rocksdb::Error) -> StoreError {
    let found = failure("read rows", Some(key.job), error);
    if found.kind == ErrorKind::Corrupt { key.corrupt(rows, found.detail) } else { found }
}
