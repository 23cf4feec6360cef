//! Rows, results and checkpoints.

use std::ops::{ControlFlow, Range};

use job_core::{FailedAttempt, JobId, JobRecord, JobResult};

use super::{
    Batch, KeyValue, KeyValueStore, Order, Scan, Table, View,
    call::{Call, entries},
    keys,
    locks::Held,
    pinned,
    segment::Segment,
};
use crate::{
    Block, BlockRows, Durability, EachBlock, EachRows, ErrorKind, ResultStore, SegmentKey, SegmentWriter,
    StoreError, codec,
    contract::{self, Cut},
};

impl<K: KeyValue> ResultStore for KeyValueStore<K> {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        self.enter(Call::of("write rows"))?;
        self.fence(key)?;
        Ok(Box::new(Segment::new(self.clone(), key)))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "store the result";
        let call = if let [(only, _)] = ends { Call::on(OPERATION, only.id) } else { Call::of(OPERATION) };
        self.enter(call)?;
        contract::check_complete(ends)?;
        let records: Vec<&JobRecord> = ends.iter().map(|(next, _)| *next).collect();
        let mut staged = self.stage(call, self.lock_with_work(records.iter().copied()))?;
        // Each kind of key in turn: keys in order cost a memtable a third of keys in another order.
        let mut replaced = Vec::with_capacity(ends.len());
        for (next, _) in ends {
            replaced.push(staged.record(next)?);
        }
        for (next, result) in ends {
            let encoded = codec::encode_result(next.id, result);
            staged.batch.put(Table::Jobs, &keys::key(keys::RESULT, next.id), &encoded);
            if let Some(hash) = contract::work_hash(&next.spec).filter(|_| contract::is_reusable(next)) {
                staged.batch.put(Table::Jobs, &keys::work(hash), next.id.as_bytes());
            }
        }
        for ((next, _), replaced) in ends.iter().zip(&replaced) {
            staged.end(next.id, replaced)?;
        }
        staged.index_ends(records.iter().copied().zip(&replaced))?;
        // Batches of rows were committed before this one, so syncing it syncs them; runs were synced before they became part
        // of the table.
        staged.commit_records(&records, durability)
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        if let Some(result) = self.inner.results.get(id) {
            return Ok(Some(result));
        }
        // As for records: with the lock the result may be put into the cache, without the lock it is only read.
        let held = self.inner.locks.try_job(id);
        let call = Call::on("read the result", id);
        let view = self.latest(call)?;
        let Some(bytes) = call.value(&view, Table::Jobs, &keys::key(keys::RESULT, id))? else { return Ok(None) };
        let result = codec::decode_result(id, bytes.as_ref()).map_err(|error| call.corrupt(error.to_string()))?;
        if held.is_some() {
            self.inner.results.note(id, &result);
        }
        Ok(Some(result))
    }

    fn read(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let view = self.latest(Call::on("read rows", key.job))?;
        let mut wanted = rows;
        for end in self.inner.blocks.of(key, &wanted).into_iter().flatten() {
            match self.read_block(&view, key, end, &wanted, each)? {
                Some(next) => wanted.start = next,
                None => break,
            }
            if wanted.is_empty() {
                return Ok(());
            }
        }
        if self.read_on(&view, key, &mut wanted, each)? {
            return Ok(());
        }
        Err(contract::missing(self, key, &wanted))
    }

    fn held_rows(&self, key: SegmentKey, rows: Range<u64>) -> Result<Option<BlockRows>, StoreError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let [Some(end), _] = self.inner.blocks.of(key, &(rows.start..rows.start + 1)) else { return Ok(None) };
        let held = pinned::block(&self.inner, &key.block_key(end)).map_err(|error| damaged(key, &rows, error))?;
        let Some(block) = held else { return Ok(None) };
        let Some(cut) = self.cut(key, end, &block, &rows)? else { return Ok(None) };
        let Some(json) = cut.rows.as_json() else { return Ok(None) };
        Ok(Some(BlockRows { rows: cut.rows.len() as u64, json: block.slice_ref(json) }))
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let call = Call::on("read rows", key.job);
        let (from, to) = (key.block_key(0), key.block_key(u64::MAX));
        // A scan of everything must not displace the cached blocks of pages.
        let all = Scan { table: Table::Rows, keys: &from..&to, order: Order::Ascending, again: false };
        let mut next = 0;
        call.scan(&self.latest(call)?, &all, |at, bytes| {
            let end = SegmentKey::of_block(at).map(|(_, end)| end);
            next = end.ok_or_else(|| key.corrupt(&(next..next), "a key is damaged"))?;
            each(next, bytes)
        })
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        let call = Call::on("discard rows", job);
        self.enter(call)?;
        let mut staged = self.stage(call, self.inner.locks.job(job))?;
        contract::check_discardable(job, call.has(&staged.view, &keys::key(keys::RESULT, job))?)?;
        if staged.drop_rows(job, attempt)? { staged.commit(Durability::Buffered, |_| ()) } else { Ok(()) }
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let call = Call::on("save the checkpoint", job);
        self.enter(call)?;
        contract::check_checkpoint(job, bytes)?;
        let sealed = codec::encode_checkpoint(job, bytes);
        let held = self.inner.locks.job(job);
        self.check_attempt(SegmentKey { job, attempt, number: 0 }, &held)?;
        let mut batch = self.batch(call)?;
        batch.put(Table::Checkpoints, job.as_bytes(), &sealed);
        self.inner.locks.remember_checkpoint(job);
        self.write(batch, Durability::Buffered, call)
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        let call = Call::on("read the checkpoint", job);
        let view = self.latest(call)?;
        let Some(bytes) = call.value(&view, Table::Checkpoints, job.as_bytes())? else { return Ok(None) };
        let checkpoint =
            codec::decode_checkpoint(job, bytes.as_ref()).map_err(|error| call.corrupt(error.to_string()))?;
        Ok(Some(checkpoint.to_vec()))
    }

    fn save_failures(&self, job: JobId, attempt: u32, failed: &[FailedAttempt]) -> Result<(), StoreError> {
        let call = Call::on("keep the failed attempts", job);
        self.enter(call)?;
        contract::check_failures(job, failed)?;
        let sealed = codec::encode_failures(job, failed);
        let held = self.inner.locks.job(job);
        self.check_attempt(SegmentKey { job, attempt, number: 0 }, &held)?;
        let mut batch = self.batch(call)?;
        batch.put(Table::Jobs, &keys::key(keys::FAILURES, job), &sealed);
        self.write(batch, Durability::Buffered, call)
    }

    fn failures(&self, job: JobId) -> Result<Vec<FailedAttempt>, StoreError> {
        let call = Call::on("read the failed attempts", job);
        let view = self.latest(call)?;
        let found = call.value(&view, Table::Jobs, &keys::key(keys::FAILURES, job))?;
        let Some(bytes) = found else { return Ok(Vec::new()) };
        codec::decode_failures(job, bytes.as_ref()).map_err(|error| call.corrupt(error.to_string()))
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        self.inner.kv.size().map_err(|error| Call::of("measure the store").failed(error))
    }

    fn block_bytes(&self) -> usize {
        self.inner.facts.block_bytes
    }
}

