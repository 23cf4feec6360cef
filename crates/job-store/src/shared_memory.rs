//! [`SharedMemory`]: several claimants over one [`MemoryStore`], the reference of [`SharedStore`].

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use job_core::{Event, FailedAttempt, JobId, JobRecord, JobResult, JobState, Timestamp};

use crate::{
    Claim, ClaimId, Claimed, Durability, ErrorKind, Holder, JobStore, KnownRevision, LONGEST_PAUSE, MemoryStore,
    ResultStore, Seat, Seats, SegmentKey, SegmentWriter, SharedStore, Store, StoreError, guard,
    sync::{Condvar, Instant, Mutex},
};

/// One claimant of a [`MemoryStore`] that several engines of one process share. [`claimant`](Self::claimant) makes
/// another. A dropped claimant keeps its claims until their leases end, as after the death of a process.
///
/// This store is for tests, and is the contract in code. A claim reads every unfinished job.
///
/// ```
/// use std::time::Duration;
/// use job_core::{JobId, JobKind, JobRecord, JobSpec, Timestamp};
/// use job_store::{Claim, Durability, JobStore, MemoryStore, SharedMemory, SharedStore};
///
/// let one = SharedMemory::new(MemoryStore::default());
/// let other = one.claimant();
/// let job = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().with_graph("movies"), Timestamp::default());
/// one.insert(&[job.clone()], Durability::Synced)?;
///
/// let claim = Claim::new(&[JobKind::VertexFilter], 10, Duration::from_secs(10));
/// assert_eq!(other.claim(&claim)?[0].record, job);
/// assert_eq!(one.claim(&claim)?, []);
/// # Ok::<(), job_store::StoreError>(())
/// ```
#[derive(Debug)]
pub struct SharedMemory {
    store: MemoryStore,
    board: Arc<Board>,
    me: u64,
    seats: Seats,
}

/// The clock of the store.
type Now = dyn Fn() -> Timestamp + Send + Sync;

/// The state that the claimants of one store share. Every write happens under the lock of its table.
struct Board {
    now: Box<Now>,
    table: Mutex<Table>,
    changed: Condvar,
    /// The seat of the inner store, which all engines of the shared store hold together.
    together: Mutex<Weak<Seat>>,
}

#[derive(Debug, Default)]
struct Table {
    leases: BTreeMap<JobId, Lease>,
    /// The signals of the open claimants.
    claimants: BTreeMap<u64, Ears>,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    claimant: u64,
    until: Timestamp,
    /// The token of the claim that made the lease.
    token: u64,
    /// Whether that claim has started the job.
    started: bool,
}

/// The signals that the next [`wait`](SharedStore::wait) of a claimant returns for.
#[derive(Debug, Default)]
struct Ears {
    news: bool,
    woken: bool,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Board {
    fn join(self: &Arc<Self>, store: MemoryStore) -> SharedMemory {
        let mut table = self.table.lock();
        table.next += 1;
        let me = table.next;
        table.claimants.insert(me, Ears::default());
        drop(table);
        SharedMemory { store, board: Arc::clone(self), me, seats: Seats::default() }
    }

    /// Refuses a write of `claimant` on a claimed job that is not, or no longer, its own.
    fn fence(&self, table: &Table, claimant: u64, job: JobId, operation: &'static str) -> Result<(), StoreError> {
        let detail = match table.leases.get(&job) {
            Some(lease) if lease.claimant != claimant => "another has claimed it",
            Some(lease) if lease.until <= (self.now)() => "the lease on it has ended",
            _ => return Ok(()),
        };
        Err(StoreError::new(ErrorKind::Fenced, operation, detail).on(job))
    }

    /// Signals a change to all other claimants.
    fn tell(&self, table: &mut Table, claimant: u64) {
        for (other, ears) in &mut table.claimants {
            ears.news |= *other != claimant;
        }
        self.changed.notify_all();
    }
}

impl SharedMemory {
    /// The first claimant of `store`. From then on its content must be changed through claimants only.
    #[must_use]
    pub fn new(store: MemoryStore) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (opened, at) = (Instant::now(), micros(since));
        // The time never goes back: a lease must not last longer because a clock was set.
        Self::with_clock(store, move || Timestamp::from_micros(at.saturating_add(micros(opened.elapsed()))))
    }

    /// As [`new`](Self::new), with leases that end by this clock.
    #[must_use]
    pub fn with_clock(store: MemoryStore, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let board = Board {
            now: Box::new(now),
            table: Mutex::default(),
            changed: Condvar::new(),
            together: Mutex::default(),
        };
        Arc::new(board).join(store)
    }

