//! [`CancelToken`]: tells a running body to stop, and why.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// Why a body is told to stop. The first cause wins, and any other wins over [`Sibling`](Self::Sibling).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopCause {
    /// A caller asked for the job's end.
    Cancel,
    /// The engine shuts down; the job will run again.
    Shutdown,
    /// The job's deadline has passed.
    Deadline,
    /// Another partition of the same scan failed. The cause holds until the scan is over.
    Sibling,
    /// On a shared store: another engine may have the job, and the attempt's writes do not count any more.
    LeaseLost,
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancel => "somebody cancelled it",
            Self::Shutdown => "its engine shuts down",
            Self::Deadline => "its deadline has passed",
            Self::Sibling => "another partition of its scan has failed",
            Self::LeaseLost => "its engine has lost its lease on it",
        })
    }
}

const SIBLING: u8 = 4;

/// Tells the threads of one attempt to stop. Clones share one flag; a check is one atomic load.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicU8>);

impl CancelToken {
    /// The cause of a request to stop; `None` if the attempt may go on.
    #[must_use]
    pub fn cause(&self) -> Option<StopCause> {
        match self.0.load(Ordering::Acquire) {
            1 => Some(StopCause::Cancel),
            2 => Some(StopCause::Shutdown),
            3 => Some(StopCause::Deadline),
            SIBLING => Some(StopCause::Sibling),
            5 => Some(StopCause::LeaseLost),
            _ => None,
        }
    }

    /// Requests that the attempt stop. `false` if this was requested before.
    pub(crate) fn stop(&self, cause: StopCause) -> bool {
        let code = match cause {
            StopCause::Cancel => 1,
            StopCause::Shutdown => 2,
            StopCause::Deadline => 3,
            StopCause::Sibling => SIBLING,
            StopCause::LeaseLost => 5,
        };
        let may = |now| (now == 0 || now == SIBLING && code != SIBLING).then_some(code);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, may).is_ok()
    }

    /// Clears [`StopCause::Sibling`] when the failed scan is over, since the body may go on.
    pub(crate) fn forgive_sibling(&self) {
        // Any other cause stays.
        let _ = self.0.compare_exchange(SIBLING, 0, Ordering::AcqRel, Ordering::Acquire);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_wins() {
        let token = CancelToken::default();
        assert_eq!(token.cause(), None);
        assert!(token.stop(StopCause::Deadline));
        assert!(!token.clone().stop(StopCause::Cancel));
        assert_eq!(token.cause(), Some(StopCause::Deadline));
    }

    #[test]
    fn a_cancel_is_heard_while_a_scan_fails_and_after_it() {
        let token = CancelToken::default();
        assert!(token.stop(StopCause::Sibling) && !token.stop(StopCause::Sibling));
        assert!(token.stop(StopCause::Cancel));
        token.forgive_sibling();
        assert!(!token.stop(StopCause::Sibling));
        assert_eq!(token.cause(), Some(StopCause::Cancel));
        let token = CancelToken::default();
        token.stop(StopCause::Sibling);
        token.forgive_sibling();
        assert_eq!(token.cause(), None);
    }
}