impl<K: KeyValue> KeyValueStore<K> {
    /// Reads the first wanted rows, which are in the block that ends before `end`. Returns the row after them, the
    /// end of `wanted` if `each` has enough, and `None` if the block is gone. A point read costs a third of a
    /// scan.
    fn read_block(
        &self,
        view: &K::View<'_>,
        key: SegmentKey,
        end: u64,
        wanted: &Range<u64>,
        each: &mut EachRows<'_>,
    ) -> Result<Option<u64>, StoreError> {
        let found = view.get(Table::Rows, &key.block_key(end)).map_err(|error| damaged(key, wanted, error))?;
        let Some(bytes) = found else { return Ok(None) };
        let Some(cut) = self.cut(key, end, bytes.as_ref(), wanted)? else { return Ok(None) };
        Ok(Some(if each(cut.rows)?.is_break() { wanted.end } else { cut.next }))
    }

    /// Reads the wanted rows block after block. `false` if some are missing; `wanted` then has the missing ones.
    fn read_on(
        &self,
        view: &K::View<'_>,
        key: SegmentKey,
        wanted: &mut Range<u64>,
        each: &mut EachRows<'_>,
    ) -> Result<bool, StoreError> {
        let (from, to) = (key.block_key(wanted.start + 1), key.block_key(u64::MAX));
        let scan = Scan { table: Table::Rows, keys: &from..&to, order: Order::Ascending, again: true };
        let mut done = false;
        let read = entries(view, &scan, &mut |at, bytes| {
            let Some((_, end)) = SegmentKey::of_block(at).filter(|(segment, _)| *segment == key) else {
                return Err(key.corrupt(wanted, "a key is damaged"));
            };
            let Some(Cut { rows: run, first, next }) = self.cut(key, end, bytes, wanted)? else {
                return Ok(ControlFlow::Break(()));
            };
            self.inner.blocks.note(key, first, end);
            done = each(run)?.is_break() || next >= wanted.end;
            wanted.start = next;
            Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        read.map_err(|error| damaged(key, wanted, error))??;
        Ok(done)
    }

    /// The wanted rows of a block. Either the engine or this call has compared a checksum.
    fn cut<'b>(
        &self,
        key: SegmentKey,
        end: u64,
        bytes: &'b [u8],
        wanted: &Range<u64>,
    ) -> Result<Option<Cut<'b>>, StoreError> {
        if !self.inner.facts.checks_reads {
            let corrupt = |error| key.corrupt(wanted, error);
            let block = Block::parse(bytes).map_err(corrupt)?;
            block.verify(key, end.saturating_sub(block.len() as u64)).map_err(corrupt)?;
        }
        contract::cut(key, end, bytes, wanted)
    }

    /// Checks that the attempt may write at this moment. Cheap while the attempt runs.
    pub(super) fn fence(&self, key: SegmentKey) -> Result<(), StoreError> {
        if self.inner.locks.is_running(key) {
            return Ok(());
        }
        let held = self.inner.locks.job(key.job);
        self.check_attempt(key, &held)
    }

    /// Checks that the attempt may write as long as the caller holds the job's lock.
    pub(super) fn check_attempt(&self, key: SegmentKey, _held: &Held<'_>) -> Result<(), StoreError> {
        if self.inner.locks.is_running(key) {
            return Ok(());
        }
        let call = Call::of("write rows");
        let record = call.record(&self.latest(call)?, key.job)?;
        contract::check_attempt(record.as_ref(), key)?;
        if let Some(record) = &record {
            self.inner.locks.remember(record);
        }
        Ok(())
    }
}

/// The engine's error about a block that it could not load, with the rows that are lost.
fn damaged(key: SegmentKey, rows: &Range<u64>, error: StoreError) -> StoreError {
    if error.kind == ErrorKind::Corrupt {
        key.corrupt(rows, error.detail)
    } else {
        error.during("read rows", Some(key.job))
    }
}
