//! [`FaultStore`]: a store that fails on request, so that tests can try every way a disk lets one down.

use std::{
    collections::BTreeSet,
    fmt,
    ops::{ControlFlow, Range},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use job_core::{JobId, JobRecord, JobResult, JobSpec, Segment, Timestamp};
use parking_lot::{Condvar, Mutex};

use crate::{
    Claim, ClaimId, Claimed, Durability, EachBlock, ErrorKind, Held, JobStore, Listed, Pin, ResultStore, Rows,
    SealedBlock, Seat, SegmentKey, SegmentWriter, SharedStore, Store, StoreError, Use,
};

/// Which operations fail, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// None.
    Never,
    /// The write with this number (the first is 0) fails and is not done.
    Write(u64),
    /// From this write on every write fails.
    WritesFrom(u64),
    /// The write with this number is done, but its caller is told that it failed: as when a machine dies
    /// between the fsync and the answer.
    AfterWrite(u64),
    /// The write with this number, if it is that of results, and every later one of the same attempts finds that their
    /// rows are [`Lost`](ErrorKind::Lost): as when a server has died and come back without what it had not flushed.
    RowsLost(u64),
    /// Every call fails, reads too: as when the network to the store is cut.
    Cut,
    /// Every call, reads too, waits until something else is planned: as when a store does not answer.
    Hang,
}

/// When a hook of a [`FaultStore`] is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The write is about to be done.
    Before,
    /// The write is done, and its caller has not heard of it.
    After,
}

/// Wraps a store and makes chosen operations fail with `Unavailable`. The plan belongs to the instance, so
/// tests run side by side.
///
/// ```
/// use std::sync::Arc;
/// use job_store::{Durability, ErrorKind, Fault, FaultStore, JobStore, MemoryStore};
///
/// let store = FaultStore::new(Arc::new(MemoryStore::default()));
/// store.plan(Fault::Write(1));
/// assert!(store.insert(&[], Durability::Buffered).is_ok());
/// assert_eq!(store.insert(&[], Durability::Buffered).unwrap_err().kind, ErrorKind::Unavailable);
/// assert_eq!(store.writes(), 2);
/// ```
#[derive(Debug)]
pub struct FaultStore<S: ?Sized = dyn Store> {
    inner: Arc<S>,
    switch: Arc<Switch>,
}

impl<S: ?Sized> Clone for FaultStore<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), switch: Arc::clone(&self.switch) }
    }
}

#[derive(Debug)]
struct Switch {
    fault: Mutex<Fault>,
    planned: Condvar,
    writes: AtomicU64,
    hook: Hook,
    /// Jobs whose records cannot be read.
    damaged: Mutex<BTreeSet<JobId>>,
    /// Attempts whose rows are lost.
    rowless: Mutex<BTreeSet<(JobId, u32)>>,
}

struct Hook(Box<dyn Fn(Moment, u64) + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl Switch {
    /// What fails now; waits while the store hangs.
    fn fault(&self) -> Fault {
        let mut fault = self.fault.lock();
        self.planned.wait_while(&mut fault, |fault| *fault == Fault::Hang);
        *fault
    }

    /// Counts a write and does it, or not, as planned.
    fn write<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        let fault = self.fault();
        let write = || {
            (self.hook.0)(Moment::Before, number);
            let done = write();
            (self.hook.0)(Moment::After, number);
            done
        };
        let injected = || StoreError::new(ErrorKind::Unavailable, "write", format!("injected at write {number}"));
        match fault {
            Fault::Write(at) if at == number => Err(injected()),
            Fault::WritesFrom(at) if at <= number => Err(injected()),
            Fault::Cut => Err(injected()),
            Fault::AfterWrite(at) if at == number => write().and_then(|_| Err(injected())),
            _ => write(),
        }
    }

    /// As [`write`](Self::write), of results.
    fn complete(
        &self,
        ends: &[&JobRecord],
        write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.fault() == Fault::RowsLost(self.writes.load(Ordering::SeqCst)) {
            self.rowless.lock().extend(ends.iter().map(|next| (next.id, next.attempt)));
        }
        let lost = ends.iter().find(|next| self.rowless.lock().contains(&(next.id, next.attempt))).copied();
        self.write(|| match lost {
            Some(next) => {
                Err(StoreError::new(ErrorKind::Lost, "store the result", "injected: rows are gone").on(next.id))
            }
            None => write(),
        })
    }

    /// Whether the record of a job is as it was written.
    fn sound(&self, id: JobId, operation: &'static str) -> Result<(), StoreError> {
        if self.damaged.lock().contains(&id) {
            return Err(StoreError::new(ErrorKind::Corrupt, operation, "injected: the record is damaged").on(id));
        }
        Ok(())
    }

    fn listed(&self, mut entries: Vec<Listed>) -> Vec<Listed> {
        for entry in &mut entries {
            if let Err(error) = self.sound(entry.id, "list") {
                entry.record = Err(error);
            }
        }
        entries
    }

    /// Whether a read gets through.
    fn read(&self) -> Result<(), StoreError> {
        match self.fault() {
            Fault::Cut => Err(StoreError::new(ErrorKind::Unavailable, "read", "injected: the network is cut")),
            _ => Ok(()),
        }
    }
}

impl<S: Store + ?Sized> FaultStore<S> {
    /// Wraps `inner`; nothing fails until [`plan`](Self::plan).
    #[must_use]
    pub fn new(inner: Arc<S>) -> Self {
        Self::with_hook(inner, |_, _| {})
    }

