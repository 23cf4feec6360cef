//! [`Config`]: what an engine is set to.

use std::time::Duration;

use job_store::{Durability, LONGEST_PAUSE};

use crate::{
    decide::{outcome::RetryPolicy, retention::Retention},
    job::error::InvalidOption,
};

/// What an engine is set to.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) workers: usize,
    pub(crate) threads: usize,
    pub(crate) queue_bound: usize,
    pub(crate) per_graph: usize,
    pub(crate) per_class: [usize; 2],
    pub(crate) ageing: Duration,
    pub(crate) durability: Durability,
    pub(crate) retry: RetryPolicy,
    pub(crate) checkpoint_every: Duration,
    pub(crate) stop_grace: Duration,
    pub(crate) retention: Retention,
    pub(crate) sharing: Sharing,
}

impl Config {
    /// Whether an engine can work so: a job is claimed for longer than it takes to renew the claim, nobody looks all the
    /// time or never, and sums of times do not overflow.
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        const THREADS: usize = 10_000;
        const DAY: Duration = Duration::from_hours(24);
        const YEAR: Duration = Duration::from_hours(24 * 365);
        let milli = Duration::from_millis(1);
        InvalidOption::check("workers", &self.workers, 0..=THREADS)?;
        InvalidOption::check("threads", &self.threads, 1..=THREADS)?;
        InvalidOption::check("queue_bound", &self.queue_bound, 1..=usize::MAX)?;
        InvalidOption::check("ageing", &self.ageing, milli..=YEAR)?;
        InvalidOption::check("checkpoint_every", &self.checkpoint_every, Duration::ZERO..=YEAR)?;
        InvalidOption::check("stop_grace", &self.stop_grace, Duration::ZERO..=DAY)?;
        InvalidOption::check("lease", &self.sharing.lease, 100 * milli..=DAY)?;
        InvalidOption::check("poll", &self.sharing.poll, milli..=DAY)?;
        InvalidOption::check("backlog", &self.sharing.backlog, 0..=1_000_000)?;
        let RetryPolicy { first, most } = self.retry;
        InvalidOption::check("retry (most)", &most, Duration::ZERO..=LONGEST_PAUSE)?;
        // No pause at all is one that cannot grow.
        let least = if most.is_zero() { Duration::ZERO } else { Duration::from_micros(1) };
        InvalidOption::check("retry (first)", &first, least..=most)
    }
}

/// How an engine shares its store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sharing {
    /// How long a claim lasts when it is not renewed.
    pub(crate) lease: Duration,
    /// The most jobs that are claimed ahead of the workers.
    pub(crate) backlog: usize,
    /// How long nothing is heard before the store is looked at all the same.
    pub(crate) poll: Duration,
}
