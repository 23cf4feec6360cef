//! [`Segment`]: gathers the blocks of one segment, and writes them.

use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Batch, KeyValue, KeyValueStore, Table,
    call::Call,
    run::{Publisher, Run},
};
use crate::{
    Durability, ErrorKind, SealedBlock, SegmentKey, SegmentWriter, StoreError,
    contract::{Packer, Tally},
};

pub(super) const OPERATION: &str = "append rows";

/// A segment starts in memory. A small one is put in one batch. A growing one is put batch by batch. Where the
/// engine has [runs](KeyValue::sorted_run), it is written to one run after another, and each becomes part of the
/// store when it is full.
pub(super) struct Segment<K: KeyValue> {
    tally: Tally,
    packer: Packer,
    gathered: Gathered,
    /// Rows of blocks in `gathered`.
    pending: u64,
    visible: Arc<AtomicU64>,
    /// `Some` once the segment has more than one run.
    publisher: Option<Publisher>,
    /// The error of a failed write. It leaves a gap, so the segment takes no more rows.
    failed: Option<StoreError>,
    /// The last field, so that it is dropped last: a run uses the engine, which closes with the store.
    store: KeyValueStore<K>,
}

enum Gathered {
    Memory { blocks: Vec<([u8; 32], usize)>, bytes: Vec<u8> },
    Run(Run),
}

impl Gathered {
    const fn nothing() -> Self {
        Self::Memory { blocks: Vec::new(), bytes: Vec::new() }
    }
}

impl<K: KeyValue> Segment<K> {
    pub(super) fn new(store: KeyValueStore<K>, key: SegmentKey) -> Self {
        Self {
            tally: Tally::new(key),
            packer: Packer::new(store.inner.facts.packing),
            store,
            gathered: Gathered::nothing(),
            pending: 0,
            visible: Arc::default(),
            publisher: None,
            failed: None,
        }
    }

    const fn call(&self) -> Call {
        Call::on(OPERATION, self.tally.key().job)
    }

    fn gather(&mut self, block: &SealedBlock<'_>) -> Result<(), StoreError> {
        let call = self.call();
        let facts = self.store.inner.facts;
        self.pending += block.rows;
        match &mut self.gathered {
            Gathered::Run(run) => {
                run.put(call, &block.block_key(), block.bytes)?;
                if run.bytes() >= facts.run_bytes
                    // The rest of a large segment goes into another run, and is not gathered in memory again.
                    && let Some(next) = Run::new(&self.store.inner.kv, call)?
                {
                    let full = mem::replace(run, next);
                    self.hand_over(full)?;
                }
            }
            // Most segments have one or a few blocks, so nothing is reserved ahead.
            Gathered::Memory { blocks, bytes } => {
                blocks.push((block.block_key(), block.bytes.len()));
                bytes.extend_from_slice(block.bytes);
                if bytes.len() < facts.gathered_bytes {
                    return Ok(());
                }
                let Some(mut run) = Run::new(&self.store.inner.kv, call)? else { return self.publish() };
                for (at, value) in each(blocks, bytes) {
                    run.put(call, at, value)?;
                }
                self.gathered = Gathered::Run(run);
            }
        }
        Ok(())
    }

    /// Publishes a full run while the next one is written: its sync would block the writer.
    fn hand_over(&mut self, run: Run) -> Result<(), StoreError> {
        let rows = mem::take(&mut self.pending);
        if self.publisher.is_none() {
            self.publisher = Publisher::start(&self.store, self.tally.key(), &self.visible);
        }
        let Some(publisher) = &self.publisher else {
            run.publish(&self.store, self.tally.key())?;
            self.visible.fetch_add(rows, Ordering::Release);
            return Ok(());
        };
        if publisher.send(run, rows) {
            return Ok(());
        }
        // The thread ends only after an error.
        self.wait_for_runs()?;
        Err(self.call().failed(StoreError::new(ErrorKind::Unavailable, "", "a run of rows was lost")))
    }

