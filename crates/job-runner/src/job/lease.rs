//! [`Lease`]: the claim of this engine on one job, for as long as it may rely on it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{
    job::cancel::{CancelToken, StopCause},
    seam::sync::Instant,
};

/// A claim on one job of a shared store. One attempt at most runs under it.
///
/// The end counts from the moment before the call to the store, by a clock of this process that never goes back.
/// So the lease ends here before it ends in the store.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Stops the attempt that runs under this lease.
    pub(crate) token: CancelToken,
    claimed: Instant,
    /// The end, in microseconds after `claimed`; 0 for a lost lease.
    until: AtomicU64,
    /// The revision of the record when it was last renewed.
    revision: AtomicU64,
    /// The token of the claim.
    claim: AtomicU64,
}

impl Lease {
    pub(crate) fn new(asked: Instant, length: Duration, revision: u64, token: u64) -> Self {
        Self {
            token: CancelToken::default(),
            claimed: asked,
            until: AtomicU64::new(micros(length)),
            revision: AtomicU64::new(revision),
            claim: AtomicU64::new(token),
        }
    }

    /// Whether another engine may have the job. Cost: one look at the clock.
    pub(crate) fn is_over(&self) -> bool {
        micros(self.claimed.elapsed()) >= self.until.load(Ordering::Acquire)
    }

    /// How long ago the job was claimed.
    pub(crate) fn age(&self) -> Duration {
        self.claimed.elapsed()
    }

    /// Notes a renewal; `true` if the record has changed since the last one.
    pub(crate) fn extend(&self, asked: Instant, length: Duration, revision: u64) -> bool {
        let until = asked.saturating_duration_since(self.claimed).saturating_add(length);
        self.until.store(micros(until), Ordering::Release);
        self.revision.swap(revision, Ordering::AcqRel) != revision
    }

    /// The token of the claim.
    pub(crate) fn claim(&self) -> u64 {
        self.claim.load(Ordering::Acquire)
    }

    /// Notes a new claim on the same job. No other engine had the job meanwhile.
    pub(crate) fn claimed_again(&self, token: u64) {
        self.claim.store(token, Ordering::Release);
    }

    /// Notes that the lease is lost, and stops its attempt.
    pub(crate) fn end(&self) {
        self.until.store(0, Ordering::Release);
        self.token.stop(StopCause::LeaseLost);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_is_lost_stops_its_attempt() {
        let asked = Instant::now();
        let lease = Lease::new(asked, Duration::from_hours(1), 0, 0);
        assert!(!lease.is_over() && lease.token.cause().is_none());
        assert!(!lease.extend(asked, Duration::from_hours(2), 0));
        assert!(lease.extend(asked, Duration::from_hours(2), 3));
        assert!(!lease.is_over());
        lease.end();
        assert!(lease.is_over());
        assert_eq!(lease.token.cause(), Some(StopCause::LeaseLost));
    }

    #[test]
    fn a_lease_counts_from_before_the_store_was_asked() {
        let asked = Instant::now();
        let lease = Lease::new(asked, Duration::ZERO, 0, 0);
        assert!(lease.is_over());
        lease.extend(asked, Duration::from_hours(1), 0);
        assert!(!lease.is_over());
    }
}