    /// As [`new`](Self::new), with a hook that is called around every write that is done, with its number. The hook
    /// runs on the thread that writes: it may wait, or end the process.
    #[must_use]
    pub fn with_hook(inner: Arc<S>, hook: impl Fn(Moment, u64) + Send + Sync + 'static) -> Self {
        let switch = Switch {
            fault: Mutex::new(Fault::Never),
            planned: Condvar::new(),
            writes: AtomicU64::new(0),
            hook: Hook(Box::new(hook)),
            damaged: Mutex::default(),
            rowless: Mutex::default(),
        };
        Self { inner, switch: Arc::new(switch) }
    }

    /// Sets what fails from now on, and counts writes from 0 again.
    pub fn plan(&self, fault: Fault) {
        *self.switch.fault.lock() = fault;
        self.switch.writes.store(0, Ordering::SeqCst);
        self.switch.planned.notify_all();
    }

    /// From now on the record of this job cannot be read, until it is removed. Claims take no notice of that.
    pub fn damage(&self, job: JobId) {
        self.switch.damaged.lock().insert(job);
    }

    /// Writes since the last plan, those that failed included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.switch.writes.load(Ordering::SeqCst)
    }
}

// A new method of the trait must not slip past the switch.
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> JobStore for FaultStore<S> {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.inner.seat(engine)
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        self.switch.write(|| self.inner.insert(records, durability))
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.switch.read()?;
        self.switch.sound(id, "read the record")?;
        self.inner.get(id)
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        self.switch.write(|| self.inner.replace(next, durability))
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.switch.read()?;
        Ok(self.switch.listed(self.inner.entries(before, skip, limit)?))
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        self.switch.read()?;
        Ok(self.switch.listed(self.inner.unfinished_entries()?))
    }

    fn list(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<JobRecord>, StoreError> {
        self.entries(before, skip, limit)?.into_iter().map(|entry| entry.record).collect()
    }

    fn unfinished(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.unfinished_entries()?.into_iter().map(|entry| entry.record).collect()
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let removed = self.switch.write(|| self.inner.remove(id))?;
        self.switch.damaged.lock().remove(&id);
        Ok(removed)
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        self.switch.read()?;
        self.inner.find_key(graph, key)
    }

    fn find_finished(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        self.switch.read()?;
        self.inner.find_finished(spec)
    }

    fn touch(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        self.switch.write(|| self.inner.touch(reads))
    }

    fn last_read(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        self.switch.read()?;
        self.inner.last_read(id)
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        self.switch.write(|| self.inner.pin(id, pin))
    }

    fn is_pinned(&self, id: JobId) -> Result<bool, StoreError> {
        self.switch.read()?;
        self.inner.is_pinned(id)
    }

    fn uses(&self, jobs: &[JobId]) -> Result<Vec<Use>, StoreError> {
        self.switch.read()?;
        self.inner.uses(jobs)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> ResultStore for FaultStore<S> {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        self.switch.read()?;
        let inner = self.inner.segment(key)?;
        Ok(Box::new(FaultSegment { inner, switch: Arc::clone(&self.switch) }))
    }

    fn complete(&self, next: &JobRecord, result: &JobResult, durability: Durability) -> Result<(), StoreError> {
        self.switch.complete(&[next], || self.inner.complete(next, result, durability))
    }

    fn complete_all(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        let records: Vec<_> = ends.iter().map(|(next, _)| *next).collect();
        self.switch.complete(&records, || self.inner.complete_all(ends, durability))
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        self.switch.read()?;
        self.inner.result(id)
    }

    fn read(
        &self,
        key: SegmentKey,
        rows: Range<u64>,
        each: &mut dyn FnMut(Rows<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.switch.read()?;
        self.inner.read(key, rows, each)
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        self.switch.read()?;
        self.inner.blocks(key, each)
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        self.switch.write(|| self.inner.discard(job, attempt))
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.switch.write(|| self.inner.save_checkpoint(job, attempt, bytes))
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        self.switch.read()?;
        self.inner.checkpoint(job)
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        self.switch.read()?;
        self.inner.size_on_disk()
    }

    fn block_bytes(&self) -> usize {
        self.inner.block_bytes()
    }
}

/// Claims count as writes; hearing and waking are never cut.
#[deny(clippy::missing_trait_methods)]
impl<S: SharedStore + ?Sized> SharedStore for FaultStore<S> {
    fn shared_seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.inner.shared_seat(engine)
    }

    fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        self.switch.write(|| self.inner.claim(claim))
    }

    fn unreadable(&self) -> Vec<StoreError> {
        self.inner.unreadable()
    }

    fn renew(&self, claims: &[ClaimId], lease: Duration) -> Result<Vec<Held>, StoreError> {
        self.switch.write(|| self.inner.renew(claims, lease))
    }

    fn release(&self, claims: &[ClaimId]) -> Result<(), StoreError> {
        self.switch.write(|| self.inner.release(claims))
    }

    fn changed(&self, known: &[Held]) -> Result<Vec<(JobId, Option<JobRecord>)>, StoreError> {
        self.switch.read()?;
        self.inner.changed(known)
    }

    fn wait(&self, timeout: Duration) -> Result<bool, StoreError> {
        self.inner.wait(timeout)
    }

    fn wake(&self) {
        self.inner.wake();
    }
}

#[derive(Debug)]
struct FaultSegment {
    inner: Box<dyn SegmentWriter>,
    switch: Arc<Switch>,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for FaultSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        self.switch.write(|| self.inner.append(block))
    }

    fn readable(&self) -> u64 {
        self.inner.readable()
    }

    fn settle(&mut self) -> Result<bool, StoreError> {
        self.switch.write(|| self.inner.settle())
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        let Self { inner, switch } = *self;
        switch.write(|| inner.finish())
    }
}
