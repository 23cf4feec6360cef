//! The fate of a job when an attempt ends: one pure function, so that every race is a row in a table.

use std::time::Duration;

use job_core::{Failure, FailureKind, Timestamp};
use job_store::ErrorKind;

use crate::{
    decide::suspicion::CUT_OFF,
    job::{
        cancel::StopCause,
        error::{JobError, Resource},
    },
};

/// How the body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyOutcome {
    /// The body returned, and all its rows are stored.
    Well,
    /// The body returned an error.
    Badly(JobError),
    /// The body panicked, with this message.
    Panicked(String),
}

/// The change of the record when an attempt ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The result is stored with the record.
    Succeed,
    /// The job fails.
    Fail(Failure),
    /// The job was cancelled.
    Stop,
    /// The job waits for another attempt, which begins no earlier than this time.
    Requeue(Failure, Option<Timestamp>),
}

/// The pauses before a job that failed for the moment runs again.
///
/// ```
/// use std::time::Duration;
/// use job_runner::RetryPolicy;
///
/// let policy = RetryPolicy::default();
/// assert_eq!((policy.initial_backoff, policy.max_backoff), (Duration::from_millis(200), Duration::from_secs(60)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The pause after the first failure, doubled after each further one; 200 ms by default.
    pub initial_backoff: Duration,
    /// The longest pause; 60 s by default.
    pub max_backoff: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_mins(1))
    }
}

impl RetryPolicy {
    /// A policy with this first and this longest pause.
    #[must_use]
    pub const fn new(initial_backoff: Duration, max_backoff: Duration) -> Self {
        Self { initial_backoff, max_backoff }
    }

    /// The pause after `failures` failed attempts. `entropy` spreads it over the upper half of its range, so that
    /// jobs that failed together do not all start together.
    fn pause(self, failures: u32, entropy: u64) -> Duration {
        let full =
            self.initial_backoff.saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        let half = full.min(self.max_backoff) / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(entropy % spread)
    }
}

/// The inputs of the verdict besides the end of the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// Why the body was stopped, if it was.
    pub(crate) cause: Option<StopCause>,
    /// Whether a caller asked for the end of the job. Such a job is not run again.
    pub(crate) cancelling: bool,
    /// The number of this attempt.
    pub(crate) attempt: u32,
    /// The number of failed attempts before this one. The next field is the most attempts.
    pub(crate) failed_attempts: u32,
    pub(crate) max_attempts: u32,
    pub(crate) now: Timestamp,
    pub(crate) entropy: u64,
    pub(crate) retry: RetryPolicy,
}

pub(crate) fn verdict(ended: BodyOutcome, at: Circumstances) -> Verdict {
    let fail = |kind, message: String| Verdict::Fail(Failure::new(kind, message));
    match ended {
        // A body that returned successfully has succeeded, also after a request to stop.
        BodyOutcome::Well => Verdict::Succeed,
        BodyOutcome::Panicked(message) => fail(FailureKind::Panicked, format!("the handler panicked: {message}")),
        BodyOutcome::Badly(JobError::Stopped(_)) => stopped(at),
        BodyOutcome::Badly(JobError::Failed(reason)) => fail(FailureKind::Handler, reason),
        BodyOutcome::Badly(JobError::Transient(reason)) => again(FailureKind::Handler, reason, at),
        BodyOutcome::Badly(error @ JobError::OverBudget(resource, _)) => {
            let kind = match resource {
                Resource::Rows => FailureKind::RowBudget,
                Resource::Bytes => FailureKind::ByteBudget,
                Resource::Memory => FailureKind::MemoryBudget,
            };
            fail(kind, error.to_string())
        }
        BodyOutcome::Badly(JobError::Store(error)) => match error.kind {
            kind if kind.is_retryable() || kind == ErrorKind::Lost => without_blame(error.to_string(), at),
            _ => fail(FailureKind::Store, error.to_string()),
        },
    }
}

/// The verdict about a body that stopped on request. It depends on the cause.
fn stopped(at: Circumstances) -> Verdict {
    match at.cause {
        _ if at.cancelling => Verdict::Stop,
        Some(StopCause::Cancel) => Verdict::Stop,
        Some(StopCause::Deadline) => {
            Verdict::Fail(Failure::new(FailureKind::Deadline, "its deadline passed while it ran"))
        }
        Some(StopCause::Shutdown) => {
            Verdict::Requeue(Failure::new(FailureKind::Shutdown, "the engine was shut down while it ran"), None)
        }
        // Here the lease was renewed late. An engine that has lost the job stores no verdict.
        Some(StopCause::LeaseLost) => Verdict::Requeue(Failure::new(FailureKind::Shutdown, CUT_OFF), None),
        Some(StopCause::Sibling) | None => Verdict::Fail(Failure::new(
            FailureKind::Handler,
            "the handler said that it was told to stop, but nobody told it to",
        )),
    }
}

/// The store was unreachable or full, or has lost rows. The job is not at fault, so it runs again, without a
/// limit. The pause grows with every start, so a long outage costs one attempt a minute.
fn without_blame(reason: String, at: Circumstances) -> Verdict {
    if at.cancelling {
        return Verdict::Stop;
    }
    let due = at.now.after(at.retry.pause(at.attempt, at.entropy));
    Verdict::Requeue(Failure::new(FailureKind::Store, reason), Some(due))
}

