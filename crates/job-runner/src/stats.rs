//! [`Stats`]: what an engine does at one moment.

use std::time::Duration;

use job_core::{JobClass, JobState};
use serde::Serialize;

use crate::{engine_core::EngineCore, error::EngineError, unreadable::Unreadable};

/// What an engine does at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Jobs that read.
    pub read: ClassStats,
    /// Jobs that write.
    pub write: ClassStats,
    /// Waiting jobs that no handler here can run.
    pub unhandled: usize,
    /// Running jobs that were asked to stop and have not yet.
    pub cancelling: usize,
    /// Why the engine is unhealthy; `None` when it is well.
    pub unhealthy: Option<String>,
    /// How often a thread of the engine has panicked outside of every handler and callback, and was started anew.
    pub thread_panics: u64,
    /// Jobs that this engine has met in the store and cannot read. They keep it from nothing else.
    pub unreadable: Vec<Unreadable>,
}

/// The jobs of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClassStats {
    /// Jobs that wait.
    pub waiting: usize,
    /// Jobs that run.
    pub running: usize,
    /// How long the oldest waiting job has waited.
    pub oldest_waiting: Duration,
    /// How long the job that started first has been running.
    pub oldest_running: Duration,
}

impl Stats {
    /// Cost: one pass over the unfinished jobs.
    pub(crate) fn of(shared: &EngineCore) -> Self {
        let now = shared.clock.now();
        let (entries, unhandled) = {
            let scheduler = shared.scheduler();
            (scheduler.registry.all(), scheduler.registry.unhandled())
        };
        let thread_panics = shared.health.panics();
        let mut stats = Self { unhandled, thread_panics, unreadable: shared.aside.all(), ..Self::default() };
        stats.unhealthy = shared.health.report(now).err().map(|error| match error {
            EngineError::Unhealthy(error) => error.to_string(),
            other => other.to_string(),
        });
        for entry in entries {
            let job = entry.lock();
            if !job.place.is_here() {
                continue;
            }
            let record = &job.record;
            let class = match record.spec.options().class {
                JobClass::Read => &mut stats.read,
                JobClass::Write => &mut stats.write,
            };
            match record.state {
                JobState::Waiting => {
                    class.waiting += 1;
                    class.oldest_waiting = class.oldest_waiting.max(now.since(record.submitted_at));
                }
                JobState::Running { cancelling } => {
                    class.running += 1;
                    let started = record.started_at.unwrap_or(now);
                    class.oldest_running = class.oldest_running.max(now.since(started));
                    stats.cancelling += usize::from(cancelling);
                }
                JobState::Complete(_) => {}
            }
        }
        stats
    }
}
