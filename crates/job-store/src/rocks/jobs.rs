//! Records in RocksDB.

use std::collections::BTreeSet;

use job_core::{JobId, JobRecord};
use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch};

use super::{JOBS, ROWS, RocksStore, decode, failure, keys};
use crate::{Durability, ErrorKind, JobStore, StoreError, codec, contract};

impl JobStore for RocksStore {
    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "insert";
        let _locks = self.inner.locks.all(records.iter().map(|record| record.id));
        let jobs = self.family(JOBS, OPERATION)?;
        let mut batch = WriteBatch::default();
        let mut seen = BTreeSet::new();
        for record in records {
            let key = keys::key(keys::RECORD, record.id);
            let stored = self.inner.db.get_pinned_cf(jobs, key);
            if !seen.insert(record.id) || stored.map_err(|e| failure(OPERATION, Some(record.id), &e))?.is_some() {
                return Err(StoreError::new(ErrorKind::AlreadyExists, OPERATION, "the id is taken").on(record.id));
            }
            batch.put_cf(jobs, key, codec::encode_record(record));
            batch.put_cf(jobs, keys::key(keys::UNFINISHED, record.id), []);
        }
        self.write(batch, durability, OPERATION, None)
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.record(id, "read the record")
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "replace the record";
        let _lock = self.lock(next.id);
        let mut batch = WriteBatch::default();
        self.stage_replace(&mut batch, next, OPERATION)?;
        self.write(batch, durability, OPERATION, Some(next.id))
    }

    fn list(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<JobRecord>, StoreError> {
        const OPERATION: &str = "list";
        let jobs = self.family(JOBS, OPERATION)?;
        let mut options = ReadOptions::default();
        options.set_iterate_range(
            keys::key(keys::RECORD, JobId::MIN)..keys::key(keys::RECORD, before.unwrap_or(JobId::MAX)),
        );
        let mut iterator = self.inner.db.raw_iterator_cf_opt(jobs, options);
        iterator.seek_to_last();
        for _ in 0..skip {
            if !iterator.valid() {
                break;
            }
            iterator.prev();
        }
        let mut records = Vec::new();
        while records.len() < limit {
            let Some((key, value)) = iterator.item() else { break };
            records.push(decode_at(key, value, OPERATION)?);
            iterator.prev();
        }
        iterator.status().map_err(|e| failure(OPERATION, None, &e))?;
        Ok(records)
    }

    fn unfinished(&self) -> Result<Vec<JobRecord>, StoreError> {
        const OPERATION: &str = "list the unfinished jobs";
        let jobs = self.family(JOBS, OPERATION)?;
        let mut options = ReadOptions::default();
        options.set_iterate_range(keys::group(keys::UNFINISHED));
        let mode = IteratorMode::From(&[keys::UNFINISHED], Direction::Forward);
        let mut records = Vec::new();
        for entry in self.inner.db.iterator_cf_opt(jobs, options, mode) {
            let (key, _) = entry.map_err(|e| failure(OPERATION, None, &e))?;
            let id = keys::id(&key).ok_or_else(|| bad_key(&key, OPERATION))?;
            // Completed between the two reads: nothing to report.
            if let Some(record) = self.record(id, OPERATION)?.filter(|record| !record.state.is_complete()) {
                records.push(record);
            }
        }
        Ok(records)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        const OPERATION: &str = "remove the record";
        let _lock = self.lock(id);
        let Some(record) = self.record(id, OPERATION)? else { return Ok(false) };
        contract::check_removable(&record)?;
        let jobs = self.family(JOBS, OPERATION)?;
        let mut batch = WriteBatch::default();
        batch.delete_cf(jobs, keys::key(keys::RECORD, id));
        batch.delete_cf(jobs, keys::key(keys::RESULT, id));
        self.stage_drop_rows(&mut batch, id, u32::MAX, OPERATION)?;
        self.write(batch, Durability::Buffered, OPERATION, Some(id))?;
        self.reclaim(id)?;
        Ok(true)
    }
}

impl RocksStore {
    /// Compares the revision and stages the record. The caller holds the job's lock until the batch is written.
    pub(super) fn stage_replace(
        &self,
        batch: &mut WriteBatch,
        next: &JobRecord,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let found = self.record(next.id, operation)?.map(|record| record.revision);
        contract::check_revision(found, next, operation)?;
        let jobs = self.family(JOBS, operation)?;
        batch.put_cf(jobs, keys::key(keys::RECORD, next.id), codec::encode_record(next));
        if next.state.is_complete() {
            batch.delete_cf(jobs, keys::key(keys::UNFINISHED, next.id));
        }
        Ok(())
    }

    /// Stages a range delete of the rows of `0..=attempt`, unless there are none: a tombstone costs every reader.
    pub(super) fn stage_drop_rows(
        &self,
        batch: &mut WriteBatch,
        job: JobId,
        attempt: u32,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let rows = self.family(ROWS, operation)?;
        let range = keys::blocks_until(job, attempt);
        let mut options = ReadOptions::default();
        options.set_iterate_range(range.clone());
        let mut iterator = self.inner.db.raw_iterator_cf_opt(rows, options);
        iterator.seek_to_first();
        let any = iterator.valid();
        iterator.status().map_err(|e| failure(operation, Some(job), &e))?;
        if any {
            batch.delete_range_cf(rows, range.start, range.end);
        }
        Ok(())
    }

    /// Gives whole files of a removed job back to the disk at once; the tombstone already hides the rest, and
    /// compaction frees it.
    fn reclaim(&self, job: JobId) -> Result<(), StoreError> {
        const OPERATION: &str = "reclaim the space";
        let rows = self.family(ROWS, OPERATION)?;
        let range = keys::blocks_until(job, u32::MAX);
        self.inner
            .db
            .delete_file_in_range_cf(rows, range.start, range.end)
            .map_err(|e| failure(OPERATION, Some(job), &e))
    }
}

fn decode_at(key: &[u8], value: &[u8], operation: &'static str) -> Result<JobRecord, StoreError> {
    let id = keys::id(key).ok_or_else(|| bad_key(key, operation))?;
    decode(id, value, operation)
}

fn bad_key(key: &[u8], operation: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, operation, format!("a key has {} bytes", key.len()))
}
