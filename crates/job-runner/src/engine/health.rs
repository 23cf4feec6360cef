//! [`Health`]: whether outcomes can be stored, and whether the engine's threads live.

use std::{
    process,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use job_core::Timestamp;
use job_store::{ErrorKind, StoreError};

use crate::{
    job::error::EngineError,
    seam::sync::{Condvar, Mutex, thread},
};

/// Holds the last failed write to the store until the store works again, and the last panic of a thread of the
/// engine.
#[derive(Debug)]
pub(crate) struct Health {
    /// The process that has the threads of the engine.
    process: u32,
    bad: AtomicBool,
    error: Mutex<Option<StoreError>>,
    changed: Condvar,
    panics: AtomicU64,
    panicked: Mutex<Option<Panicked>>,
}

/// The last panic of a thread of the engine.
#[derive(Debug)]
struct Panicked {
    at: Timestamp,
    thread: String,
    message: String,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            process: process::id(),
            bad: AtomicBool::default(),
            error: Mutex::default(),
            changed: Condvar::default(),
            panics: AtomicU64::default(),
            panicked: Mutex::default(),
        }
    }
}

impl Health {
    /// How long the panic of a thread is reported, by the clock of the engine.
    const TOLD: Duration = Duration::from_mins(1);

    /// The answer of [`Engine::health`](crate::Engine::health).
    ///
    /// # Errors
    /// As [`check`](Self::check), and `ThreadPanicked` for a minute after a panic.
    pub(crate) fn report(&self, now: Timestamp) -> Result<(), EngineError> {
        self.check()?;
        match &*self.panicked.lock() {
            Some(last) if now.since(last.at) < Self::TOLD => {
                Err(EngineError::ThreadPanicked { thread: last.thread.clone(), message: last.message.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Notes a panic of the calling thread outside of the code of hosts.
    pub(crate) fn panicked(&self, message: String, at: Timestamp) {
        let thread = thread::current().name().unwrap_or("of the host").to_owned();
        self.panics.fetch_add(1, Ordering::Relaxed);
        *self.panicked.lock() = Some(Panicked { at, thread, message });
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Whether outcomes can be stored.
    ///
    /// # Errors
    /// `Unhealthy`, with the last failure. Also, at any time, in a process that was forked from the one that
    /// opened the engine.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        if process::id() != self.process {
            return Err(EngineError::Unhealthy(forked_from(self.process)));
        }
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
        // Other threads end their pause, since the store answers again.
        self.changed.notify_all();
    }

    /// Ends every pause after a change.
    pub(crate) fn wake(&self) {
        // A thread that is about to pause has checked under this lock, or will.
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

fn forked_from(process: u32) -> StoreError {
    let detail = format!(
        "process {process} has the engine, and this one was forked from it: nothing would run here; open engines after \
         forking"
    );
    StoreError::new(ErrorKind::AlreadyOpen, "use the engine", detail)
}
