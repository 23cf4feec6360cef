//! The locks, threads, time and randomness of the scheduler, as far as the engine uses them.

use std::{
    cell::Cell,
    collections::VecDeque,
    fmt, iter,
    ops::{Deref, DerefMut},
    sync::{Arc, PoisonError},
    time::Duration,
};

pub(crate) use shuttle::{thread, thread_local};

pub(crate) use crate::time::Instant;
use crate::time::{self, Waits};

/// Random bytes, which the schedule decides.
pub(crate) fn random() -> [u8; 16] {
    (u128::from(time::random()) << 64 | u128::from(time::random())).to_be_bytes()
}

thread_local! {
    /// The locks that this thread holds.
    static HELD: Cell<usize> = Cell::new(0);
}

/// Panics if this thread holds a lock of an engine.
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
    /// `None` only while a condition variable waits.
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

#[derive(Default)]
pub(crate) struct Condvar(Waits);

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}

/// Whether a timed wait reached its time.
pub(crate) struct TimedOut(bool);

impl TimedOut {
    pub(crate) const fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn wait_at_most<T>(&self, guard: &mut MutexGuard<'_, T>, until: Option<Instant>) -> TimedOut {
        count(-1);
        let held = guard.held.take();
        let timed_out = self.0.wait(until, || drop(held));
        guard.held = Some(guard.mutex.relock());
        count(1);
        TimedOut(timed_out)
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_at_most(guard, None);
    }

    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> TimedOut {
        self.wait_at_most(guard, Instant::now().checked_add(timeout))
    }

    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, until: Instant) -> TimedOut {
        self.wait_at_most(guard, Some(until))
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// An unbounded queue, with the calls of `crossbeam_channel` that the engine makes. It is never closed.
pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let queue = Arc::<Queue<T>>::default();
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

#[derive(Debug)]
struct Queue<T> {
    values: Mutex<VecDeque<T>>,
    filled: Condvar,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { values: Mutex::new(VecDeque::new()), filled: Condvar::new() }
    }
}

#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Queue<T>>);

#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Queue<T>>);

impl<T> Sender<T> {
    #[expect(clippy::unnecessary_wraps, reason = "as of the other")]
    pub(crate) fn send(&self, value: T) -> Result<(), ()> {
        self.0.values.lock().push_back(value);
        self.0.filled.notify_one();
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values.lock().len()
    }
}

impl<T> Receiver<T> {
    #[expect(clippy::unnecessary_wraps, reason = "as of the other")]
    pub(crate) fn recv(&self) -> Result<T, ()> {
        let mut values = self.0.values.lock();
        loop {
            match values.pop_front() {
                Some(value) => return Ok(value),
                None => self.0.filled.wait(&mut values),
            }
        }
    }

    pub(crate) fn try_iter(&self) -> impl Iterator<Item = T> {
        iter::from_fn(|| self.0.values.lock().pop_front())
    }
}
