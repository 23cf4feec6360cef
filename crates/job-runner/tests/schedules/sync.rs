//! The engine's locks and threads, all of them the scheduler's. Only what the engine uses.

use std::{
    cell::Cell,
    fmt,
    ops::{Deref, DerefMut},
    sync::PoisonError,
    time::{Duration, Instant},
};

pub(crate) use shuttle::{thread, thread_local};

thread_local! {
    /// The locks that this thread holds.
    static HELD: Cell<usize> = Cell::new(0);
}

/// Panics where this thread holds a lock of an engine.
pub(crate) fn assert_none_held() {
    let held = HELD.with(Cell::get);
    assert!(held == 0, "{held} locks of the engine are held across a call to the store");
}

fn count(more: isize) {
    HELD.with(|held| held.set(held.get().saturating_add_signed(more)));
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// Absent only while a condition is waited for.
    held: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let held = Some(self.relock());
        count(1);
        MutexGuard { mutex: self, held }
    }

    fn relock(&self) -> shuttle::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        count(-1);
    }
}

#[expect(clippy::expect_used, reason = "a guard that can be seen holds its lock")]
impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_deref().expect("held")
    }
}

#[expect(clippy::expect_used, reason = "a guard that can be seen holds its lock")]
impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_deref_mut().expect("held")
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held.fmt(f)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

/// That a timed wait came to its end.
pub(crate) struct TimedOut;

impl TimedOut {
    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) const fn timed_out(&self) -> bool {
        true
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        guard.held = guard.held.take().map(|held| self.0.wait(held).unwrap_or_else(PoisonError::into_inner));
    }

    /// The time is over as soon as others have had a chance: no order of events depends on how long it was.
    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) -> TimedOut {
        guard.held = None;
        thread::yield_now();
        guard.held = Some(guard.mutex.relock());
        TimedOut
    }

    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) -> TimedOut {
        self.wait_for(guard, Duration::ZERO)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}
