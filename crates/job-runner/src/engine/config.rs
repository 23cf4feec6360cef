//! [`Config`]: the options of an engine.

use std::time::Duration;

use job_core::JobKind;
use job_store::{Durability, LONGEST_PAUSE};

use crate::{
    decide::{outcome::RetryPolicy, retention::Retention},
    job::error::InvalidOption,
};

/// The threads that do the work of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The engine starts this number of worker threads.
    Workers(usize),
    /// No thread: the caller drives the engine step by step.
    Manual,
    /// No worker: the engine only submits and reads.
    FrontEnd,
}

/// The options of an engine.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    pub(crate) threads: usize,
    pub(crate) queue_bound: usize,
    pub(crate) per_graph: usize,
    pub(crate) per_class: [usize; 2],
    pub(crate) priority_aging: Duration,
    pub(crate) durability: Durability,
    pub(crate) retry: RetryPolicy,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) retention: Retention,
    pub(crate) sharing: Sharing,
    /// Takes jobs that no handler here can run.
    pub(crate) any_kind: bool,
    /// Where chance begins, in a test that runs the same each time.
    pub(crate) seed: Option<u64>,
}

impl Config {
    /// The number of worker threads.
    pub(crate) const fn workers(&self) -> usize {
        match self.mode {
            Mode::Workers(workers) => workers,
            Mode::Manual | Mode::FrontEnd => 0,
        }
    }

    /// Checks the options. A claim lasts longer than its renewal takes. No pause is zero or endless, and sums of
    /// times do not overflow. A front end has no handler.
    pub(crate) fn check(&self, handlers: &[JobKind]) -> Result<(), InvalidOption> {
        const THREADS: usize = 10_000;
        const DAY: Duration = Duration::from_hours(24);
        const YEAR: Duration = Duration::from_hours(24 * 365);
        let milli = Duration::from_millis(1);
        if let Mode::Workers(workers) = self.mode {
            InvalidOption::check("workers", &workers, 1..=THREADS)?;
        }
        InvalidOption::check("threads", &self.threads, 1..=THREADS)?;
        InvalidOption::check("queue_bound", &self.queue_bound, 1..=usize::MAX)?;
        InvalidOption::check("priority_aging", &self.priority_aging, milli..=YEAR)?;
        InvalidOption::check("checkpoint_interval", &self.checkpoint_interval, Duration::ZERO..=YEAR)?;
        InvalidOption::check("shutdown_timeout", &self.shutdown_timeout, Duration::ZERO..=DAY)?;
        InvalidOption::check("lease_duration", &self.sharing.lease, 100 * milli..=DAY)?;
        InvalidOption::check("poll_interval", &self.sharing.poll, milli..=DAY)?;
        InvalidOption::check("max_prefetch", &self.sharing.max_prefetch, 0..=1_000_000)?;
        let RetryPolicy { initial_backoff: first, max_backoff: most } = self.retry;
        InvalidOption::check("retry (max_backoff)", &most, Duration::ZERO..=LONGEST_PAUSE)?;
        // Both pauses may be zero. A first pause of zero alone could not grow.
        let least = if most.is_zero() { Duration::ZERO } else { Duration::from_micros(1) };
        InvalidOption::check("retry (initial_backoff)", &first, least..=most)?;
        match handlers.first() {
            Some(first) if self.mode == Mode::FrontEnd => Err(InvalidOption {
                option: "front_end",
                value: format!("set with a handler for {first}"),
                range: "without handlers".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// How an engine shares its store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sharing {
    /// How long a claim lasts unless it is renewed.
    pub(crate) lease: Duration,
    /// The most jobs that are claimed ahead of the workers.
    pub(crate) max_prefetch: usize,
    /// The time after which the store is looked at even without a notice.
    pub(crate) poll: Duration,
}
