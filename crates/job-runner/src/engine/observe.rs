//! Counts the jobs of an engine.

use job_core::{JobClass, JobState};

use crate::{
    engine::{core::EngineCore, stats::Stats},
    job::error::EngineError,
};

impl EngineCore {
    /// Cost: one pass over the unfinished jobs.
    pub(crate) fn stats(&self) -> Stats {
        let now = self.clock.now();
        let (entries, unhandled) = {
            let scheduler = self.scheduler();
            (scheduler.registry.all(), scheduler.registry.unhandled())
        };
        let thread_panics = self.health.panics();
        let mut stats = Stats { unhandled, thread_panics, unreadable: self.aside.all(), ..Stats::default() };
        stats.unhealthy = self.health.report(now).err().map(|error| match error {
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
