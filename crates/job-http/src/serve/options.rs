//! [`ServeOptions`]: bounds on connections.

use std::time::Duration;

/// Bounds on each connection and on all of them together. Each has a default. [`serve`](crate::serve) refuses a
/// value out of range before it serves anything.
///
/// ```
/// use std::time::Duration;
/// use job_http::ServeOptions;
///
/// let options = ServeOptions::default().connections(2_000).drain_time(Duration::from_secs(25));
/// assert!(options.check().is_ok());
/// let refused = options.idle_time(Duration::ZERO).check().unwrap_err();
/// assert_eq!(refused.to_string(), "idle_time is 0ns: it must be from 1ms to 24h");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    pub(super) head_time: Duration,
    pub(super) body_time: Duration,
    pub(super) idle_time: Duration,
    pub(super) stall_time: Duration,
    pub(super) drain_time: Duration,
    pub(super) connections: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(65),
            stall_time: Duration::from_mins(1),
            drain_time: Duration::from_secs(10),
            connections: 512,
        }
    }
}

/// A value of [`ServeOptions`] that is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}: it must be from {range}")]
pub struct InvalidOptions {
    name: &'static str,
    value: String,
    range: &'static str,
}

impl ServeOptions {
    /// How long a new connection may take to send the whole head of its first request; 10 s by default. Then it is
    /// closed. Later requests have [`idle_time`](Self::idle_time).
    #[must_use]
    pub const fn head_time(mut self, time: Duration) -> Self {
        self.head_time = time;
        self
    }

    /// How long the body of a request may take; 30 s by default. Then reading it fails: routes of
    /// [`Api`](crate::Api) answer 408.
    #[must_use]
    pub const fn body_time(mut self, time: Duration) -> Self {
        self.body_time = time;
        self
    }

    /// How long a connection stays open after an answer, until the next request has its whole head. The default is
    /// 65 s, longer than proxies keep idle connections for reuse. Then it is closed.
    #[must_use]
    pub const fn idle_time(mut self, time: Duration) -> Self {
        self.idle_time = time;
        self
    }

    /// How long a client may take no byte of a waiting answer; 60 s by default. Then its connection is closed. A
    /// client that takes a few bytes now and then keeps it.
    #[must_use]
    pub const fn stall_time(mut self, time: Duration) -> Self {
        self.stall_time = time;
        self
    }

    /// How long begun requests may go on after a stop; 10 s by default. Then their connections are closed.
    #[must_use]
    pub const fn drain_time(mut self, time: Duration) -> Self {
        self.drain_time = time;
        self
    }

    /// The most open connections; 512 by default. Further ones wait, unaccepted, in the queue of the system. Each
    /// takes a file descriptor, and the store needs some too: stay well below `ulimit -n`.
    #[must_use]
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Checks the range of all values.
    ///
    /// # Errors
    /// The first value out of its range, with the range. [`serve`](crate::serve) refuses it too.
    pub fn check(&self) -> Result<(), InvalidOptions> {
        let times = [
            ("head_time", self.head_time),
            ("body_time", self.body_time),
            ("idle_time", self.idle_time),
            ("stall_time", self.stall_time),
            ("drain_time", self.drain_time),
        ];
        for (name, time) in times {
            if !(Duration::from_millis(1)..=Duration::from_hours(24)).contains(&time) {
                return Err(InvalidOptions { name, value: format!("{time:?}"), range: "1ms to 24h" });
            }
        }
        if !(1..=1_000_000).contains(&self.connections) {
            let value = self.connections.to_string();
            return Err(InvalidOptions { name: "connections", value, range: "1 to 1000000" });
        }
        Ok(())
    }

    /// The time between two checks of a connection.
    pub(super) fn tick(&self) -> Duration {
        let shortest = self.head_time.min(self.idle_time).min(self.stall_time).min(self.drain_time);
        (shortest / 4).clamp(Duration::from_millis(1), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_makes_no_sense_is_named_with_its_range() {
        let options = ServeOptions::default;
        assert_eq!(options().check(), Ok(()));
        let (zero, year) = (Duration::ZERO, Duration::from_hours(24 * 365));
        for (options, message) in [
            (options().head_time(zero), "head_time is 0ns: it must be from 1ms to 24h"),
            (options().body_time(zero), "body_time is 0ns: it must be from 1ms to 24h"),
            (options().idle_time(year), "idle_time is 31536000s: it must be from 1ms to 24h"),
            (
                options().stall_time(Duration::MAX),
                "stall_time is 18446744073709551615.999999999s: it must be from 1ms to 24h",
            ),
            (options().drain_time(zero), "drain_time is 0ns: it must be from 1ms to 24h"),
            (options().connections(0), "connections is 0: it must be from 1 to 1000000"),
            (
                options().connections(usize::MAX),
                "connections is 18446744073709551615: it must be from 1 to 1000000",
            ),
        ] {
            assert_eq!(options.check().unwrap_err().to_string(), message);
        }
    }
}
