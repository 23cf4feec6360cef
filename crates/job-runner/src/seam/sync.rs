//! The locks and threads of the engine, its clock for waits and its source of randomness, named in one place.
//! `tests/schedules` compiles the same sources with the types of a scheduler that tries many orders.
//!
//! No lock is held across a call to the store, so a store that does not answer blocks only its caller. Debug
//! builds, and tests by the feature `checked-locks`, count the locks of a thread and panic if one is held.

pub(crate) use std::{thread, thread_local, time::Instant};

pub(crate) use crossbeam_channel::{Receiver, Sender, unbounded};

use uuid::Uuid;

#[cfg(any(debug_assertions, feature = "checked-locks"))]
pub(crate) use self::checked::{Condvar, Mutex, MutexGuard, assert_none_held};
#[cfg(not(any(debug_assertions, feature = "checked-locks")))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

/// Random bytes, with the fixed bits of version and variant of a UUID.
pub(crate) fn random() -> [u8; 16] {
    Uuid::new_v4().into_bytes()
}

/// Called before a call to the store. Does nothing if locks are not counted.
#[cfg(not(any(debug_assertions, feature = "checked-locks")))]
pub(crate) const fn assert_none_held() {}

#[cfg(any(debug_assertions, feature = "checked-locks"))]
mod checked {
    use std::{
        cell::Cell,
        fmt,
        ops::{Deref, DerefMut},
        time::{Duration, Instant},
    };

    use parking_lot::WaitTimeoutResult;

    thread_local! {
        /// The locks that this thread holds.
        static HELD: Cell<usize> = const { Cell::new(0) };
    }

    /// Panics if this thread holds a lock of an engine.
    pub(crate) fn assert_none_held() {
        let held = HELD.get();
        assert!(held == 0, "{held} locks of the engine are held across a call to the store");
    }

    #[derive(Default)]
    pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(parking_lot::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            let held = self.0.lock();
            HELD.set(HELD.get() + 1);
            MutexGuard(held)
        }
    }

    impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    pub(crate) struct MutexGuard<'a, T>(parking_lot::MutexGuard<'a, T>);

    impl<T> Drop for MutexGuard<'_, T> {
        fn drop(&mut self) {
            HELD.set(HELD.get() - 1);
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        pub(crate) const fn new() -> Self {
            Self(parking_lot::Condvar::new())
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            self.0.wait(&mut guard.0);
        }

        pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> WaitTimeoutResult {
            self.0.wait_for(&mut guard.0, timeout)
        }

        pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, until: Instant) -> WaitTimeoutResult {
            self.0.wait_until(&mut guard.0, until)
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
