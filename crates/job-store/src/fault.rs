//! [`FaultStore`]: a store that fails on request, for tests of storage failures.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use job_core::{JobFilter, JobId, JobRecord, JobResult};
use parking_lot::{Condvar, Mutex};

use crate::{
    Durability, ErrorKind, JobStore, Listed, ResultStore, SegmentKey, SegmentWriter, SharedStore, Store,
    StoreError,
};

/// The operations that fail, and the way in which they fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// None.
    Never,
    /// The write with this number (the first is 0) fails and is not done.
    Write(u64),
    /// From this write on every write fails.
    WritesFrom(u64),
    /// The write with this number is done, but its caller gets an error, as when a machine dies between the fsync
    /// and the answer.
    AfterWrite(u64),
    /// The write with this number, if it stores results, fails because their rows are [`Lost`](ErrorKind::Lost).
    /// Later writes of the same attempts fail too. This simulates a server that dies and restarts without the rows
    /// that it had not flushed.
    RowsLost(u64),
    /// Every call fails, reads too, as when the network to the store is cut.
    Cut,
    /// Every call, reads too, waits until the next [`plan`](FaultStore::plan), as when a store does not answer.
    Hang,
}

/// The moment at which the hook of a [`FaultStore`] is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The write is about to be done.
    Before,
    /// The write is done, and its caller has no answer.
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
    /// The fault of this call; waits while the store hangs.
    fn fault(&self) -> Fault {
        let mut fault = self.fault.lock();
        self.planned.wait_while(&mut fault, |fault| *fault == Fault::Hang);
        *fault
    }

    /// Counts a write and does it, or not, as planned.
    fn write<T>(&self, _name: &str, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
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

    /// As [`write`](Self::write), for a write of results.
    fn complete(
        &self,
        ends: &[(&JobRecord, &JobResult)],
        write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.fault() == Fault::RowsLost(self.writes.load(Ordering::SeqCst)) {
            self.rowless.lock().extend(ends.iter().map(|(next, _)| (next.id, next.attempt)));
        }
        let lost = ends.iter().find(|(next, _)| self.rowless.lock().contains(&(next.id, next.attempt)));
        self.write("complete", || match lost {
            Some((next, _)) => {
                Err(StoreError::new(ErrorKind::Lost, "store the result", "injected: rows are gone").on(next.id))
            }
            None => write(),
        })
    }

    /// Checks that the record of a job is not among the damaged ones.
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

    /// Makes a read, unless the planned fault is [`Fault::Cut`] or [`Fault::Hang`].
    fn read<T>(&self, _name: &str, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.fault() {
            Fault::Cut => Err(StoreError::new(ErrorKind::Unavailable, "read", "injected: the network is cut")),
            _ => read(),
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

    /// From now on the record of this job cannot be read, until it is removed. Claims still return it.
    pub fn damage(&self, job: JobId) {
        self.switch.damaged.lock().insert(job);
    }

    /// The number of writes since the last plan, with those that failed.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.switch.writes.load(Ordering::SeqCst)
    }
}

// `forward!` with the lint makes sure that a new method of the traits also passes through the fault.
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> JobStore for FaultStore<S> {
    crate::forward!(self.inner; seat);
    crate::forward!(self.inner through [self.switch.read]; find_key find_reusable usage count kept least_used);
    crate::forward!(self.inner through [self.switch.write]; insert replace record_reads pin);

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.switch.read("get", || {
            self.switch.sound(id, "read the record")?;
            self.inner.get(id)
        })
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.switch.read("entries", || Ok(self.switch.listed(self.inner.entries(before, skip, limit)?)))
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        self.switch.read("unfinished_entries", || Ok(self.switch.listed(self.inner.unfinished_entries()?)))
    }

    fn filtered_entries(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let read = || Ok(self.switch.listed(self.inner.filtered_entries(filter, before, limit)?));
        self.switch.read("filtered_entries", read)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let removed = self.switch.write("remove", || self.inner.remove(id))?;
        self.switch.damaged.lock().remove(&id);
        Ok(removed)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> ResultStore for FaultStore<S> {
    crate::forward!(self.inner; block_bytes);
    crate::forward!(self.inner through [self.switch.read]; result read blocks checkpoint size_on_disk);
    crate::forward!(self.inner through [self.switch.write]; discard save_checkpoint);

    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        let inner = self.switch.read("segment", || self.inner.segment(key))?;
        Ok(Box::new(FaultSegment { inner, switch: Arc::clone(&self.switch) }))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        self.switch.complete(ends, || self.inner.complete(ends, durability))
    }
}

/// Claims count as writes. `wait` and `wake` never fail.
#[deny(clippy::missing_trait_methods)]
impl<S: SharedStore + ?Sized> SharedStore for FaultStore<S> {
    crate::forward!(self.inner; shared_seat unreadable wait wake);
    crate::forward!(self.inner through [self.switch.read]; changed);
    crate::forward!(self.inner through [self.switch.write]; claim renew release);
}

#[derive(Debug)]
struct FaultSegment {
    inner: Box<dyn SegmentWriter>,
    switch: Arc<Switch>,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for FaultSegment {
    crate::forward!(self.inner; visible_rows);
    crate::forward!(self.inner through [self.switch.write]; append start_flush finish);
}
