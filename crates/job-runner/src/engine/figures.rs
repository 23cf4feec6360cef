//! [`Figures`]: the load of an engine now and in the last 15 minutes.

use std::time::Duration;

use job_core::Timestamp;

/// The load of one engine: now, and in the last 15 minutes. It comes from the engine's own memory, so neither a
/// store nor a job can delay it. Of engines that share a store, each has figures of its own.
///
/// ```
/// use std::sync::Arc;
/// use job_runner::{Engine, Figures, JobContext, JobSpec, store::MemoryStore};
///
/// let engine = Engine::builder(Arc::new(MemoryStore::default()))
///     .algorithm("answer", |_: &mut JobContext| Ok(()))
///     .open()?;
/// engine.submit(JobSpec::algorithm("answer").with_graph("movies"))?.wait()?;
/// let figures = engine.figures();
/// assert!(figures.samples.len() <= Figures::SAMPLES);
/// assert_eq!(figures.samples.iter().map(|sample| sample.starts).sum::<u64>(), 1);
/// # Ok::<(), job_runner::EngineError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Whether other engines may work on the same store, so that these figures are of a part of its jobs.
    pub shared: bool,
    /// Workers of the engine; 0 if it runs no jobs by itself.
    pub workers: usize,
    /// Jobs of this engine that wait.
    pub waiting: usize,
    /// Jobs that its workers have, up to the store of their ends.
    pub running: usize,
    /// Attempts that began in the last six whole periods, which are a minute.
    pub starts_last_minute: u64,
    /// Half of the jobs that began in the last 15 minutes had waited for at most this time. It is rounded up, by less
    /// than an eighth. `None` if no job began.
    pub wait_p50: Option<Duration>,
    /// As `wait_p50`, for 99 of 100 jobs.
    pub wait_p99: Option<Duration>,
    /// The last periods, the oldest first. The newest goes on.
    pub samples: Vec<Sample>,
}

impl Figures {
    /// The most samples.
    pub const SAMPLES: usize = 90;
    /// The time that a sample stands for.
    pub const PERIOD: Duration = Duration::from_secs(10);
}

/// The figures of one period of [`Figures::PERIOD`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// When the period began.
    pub at: Timestamp,
    /// Jobs that waited near the end of the period; `None` if the engine did not look.
    pub waiting: Option<usize>,
    /// Jobs that ran then.
    pub running: Option<usize>,
    /// Attempts that began in the period.
    pub starts: u64,
    /// As [`Figures::wait_p50`], of the jobs that began in the period.
    pub wait_p50: Option<Duration>,
    /// As [`Figures::wait_p99`], of the jobs that began in the period.
    pub wait_p99: Option<Duration>,
}
