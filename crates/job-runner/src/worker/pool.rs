//! The threads of an engine. The only file that starts any.

use std::{sync::Arc, time::Duration};

use crate::{
    engine::{
        core::EngineCore,
        scheduler::{Phase, Shutdown},
    },
    job::{entry::until, error::EngineError},
    record::{attempt, completer},
    seam::{
        shield,
        sync::{Instant, thread},
    },
    worker::{inside, keeper, run},
};

/// Starts the threads of an engine. They hold the shared part of it, never the engine itself.
pub(crate) fn start(shared: &Arc<EngineCore>) -> Result<(), EngineError> {
    start_all(shared).inspect_err(|_| {
        stop(shared, Duration::ZERO);
    })
}

fn start_all(shared: &Arc<EngineCore>) -> Result<(), EngineError> {
    let workers = shared.config.workers();
    (0..workers).try_for_each(|number| spawn_worker(shared, format!("job-worker-{number}")))?;
    if workers > 0 {
        spawn(shared, "job-keeper", keeper::keep)?;
        spawn(shared, "job-completer", completer::record)?;
    }
    // A front end reads too.
    if !shared.is_driven() {
        spawn(shared, "job-sweeper", keeper::sweep)?;
    }
    let threads = Arc::clone(&shared.source).threads(shared.config.mode);
    threads.into_iter().try_for_each(|(name, life)| spawn(shared, name, move |own| life(own)))
}

/// One more worker, for one that waits in a body. It leaves when that one goes on.
pub(crate) fn substitute(shared: &Arc<EngineCore>) -> Result<(), EngineError> {
    let left = std::mem::take(&mut shared.scheduler().workers_left);
    shared.threads.lock().retain(|thread| !left.contains(&thread.thread().id()));
    spawn_worker(shared, "job-substitute".to_owned())
}

fn spawn_worker(shared: &Arc<EngineCore>, name: String) -> Result<(), EngineError> {
    shared.scheduler().workers += 1;
    spawn_as(shared, name, true, run::work).inspect_err(|_| shared.scheduler().workers -= 1)
}

fn spawn(
    shared: &Arc<EngineCore>,
    name: &str,
    life: impl Fn(&Arc<EngineCore>) + Send + 'static,
) -> Result<(), EngineError> {
    spawn_as(shared, name.to_owned(), false, life)
}

/// `works`: it runs jobs.
fn spawn_as(
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
            shared.threads.lock().push(thread);
            Ok(())
        }
        Err(error) => {
            shared.scheduler().threads -= 1;
            Err(EngineError::Thread(error.into()))
        }
    }
}

/// Ends all threads: running jobs get `grace` to end, then are told to stop and get the stop grace to do so. Those
/// whose bodies call this are left behind: they cannot end before it returns.
pub(crate) fn stop(shared: &Arc<EngineCore>, grace: Duration) -> Shutdown {
    if let Some(left) = shared.scheduler().left {
        return left;
    }
    shared.enter(Phase::Draining);
    shared.source.drain(shared);
    if inside::serves(shared) {
        // This may be the thread that would store them.
        completer::store(shared, shared.completer.bypass());
    }
    attempt::catch_up(shared);
    let own = inside::jobs_of(shared);
    let owed = shared.owed.lock().len();
    wait(shared, until(grace), |scheduler| scheduler.running <= own + owed);
    shared.stop_running();
    // For the last time.
    attempt::catch_up(shared);
    wait(shared, until(shared.config.shutdown_timeout), |scheduler| scheduler.running <= own);
    shared.enter(Phase::Closed);
    shared.completer.close();
    let left = leave(shared);
    join(shared, left);
    shared.events.lock().close();
    if let Err(error) = shared.sweep_reads() {
        tracing::warn!(%error, "when results were last read could not be noted");
    }
    shared.leave_seat();
    left
}

fn join(shared: &EngineCore, left: Shutdown) {
    let threads = std::mem::take(&mut *shared.threads.lock());
    // A thread inside a body that does not stop cannot be joined; it ends with its body.
    if left.abandoned > 0 {
        tracing::warn!(left.abandoned, "jobs did not stop in time: they run again after the next open");
        return;
    }
    // Nor can this thread join itself, when the last owner of the engine is a callback.
    let others = threads.into_iter().filter(|thread| thread.thread().id() != thread::current().id());
    for thread in others {
        // The thread has no panic of its own to report.
        let _ = thread.join();
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

fn wait(shared: &EngineCore, until: Option<Instant>, done: impl Fn(&crate::engine::scheduler::Scheduler) -> bool) {
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
