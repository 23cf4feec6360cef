//! Results, rows and checkpoints.

use std::ops::{ControlFlow, Range};

use job_core::{FailedAttempt, JobId, JobRecord, JobResult};
use job_store::{
    Block, BlockBuilder, Durability, EachBlock, EachRows, ResultStore, SegmentKey, SegmentWriter, StoreError,
    codec,
    contract::{self, Cut},
};
use rusqlite::{OptionalExtension, params};

use crate::{SqliteStore, corrupt, jobs, record, rows, signed, stored};

impl ResultStore for SqliteStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        let found = self.get_running(key)?;
        contract::check_attempt(found.as_ref(), key)?;
        Ok(Box::new(rows::Writer::new(self.clone(), key)))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "store the result";
        contract::check_complete(ends)?;
        self.write(OPERATION, durability, |tx| {
            for (next, result) in ends {
                jobs::put_next(tx, next, OPERATION)?;
                let encoded = codec::encode_result(next.id, result);
                tx.prepare_cached("UPDATE jobs SET result = ?2 WHERE id = ?1")?
                    .execute(params![next.id.as_bytes(), encoded])?;
                rows::drop_checkpoint(tx, next.id)?;
                if let Some(hash) = contract::work_hash(&next.spec).filter(|_| contract::is_reusable(next)) {
                    tx.prepare_cached("INSERT OR REPLACE INTO works (hash, job) VALUES (?1, ?2)")?
                        .execute(params![hash, next.id.as_bytes()])?;
                }
            }
            Ok(())
        })
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        const OPERATION: &str = "read the result";
        let found: Option<Vec<u8>> = self.read(OPERATION, |connection| {
            let mut statement = connection.prepare_cached("SELECT result FROM jobs WHERE id = ?1")?;
            statement.query_row(params![id.as_bytes()], |row| row.get(0)).optional().map(Option::flatten)
        })?;
        let decode = |bytes: Vec<u8>| {
            codec::decode_result(id, &bytes).map_err(|error| corrupt(id, OPERATION, error.to_string()))
        };
        found.map(decode).transpose()
    }

    fn read(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError> {
        let mut wanted = rows;
        while !wanted.is_empty() {
            // The rows are read block by block, so that the connection is free while `each` runs.
            let Some((end, bytes)) = self.block_after(key, wanted.start)? else {
                return Err(contract::missing(self, key, &wanted));
            };
            verify(key, end, &bytes, &wanted)?;
            let Some(Cut { rows, next, .. }) = contract::cut(key, end, &bytes, &wanted)? else {
                return Err(contract::missing(self, key, &wanted));
            };
            if each(rows)?.is_break() {
                return Ok(());
            }
            wanted.start = next;
        }
        Ok(())
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let mut after = 0;
        while let Some((end, bytes)) = self.block_after(key, after)? {
            if each(end, &bytes)? == ControlFlow::Break(()) {
                break;
            }
            after = end;
        }
        Ok(())
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        self.write("discard rows", Durability::Buffered, |tx| {
            let has_result = stored(tx, job)?.is_some_and(|found| found.has_result);
            contract::check_discardable(job, has_result)?;
            Ok(rows::drop_rows(tx, job, attempt)?)
        })
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        const OPERATION: &str = "save the checkpoint";
        contract::check_checkpoint(job, bytes)?;
        let sealed = codec::encode_checkpoint(job, bytes);
        self.write(OPERATION, Durability::Buffered, |tx| {
            let found = record(tx, job, OPERATION)?;
            contract::check_attempt(found.as_ref(), SegmentKey { job, attempt, number: 0 })?;
            tx.prepare_cached("INSERT OR REPLACE INTO checkpoints (job, bytes) VALUES (?1, ?2)")?
                .execute(params![job.as_bytes(), sealed])?;
            Ok(())
        })
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        const OPERATION: &str = "read the checkpoint";
        let found: Option<Vec<u8>> = self.read(OPERATION, |connection| {
            let mut statement = connection.prepare_cached("SELECT bytes FROM checkpoints WHERE job = ?1")?;
            statement.query_row(params![job.as_bytes()], |row| row.get(0)).optional()
        })?;
        let decode = |bytes: Vec<u8>| {
            let decoded = codec::decode_checkpoint(job, &bytes);
            decoded.map(<[u8]>::to_vec).map_err(|error| corrupt(job, OPERATION, error.to_string()))
        };
        found.map(decode).transpose()
    }

    fn save_failures(&self, job: JobId, attempt: u32, failed: &[FailedAttempt]) -> Result<(), StoreError> {
        const OPERATION: &str = "keep the failed attempts";
        contract::check_failures(job, failed)?;
        let sealed = codec::encode_failures(job, failed);
        self.write(OPERATION, Durability::Buffered, |tx| {
            let found = record(tx, job, OPERATION)?;
            contract::check_attempt(found.as_ref(), SegmentKey { job, attempt, number: 0 })?;
            tx.prepare_cached("INSERT OR REPLACE INTO failures (job, bytes) VALUES (?1, ?2)")?
                .execute(params![job.as_bytes(), sealed])?;
            Ok(())
        })
    }

    fn failures(&self, job: JobId) -> Result<Vec<FailedAttempt>, StoreError> {
        const OPERATION: &str = "read the failed attempts";
        let found: Option<Vec<u8>> = self.read(OPERATION, |connection| {
            let mut statement = connection.prepare_cached("SELECT bytes FROM failures WHERE job = ?1")?;
            statement.query_row(params![job.as_bytes()], |row| row.get(0)).optional()
        })?;
        let Some(bytes) = found else { return Ok(Vec::new()) };
        codec::decode_failures(job, &bytes).map_err(|error| corrupt(job, OPERATION, error.to_string()))
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        const SIZE: &str = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        let bytes: i64 =
            self.read("measure the store", |connection| connection.query_row(SIZE, [], |row| row.get(0)))?;
        Ok(u64::try_from(bytes).ok())
    }

    fn block_bytes(&self) -> usize {
        BlockBuilder::BYTES
    }
}

impl SqliteStore {
    /// The record of the job of a segment, which has to run for a write.
    pub(crate) fn get_running(&self, key: SegmentKey) -> Result<Option<JobRecord>, StoreError> {
        let found = self.read("write rows", |connection| stored(connection, key.job))?;
        found.map(|found| crate::decoded(key.job, &found.record, "write rows")).transpose()
    }

    /// The block that has this row or, if none has it, the next one. The number is the row after the block's last.
    fn block_after(&self, key: SegmentKey, row: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        const NEXT: &str = "
            SELECT end, bytes FROM blocks WHERE job = ?1 AND attempt = ?2 AND segment = ?3 AND end > ?4
            ORDER BY end LIMIT 1";
        let found = self.read("read rows", |connection| {
            let mut statement = connection.prepare_cached(NEXT)?;
            let key = params![key.job.as_bytes(), key.attempt, key.number, signed(row)];
            statement.query_row(key, |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()
        });
        Ok(found.map_err(|error| error.on(key.job))?.map(|(end, bytes)| (end.cast_unsigned(), bytes)))
    }
}

/// Compares the block's checksum, since SQLite checks none of its pages.
fn verify(key: SegmentKey, end: u64, bytes: &[u8], wanted: &Range<u64>) -> Result<(), StoreError> {
    let damaged =
        |error: String| corrupt(key.job, "read rows", format!("rows {}..{}: {error}", wanted.start, wanted.end));
    let block = Block::parse(bytes).map_err(|error| damaged(error.to_string()))?;
    block.verify(key, end.saturating_sub(block.len() as u64)).map_err(|error| damaged(error.to_string()))
}
