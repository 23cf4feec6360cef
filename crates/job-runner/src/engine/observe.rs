//! Counts the jobs and the starts of an engine.

use job_core::{JobClass, JobRecord, JobState};

use crate::{
    engine::{core::EngineCore, figures::Figures, metrics::Metrics, recent::Load, stats::Stats},
    job::error::EngineError,
};

impl EngineCore {
    /// Counts an attempt that began.
    pub(crate) fn started(&self, record: &JobRecord) {
        self.metrics.started(record);
        let waited = record.started_at.filter(|_| record.attempt == 1).map(|at| at.since(record.submitted_at));
        self.recent.started(self.clock.now(), waited);
    }

    /// Sets the gauges, and notes the load.
    pub(crate) fn gauge(&self) {
        self.note_load();
        Metrics::gauges(&self.stats());
    }

    /// Notes the load for the figures of the last minutes.
    pub(crate) fn note_load(&self) {
        self.recent.note(self.clock.now(), self.load());
    }

    pub(crate) fn figures(&self) -> Figures {
        let figures = self.recent.figures(self.clock.now(), self.load());
        Figures { shared: !self.source.queues(), workers: self.config.workers(), ..figures }
    }

    /// The jobs at this moment. It takes the lock of no job, so that nothing delays it.
    fn load(&self) -> Load {
        let scheduler = self.scheduler();
        let waiting = scheduler.queue.waiting_in_all() + scheduler.registry.unhandled();
        Load { waiting, running: scheduler.running }
    }

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