    /// Opens another claimant of the same store.
    #[must_use]
    pub fn claimant(&self) -> Self {
        self.board.join(self.store.clone())
    }

    /// Refuses a change of a job that another has claimed. The check comes after the compare-and-set would
    /// succeed, so that a conflict is reported first.
    fn check(&self, table: &Table, next: &JobRecord, operation: &'static str) -> Result<(), StoreError> {
        match self.store.get(next.id)? {
            Some(stored) if stored.revision + 1 == next.revision && !guard::is_cancel(&stored, next) => {
                self.board.fence(table, self.me, next.id, operation)
            }
            _ => Ok(()),
        }
    }

    /// Notes a written record: an end ends the claim, and other claimants are signalled.
    fn written(&self, table: &mut Table, next: &JobRecord) {
        if next.state.is_complete() {
            table.leases.remove(&next.id);
        }
        self.board.tell(table, self.me);
    }

    /// The jobs of the claim of this token that this claimant still holds. Their leases now end at `until`.
    fn given_by(&self, table: &mut Table, token: u64, until: Timestamp) -> Result<Vec<Claimed>, StoreError> {
        let now = (self.board.now)();
        let mut found = Vec::new();
        for (&id, lease) in &mut table.leases {
            if lease.claimant == self.me
                && lease.token == token
                && lease.until > now
                && let Some(record) = self.store.get(id)?
            {
                lease.until = until;
                found.push(Claimed { record, started: lease.started, lost: false });
            }
        }
        Ok(found)
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        self.board.table.lock().claimants.remove(&self.me);
    }
}

#[deny(clippy::missing_trait_methods)]
impl SharedStore for SharedMemory {
    fn unreadable(&self) -> Vec<StoreError> {
        // In memory every record can be read.
        Vec::new()
    }

    fn shared_seat(&self, engine: &str) -> Result<Seat, StoreError> {
        let own = self.seats.take(engine)?;
        let mut together = self.board.together.lock();
        let below = if let Some(seat) = together.upgrade() {
            seat
        } else {
            Arc::new(self.store.seat(&format!("{engine}, which shares it,"))?)
        };
        *together = Arc::downgrade(&below);
        Ok(Seat::new((own, below)))
    }

    fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        let mut table = self.board.table.lock();
        let now = (self.board.now)();
        let until = after(now, claim.lease);
        if claim.again {
            let found = self.given_by(&mut table, claim.token, until)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let mut free = self.store.unfinished()?;
        free.retain(|record| {
            claim.kinds.contains(record.spec.kind())
                && table.leases.get(&record.id).is_none_or(|lease| lease.until <= now)
                && match record.state {
                    JobState::Waiting => JobRecord::is_over(record.not_before, now, LONGEST_PAUSE),
                    _ => claim.lost,
                }
        });
        free.sort_by_key(|record| (Reverse(record.spec.options().priority), record.submitted_at, record.id));
        free.truncate(claim.limit);
        let mut claimed = Vec::with_capacity(free.len());
        for record in free {
            let fresh = record.attempt == 0 && record.spec.options().max_attempts > 1;
            let start = claim.start.filter(|_| record.state == JobState::Waiting && fresh);
            let next = start.and_then(|start| record.apply(Event::Start, start).ok());
            if let Some(next) = &next {
                self.store.replace(next, Durability::Buffered)?;
            }
            let lease = Lease { claimant: self.me, until, token: claim.token, started: next.is_some() };
            let before = table.leases.insert(record.id, lease);
            let lost = record.state != JobState::Waiting && before.is_some_and(|lease| lease.claimant != self.me);
            claimed.push(Claimed { started: next.is_some(), record: next.unwrap_or(record), lost });
        }
        Ok(claimed)
    }

    fn renew(&self, claims: &[ClaimId], lease: Duration) -> Result<Vec<KnownRevision>, StoreError> {
        let mut table = self.board.table.lock();
        let until = after((self.board.now)(), lease);
        let mut held = Vec::new();
        for &ClaimId { job: id, token } in claims {
            let claimed = table.leases.get_mut(&id);
            if let Some(claimed) = claimed.filter(|claimed| (claimed.claimant, claimed.token) == (self.me, token))
                && let Some(record) = self.store.get(id)?
            {
                claimed.until = until;
                held.push(KnownRevision { id, revision: record.revision });
            }
        }
        Ok(held)
    }

