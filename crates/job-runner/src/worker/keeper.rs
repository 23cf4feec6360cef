//! The keeper and the sweeper: threads that do what is due.

use std::{sync::Arc, time::Duration};

use crate::{
    decide::retention::Retention,
    engine::{core::EngineCore, metrics::Metrics, scheduler::Phase},
    seam::sync::Instant,
};

/// The keeper's life: deadlines when they are due, and nothing else that could keep it from them.
pub(super) fn keep(engine: &Arc<EngineCore>) {
    /// A clock may jump.
    const AT_MOST: Duration = Duration::from_secs(10);
    while engine.keeper_waits(AT_MOST) {
        engine.expire();
        engine.clear_suspect();
    }
}

/// The sweeper's life: notes what was read, sets gauges, removes what is not kept. It never touches a page.
pub(super) fn sweep(engine: &Arc<EngineCore>) {
    const READS_EVERY: Duration = Duration::from_secs(5);
    const GAUGES_EVERY: Duration = Duration::from_secs(10);
    // A process that never lives long sweeps too.
    let (mut swept, mut gauged) = (None::<Instant>, Instant::now());
    loop {
        if let Err(error) = engine.sweep_reads() {
            tracing::warn!(%error, "when results were last read could not be noted; it is tried again");
        }
        if engine.config.workers() > 0 && gauged.elapsed() >= GAUGES_EVERY {
            Metrics::gauges(&engine.stats());
            gauged = Instant::now();
        }
        if swept.is_none_or(|swept| swept.elapsed() >= Retention::EVERY) {
            if let Err(error) = engine.sweep_surplus() {
                tracing::warn!(%error, "finished jobs could not be swept; it is tried again");
            }
            swept = Some(Instant::now());
        }
        if !engine.reads.rest(READS_EVERY) {
            return;
        }
    }
}

impl EngineCore {
    /// Waits until the keeper has something to do; `false` when it is to end.
    fn keeper_waits(&self, at_most: Duration) -> bool {
        // A suspect that could not be cleared in time is tried again at the next task of this thread.
        let now = self.clock.now();
        let cleared = self.running_suspect().map(|(_, due)| due).filter(|due| *due > now);
        let mut scheduler = self.scheduler();
        if scheduler.phase == Phase::Closed {
            return false;
        }
        let deadline = scheduler.deadlines.first().map(|&(due, _)| due);
        let next = deadline.into_iter().chain(cleared).min().map(|due| due.since(self.clock.now()));
        let pause = next.map_or(at_most, |next| next.min(at_most)).max(Duration::from_millis(1));
        self.keeper.wait_for(&mut scheduler, pause);
        scheduler.phase != Phase::Closed
    }
}
