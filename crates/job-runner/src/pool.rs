//! [`Pool`]: the threads of an engine. The only file that starts any.

use std::{sync::Arc, time::Duration};

use crate::{
    completer,
    engine::Shutdown,
    engine_core::{EngineCore, Phase},
    entry::until,
    error::EngineError,
    inside,
    metrics::Metrics,
    retention::Retention,
    shield,
    stats::Stats,
    sync::{Instant, Mutex, thread},
    worker,
};

/// The worker threads and the keeper. They hold the shared part of the engine, never the engine itself.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Pool {
    pub(crate) fn start(&self, shared: &Arc<EngineCore>) -> Result<(), EngineError> {
        let pool = self;
        let started = (0..shared.config.workers)
            .try_for_each(|number| pool.spawn_worker(shared, format!("job-worker-{number}")));
        let started = match started {
            Ok(()) if shared.config.workers > 0 => pool
                .spawn(shared, "job-keeper".to_owned(), keep)
                .and_then(|()| pool.spawn(shared, "job-completer".to_owned(), completer::record)),
            other => other,
        };
        let started = match started {
            // A front end reads too.
            Ok(()) if !shared.is_driven() => pool.spawn(shared, "job-sweeper".to_owned(), sweep),
            other => other,
        };
        let started = started.and_then(|()| pool.start_source(shared));
        if let Err(error) = started {
            pool.stop(shared, Duration::ZERO);
            return Err(error);
        }
        Ok(())
    }

    /// One more worker, for one that waits in a body. It leaves when that one goes on.
    pub(crate) fn substitute(&self, shared: &Arc<EngineCore>) -> Result<(), EngineError> {
        let left = std::mem::take(&mut shared.scheduler().workers_left);
        self.threads.lock().retain(|thread| !left.contains(&thread.thread().id()));
        self.spawn_worker(shared, "job-substitute".to_owned())
    }

    fn spawn_worker(&self, shared: &Arc<EngineCore>, name: String) -> Result<(), EngineError> {
        shared.scheduler().workers += 1;
        self.spawn_as(shared, name, true, worker::work).inspect_err(|_| shared.scheduler().workers -= 1)
    }

    fn start_source(&self, shared: &Arc<EngineCore>) -> Result<(), EngineError> {
        let threads = Arc::clone(&shared.source).threads(shared.config.workers);
        threads.into_iter().try_for_each(|(name, life)| self.spawn(shared, name.to_owned(), move |own| life(own)))
    }

    fn spawn(
        &self,
        shared: &Arc<EngineCore>,
        name: String,
        life: impl Fn(&Arc<EngineCore>) + Send + 'static,
    ) -> Result<(), EngineError> {
        self.spawn_as(shared, name, false, life)
    }

    /// `works`: it runs jobs.
    fn spawn_as(
        &self,
        shared: &Arc<EngineCore>,
        name: String,
        works: bool,
        life: impl Fn(&Arc<EngineCore>) + Send + 'static,
    ) -> Result<(), EngineError> {
        let own = Arc::clone(shared);
        shared.scheduler().threads += 1;
        let spawned = thread::Builder::new().name(name).spawn(move || {
            inside::serve(&own, works);
            live_through(&own, life);
            own.scheduler().threads -= 1;
            own.quiet.notify_all();
        });
        match spawned {
            Ok(thread) => {
                self.threads.lock().push(thread);
                Ok(())
            }
            Err(error) => {
                shared.scheduler().threads -= 1;
                Err(EngineError::Thread(error.into()))
            }
        }
    }

    /// Ends all threads: running jobs get `grace` to end, then are told to stop and get the stop grace to obey. Those
    /// whose bodies call this are left behind: they cannot end before it returns.
    pub(crate) fn stop(&self, shared: &Arc<EngineCore>, grace: Duration) -> Shutdown {
        if let Some(left) = shared.scheduler().left {
            return left;
        }
        shared.enter(Phase::Draining);
        shared.source.drain(shared);
        if inside::serves(shared) {
            // This may be the thread that would store them.
            completer::store(shared, shared.completer.bypass());
        }
        worker::catch_up(shared);
        let own = inside::jobs_of(shared);
        let owed = shared.owed.lock().len();
        wait(shared, until(grace), |scheduler| scheduler.running <= own + owed);
        shared.stop_running();
        // For the last time.
        worker::catch_up(shared);
        wait(shared, until(shared.config.stop_grace), |scheduler| scheduler.running <= own);
        shared.enter(Phase::Closed);
        shared.completer.close();
        let left = leave(shared);
        let threads = std::mem::take(&mut *self.threads.lock());
        // A thread inside a body that does not obey cannot be joined; it ends with its body.
        if left.abandoned == 0 {
            // Nor can this thread join itself, when the last owner of the engine is a callback.
            let others = threads.into_iter().filter(|thread| thread.thread().id() != thread::current().id());
            for thread in others {
                // The thread has no panic of its own to report.
                let _ = thread.join();
            }
        } else {
            tracing::warn!(left.abandoned, "jobs did not stop in time: they run again after the next open");
        }
        shared.watchers.close();
        if let Err(error) = shared.sweep_reads() {
            tracing::warn!(%error, "when results were last read could not be noted");
        }
        shared.leave_seat();
        left
    }
}