    /// Waits until every run that was handed over is part of the store.
    fn wait_for_runs(&mut self) -> Result<(), StoreError> {
        self.publisher.take().map_or(Ok(()), Publisher::end)
    }

    /// Makes all gathered rows part of the store.
    fn publish(&mut self) -> Result<(), StoreError> {
        self.wait_for_runs()?;
        match mem::replace(&mut self.gathered, Gathered::nothing()) {
            Gathered::Memory { blocks, .. } if blocks.is_empty() => {}
            Gathered::Memory { blocks, bytes } => self.put(&blocks, &bytes)?,
            Gathered::Run(run) => run.publish(&self.store, self.tally.key())?,
        }
        self.visible.fetch_add(mem::take(&mut self.pending), Ordering::Release);
        Ok(())
    }

    fn put(&self, blocks: &[([u8; 32], usize)], bytes: &[u8]) -> Result<(), StoreError> {
        let mut batch = self.store.batch(self.call())?;
        for (key, value) in each(blocks, bytes) {
            batch.put(Table::Rows, key, value);
        }
        // The lock is held from the fence to the write, so that an attempt cannot end between them.
        let held = self.store.inner.locks.job(self.tally.key().job);
        self.store.check_attempt(self.tally.key(), &held)?;
        self.store.write(batch, Durability::Buffered, self.call())
    }

    fn check_sound(&self) -> Result<(), StoreError> {
        self.store.enter(Call::of(OPERATION))?;
        self.store.fence(self.tally.key())?;
        self.failed.clone().map_or(Ok(()), Err)
    }
}

/// The gathered blocks, from their keys and lengths and from the bytes of all blocks in a row.
fn each<'a>(blocks: &'a [([u8; 32], usize)], bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8; 32], &'a [u8])> {
    blocks.iter().scan(bytes, |rest, (key, length)| {
        let (value, after) = rest.split_at_checked(*length)?;
        *rest = after;
        Some((key, value))
    })
}

impl<K: KeyValue> SegmentWriter for Segment<K> {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        self.check_sound()?;
        self.tally.check(&block)?;
        // The packer is taken out for the call, which borrows what it has packed.
        let mut packer = mem::take(&mut self.packer);
        let block = packer.pack(block);
        let gathered = self.gather(&block);
        if gathered.is_ok() {
            self.tally.add(&block);
        }
        self.packer = packer;
        gathered.inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn visible_rows(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    fn stored_bytes(&self) -> u64 {
        self.tally.stored_bytes()
    }

    fn start_flush(&mut self) -> Result<bool, StoreError> {
        self.check_sound()?;
        match mem::replace(&mut self.gathered, Gathered::nothing()) {
            Gathered::Run(run) => {
                self.hand_over(run).inspect_err(|error| self.failed = Some(error.clone()))?;
                Ok(true)
            }
            // One batch in memory is put at once.
            memory @ Gathered::Memory { .. } => {
                self.gathered = memory;
                Ok(false)
            }
        }
    }

    /// Blocks in memory are put in one batch. A run is handed over as it is, and what follows gathers in memory again.
    fn show_rows(&mut self) -> Result<(), StoreError> {
        self.check_sound()?;
        let shown = match mem::replace(&mut self.gathered, Gathered::nothing()) {
            Gathered::Run(run) => self.hand_over(run),
            memory @ Gathered::Memory { .. } => {
                self.gathered = memory;
                self.publish()
            }
        };
        shown.inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn finish(mut self: Box<Self>) -> Result<job_core::Segment, StoreError> {
        self.check_sound()?;
        self.publish()?;
        Ok(self.tally.segment())
    }
}

impl<K: KeyValue> Drop for Segment<K> {
    /// A forked process does not have the thread, and leaves the runs to the process that writes them.
    fn drop(&mut self) {
        if self.store.enter(self.call()).is_err() {
            mem::forget(mem::replace(&mut self.gathered, Gathered::nothing()));
            mem::forget(self.publisher.take());
        }
    }
}

impl<K: KeyValue> fmt::Debug for Segment<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("tally", &self.tally).finish_non_exhaustive()
    }
}
