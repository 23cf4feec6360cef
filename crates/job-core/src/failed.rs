//! [`FailedAttempt`]: an attempt of a job that gave no result.

use crate::{Failure, Timestamp};

/// An attempt of a job that gave no result, after which the job ran again or was to run again. The record of a job has
/// the last failure only.
///
/// ```
/// use job_core::{FailedAttempt, Failure, FailureKind, Timestamp};
///
/// let failed = |attempt| FailedAttempt {
///     attempt,
///     started: Timestamp::from_micros(1),
///     ended: Timestamp::from_micros(2),
///     failure: Failure::new(FailureKind::Handler, "the graph is busy"),
/// };
/// let kept = (1..=20).fold(Vec::new(), |earlier, attempt| failed(attempt).after(earlier));
/// let attempts: Vec<u32> = kept.iter().map(|failed| failed.attempt).collect();
/// assert_eq!(attempts, [13, 14, 15, 16, 17, 18, 19, 20]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// The number of the attempt; the first is 1.
    pub attempt: u32,
    /// When it started.
    pub started: Timestamp,
    /// When it ended or, of one that died with its process, when that was found.
    pub ended: Timestamp,
    /// Why it gave no result.
    pub failure: Failure,
}

impl FailedAttempt {
    /// How many of a job are kept, the last ones.
    pub const KEPT: usize = 8;

    /// This attempt behind the earlier ones, as far as they are kept. It takes the place of one with its number.
    #[must_use]
    pub fn after(self, mut earlier: Vec<Self>) -> Vec<Self> {
        earlier.retain(|failed| failed.attempt < self.attempt);
        earlier.push(self);
        earlier.drain(..earlier.len().saturating_sub(Self::KEPT));
        earlier
    }
}
