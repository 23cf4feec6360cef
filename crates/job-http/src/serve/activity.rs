//! [`Activity`]: the activity of a connection, and whether it has done nothing for too long.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::options::ServeOptions;

/// The activity of one connection. Its socket and its requests note it, and its task reads it.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// The number of requests whose answers have not ended.
    open: usize,
    /// Whether there was a request before.
    used: bool,
    /// Whether the connection is HTTP/2. The end of an answer may then be unsent without any sign of it.
    shared: bool,
    /// When the last answer ended; before the first one, when the connection began.
    since: Instant,
    /// The time since which the client takes nothing.
    blocked: Option<Instant>,
    /// For HTTP/2, by the number of the request: the time since which a piece of its answer waits. There one
    /// answer can stand still while the client takes others.
    offered: BTreeMap<u64, Instant>,
    requests: u64,
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client sends no request.
    Idle,
    /// The client does not take the answer.
    Stalled,
}

impl State {
    const fn new(now: Instant) -> Self {
        Self {
            open: 0,
            used: false,
            shared: false,
            since: now,
            blocked: None,
            offered: BTreeMap::new(),
            requests: 0,
        }
    }

    fn verdict(&self, now: Instant, options: &ServeOptions, draining: bool) -> Option<Verdict> {
        let over = |since: &Instant, time| now.duration_since(*since) >= time;
        if self.blocked.iter().chain(self.offered.values()).any(|since| over(since, options.stall_time)) {
            return Some(Verdict::Stalled);
        }
        let time = if self.used { options.idle_time } else { options.head_time };
        let silent = self.open == 0 && self.blocked.is_none();
        (silent && (draining && !self.shared || over(&self.since, time))).then_some(Verdict::Idle)
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::new(Instant::now()))))
    }

    /// Why the connection has to be closed; `None` if it may stay open.
    pub(super) fn verdict(&self, options: &ServeOptions, draining: bool) -> Option<Verdict> {
        self.0.lock().verdict(Instant::now(), options, draining)
    }

    /// Notes that the client takes nothing, or takes bytes again.
    pub(super) fn blocked(&self, blocked: bool) {
        self.0.lock().blocked = blocked.then(Instant::now);
    }

    /// Notes a new request. `shared`: whether it is one of several at once on the connection.
    pub(super) fn begin(&self, shared: bool) -> Request {
        let mut state = self.0.lock();
        state.open += 1;
        state.shared = shared;
        state.used = true;
        state.requests += 1;
        Request { activity: self.clone(), number: state.requests }
    }
}

/// A request whose answer has not ended; dropped when it has.
#[derive(Debug)]
pub(super) struct Request {
    activity: Activity,
    number: u64,
}

impl Request {
    /// Notes that a piece of the answer waits, or that the last one was taken.
    pub(super) fn offered(&self, offered: bool) {
        let mut state = self.activity.0.lock();
        if offered {
            state.offered.insert(self.number, Instant::now());
        } else {
            state.offered.remove(&self.number);
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.activity.0.lock();
        state.offered.remove(&self.number);
        state.open -= 1;
        state.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_connection_is_closed_by_this_table() {
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let options = ServeOptions::default()
            .head_time(Duration::from_secs(10))
            .idle_time(Duration::from_mins(1))
            .stall_time(Duration::from_secs(30));
        let (idle, stalled) = (Some(Verdict::Idle), Some(Verdict::Stalled));
        for (open, used, since, blocked, offered, now, draining, expected) in [
            // Silent, or in the middle of its first head.
            (0, false, 0, None, None, 9, false, None),
            (0, false, 0, None, None, 10, false, idle),
            (0, false, 0, None, None, 1, true, idle),
            // Between requests.
            (0, true, 5, None, None, 64, false, None),
            (0, true, 5, None, None, 65, false, idle),
            (0, true, 5, None, None, 5, true, idle),
            // The client has not taken the end of an answer, or may not have.
            (0, true, 5, Some(5), None, 6, true, None),
            // A request is being answered, for any time.
            (1, true, 0, None, None, 9_999, false, None),
            (1, true, 0, None, None, 9_999, true, None),
            // The client takes nothing from the socket, or nothing of one answer among others.
            (1, true, 0, Some(100), None, 129, false, None),
            (1, true, 0, Some(100), None, 130, false, stalled),
            (2, true, 0, None, Some(100), 130, true, stalled),
            // The client has not taken the end of an answer.
            (0, true, 100, Some(100), None, 130, false, stalled),
        ] {
            let mut state = State::new(second(since));
            (state.open, state.used, state.blocked) = (open, used, blocked.map(second));
            state.offered = offered.map(|since| (1, second(since))).into_iter().collect();
            let row = (open, used, since, blocked, offered, now, draining);
            assert_eq!(state.verdict(second(now), &options, draining), expected, "{row:?}");
        }
    }

    #[test]
    fn requests_are_counted_until_their_answers_are_dropped() {
        let activity = Activity::new();
        let (first, second) = (activity.begin(true), activity.begin(true));
        second.offered(true);
        drop(second);
        assert!(activity.0.lock().offered.is_empty());
        assert_eq!(activity.0.lock().open, 1);
        drop(first);
        assert_eq!(activity.verdict(&ServeOptions::default(), true), None, "its end may be on its way");
        drop(activity.begin(false));
        assert_eq!(activity.verdict(&ServeOptions::default(), true), Some(Verdict::Idle));
    }
}
