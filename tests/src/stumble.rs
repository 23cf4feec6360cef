//! [`StumbleStore`]: a store that kills its own process at a chosen write.

use std::{
    ops::{ControlFlow, Range},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use job_runner::{
    Durability, JobId, JobRecord, JobResult, JobSpec, Segment, StoreError, Timestamp,
    store::{EachBlock, JobStore, Pin, ResultStore, Rows, SealedBlock, SegmentKey, SegmentWriter, Store},
};

/// Where the process dies: before or after the write with this number, the first being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The write is not done.
    Before(u64),
    /// The write is done, and nobody hears of it.
    After(u64),
}

/// Passes everything on to another store until the process dies. The plan belongs to the instance.
#[derive(Debug, Clone)]
pub struct StumbleStore {
    inner: Arc<dyn Store>,
    stumble: Arc<Stumble>,
}

#[derive(Debug)]
struct Stumble {
    death: Death,
    writes: AtomicU64,
}

impl Stumble {
    fn write<T>(&self, write: impl FnOnce() -> T) -> T {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        if self.death == Death::Before(number) {
            std::process::abort();
        }
        let done = write();
        if self.death == Death::After(number) {
            std::process::abort();
        }
        done
    }
}

impl StumbleStore {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, death: Death) -> Self {
        Self { inner, stumble: Arc::new(Stumble { death, writes: AtomicU64::new(0) }) }
    }
}

// A new method of the trait must not slip past the switch.
#[deny(clippy::missing_trait_methods)]
impl JobStore for StumbleStore {
    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.insert(records, durability))
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.inner.get(id)
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.replace(next, durability))
    }

    fn list(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<JobRecord>, StoreError> {
        self.inner.list(before, skip, limit)
    }

    fn unfinished(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.inner.unfinished()
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        self.stumble.write(|| self.inner.remove(id))
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        self.inner.find_key(graph, key)
    }

    fn find_finished(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        self.inner.find_finished(spec)
    }

    fn touch(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.touch(reads))
    }

    fn last_read(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        self.inner.last_read(id)
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.pin(id, pin))
    }

    fn is_pinned(&self, id: JobId) -> Result<bool, StoreError> {
        self.inner.is_pinned(id)
    }
}

#[deny(clippy::missing_trait_methods)]
impl ResultStore for StumbleStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        let inner = self.inner.segment(key)?;
        Ok(Box::new(StumbleSegment { inner, stumble: Arc::clone(&self.stumble) }))
    }

    fn complete(&self, next: &JobRecord, result: &JobResult, durability: Durability) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.complete(next, result, durability))
    }

    fn complete_all(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.complete_all(ends, durability))
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        self.inner.result(id)
    }

    fn read(
        &self,
        key: SegmentKey,
        rows: Range<u64>,
        each: &mut dyn FnMut(Rows<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.inner.read(key, rows, each)
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        self.inner.blocks(key, each)
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.discard(job, attempt))
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.save_checkpoint(job, attempt, bytes))
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.checkpoint(job)
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        self.inner.size_on_disk()
    }

    fn block_bytes(&self) -> usize {
        self.inner.block_bytes()
    }
}

#[derive(Debug)]
struct StumbleSegment {
    inner: Box<dyn SegmentWriter>,
    stumble: Arc<Stumble>,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for StumbleSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        self.stumble.write(|| self.inner.append(block))
    }

    fn readable(&self) -> u64 {
        self.inner.readable()
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        let Self { inner, stumble } = *self;
        stumble.write(|| inner.finish())
    }
}