/// Tells all waits for unfinished jobs that these are left to the next open, and counts those jobs once.
fn leave(shared: &EngineCore) -> Shutdown {
    let (left, entries) = {
        let mut scheduler = shared.scheduler();
        let entries = scheduler.registry.all();
        let here = entries.iter().filter(|entry| entry.lock().place.is_here()).count();
        let abandoned = scheduler.running;
        let left = Shutdown { waiting: here.saturating_sub(abandoned), abandoned };
        (*scheduler.left.get_or_insert(left), entries)
    };
    for entry in entries {
        entry.lose(EngineError::LeftUnfinished(entry.id));
    }
    left
}

/// A thread's life. Nothing of ours panics; should it happen all the same, the life begins anew, not without a pause.
fn live_through(shared: &Arc<EngineCore>, life: impl Fn(&Arc<EngineCore>)) {
    let mut panics = 0;
    while let Err(message) = shield::run(|| life(shared)) {
        panics += 1;
        shared.health.panicked(message, shared.clock.now());
        shield::log(|| tracing::error!(panics, "a thread of the job engine panicked: it goes on"));
        shared.health.pause(panics, || shared.scheduler().phase == Phase::Closed);
    }
}

fn wait(shared: &EngineCore, until: Option<Instant>, done: impl Fn(&crate::engine_core::Scheduler) -> bool) {
    let mut scheduler = shared.scheduler();
    while !done(&scheduler) {
        match until {
            None => shared.quiet.wait(&mut scheduler),
            Some(until) => {
                if shared.quiet.wait_until(&mut scheduler, until).timed_out() {
                    return;
                }
            }
        }
    }
}

/// The keeper's life: deadlines when they are due, and nothing else that could keep it from them.
fn keep(shared: &Arc<EngineCore>) {
    /// A clock may jump.
    const AT_MOST: Duration = Duration::from_secs(10);
    while shared.keeper_waits(AT_MOST) {
        shared.expire();
        shared.clear_suspect();
    }
}

/// The sweeper's life: notes what was read, sets gauges, removes what is not kept. It never touches a page.
fn sweep(shared: &Arc<EngineCore>) {
    const READS_EVERY: Duration = Duration::from_secs(5);
    const GAUGES_EVERY: Duration = Duration::from_secs(10);
    // A process that never lives long sweeps too.
    let (mut swept, mut gauged) = (None::<Instant>, Instant::now());
    loop {
        if let Err(error) = shared.sweep_reads() {
            tracing::warn!(%error, "when results were last read could not be noted; it is tried again");
        }
        if shared.config.workers > 0 && gauged.elapsed() >= GAUGES_EVERY {
            Metrics::gauges(&Stats::of(shared));
            gauged = Instant::now();
        }
        if swept.is_none_or(|swept| swept.elapsed() >= Retention::EVERY) {
            if let Err(error) = shared.sweep_surplus() {
                tracing::warn!(%error, "finished jobs could not be swept; it is tried again");
            }
            swept = Some(Instant::now());
        }
        if !shared.reads.rest(READS_EVERY) {
            return;
        }
    }
}
