//! [`CancelToken`]: how a running body hears that it should stop, and why.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// Why a body is told to stop. The first cause wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopCause {
    /// Somebody asked for the job's end.
    Cancel,
    /// The engine shuts down; the job will run again.
    Shutdown,
    /// The job's deadline has passed.
    Deadline,
    /// Another part of the same job failed.
    Sibling,
    /// On a shared store: the job may be another engine's by now, and nothing that is written counts any more.
    LeaseLost,
}

/// Tells the threads of one attempt to stop. Clones share one flag; a check is one atomic load.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicU8>);

impl CancelToken {
    /// Whether and why to stop.
    #[must_use]
    pub fn cause(&self) -> Option<StopCause> {
        match self.0.load(Ordering::Acquire) {
            1 => Some(StopCause::Cancel),
            2 => Some(StopCause::Shutdown),
            3 => Some(StopCause::Deadline),
            4 => Some(StopCause::Sibling),
            5 => Some(StopCause::LeaseLost),
            _ => None,
        }
    }

    /// Tells it to stop; `false` if it was told before.
    pub(crate) fn stop(&self, cause: StopCause) -> bool {
        let code = match cause {
            StopCause::Cancel => 1,
            StopCause::Shutdown => 2,
            StopCause::Deadline => 3,
            StopCause::Sibling => 4,
            StopCause::LeaseLost => 5,
        };
        self.0.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire).is_ok()
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
}
