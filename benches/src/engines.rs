//! Engines that run no-op jobs, and the ways to put work into them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Result, ensure};
use job_runner::{
    Durability, Engine, EngineBuilder, JobContext, JobHandle, JobSpec, JobState, Outcome, store::Store,
};

/// How many jobs go into one call of a batch.
pub const BATCH: usize = 1_000;

/// A job that does nothing.
#[must_use]
pub fn noop() -> JobSpec {
    JobSpec::algorithm("noop").with_graph("movies")
}

/// An engine over `store` that runs no-op jobs.
#[must_use]
pub fn builder(store: Arc<dyn Store>, durability: Durability) -> EngineBuilder {
    Engine::builder(store)
        .algorithm("noop", |_: &mut JobContext| Ok(()))
        .durability(durability)
        .queue_bound(10_000_000)
}

/// Submits `n` no-op jobs in batches.
///
/// # Errors
/// The errors of the engine.
pub fn submit_batches(engine: &Engine, n: usize) -> Result<Vec<JobHandle>> {
    let mut handles = Vec::with_capacity(n);
    for first in (0..n).step_by(BATCH) {
        handles.extend(engine.submit_all((0..BATCH.min(n - first)).map(|_| noop()))?);
    }
    Ok(handles)
}

/// Waits until every job is complete in the store.
///
/// # Errors
/// When a job did not succeed.
pub fn wait_all(handles: &[JobHandle]) -> Result<()> {
    for handle in handles {
        let record = handle.wait()?;
        ensure!(record.state == JobState::Complete(Outcome::Succeeded), "job {} is {:?}", record.id, record.state);
    }
    Ok(())
}

/// Keeps every worker of an engine busy until the gate is opened, so that jobs wait.
#[derive(Debug, Default)]
pub struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    /// Adds the job that waits at the gate.
    #[must_use]
    pub fn register<S>(self: &Arc<Self>, builder: EngineBuilder<S>) -> EngineBuilder<S> {
        let gate = Arc::clone(self);
        builder.algorithm("gate", move |_: &mut JobContext| {
            let open = gate.open.lock().unwrap_or_else(PoisonError::into_inner);
            drop(gate.changed.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner));
            Ok(())
        })
    }

    /// Submits one job for each of `workers` that waits at the gate, and returns when all of these jobs run.
    ///
    /// # Errors
    /// The errors of the engine.
    pub fn hold(&self, engine: &Engine, workers: usize) -> Result<Vec<JobHandle>> {
        let specs = vec![JobSpec::algorithm("gate").with_graph("movies").priority(100); workers];
        let handles = engine.submit_all(specs)?;
        while !handles.iter().all(|handle| matches!(handle.record().state, JobState::Running { .. })) {
            std::thread::yield_now();
        }
        Ok(handles)
    }

    /// Ends the jobs that wait at the gate.
    pub fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}
