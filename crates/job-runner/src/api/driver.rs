//! [`Driver`]: an engine without threads, step by step.

use std::sync::Arc;

use job_core::{JobId, Timestamp};

use crate::{engine::core::EngineCore, job::error::EngineError, record::attempt, worker::run};

/// Drives an engine on the calling thread: [`Engine::driver`](crate::Engine::driver). With a
/// [`ManualClock`](crate::ManualClock), the engine does only what the caller asks for.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use job_runner::{Engine, JobContext, JobError, JobSpec, ManualClock, store::MemoryStore};
///
/// let clock = Arc::new(ManualClock::default());
/// let engine = Engine::builder(Arc::new(MemoryStore::default()))
///     .algorithm("flaky", |ctx: &mut JobContext| match ctx.attempt() {
///         1 => Err(JobError::transient("not now")),
///         _ => Ok(()),
///     })
///     .clock(Arc::<ManualClock>::clone(&clock))
///     .manual()
///     .open()?;
/// let job = engine.submit(JobSpec::algorithm("flaky").with_graph("movies"))?;
/// let driver = engine.driver();
/// assert_eq!(driver.run_until_idle(), [job.id()], "it failed, and is tried again later");
/// clock.set(driver.next_due().unwrap());
/// assert_eq!(driver.run_one(), Some(job.id()));
/// assert!(job.wait()?.state.is_complete());
/// # Ok::<(), job_runner::EngineError>(())
/// ```
#[derive(Debug)]
pub struct Driver<'e> {
    core: &'e Arc<EngineCore>,
}

impl<'e> Driver<'e> {
    pub(crate) const fn new(core: &'e Arc<EngineCore>) -> Self {
        Self { core }
    }

    /// Runs one attempt of the next job, after it has stored earlier failed writes. `None` if no job is ready, or
    /// the store fails.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn run_one(&self) -> Option<JobId> {
        if !attempt::catch_up(self.core) {
            return None;
        }
        let entry = self.core.try_next()?;
        run::run(self.core, &entry);
        Some(entry.id)
    }

    /// Runs attempts until no job is ready, and returns the jobs that ran, in their order. Does not advance the
    /// clock.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn run_until_idle(&self) -> Vec<JobId> {
        std::iter::from_fn(|| self.run_one()).collect()
    }

    /// Does all work that is due by the clock now. It stores earlier failed writes, ends jobs whose deadline has
    /// passed, clears suspects and sets gauges. It removes jobs that [`Retention`](crate::Retention) does not keep,
    /// and notes reads. On a shared store it also renews leases, looks for changes and claims jobs.
    ///
    /// # Errors
    /// When the store fails.
    pub fn tick(&self) -> Result<(), EngineError> {
        attempt::catch_up(self.core);
        self.core.source.tick(self.core)?;
        self.core.expire();
        self.core.clear_suspect();
        self.core.gauge();
        self.core.sweep()
    }

    /// The next time at which a waiting job is due or a deadline passes; `None` if no job waits for a time.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let scheduler = self.core.scheduler();
        let deadline = scheduler.deadlines.first().map(|&(due, _)| due);
        scheduler.queue.next_due().into_iter().chain(deadline).min()
    }
}
