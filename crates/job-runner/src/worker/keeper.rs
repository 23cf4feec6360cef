//! The keeper, a thread for deadlines, and the sweeper, a thread for retention and metrics.

use std::{sync::Arc, time::Duration};

use crate::{
    decide::retention::Retention,
    engine::{core::EngineCore, scheduler::Phase},
    seam::sync::Instant,
};

/// The loop of the keeper. It handles deadlines only, so that no other task delays them.
pub(super) fn keep(engine: &Arc<EngineCore>) {
    /// Bounds the wait, since the clock may jump.
    const AT_MOST: Duration = Duration::from_secs(10);
    while engine.keeper_waits(AT_MOST) {
        engine.expire();
        engine.clear_suspect();
    }
}

/// The loop of the sweeper: notes readings, sets gauges, and removes jobs by retention. It reads no rows.
pub(super) fn sweep(engine: &Arc<EngineCore>) {
    const READS_EVERY: Duration = Duration::from_secs(5);
    const GAUGES_EVERY: Duration = Duration::from_secs(10);
    // The first sweep is at once, for processes that never live long.
    let (mut swept, mut gauged) = (None::<Instant>, Instant::now());
    loop {
        if let Err(error) = engine.sweep_reads() {
            tracing::warn!(%error, "when results were last read could not be noted; it is tried again");
        }
        engine.note_load();
        if engine.config.workers() > 0 && gauged.elapsed() >= GAUGES_EVERY {
            engine.gauge();
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
    /// Waits until the keeper has something to do; `false` if it has to end.
    fn keeper_waits(&self, at_most: Duration) -> bool {
        // A suspect that could not be cleared in time is tried again with the next task of this thread.
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
