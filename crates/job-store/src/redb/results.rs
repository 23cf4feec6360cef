//! Rows and results in redb.

use std::ops::{ControlFlow, Range};

use job_core::{JobId, JobRecord, JobResult, Segment};

use super::{CHECKPOINTS, JOBS, ROWS, RedbStore, failure};
use crate::{
    Block, BlockBuilder, Durability, EachBlock, ErrorKind, ResultStore, Rows, SealedBlock, SegmentKey,
    SegmentWriter, StoreError, codec,
    contract::{self, Cut, Tally},
    keys,
};

impl ResultStore for RedbStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        contract::check_attempt(self.record(key.job, "write rows")?.as_ref(), key)?;
        let tally = Tally::new(key);
        Ok(Box::new(RedbSegment { store: self.clone(), tally, blocks: Vec::new(), bytes: 0, pending: 0 }))
    }

    fn complete(&self, next: &JobRecord, result: &JobResult, durability: Durability) -> Result<(), StoreError> {
        self.complete_all(&[(next, result)], durability)
    }

    fn complete_all(&self, ends: &[(&JobRecord, &JobResult)], _: Durability) -> Result<(), StoreError> {
        self.write("store the result", None, |tables| {
            for (next, result) in ends {
                contract::check_complete(next)?;
                tables.replace(next)?;
                tables.put(&keys::key(keys::RESULT, next.id), &codec::encode_result(next.id, result))?;
                if let Some(hash) = contract::work_hash(&next.spec).filter(|_| contract::is_reusable(next)) {
                    tables.put(&keys::work(hash), next.id.as_bytes())?;
                }
            }
            Ok(())
        })
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        const OPERATION: &str = "read the result";
        let found = self.value(JOBS, &keys::key(keys::RESULT, id), OPERATION, Some(id))?;
        let decoded = found.map(|bytes| codec::decode_result(id, &bytes)).transpose();
        decoded.map_err(|e| StoreError::new(ErrorKind::Corrupt, OPERATION, e.to_string()).on(id))
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
        let table = self.read_table(ROWS, "read rows", Some(key.job))?;
        let failed = |e| self.failure("read rows", Some(key.job), e);
        let [from, to] = [wanted.start + 1, u64::MAX].map(|end| key.block_key(end));
        for entry in table.range(from.as_slice()..to.as_slice()).map_err(failed)? {
            let (at, bytes) = entry.map_err(failed)?;
            let end = SegmentKey::of_block(at.value()).map(|(_, end)| end);
            let end = end.ok_or_else(|| key.corrupt(&wanted, "a key is damaged"))?;
            verify(key, end, bytes.value(), &wanted)?;
            let Some(Cut { rows: run, next, .. }) = contract::cut(key, end, bytes.value(), &wanted)? else {
                break;
            };
            if each(run)?.is_break() || next >= wanted.end {
                return Ok(());
            }
            wanted.start = next;
        }
        Err(contract::missing(self, key, &wanted))
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let table = self.read_table(ROWS, "read rows", Some(key.job))?;
        let failed = |e| self.failure("read rows", Some(key.job), e);
        let [from, to] = [0, u64::MAX].map(|end| key.block_key(end));
        for entry in table.range(from.as_slice()..to.as_slice()).map_err(failed)? {
            let (at, bytes) = entry.map_err(failed)?;
            let end = SegmentKey::of_block(at.value()).map(|(_, end)| end);
            let end = end.ok_or_else(|| key.corrupt(&(0..0), "a key is damaged"))?;
            if each(end, bytes.value())?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        self.write("discard rows", Some(job), |tables| {
            contract::check_discardable(job, tables.get(&keys::key(keys::RESULT, job))?.is_some())?;
            tables.drop_rows(job, attempt)
        })
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        const OPERATION: &str = "save the checkpoint";
        contract::check_checkpoint(job, bytes)?;
        self.write(OPERATION, Some(job), |tables| {
            contract::check_attempt(tables.record(job)?.as_ref(), SegmentKey { job, attempt, number: 0 })?;
            let sealed = codec::encode_checkpoint(job, bytes);
            let saved = tables.checkpoints.insert(job.as_bytes().as_slice(), sealed.as_slice());
            saved.map(drop).map_err(|e| failure(OPERATION, Some(job), e))
        })
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        const OPERATION: &str = "read the checkpoint";
        let Some(bytes) = self.value(CHECKPOINTS, job.as_bytes(), OPERATION, Some(job))? else { return Ok(None) };
        let checkpoint = codec::decode_checkpoint(job, &bytes)
            .map_err(|e| StoreError::new(ErrorKind::Corrupt, OPERATION, e.to_string()).on(job))?;
        Ok(Some(checkpoint.to_vec()))
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        const OPERATION: &str = "measure the store";
        use redb::ReadableTableMetadata;
        let stats =
            self.read_table(ROWS, OPERATION, None)?.stats().map_err(|e| self.failure(OPERATION, None, e))?;
        Ok(Some(stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes()))
    }

    fn block_bytes(&self) -> usize {
        BlockBuilder::BYTES
    }
}

/// redb does not check its pages when it reads them, so the block's own checksum does.
fn verify(key: SegmentKey, end: u64, bytes: &[u8], wanted: &Range<u64>) -> Result<(), StoreError> {
    let corrupt = |e| key.corrupt(wanted, e);
    let block = Block::parse(bytes).map_err(corrupt)?;
    block.verify(key, end.saturating_sub(block.len() as u64)).map_err(corrupt)
}

/// Gathers blocks, because every transaction of redb is an fsync.
#[derive(Debug)]
struct RedbSegment {
    store: RedbStore,
    tally: Tally,
    blocks: Vec<([u8; 32], Vec<u8>)>,
    bytes: usize,
    /// Rows of `blocks`.
    pending: u64,
}

impl RedbSegment {
    /// Bytes gathered before they are written.
    const GATHERED: usize = 4 << 20;

    fn publish(&mut self) -> Result<(), StoreError> {
        const OPERATION: &str = "append rows";
        let key = self.tally.key;
        let blocks = std::mem::take(&mut self.blocks);
        self.store.write(OPERATION, Some(key.job), |tables| {
            contract::check_attempt(tables.record(key.job)?.as_ref(), key)?;
            for (at, bytes) in &blocks {
                let put = tables.rows.insert(at.as_slice(), bytes.as_slice());
                put.map(drop).map_err(|e| failure(OPERATION, Some(key.job), e))?;
            }
            Ok(())
        })?;
        (self.bytes, self.pending) = (0, 0);
        Ok(())
    }
}

impl SegmentWriter for RedbSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        let key = self.tally.key;
        contract::check_attempt(self.store.record(key.job, "write rows")?.as_ref(), key)?;
        self.tally.check(&block)?;
        self.blocks.push((block.block_key(), block.bytes.to_vec()));
        self.bytes += block.bytes.len();
        self.pending += block.rows;
        self.tally.add(&block);
        if self.bytes >= Self::GATHERED { self.publish() } else { Ok(()) }
    }

    fn readable(&self) -> u64 {
        self.tally.rows() - self.pending
    }

    fn finish(mut self: Box<Self>) -> Result<Segment, StoreError> {
        self.publish()?;
        Ok(self.tally.segment())
    }
}
