//! The calls of a store that several engines share, in one process or on many machines.

use std::time::Duration;

use job_core::{JobId, JobKind, JobRecord, Timestamp};

use crate::{Seat, Store, StoreError};

/// The longest pause between two attempts in a shared store. A longer one comes from a clock that was ahead, and
/// [is over](JobRecord::is_over).
pub const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// A store that engines share. Each opened value is one claimant: the jobs that it claims are its own until their
/// lease ends. Of a claimed job only the claimant may start an attempt, write rows, checkpoints or an end.
///
/// Every claimant may submit, read and cancel. A cancel is a [`replace`](crate::JobStore::replace) like any other.
/// The claimant of the job learns of it from the revision that [`renew`](Self::renew) answers. A claim changes
/// neither record nor revision, unless it is asked to [start](Claim::start) jobs as well.
///
/// Leases go by the clock of the store, so the clocks of machines may differ. A claimant writes nothing after its
/// lease has ended, even if no other has claimed the job yet. Such a write is refused with
/// [`ErrorKind::Fenced`](crate::ErrorKind::Fenced). Until another claims the job, its claimant may renew the lease
/// late and go on.
///
/// A job that was never claimed has no such bounds: a store with a single engine needs no claims.
pub trait SharedStore: Store {
    /// Gives `engine` the one seat of this claimant. Two engines on one claimant would write each other's jobs.
    ///
    /// # Errors
    /// `AlreadyOpen` when another engine is this claimant, or has the store for itself; the error names it.
    fn shared_seat(&self, engine: &str) -> Result<Seat, StoreError>;

    /// Claims jobs that may be run: waiting ones without a lease whose [`not_before`](JobRecord::not_before) has
    /// passed or is further off than [`LONGEST_PAUSE`]. If [asked to](Claim::lost) it also claims running ones
    /// whose lease has ended. Their records still say that they run, and the new claimant decides what to do with
    /// them. Higher priorities come first, then older jobs. Two claimants never get the same job. The write is
    /// buffered.
    ///
    /// # Errors
    /// When the store fails. Jobs that it may have claimed are free again after one lease.
    fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError>;

    /// The errors about jobs that claims of this claimant have left alone because their records cannot be read
    /// here. Each error names its job. Engines that can read them may claim them.
    fn unreadable(&self) -> Vec<StoreError> {
        Vec::new()
    }

    /// Sets the end of these leases to `lease` from now, later or sooner than before. Returns the jobs of the
    /// claims that hold, with their stored revisions. The other claims are lost. An ended lease is renewed as
    /// well, unless the job was claimed since, by any claimant. The end of a job ends its claim. Leases of other
    /// claims stay as they are.
    ///
    /// # Errors
    /// When the store fails. Leases then end at their earlier time.
    fn renew(&self, claims: &[ClaimId], lease: Duration) -> Result<Vec<KnownRevision>, StoreError>;

    /// Gives claims back: others may claim these jobs at once. A claim that does not hold, because the job was claimed
    /// since, is left alone: so a call that comes late does no harm.
    ///
    /// # Errors
    /// When the store fails. The leases then end by themselves.
    fn release(&self, claims: &[ClaimId]) -> Result<(), StoreError>;

    /// The claimant that holds a claim on a job; `None` if there is no claim, or if the store does not tell. Cost: a point read.
    ///
    /// # Errors
    /// When the store fails.
    fn holder(&self, _job: JobId) -> Result<Option<Holder>, StoreError> {
        Ok(None)
    }

    /// The jobs of `known` whose revision has changed, with their records; `None` for a removed job. A job that
    /// cannot be read any more is left out. Cost: a point read each, unless the store has a better way.
    ///
    /// # Errors
    /// When the store fails.
    fn changed(&self, known: &[KnownRevision]) -> Result<Vec<(JobId, Option<JobRecord>)>, StoreError>;

    /// Waits until another claimant has submitted, cancelled, requeued or ended a job, at most `timeout`. `true`
    /// if a change was announced. It may return early, and may miss a change when its connection is cut. So the
    /// caller looks for work after every return.
    ///
    /// # Errors
    /// When the store fails.
    fn wait(&self, timeout: Duration) -> Result<bool, StoreError>;

    /// Ends a running [`wait`](Self::wait) on this value, or else the next one.
    fn wake(&self);
}

/// Describes the jobs that a claim takes.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Jobs of these kinds only: those that the claimant has handlers for.
    pub kinds: &'a [JobKind],
    /// The most jobs to claim.
    pub limit: usize,
    /// How long the claim lasts unless it is renewed.
    pub lease: Duration,
    /// Also starts, in the same write, jobs that wait for the first of several attempts. Their records get this
    /// time of start. `None` starts none.
    pub start: Option<Timestamp>,
    /// The number of this claim, unique for its claimant.
    pub token: u64,
    /// Whether the claim of this token was made before, and failed with an unknown outcome. The jobs that it has
    /// given and that are still held come back, with a new lease. If there are none, jobs are claimed.
    pub again: bool,
    /// Whether running jobs whose lease has ended are claimed too. A claimant that could not reach the store a
    /// moment ago leaves them: their claimants may have had no connection either, and may renew now.
    pub lost: bool,
}

impl<'a> Claim<'a> {
    /// A claim that starts no job, and also takes running jobs whose lease has ended. Its token is 0.
    #[must_use]
    pub const fn new(kinds: &'a [JobKind], limit: usize, lease: Duration) -> Self {
        Self { kinds, limit, lease, start: None, token: 0, again: false, lost: true }
    }
}

/// The id of one claim on one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimId {
    /// The job.
    pub job: JobId,
    /// The [token](Claim::token) of the claim that has given it.
    pub token: u64,
}

/// The claimant that holds a claim on a job whose lease has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The id of the claimant, as the store has it. Each opened value of a store has one of its own.
    pub claimant: String,
    /// Whether this is the claimant that was asked.
    pub is_asked: bool,
    /// The end of the lease, by the clock of the store, unless the claimant renews it.
    pub until: Timestamp,
}

/// A job that a claim has given.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The stored record.
    pub record: JobRecord,
    /// Whether this claim has started the job.
    pub started: bool,
    /// Whether the job runs under another claimant whose lease has ended, because that one died or lost its
    /// connection. A running job with neither `lost` nor `started` set has one of three histories. Its lease was
    /// the claimant's own, it was given back, or the claim was repeated.
    pub lost: bool,
}

/// A job and its revision at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownRevision {
    /// The job.
    pub id: JobId,
    /// The revision of the job's record. If the claimant does not know this revision, another caller has changed
    /// the job, which can only be a cancel.
    pub revision: u64,
}