/// Tries again, unless that was the last attempt.
fn again(kind: FailureKind, reason: String, at: Circumstances) -> Verdict {
    let failures = at.failed_attempts.saturating_add(1);
    if at.cancelling {
        Verdict::Stop
    } else if failures >= at.max_attempts {
        Verdict::Fail(Failure::new(kind, format!("{reason} (attempt {failures} of {})", at.max_attempts)))
    } else {
        let due = at.now.after(at.retry.pause(failures, at.entropy));
        Verdict::Requeue(Failure::new(kind, reason), Some(due))
    }
}

#[cfg(test)]
mod tests {
    use job_store::StoreError;

    use super::*;

    fn calm() -> Circumstances {
        Circumstances {
            cause: None,
            cancelling: false,
            attempt: 1,
            failed_attempts: 0,
            max_attempts: 3,
            now: Timestamp::from_micros(1_000_000),
            entropy: 0,
            retry: RetryPolicy::default(),
        }
    }

    fn kind(verdict: &Verdict) -> Option<FailureKind> {
        match verdict {
            Verdict::Fail(failure) | Verdict::Requeue(failure, _) => Some(failure.kind),
            _ => None,
        }
    }

    #[test]
    fn a_body_that_ended_well_succeeded_whatever_was_asked() {
        for cause in [None, Some(StopCause::Cancel), Some(StopCause::Shutdown), Some(StopCause::Deadline)] {
            let at = Circumstances { cause, cancelling: cause == Some(StopCause::Cancel), ..calm() };
            assert_eq!(verdict(BodyOutcome::Well, at), Verdict::Succeed);
        }
    }

    #[test]
    fn who_asked_decides_what_a_stop_means() {
        let stop = |cause, cancelling| {
            verdict(
                BodyOutcome::Badly(JobError::Stopped(StopCause::Cancel)),
                Circumstances { cause, cancelling, ..calm() },
            )
        };
        assert_eq!(stop(Some(StopCause::Cancel), true), Verdict::Stop);
        assert_eq!(stop(Some(StopCause::Shutdown), true), Verdict::Stop); // cancelled first, then shut down
        assert_eq!(kind(&stop(Some(StopCause::Deadline), false)), Some(FailureKind::Deadline));
        assert!(matches!(stop(Some(StopCause::Shutdown), false), Verdict::Requeue(_, None)));
        // An outage is no failure of the job.
        assert_eq!(kind(&stop(Some(StopCause::LeaseLost), false)), Some(FailureKind::Shutdown));
        assert_eq!(kind(&stop(None, false)), Some(FailureKind::Handler));
    }

    #[test]
    fn a_transient_error_is_tried_again_until_the_last_attempt() {
        let ended = || BodyOutcome::Badly(JobError::transient("no memory now"));
        assert!(matches!(verdict(ended(), calm()), Verdict::Requeue(_, Some(_))));
        let last = verdict(ended(), Circumstances { failed_attempts: 2, ..calm() });
        assert!(matches!(&last, Verdict::Fail(failure) if failure.message == "no memory now (attempt 3 of 3)"));
        assert_eq!(verdict(ended(), Circumstances { cancelling: true, ..calm() }), Verdict::Stop);
    }

    /// When a role has used up its connections, jobs must not fail.
    #[test]
    fn an_outage_of_the_store_is_never_a_failed_attempt_and_never_spins() {
        let ended = |kind| BodyOutcome::Badly(JobError::Store(StoreError::new(kind, "append rows", "no room")));
        for kind in [ErrorKind::Unavailable, ErrorKind::Full, ErrorKind::Lost] {
            for (attempt, least) in [(1, 100), (2, 200), (3, 400), (99, 30_000), (u32::MAX, 30_000)] {
                let at = Circumstances { attempt, failed_attempts: 2, max_attempts: 1, ..calm() };
                let due = at.now.after(Duration::from_millis(least));
                let expected = Failure::new(
                    FailureKind::Store,
                    match kind {
                        ErrorKind::Full => "could not append rows: no room (free some disk space)",
                        _ => "could not append rows: no room",
                    },
                );
                assert_eq!(verdict(ended(kind), at), Verdict::Requeue(expected, Some(due)));
            }
            assert_eq!(verdict(ended(kind), Circumstances { cancelling: true, ..calm() }), Verdict::Stop);
        }
    }

    /// If another engine has the job, the store refuses the verdict by its compare-and-set. Otherwise the error
    /// came from elsewhere, and the job must end.
    #[test]
    fn a_fenced_body_failed() {
        let fenced = JobError::Store(StoreError::new(ErrorKind::Fenced, "append rows", "attempt 1 is over"));
        assert_eq!(kind(&verdict(BodyOutcome::Badly(fenced), calm())), Some(FailureKind::Store));
    }

    #[test]
    fn budgets_have_reasons_of_their_own() {
        for (resource, expected) in [
            (Resource::Rows, FailureKind::RowBudget),
            (Resource::Bytes, FailureKind::ByteBudget),
            (Resource::Memory, FailureKind::MemoryBudget),
        ] {
            let over = BodyOutcome::Badly(JobError::OverBudget(resource, 10));
            assert_eq!(kind(&verdict(over, calm())), Some(expected));
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_spread() {
        let policy = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(10));
        let least: Vec<u128> = (1..=6).map(|n| policy.pause(n, 0).as_millis()).collect();
        assert_eq!(least, [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert!(policy.pause(99, u64::MAX) < Duration::from_secs(10));
        assert_ne!(policy.pause(3, 1_000), policy.pause(3, 2_000));
    }
}
