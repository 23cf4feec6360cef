//! [`Clock`]: the source of time of an engine.

use std::{
    fmt::Debug,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use job_core::Timestamp;

use crate::seam::shield;

/// A source of time. Times that are stored and compared come from it; the sleep of a thread does not.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present time. It may go back; no part of the engine relies on the opposite.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// A clock that moves only by [`advance`](Self::advance) and [`set`](Self::set), for tests.
///
/// ```
/// use std::time::Duration;
/// use job_runner::{Clock, ManualClock};
///
/// let clock = ManualClock::default();
/// let start = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since(start).as_secs(), 60);
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl Default for ManualClock {
    /// A clock at a fixed time in 2023.
    fn default() -> Self {
        Self(AtomicU64::new(1_700_000_000_000_000))
    }
}

impl ManualClock {
    /// Moves the clock forward, at most to the greatest [`Timestamp`].
    pub fn advance(&self, by: Duration) {
        let moved = |now| Some(Timestamp::from_micros(now).after(by).as_micros());
        // The closure never refuses.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }

    /// Sets the time, which may be earlier than the present one.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A host's clock inside an engine. If it panics, the last time is used.
#[derive(Debug)]
pub(crate) struct Shielded {
    clock: Arc<dyn Clock>,
    last: AtomicU64,
    panicked: AtomicBool,
}

impl Shielded {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = shield::run(|| clock.now()).unwrap_or_else(|_| SystemClock.now());
        Self { clock, last: AtomicU64::new(now.as_micros()), panicked: AtomicBool::new(false) }
    }
}

impl Clock for Shielded {
    fn now(&self) -> Timestamp {
        match shield::run(|| self.clock.now()) {
            Ok(now) => {
                self.last.store(now.as_micros(), Ordering::Relaxed);
                now
            }
            Err(message) => {
                if !self.panicked.swap(true, Ordering::Relaxed) {
                    tracing::error!(message, "the clock panicked: until it works again the time stands still");
                }
                Timestamp::from_micros(self.last.load(Ordering::Relaxed))
            }
        }
    }
}

impl Drop for Shielded {
    fn drop(&mut self) {
        shield::discard(mem::replace(&mut self.clock, Arc::new(SystemClock)));
    }
}
