//! Waits for a future on any thread.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// The deadline of a call that begins now: after `timeout`, but no later than clocks can count.
pub(super) fn deadline(timeout: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_hours(24 * 365);
    let now = Instant::now();
    now.checked_add(timeout.min(LONGEST)).unwrap_or(now)
}

/// Waits for `future` until `deadline`; `None` when that comes first.
///
/// The store's own runtime drives the connections, so this thread only sleeps. It may be a thread of the caller's
/// async runtime, where starting another runtime would panic.
pub(super) fn wait<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::future;

    use super::*;

    #[test]
    fn a_future_is_waited_for_until_the_deadline() {
        let now = Instant::now();
        assert_eq!(wait(future::ready(7), now), Some(7));
        assert_eq!(wait(future::pending::<()>(), now + Duration::from_millis(1)), None);
    }

    /// `Instant::now() + Duration::MAX` panics.
    #[test]
    fn a_call_may_take_as_long_as_anybody_can_say() {
        let year = Duration::from_hours(24 * 365);
        for timeout in [Duration::MAX, Duration::from_secs(u64::MAX), year] {
            assert!(deadline(timeout) > Instant::now() + year / 2, "{timeout:?}");
            assert_eq!(wait(future::ready(7), deadline(timeout)), Some(7));
        }
        assert!(deadline(Duration::ZERO) <= Instant::now());
    }
}
