//! Writing one segment: small ones through the log, large ones as files.

use std::{fmt, fs, path::PathBuf};

use job_core::Segment;
use rocksdb::{SstFileWriter, WriteBatch};

use super::{ROWS, RocksStore, failure, options};
use crate::{Durability, SealedBlock, SegmentKey, SegmentWriter, StoreError, contract::Tally};

const OPERATION: &str = "append rows";

/// A segment starts in memory. One that stays small goes through the log in one write; one that grows is written
/// to a file after the other, and each becomes part of the store when it is full: no log, no memtable, no
/// compaction, because no other key lies between its first and its last.
pub(super) struct RocksSegment {
    store: RocksStore,
    tally: Tally,
    gathered: Gathered,
    /// Rows of blocks in `gathered`.
    pending: u64,
}

enum Gathered {
    Memory { blocks: Vec<([u8; 32], usize)>, bytes: Vec<u8> },
    File(File),
}

impl Gathered {
    const fn nothing() -> Self {
        Self::Memory { blocks: Vec::new(), bytes: Vec::new() }
    }
}

impl RocksSegment {
    pub(super) fn new(store: RocksStore, key: SegmentKey) -> Self {
        Self { store, tally: Tally::new(key), gathered: Gathered::nothing(), pending: 0 }
    }

    fn gather(&mut self, block: &SealedBlock<'_>) -> Result<(), StoreError> {
        let limits = &self.store.inner.options;
        match &mut self.gathered {
            Gathered::File(file) => {
                file.put(self.tally.key, &block.block_key(), block.bytes)?;
                if file.bytes >= limits.file_bytes {
                    self.publish()?;
                    // The rest of a large segment stays large: no second gathering in memory.
                    self.gathered = Gathered::File(File::create(&self.store, self.tally.key)?);
                }
            }
            // Most segments are of one or a few blocks, so nothing is reserved ahead.
            Gathered::Memory { blocks, bytes } => {
                blocks.push((block.block_key(), block.bytes.len()));
                bytes.extend_from_slice(block.bytes);
                if bytes.len() >= limits.small_segment {
                    let mut file = File::create(&self.store, self.tally.key)?;
                    for (key, value) in each(blocks, bytes) {
                        file.put(self.tally.key, key, value)?;
                    }
                    self.gathered = Gathered::File(file);
                }
            }
        }
        Ok(())
    }

    /// Makes what was gathered part of the store.
    fn publish(&mut self) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.gathered, Gathered::nothing()) {
            Gathered::Memory { blocks, .. } if blocks.is_empty() => {}
            Gathered::Memory { blocks, bytes } => {
                let rows = self.store.family(ROWS, OPERATION)?;
                let mut batch = WriteBatch::default();
                for (key, value) in each(&blocks, &bytes) {
                    batch.put_cf(rows, key, value);
                }
                // Held from the fence to the write, so that an attempt cannot end between them.
                let held = self.store.inner.locks.job(self.tally.key.job);
                self.store.check_attempt(self.tally.key, &held)?;
                self.store.write(batch, Durability::Buffered, OPERATION, Some(self.tally.key.job))?;
            }
            Gathered::File(file) => file.publish(&self.store, self.tally.key)?,
        }
        self.pending = 0;
        Ok(())
    }
}

/// The blocks of a gathering: their bytes lie one after the other.
fn each<'a>(blocks: &'a [([u8; 32], usize)], bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8; 32], &'a [u8])> {
    blocks.iter().scan(bytes, |rest, (key, length)| {
        let (value, after) = rest.split_at_checked(*length)?;
        *rest = after;
        Some((key, value))
    })
}

impl SegmentWriter for RocksSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        self.store.fence(self.tally.key)?;
        self.tally.check(&block)?;
        self.pending += block.rows;
        let gathered = self.gather(&block);
        // A failed write may have left half a block: the segment takes no more.
        gathered.inspect_err(|_| self.gathered = Gathered::nothing())?;
        self.tally.add(&block);
        Ok(())
    }

    fn readable(&self) -> u64 {
        self.tally.rows() - self.pending
    }

    fn finish(mut self: Box<Self>) -> Result<Segment, StoreError> {
        self.store.fence(self.tally.key)?;
        self.publish()?;
        Ok(self.tally.segment())
    }
}

impl fmt::Debug for RocksSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksSegment").field("tally", &self.tally).finish_non_exhaustive()
    }
}

/// A file of rows that is not part of the store yet; removed when it never becomes so.
struct File {
    writer: SstFileWriter<'static>,
    path: PathBuf,
    bytes: u64,
}

impl File {
    fn create(store: &RocksStore, key: SegmentKey) -> Result<Self, StoreError> {
        let path = store.inner.files.path()?;
        let writer = SstFileWriter::create(options::file(&store.inner.options));
        writer.open(&path).map_err(|e| failure(OPERATION, Some(key.job), &e))?;
        Ok(Self { writer, path, bytes: 0 })
    }

    fn put(&mut self, key: SegmentKey, block_key: &[u8; 32], bytes: &[u8]) -> Result<(), StoreError> {
        self.writer.put(block_key, bytes).map_err(|e| failure(OPERATION, Some(key.job), &e))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn publish(mut self, store: &RocksStore, key: SegmentKey) -> Result<(), StoreError> {
        if self.bytes == 0 {
            return Ok(());
        }
        let failed = |e| failure(OPERATION, Some(key.job), &e);
        // Syncs the file. The job's lock is not held meanwhile.
        self.writer.finish().map_err(failed)?;
        let rows = store.family(ROWS, OPERATION)?;
        let held = store.inner.locks.job(key.job);
        store.check_attempt(key, &held)?;
        store.inner.db.ingest_external_file_cf_opts(rows, &options::ingest(), vec![&self.path]).map_err(failed)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Moved into the store, it is no longer there.
        let _ = fs::remove_file(&self.path);
    }
}
