//! Starts and ends the threads of an engine. No other file starts one.

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

/// Starts the threads of an engine. They hold its shared state, and never the engine itself.
pub(crate) fn start(engine: &Arc<EngineCore>) -> Result<(), EngineError> {
    start_all(engine).inspect_err(|_| {
        stop(engine, Duration::ZERO);
    })
}

fn start_all(engine: &Arc<EngineCore>) -> Result<(), EngineError> {
    let workers = engine.config.workers();
    (0..workers).try_for_each(|number| spawn_worker(engine, format!("job-worker-{number}")))?;
    if workers > 0 {
        spawn(engine, "job-keeper", keeper::keep)?;
        spawn(engine, "job-completer", completer::record)?;
    }
    // A front end reads, so it has a sweeper too.
    if !engine.is_driven() {
        spawn(engine, "job-sweeper", keeper::sweep)?;
    }
    let threads = Arc::clone(&engine.source).threads(engine.config.mode);
    threads.into_iter().try_for_each(|(name, life)| spawn(engine, name, move |own| life(own)))
}

/// Starts a substitute for a worker that waits in a body. It ends when that worker goes on.
pub(crate) fn substitute(engine: &Arc<EngineCore>) -> Result<(), EngineError> {
    let left = std::mem::take(&mut engine.scheduler().workers_left);
    engine.threads.lock().retain(|thread| !left.contains(&thread.thread().id()));
    spawn_worker(engine, "job-substitute".to_owned())
}

fn spawn_worker(engine: &Arc<EngineCore>, name: String) -> Result<(), EngineError> {
    engine.scheduler().workers += 1;
    spawn_as(engine, name, true, run::work).inspect_err(|_| engine.scheduler().workers -= 1)
}

fn spawn(
    engine: &Arc<EngineCore>,
    name: &str,
    life: impl Fn(&Arc<EngineCore>) + Send + 'static,
) -> Result<(), EngineError> {
    spawn_as(engine, name.to_owned(), false, life)
}

/// `works`: whether the thread runs jobs.
fn spawn_as(
    engine: &Arc<EngineCore>,
    name: String,
    works: bool,
    life: impl Fn(&Arc<EngineCore>) + Send + 'static,
) -> Result<(), EngineError> {
    let own = Arc::clone(engine);
    engine.scheduler().threads += 1;
    let spawned = thread::Builder::new().name(name).spawn(move || {
        inside::serve(&own, works);
        live_through(&own, life);
        own.scheduler().threads -= 1;
        own.quiet.notify_all();
    });
    match spawned {
        Ok(thread) => {
            engine.threads.lock().push(thread);
            Ok(())
        }
        Err(error) => {
            engine.scheduler().threads -= 1;
            Err(EngineError::Thread(error.into()))
        }
    }
}

/// Ends all threads. Running jobs get the time `grace` to end. Then they are asked to stop, and get the shutdown
/// time-out to do so. A job whose body makes this call is abandoned, since it cannot end before the call returns.
pub(crate) fn stop(engine: &Arc<EngineCore>, grace: Duration) -> Shutdown {
    if let Some(left) = engine.scheduler().left {
        return left;
    }
    engine.enter(Phase::Draining);
    engine.source.drain(engine);
    if inside::serves(engine) {
        // The completer's thread may be the one that makes this call, so the ends are stored here.
        completer::store(engine, engine.completer.bypass());
    }
    attempt::catch_up(engine);
    let own = inside::jobs_of(engine);
    let owed = engine.owed.lock().len();
    wait(engine, until(grace), |scheduler| scheduler.running <= own + owed);
    engine.stop_running();
    // The last try to store failed writes.
    attempt::catch_up(engine);
    wait(engine, until(engine.config.shutdown_timeout), |scheduler| scheduler.running <= own);
    engine.enter(Phase::Closed);
    engine.completer.close();
    let left = leave(engine);
    join(engine, left);
    engine.events.lock().close();
    if let Err(error) = engine.sweep_reads() {
        tracing::warn!(%error, "when results were last read could not be noted");
    }
    engine.leave_seat();
    left
}

/// Ends an engine that has lost its store, as a death of the process does: without a wait, and without giving anything back.
pub(crate) fn abandon(engine: &Arc<EngineCore>) {
    engine.enter(Phase::Draining);
    // Before bodies stop, so that a job whose end they cannot store is left unfinished.
    engine.enter(Phase::Closed);
    engine.stop_running();
    engine.completer.close();
    let owed = std::mem::take(&mut *engine.owed.lock());
    drop(owed);
    // Before anyone is told: the next engine may be opened then.
    engine.leave_seat();
    leave(engine);
    engine.events.lock().close();
}

fn join(engine: &EngineCore, left: Shutdown) {
    let threads = std::mem::take(&mut *engine.threads.lock());
    // A thread in a body that does not stop cannot be joined. It ends with its body.
    if left.abandoned > 0 {
        tracing::warn!(left.abandoned, "jobs did not stop in time: they run again after the next open");
        return;
    }
    // If a callback is the last owner of the engine, this is one of the engine's threads, which cannot join
    // itself.
    let others = threads.into_iter().filter(|thread| thread.thread().id() != thread::current().id());
    for thread in others {
        // The threads catch all panics, so there is none to report.
        let _ = thread.join();
    }
}

/// Tells all waiters that unfinished jobs are left to the next open, and counts those jobs once.
fn leave(engine: &EngineCore) -> Shutdown {
    let (left, entries) = {
        let mut scheduler = engine.scheduler();
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

/// Runs the loop of a thread. This library does not panic. If it does, the loop begins again after a pause.
fn live_through(engine: &Arc<EngineCore>, life: impl Fn(&Arc<EngineCore>)) {
    let mut panics = 0;
    while let Err(message) = shield::run(|| life(engine)) {
        panics += 1;
        engine.health.panicked(message, engine.clock.now());
        shield::log(|| tracing::error!(panics, "a thread of the job engine panicked: it goes on"));
        engine.health.pause(panics, || engine.scheduler().phase == Phase::Closed);
    }
}

fn wait(engine: &EngineCore, until: Option<Instant>, done: impl Fn(&crate::engine::scheduler::Scheduler) -> bool) {
    let mut scheduler = engine.scheduler();
    while !done(&scheduler) {
        match until {
            None => engine.quiet.wait(&mut scheduler),
            Some(until) => {
                if engine.quiet.wait_until(&mut scheduler, until).timed_out() {
                    return;
                }
            }
        }
    }
}
