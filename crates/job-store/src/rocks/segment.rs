//! Writing one segment: small ones through the log, large ones as files.

use std::{
    fmt, fs, mem,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::{self, JoinHandle},
};

use job_core::Segment;
use rocksdb::{SstFileWriter, WriteBatch};

use super::{
    ROWS, RocksStore, failure, links,
    options::{self, Ingest},
};
use crate::{Durability, ErrorKind, SealedBlock, SegmentKey, SegmentWriter, StoreError, contract::Tally};

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
    readable: Arc<AtomicU64>,
    /// Of segments of more than one file.
    publisher: Option<Publisher>,
    /// A failed write leaves a gap: the segment takes no more.
    failed: Option<StoreError>,
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
        Self {
            store,
            tally: Tally::new(key),
            gathered: Gathered::nothing(),
            pending: 0,
            readable: Arc::default(),
            publisher: None,
            failed: None,
        }
    }

    fn gather(&mut self, block: &SealedBlock<'_>) -> Result<(), StoreError> {
        let key = self.tally.key;
        let limits = &self.store.inner.options;
        self.pending += block.rows;
        match &mut self.gathered {
            Gathered::File(file) => {
                file.put(key, &block.block_key(), block.bytes)?;
                if file.bytes >= limits.file_bytes {
                    // The rest of a large segment stays large: no second gathering in memory.
                    let next = File::create(&self.store, key)?;
                    let full = mem::replace(file, next);
                    self.hand_over(full)?;
                }
            }
            // Most segments are of one or a few blocks, so nothing is reserved ahead.
            Gathered::Memory { blocks, bytes } => {
                blocks.push((block.block_key(), block.bytes.len()));
                bytes.extend_from_slice(block.bytes);
                if bytes.len() >= limits.small_segment {
                    let mut file = File::create(&self.store, key)?;
                    for (at, value) in each(blocks, bytes) {
                        file.put(key, at, value)?;
                    }
                    self.gathered = Gathered::File(file);
                }
            }
        }
        Ok(())
    }

    /// Publishes a full file while the next one is being written: its fsync would stop the writer.
    fn hand_over(&mut self, file: File) -> Result<(), StoreError> {
        let rows = mem::take(&mut self.pending);
        if self.publisher.is_none() {
            self.publisher = Publisher::start(&self.store, self.tally.key, &self.readable);
        }
        let Some(publisher) = &self.publisher else {
            file.publish(&self.store, self.tally.key)?;
            self.readable.fetch_add(rows, Ordering::Release);
            return Ok(());
        };
        if publisher.send(file, rows) {
            return Ok(());
        }
        // Its thread has ended, which only an error makes it do.
        self.settle()?;
        Err(StoreError::new(ErrorKind::Unavailable, OPERATION, "a file was lost").on(self.tally.key.job))
    }

    /// Waits until every file that was handed over is part of the store.
    fn settle(&mut self) -> Result<(), StoreError> {
        self.publisher.take().map_or(Ok(()), Publisher::end)
    }

    /// Makes all that was gathered part of the store.
    fn publish(&mut self) -> Result<(), StoreError> {
        self.settle()?;
        match mem::replace(&mut self.gathered, Gathered::nothing()) {
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
        self.readable.fetch_add(mem::take(&mut self.pending), Ordering::Release);
        Ok(())
    }

    fn check_sound(&self) -> Result<(), StoreError> {
        self.store.enter(OPERATION)?;
        self.store.fence(self.tally.key)?;
        self.failed.clone().map_or(Ok(()), Err)
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
        self.check_sound()?;
        self.tally.check(&block)?;
        let gathered = self.gather(&block);
        gathered.inspect_err(|error| self.failed = Some(error.clone()))?;
        self.tally.add(&block);
        Ok(())
    }

    fn readable(&self) -> u64 {
        self.readable.load(Ordering::Acquire)
    }

    fn settle(&mut self) -> Result<bool, StoreError> {
        self.check_sound()?;
        match mem::replace(&mut self.gathered, Gathered::nothing()) {
            Gathered::File(file) => {
                self.hand_over(file).inspect_err(|error| self.failed = Some(error.clone()))?;
                Ok(true)
            }
            // One write to the log, which is soon done.
            memory @ Gathered::Memory { .. } => {
                self.gathered = memory;
                Ok(false)
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Segment, StoreError> {
        self.check_sound()?;
        self.publish()?;
        Ok(self.tally.segment())
    }
}

impl Drop for RocksSegment {
    /// A forked process leaves the files, and the thread that it does not have, to the one that writes them.
    fn drop(&mut self) {
        if self.store.enter(OPERATION).is_err() {
            mem::forget(mem::replace(&mut self.gathered, Gathered::nothing()));
            mem::forget(self.publisher.take());
        }
    }
}

/// A thread that makes files part of the store, in the order they come.
struct Publisher {
    queue: Option<SyncSender<(File, u64)>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Publisher {
    /// `None` when there is no thread to be had; then the writer publishes by itself.
    fn start(store: &RocksStore, key: SegmentKey, readable: &Arc<AtomicU64>) -> Option<Self> {
        // One file in hand, one waiting: a disk that is slower than the writer holds it back.
        let (queue, files) = mpsc::sync_channel::<(File, u64)>(1);
        let (store, readable) = (store.clone(), Arc::clone(readable));
        let work = move || {
            for (file, rows) in files {
                file.publish(&store, key)?;
                readable.fetch_add(rows, Ordering::Release);
            }
            Ok(())
        };
        let thread = thread::Builder::new().name("job-store-publish".to_owned()).spawn(work).ok()?;
        Some(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// `false` when the thread has ended.
    fn send(&self, file: File, rows: u64) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.send((file, rows)).is_ok())
    }

    fn end(mut self) -> Result<(), StoreError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), StoreError> {
        self.queue = None;
        let ended = self.thread.take().map_or(Ok(Ok(())), JoinHandle::join);
        let panicked = |_| StoreError::new(ErrorKind::Unavailable, OPERATION, "the thread that writes files died");
        ended.map_err(panicked)?
    }
}

impl Drop for Publisher {
    /// A writer that gives up leaves no thread with a hand on the store.
    fn drop(&mut self) {
        let _ = self.join();
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
        store.inner.place.check(OPERATION)?;
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
        store.inner.place.check(OPERATION)?;
        let rows = store.family(ROWS, OPERATION)?;
        let held = store.inner.locks.job(key.job);
        store.check_attempt(key, &held)?;
        let ingest =
            |how| store.inner.db.ingest_external_file_cf_opts(rows, &options::ingest(how), vec![&self.path]);
        let moved = ingest(Ingest::Move);
        // Not every file system has the links that a move is made of, and each says so in its own way.
        if moved.is_err() && !links::are_possible(&self.path) { ingest(Ingest::Copy) } else { moved }
            .map_err(failed)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Moved into the store, it is no longer there; copied, it is.
        let _ = fs::remove_file(&self.path);
    }
}
