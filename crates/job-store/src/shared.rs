//! The part of a store beyond [`Store`] when several engines work on it at once, in one process or on many machines.

use std::time::Duration;

use job_core::{JobId, JobKind, JobRecord, Timestamp};

use crate::{Seat, Store, StoreError};

/// The longest pause between two attempts. A job of a shared store that would be paused for longer was told so by a clock
/// that was ahead: its pause [is over](JobRecord::is_over).
pub const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// A store that engines share. Each opened value is one claimant: the jobs that it claims are its own until their
/// lease ends. Of a claimed job only the claimant may start an attempt, write rows, checkpoints or an end.
///
/// Every claimant may submit, read and cancel. A cancel is a [`replace`](crate::JobStore::replace) like any other; the
/// claimant of the job learns of it from the revision that [`renew`](Self::renew) answers. A claim changes neither
/// record nor revision, unless it is asked to [start](Claim::start) jobs as well. Time is the store's own, so that the
/// clocks of machines may differ. A lease that has ended lets no claimant write, even while no other has claimed the
/// job yet. Such a write is refused with [`ErrorKind::Fenced`](crate::ErrorKind::Fenced). Until another claims it, its
/// claimant may renew it late, and goes on.
///
/// A job that was never claimed has no such bounds: a store with a single engine on it needs no claims.
pub trait SharedStore: Store {
    /// Gives `engine` the one seat of this claimant: two engines that were one claimant would write each other's jobs.
    ///
    /// # Errors
    /// `AlreadyOpen` when another engine is this claimant, or has the store for itself; the error names it.
    fn shared_seat(&self, engine: &str) -> Result<Seat, StoreError>;

    /// Claims jobs that may be run. These are waiting ones without a lease whose [`not_before`](JobRecord::not_before)
    /// has passed or is further off than [`LONGEST_PAUSE`]. If [asked to](Claim::lost) it also claims running ones
    /// whose lease has ended. The record says that they run, and the new claimant decides what to do with them. A
    /// higher priority first, then the older job. Two claimants never get the same job. Buffered.
    ///
    /// # Errors
    /// When the store fails; then nothing is claimed that will not be free again after one lease.
    fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError>;

    /// Jobs that claims of this claimant have met and left alone, because their records cannot be read here. Each
    /// error names its job. Engines that can read them may claim them.
    fn unreadable(&self) -> Vec<StoreError> {
        Vec::new()
    }

    /// Lets the leases of these claims end at `lease` from now, be that later or sooner, and answers the jobs of those
    /// that hold. The other claims are lost. A lease that has ended is renewed as well, unless the job was claimed
    /// since, by any claimant. Ends of jobs end their claims. Leases of other claims stay as they are.
    ///
    /// # Errors
    /// When the store fails; leases then end when they would have.
    fn renew(&self, claims: &[ClaimId], lease: Duration) -> Result<Vec<KnownRevision>, StoreError>;

    /// Gives claims back: others may claim these jobs at once. A claim that does not hold, because the job was claimed
    /// since, is left alone: so a call that comes late does no harm.
    ///
    /// # Errors
    /// When the store fails; the leases then end by themselves.
    fn release(&self, claims: &[ClaimId]) -> Result<(), StoreError>;

    /// Which of `known` are not at that revision any more, and what they are now; `None` of a job that was removed. One
    /// that cannot be read any more is left out.
    /// Cost: a point read each, unless the store has a better way.
    ///
    /// # Errors
    /// When the store fails.
    fn changed(&self, known: &[KnownRevision]) -> Result<Vec<(JobId, Option<JobRecord>)>, StoreError>;

    /// Waits until another claimant has changed something: a job came, was cancelled, went back to waiting or ended.
    /// At most `timeout`. It may return early, and may miss a change when the connection to the others is cut, so the
    /// caller looks again after every return. `true` if a change was announced.
    ///
    /// # Errors
    /// When the store fails.
    fn wait(&self, timeout: Duration) -> Result<bool, StoreError>;

    /// Ends the [`wait`](Self::wait) of other threads on this value, now or the next one.
    fn wake(&self);
}

/// The jobs to claim.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Jobs of these kinds only: those that the claimant has handlers for.
    pub kinds: &'a [JobKind],
    /// At most this number.
    pub limit: usize,
    /// How long they stay claimed unless renewed.
    pub lease: Duration,
    /// Starts, in the same write, those that wait for the first of several attempts they may have. The time is the one
    /// that their records get; `None` starts none.
    pub start: Option<Timestamp>,
    /// Names this claim among all of its claimant.
    pub token: u64,
    /// The claim of this token has failed, and may have taken effect. The jobs that it has given and that are still
    /// held come back, with a lease as long as if they were claimed now. Only when that is nothing, jobs are claimed.
    pub again: bool,
    /// Takes running jobs whose lease has ended too. A claimant that could not reach the store a moment ago does not.
    /// The others may not have been able to renew either, and are about to.
    pub lost: bool,
}

impl<'a> Claim<'a> {
    /// A claim that starts nothing and takes running jobs whose lease has ended too. Its token is 0.
    #[must_use]
    pub const fn new(kinds: &'a [JobKind], limit: usize, lease: Duration) -> Self {
        Self { kinds, limit, lease, start: None, token: 0, again: false, lost: true }
    }
}

/// One claim of a claimant on one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimId {
    /// The job.
    pub job: JobId,
    /// The [token](Claim::token) of the claim that has given it.
    pub token: u64,
}

/// A job that a claim has given.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// As it is stored now.
    pub record: JobRecord,
    /// Whether this claim has started it.
    pub started: bool,
    /// Whether it runs under another claimant, whose lease has ended: that one has died or lost touch. Of a running
    /// job that is neither this nor started, the lease was the claimant's own, or was given back. Or the claim was
    /// asked for again.
    pub lost: bool,
}

/// A job that is claimed or known, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownRevision {
    /// The job.
    pub id: JobId,
    /// The revision of its record: a new one says that another caller has changed it, which means cancelled.
    pub revision: u64,
}
