//! [`Signal`]: the notification of a job. Threads, tasks and callbacks wait for it.
//!
//! The crate `event-listener` does not fit. It calls wakers under its lock, but a waker is code of the host: it
//! may panic, hang, or call the same job. Its threads also park where the scheduler of `tests/schedules` does not
//! see them, so a schedule would never end. Here threads wait by `seam::sync`, and wakers are called under no
//! lock.

use std::{
    collections::BTreeMap,
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

use job_core::JobRecord;

use crate::seam::{
    shield,
    sync::{Condvar, Instant, Mutex, MutexGuard},
};

/// The callbacks of a complete job.
pub(crate) type Callback = Box<dyn FnOnce(&JobRecord) + Send>;

/// The news of a job, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News {
    /// The progress of the job, or its place in the queue.
    Progress,
    /// The record of the job, or the engine that has it.
    State,
    /// Its end.
    End,
}

/// The waiters that are no threads.
pub(crate) enum Listener {
    /// A task, and the least news that it waits for. The task has no waker before its first poll.
    Task(News, Option<Waker>),
    /// A callback, to be called at the end.
    Callback(Callback),
}

impl Listener {
    fn is_told(&self, news: News) -> bool {
        match self {
            Self::Task(least, _) => *least <= news,
            Self::Callback(_) => news == News::End,
        }
    }
}

/// Wakes all waiters, which then look at the job again. Each listener is woken once, and then removed.
#[derive(Default)]
pub(crate) struct Signal {
    threads: Condvar,
    /// The number of listeners, which is 0 for most jobs.
    count: AtomicUsize,
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    next: u64,
    /// The listeners, in the order in which they began to wait.
    waiting: BTreeMap<u64, Listener>,
}

impl Drop for Listeners {
    fn drop(&mut self) {
        shield::discard_all(mem::take(&mut self.waiting).into_values());
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("listeners", &self.count).finish_non_exhaustive()
    }
}

impl Signal {
    /// Waits until the threads are woken, or until `until`. Returns whether that time came first.
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>, until: Option<Instant>) -> bool {
        match until {
            None => {
                self.threads.wait(guard);
                false
            }
            Some(until) => self.threads.wait_until(guard, until).timed_out(),
        }
    }

    /// Wakes the threads.
    pub(crate) fn wake_threads(&self) {
        self.threads.notify_all();
    }

    /// How many listeners there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Adds a listener. The caller must look at the awaited state after this call, or hold the lock of that state
    /// during it. Otherwise a change just before is missed.
    pub(crate) fn add(&self, listener: Listener) -> u64 {
        let mut listeners = self.listeners.lock();
        let key = listeners.next;
        listeners.next += 1;
        listeners.waiting.insert(key, listener);
        self.count.store(listeners.waiting.len(), Ordering::Release);
        key
    }

    fn remove(&self, key: u64) -> Option<Listener> {
        let mut listeners = self.listeners.lock();
        let removed = listeners.waiting.remove(&key);
        self.count.store(listeners.waiting.len(), Ordering::Release);
        removed
    }

    /// Replaces the waker of a task; `false` if the listener was woken already.
    fn replace(&self, key: u64, waker: &Waker) -> bool {
        // Cloning and dropping a waker runs code of the host, so not under the lock.
        let mut waker = Some(waker.clone());
        let mut listeners = self.listeners.lock();
        let known = match listeners.waiting.get_mut(&key) {
            Some(Listener::Task(_, known)) => {
                mem::swap(known, &mut waker);
                true
            }
            _ => false,
        };
        drop(listeners);
        shield::discard(waker);
        known
    }

    /// Wakes the tasks that wait for these news. Returns the callbacks to call. The caller holds no lock.
    pub(crate) fn tell(&self, news: News) -> Vec<Callback> {
        if self.count() == 0 {
            return Vec::new();
        }
        let mut listeners = self.listeners.lock();
        let told: Vec<_> = listeners.waiting.extract_if(.., |_, listener| listener.is_told(news)).collect();
        self.count.store(listeners.waiting.len(), Ordering::Release);
        drop(listeners);
        told.into_iter().filter_map(|(_, listener)| wake(listener)).collect()
    }
}

/// Wakes a task, whose code may panic. Returns a callback.
fn wake(listener: Listener) -> Option<Callback> {
    let waker = match listener {
        Listener::Task(_, waker) => waker,
        Listener::Callback(callback) => return Some(callback),
    };
    if let Err(message) = shield::run(|| waker.map(Waker::wake)) {
        shield::log(|| tracing::error!(message, "the waker of a task that waits for a job panicked"));
    }
    None
}

/// A listener that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Listening<T: AsRef<Signal>> {
    of: Arc<T>,
    key: u64,
}

impl<T: AsRef<Signal>> Listening<T> {
    /// As [`Signal::add`].
    pub(crate) fn begin(of: &Arc<T>, listener: Listener) -> Self {
        Self { of: Arc::clone(of), key: of.as_ref().as_ref().add(listener) }
    }

    /// Whether the listener still waits. Then it wakes `waker`.
    pub(crate) fn goes_on(&self, waker: &Waker) -> bool {
        self.of.as_ref().as_ref().replace(self.key, waker)
    }
}

impl<T: AsRef<Signal>> Drop for Listening<T> {
    fn drop(&mut self) {
        shield::discard(self.of.as_ref().as_ref().remove(self.key));
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Owner(Signal);

    impl AsRef<Signal> for Owner {
        fn as_ref(&self) -> &Signal {
            &self.0
        }
    }

    #[test]
    fn each_listener_is_told_once_and_of_what_it_waits_for() {
        let signal = Signal::default();
        let woken = Arc::<Count>::default();
        let waker = || Some(Waker::from(Arc::clone(&woken)));
        for least in [News::End, News::Progress, News::State, News::Progress] {
            signal.add(Listener::Task(least, waker()));
        }
        signal.add(Listener::Callback(Box::new(|_| ())));
        let tell = |news| (signal.tell(news).len(), woken.0.swap(0, Ordering::SeqCst), signal.count());
        assert_eq!([tell(News::Progress), tell(News::Progress)], [(0, 2, 3), (0, 0, 3)]);
        assert_eq!([tell(News::State), tell(News::End), tell(News::End)], [(0, 1, 2), (1, 1, 0), (0, 0, 0)]);
        assert_eq!(Arc::strong_count(&woken), 1);
    }

    #[test]
    fn what_has_been_told_takes_no_waker_and_what_is_dropped_leaves_none() {
        let owner = Arc::new(Owner(Signal::default()));
        let woken = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let listen = || Listening::begin(&owner, Listener::Task(News::State, None));
        let (first, second) = (listen(), listen());
        for _ in 0..3 {
            assert!(first.goes_on(&waker));
        }
        assert_eq!(Arc::strong_count(&woken), 3, "one waker, of the last poll");
        drop(second);
        assert!(owner.0.tell(News::State).is_empty());
        assert!(!first.goes_on(&waker));
        drop((first, listen()));
        assert_eq!((Arc::strong_count(&woken), owner.0.count()), (2, 0));
    }
}
