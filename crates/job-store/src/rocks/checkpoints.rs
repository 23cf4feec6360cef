//! Checkpoints in RocksDB: a column family of their own, because they are large and short-lived.

use job_core::JobId;
use rocksdb::WriteBatch;

use super::{CHECKPOINTS, RocksStore, failure};
use crate::{Durability, ErrorKind, SegmentKey, StoreError, codec, contract};

impl RocksStore {
    pub(super) fn put_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        const OPERATION: &str = "save the checkpoint";
        self.enter(OPERATION)?;
        contract::check_checkpoint(job, bytes)?;
        let held = self.inner.locks.job(job);
        self.check_attempt(SegmentKey { job, attempt, number: 0 }, &held)?;
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(CHECKPOINTS, OPERATION)?, job.as_bytes(), codec::encode_checkpoint(job, bytes));
        self.inner.locks.remember_checkpoint(job);
        self.write(batch, Durability::Buffered, OPERATION, Some(job))
    }

    pub(super) fn get_checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        const OPERATION: &str = "read the checkpoint";
        let found = self.inner.db.get_pinned_cf(self.family(CHECKPOINTS, OPERATION)?, job.as_bytes());
        let decode = |bytes: &[u8]| {
            codec::decode_checkpoint(job, bytes)
                .map(<[u8]>::to_vec)
                .map_err(|e| StoreError::new(ErrorKind::Corrupt, OPERATION, e.to_string()).on(job))
        };
        found.map_err(|e| failure(OPERATION, Some(job), &e))?.map(|bytes| decode(&bytes)).transpose()
    }

    /// Stages the end of a job's checkpoint, unless it has none: a tombstone costs more than the look.
    pub(super) fn stage_drop_checkpoint(
        &self,
        batch: &mut WriteBatch,
        job: JobId,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let checkpoints = self.family(CHECKPOINTS, operation)?;
        let found = self.inner.db.get_pinned_cf(checkpoints, job.as_bytes());
        if found.map_err(|e| failure(operation, Some(job), &e))?.is_some() {
            batch.delete_cf(checkpoints, job.as_bytes());
        }
        Ok(())
    }
}
