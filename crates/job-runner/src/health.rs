//! [`Health`]: whether outcomes can be stored.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use job_store::StoreError;

use crate::{
    error::EngineError,
    sync::{Condvar, Mutex},
};

/// Remembers that the store failed while something had to be written, until it works again.
#[derive(Debug, Default)]
pub(crate) struct Health {
    bad: AtomicBool,
    error: Mutex<Option<StoreError>>,
    changed: Condvar,
}

impl Health {
    /// # Errors
    /// `Unhealthy`, with what failed last.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        if !self.bad.load(Ordering::Acquire) {
            return Ok(());
        }
        self.error.lock().clone().map_or(Ok(()), |error| Err(EngineError::Unhealthy(error)))
    }

    pub(crate) fn failed(&self, error: &StoreError) {
        *self.error.lock() = Some(error.clone());
        self.bad.store(true, Ordering::Release);
    }

    pub(crate) fn recovered(&self) {
        *self.error.lock() = None;
        self.bad.store(false, Ordering::Release);
        // Others need not wait out their pause.
        self.changed.notify_all();
    }

    /// Ends every pause: there is something new to see.
    pub(crate) fn wake(&self) {
        // Whoever is about to pause has looked under this lock, or will.
        drop(self.error.lock());
        self.changed.notify_all();
    }

    /// Waits before the next try: 10 ms, doubling up to 1 s, less when the store recovers or the engine stops.
    pub(crate) fn pause(&self, failures: u32, stop: impl Fn() -> bool) {
        let millis = 10u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX).min(1_000);
        let mut error = self.error.lock();
        if !stop() {
            self.changed.wait_for(&mut error, Duration::from_millis(millis));
        }
    }
}
