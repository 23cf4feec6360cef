//! [`FaultStore`]: a store that fails on request, for tests of storage failures.

mod operation;
mod rule;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use job_core::{FailedAttempt, JobFilter, JobId, JobRecord, JobResult, Segment};
use parking_lot::{Condvar, Mutex};

use self::rule::Rules;
pub use self::{
    operation::Operation,
    rule::{FaultCall, FaultRule},
};
use crate::{
    BlockRows, Durability, EachBlock, EachRows, ErrorKind, JobStore, Listed, Pin, ResultStore, SealedBlock,
    SegmentKey, SegmentWriter, SharedStore, Store, StoreError,
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

/// Wraps a store and makes chosen calls fail, wait or call back. Rules and plan belong to the instance, so tests run side
/// by side.
///
/// A [`FaultRule`] says which call fails, when and how:
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use job_store::{Durability, ErrorKind, FaultRule, FaultStore, JobStore, MemoryStore, Operation};
///
/// let store = FaultStore::new(Arc::new(MemoryStore::default()));
/// // The second submission finds a full disk; each list is late; no record is read back as it was written.
/// store.add(FaultRule::on(Operation::Insert).nth(1).fail(ErrorKind::Full));
/// store.add(FaultRule::on(Operation::Entries).delay(Duration::from_millis(1)));
/// store.add(FaultRule::reads().when(|call| call.operation == Operation::Get).fail(ErrorKind::Corrupt));
/// assert!(store.insert(&[], Durability::Buffered).is_ok());
/// assert_eq!(store.insert(&[], Durability::Buffered).unwrap_err().kind, ErrorKind::Full);
/// assert!(store.insert(&[], Durability::Buffered).is_ok() && store.entries(None, 0, 10).is_ok());
/// assert_eq!(store.get(job_core::JobId::MIN).unwrap_err().kind, ErrorKind::Corrupt);
/// store.clear();
/// assert_eq!(store.get(job_core::JobId::MIN), Ok(None));
/// ```
///
/// A plan ([`Fault`]) makes writes fail with `Unavailable` by their number among all writes:
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
    rules: Rules,
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

    /// Makes a call to the store, as the rules and the plan say.
    fn call<T>(
        &self,
        operation: Operation,
        job: Option<JobId>,
        call: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.rules.call(operation, job, || if operation.is_write() { self.write(call) } else { self.read(call) })
    }

    /// A call that hands on its arguments as they are.
    fn named<T>(&self, name: &str, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        match Operation::named(name) {
            Some(operation) => self.call(operation, None, call),
            None => call(),
        }
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

    /// Makes a read, unless the planned fault is [`Fault::Cut`] or [`Fault::Hang`].
    fn read<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.fault() {
            Fault::Cut => Err(StoreError::new(ErrorKind::Unavailable, "read", "injected: the network is cut")),
            _ => read(),
        }
    }

    /// A write of results, whose rows may be lost by plan.
    fn complete(
        &self,
        ends: &[(&JobRecord, &JobResult)],
        write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if self.fault() == Fault::RowsLost(self.writes.load(Ordering::SeqCst)) {
            self.rowless.lock().extend(ends.iter().map(|(next, _)| (next.id, next.attempt)));
        }
        let lost = ends.iter().find(|(next, _)| self.rowless.lock().contains(&(next.id, next.attempt)));
        self.call(Operation::Complete, only(ends.iter().map(|(next, _)| next.id)), || match lost {
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
}

/// The job of a call that concerns one.
fn only(mut jobs: impl ExactSizeIterator<Item = JobId>) -> Option<JobId> {
    if jobs.len() == 1 { jobs.next() } else { None }
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
            rules: Rules::default(),
            hook: Hook(Box::new(hook)),
            damaged: Mutex::default(),
            rowless: Mutex::default(),
        };
        Self { inner, switch: Arc::new(switch) }
    }

    /// From now on each call that `rule` is about does what it says, beside the rules that are there already. They are
    /// looked at in the order in which they were added. The first that fails a call ends it.
    pub fn add(&self, rule: FaultRule) {
        self.switch.rules.add(rule);
    }

    /// Forgets all rules. A call that waits goes on to its end.
    pub fn clear(&self) {
        self.switch.rules.clear();
    }

    /// Sets what fails by plan from now on, and counts writes from 0 again. Rules stay.
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

/// Methods on one job, whose errors name it.
macro_rules! on_one_job {
    ($($operation:ident $name:ident($first:ident: $type:ty $(, $rest:ident: $rest_type:ty)*) of $job:expr => $answer:ty;)+) => {$(
        fn $name(&self, $first: $type $(, $rest: $rest_type)*) -> Result<$answer, StoreError> {
            self.switch.call(Operation::$operation, Some($job), || self.inner.$name($first $(, $rest)*))
        }
    )+};
}

// `forward!` with the lint makes sure that a new method of the traits also passes through the fault.
#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> JobStore for FaultStore<S> {
    crate::forward!(self.inner; seat);
    crate::forward!(self.inner through [self.switch.named]; find_key find_reusable usage count kept least_used record_reads);
    on_one_job! {
        Replace replace(next: &JobRecord, durability: Durability) of next.id => ();
        Pin pin(id: JobId, pin: Pin) of id => ();
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        let job = only(records.iter().map(|record| record.id));
        self.switch.call(Operation::Insert, job, || self.inner.insert(records, durability))
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.switch.call(Operation::Get, Some(id), || {
            self.switch.sound(id, "read the record")?;
            self.inner.get(id)
        })
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let read = || Ok(self.switch.listed(self.inner.entries(before, skip, limit)?));
        self.switch.call(Operation::Entries, None, read)
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        let read = || Ok(self.switch.listed(self.inner.unfinished_entries()?));
        self.switch.call(Operation::UnfinishedEntries, None, read)
    }

    fn filtered_entries(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let read = || Ok(self.switch.listed(self.inner.filtered_entries(filter, before, limit)?));
        self.switch.call(Operation::FilteredEntries, None, read)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let removed = self.switch.call(Operation::Remove, Some(id), || self.inner.remove(id))?;
        self.switch.damaged.lock().remove(&id);
        Ok(removed)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store + ?Sized> ResultStore for FaultStore<S> {
    crate::forward!(self.inner; block_bytes);
    crate::forward!(self.inner through [self.switch.named]; size_on_disk);
    on_one_job! {
        Result result(id: JobId) of id => Option<JobResult>;
        Read read(key: SegmentKey, rows: std::ops::Range<u64>, each: &mut EachRows<'_>) of key.job => ();
        Blocks blocks(key: SegmentKey, each: &mut EachBlock<'_>) of key.job => ();
        Checkpoint checkpoint(job: JobId) of job => Option<Vec<u8>>;
        SaveCheckpoint save_checkpoint(job: JobId, attempt: u32, bytes: &[u8]) of job => ();
        Failures failures(job: JobId) of job => Vec<FailedAttempt>;
        SaveFailures save_failures(job: JobId, attempt: u32, failed: &[FailedAttempt]) of job => ();
        Discard discard(job: JobId, attempt: u32) of job => ();
    }

    /// None, so that every row is read, and a read can fail or hang.
    fn held_rows(&self, _: SegmentKey, _: std::ops::Range<u64>) -> Result<Option<BlockRows>, StoreError> {
        Ok(None)
    }

    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        let inner = self.switch.call(Operation::Segment, Some(key.job), || self.inner.segment(key))?;
        Ok(Box::new(FaultSegment { inner, job: key.job, switch: Arc::clone(&self.switch) }))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        self.switch.complete(ends, || self.inner.complete(ends, durability))
    }
}

/// Claims count as writes. `wait` and `wake` never fail.
#[deny(clippy::missing_trait_methods)]
impl<S: SharedStore + ?Sized> SharedStore for FaultStore<S> {
    crate::forward!(self.inner; shared_seat unreadable wait wake);
    crate::forward!(self.inner through [self.switch.named]; changed claim renew release holder);
}

#[derive(Debug)]
struct FaultSegment {
    inner: Box<dyn SegmentWriter>,
    job: JobId,
    switch: Arc<Switch>,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for FaultSegment {
    crate::forward!(self.inner; visible_rows stored_bytes);

    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        self.switch.call(Operation::Append, Some(self.job), || self.inner.append(block))
    }

    fn start_flush(&mut self) -> Result<bool, StoreError> {
        self.switch.call(Operation::StartFlush, Some(self.job), || self.inner.start_flush())
    }

    fn show_rows(&mut self) -> Result<(), StoreError> {
        self.switch.call(Operation::ShowRows, Some(self.job), || self.inner.show_rows())
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        let Self { inner, job, switch } = *self;
        switch.call(Operation::Finish, Some(job), || inner.finish())
    }
}