    fn release(&self, claims: &[ClaimId]) -> Result<(), StoreError> {
        let mut table = self.board.table.lock();
        let now = (self.board.now)();
        for ClaimId { job, token } in claims {
            let holds = |lease: &Lease| (lease.claimant, lease.token) == (self.me, *token) && lease.until > now;
            if table.leases.get(job).is_some_and(holds) {
                table.leases.remove(job);
            }
        }
        self.board.tell(&mut table, self.me);
        Ok(())
    }

    fn holder(&self, job: JobId) -> Result<Option<Holder>, StoreError> {
        let now = (self.board.now)();
        let table = self.board.table.lock();
        let held = table.leases.get(&job).filter(|lease| lease.until > now);
        Ok(held.map(|&Lease { claimant, until, .. }| Holder {
            claimant: claimant.to_string(),
            is_asked: claimant == self.me,
            until,
        }))
    }

    fn changed(&self, known: &[KnownRevision]) -> Result<Vec<(JobId, Option<JobRecord>)>, StoreError> {
        let mut changed = Vec::new();
        for held in known {
            let record = self.get(held.id)?;
            if record.as_ref().is_none_or(|record| record.revision != held.revision) {
                changed.push((held.id, record));
            }
        }
        Ok(changed)
    }

    fn wait(&self, timeout: Duration) -> Result<bool, StoreError> {
        let until = Instant::now().checked_add(timeout);
        let mut table = self.board.table.lock();
        loop {
            let ears = table.claimants.entry(self.me).or_default();
            if ears.news || ears.woken {
                let heard = ears.news;
                *ears = Ears::default();
                return Ok(heard);
            }
            match until {
                None => self.board.changed.wait(&mut table),
                Some(until) => {
                    if self.board.changed.wait_until(&mut table, until).timed_out() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn wake(&self) {
        self.board.table.lock().claimants.entry(self.me).or_default().woken = true;
        self.board.changed.notify_all();
    }
}

#[deny(clippy::missing_trait_methods)]
impl JobStore for SharedMemory {
    crate::forward! {
        self.store;
        get entries unfinished_entries filtered_entries count kept least_used
        remove find_key find_reusable record_reads pin usage
    }

    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        Err(guard::only_shared(engine))
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        let mut table = self.board.table.lock();
        self.store.insert(records, durability)?;
        self.board.tell(&mut table, self.me);
        Ok(())
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        let mut table = self.board.table.lock();
        self.check(&table, next, "replace the record")?;
        self.store.replace(next, durability)?;
        self.written(&mut table, next);
        Ok(())
    }
}

#[deny(clippy::missing_trait_methods)]
impl ResultStore for SharedMemory {
    crate::forward!(self.store; result read held_rows blocks discard checkpoint failures size_on_disk block_bytes);

    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        let fence = Fence { board: Arc::clone(&self.board), claimant: self.me, job: key.job };
        let inner = fence.pass("segment", || self.store.segment(key))?;
        Ok(Box::new(FencedSegment { inner, fence }))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        let mut table = self.board.table.lock();
        for (next, _) in ends {
            self.check(&table, next, "store the result")?;
        }
        self.store.complete(ends, durability)?;
        for (next, _) in ends {
            self.written(&mut table, next);
        }
        Ok(())
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let table = self.board.table.lock();
        self.board.fence(&table, self.me, job, "save the checkpoint")?;
        self.store.save_checkpoint(job, attempt, bytes)
    }

    fn save_failures(&self, job: JobId, attempt: u32, failed: &[FailedAttempt]) -> Result<(), StoreError> {
        let table = self.board.table.lock();
        self.board.fence(&table, self.me, job, "keep the failed attempts")?;
        self.store.save_failures(job, attempt, failed)
    }
}

/// Checks the lease before each write of rows.
#[derive(Debug)]
struct Fence {
    board: Arc<Board>,
    claimant: u64,
    job: JobId,
}

impl Fence {
    fn pass<T>(&self, _name: &str, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let table = self.board.table.lock();
        self.board.fence(&table, self.claimant, self.job, "write rows")?;
        write()
    }
}

#[derive(Debug)]
struct FencedSegment {
    inner: Box<dyn SegmentWriter>,
    fence: Fence,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for FencedSegment {
    crate::forward!(self.inner; visible_rows stored_bytes);
    crate::forward!(self.inner through [self.fence.pass]; append start_flush show_rows finish);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn after(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(time.as_micros().saturating_add(micros(by)))
}
