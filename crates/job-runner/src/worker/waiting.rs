//! Waits of a handler for jobs that it has submitted.
//!
//! During a wait the seat of the worker is free: another worker runs the awaited job, and the waiting job counts
//! against no limit. A wait that would close a circle is refused. A job that is told to stop ends its wait.

use std::{collections::HashSet, sync::Arc, time::Duration};

use job_core::{JobId, JobRecord, JobState};

use crate::{
    engine::{core::EngineCore, scheduler::Phase},
    job::{cancel::StopCause, entry::Entry, error::EngineError, place::Place},
    seam::sync::Instant,
    worker::{
        inside::{self, Body},
        pool, run,
    },
};

/// The time between two checks whether a waiting body has to stop.
const STEP: Duration = Duration::from_millis(20);
/// The most threads of an engine that wait in bodies at once. Each keeps its stack, and has a substitute.
const MOST: usize = 256;
/// The deepest nesting of jobs that the caller's thread runs inside of each other.
const DEEPEST: usize = 32;

type End = Result<JobRecord, EngineError>;

/// Waits for the end of a job on any thread; `None` if `until` came first.
pub(crate) fn wait(engine: &Arc<EngineCore>, entry: &Arc<Entry>, until: Option<Instant>) -> Option<End> {
    let over = |now: Instant| until.is_some_and(|until| until <= now);
    let end = entry.end();
    if end.is_some() || over(Instant::now()) {
        return end;
    }
    let Some(body) = inside::body() else {
        if inside::serves(engine) {
            let reason = "a callback runs on a thread that the engine needs: wait on one of your own".to_owned();
            return Some(Err(EngineError::CannotWait { job: None, awaited: entry.id, reason }));
        }
        return entry.wait(until);
    };
    let waiting = match Waiting::begin(&body, entry) {
        Ok(waiting) => waiting,
        Err(error) => return Some(Err(error)),
    };
    loop {
        let end = waiting.step(engine, entry, until);
        if end.is_some() || over(Instant::now()) {
            return waiting.end(end);
        }
    }
}

/// The wait of a thread, inside the body of one job, for another job.
#[derive(Debug)]
pub(crate) struct Waiting {
    body: Body,
    awaited: JobId,
    /// Whether the thread is a worker of the waiting job's engine.
    works: bool,
    is_over: bool,
}

impl Waiting {
    /// Begins the wait of the calling thread, which runs `body`, for `entry`.
    pub(crate) fn begin(body: &Body, entry: &Entry) -> Result<Self, EngineError> {
        let (engine, job, awaited) = (&body.engine, body.core.entry.id, entry.id);
        let works = inside::works_for(engine);
        let refused = |reason| Err(EngineError::CannotWait { job: Some(job), awaited, reason });
        let lacks = {
            let mut scheduler = engine.scheduler();
            if let Some(path) = path(&scheduler.waits, awaited, job) {
                drop(scheduler);
                return refused(circle(&path));
            }
            if works && scheduler.blocked >= MOST {
                drop(scheduler);
                return refused(format!("{MOST} jobs of this engine wait for others already, which is the most"));
            }
            if !scheduler.waits.iter().any(|(waiter, _)| *waiter == job) {
                scheduler.queue.pause(job);
            }
            scheduler.waits.push((job, awaited));
            scheduler.blocked += usize::from(works);
            works && scheduler.has_few_workers(engine.config.workers())
        };
        let waiting = Self { body: body.clone(), awaited, works, is_over: false };
        if lacks {
            pool::substitute(engine)?;
        }
        // A limit has room for another job.
        engine.call();
        engine.source.worker_is_free();
        body.core.entry.tell_state();
        Ok(waiting)
    }

    pub(crate) const fn body(&self) -> &Body {
        &self.body
    }

    /// Waits for a moment. Returns the end of the job, or the reason for ending the wait.
    pub(crate) fn step(
        &self,
        engine: &Arc<EngineCore>,
        entry: &Arc<Entry>,
        until: Option<Instant>,
    ) -> Option<End> {
        let next = Instant::now() + STEP;
        if let Err(error) = self.look(engine, entry) {
            return Some(Err(error));
        }
        entry.wait(Some(until.map_or(next, |until| until.min(next))))
    }

    /// Checks whether to go on waiting. Runs the awaited job if no other thread would.
    fn look(&self, engine: &Arc<EngineCore>, entry: &Arc<Entry>) -> Result<(), EngineError> {
        let job = self.body.core.entry.id;
        if let Some(cause) = self.body.core.stop_cause() {
            return Err(EngineError::ToldToStop { job, cause });
        }
        let refused = |reason| Err(EngineError::CannotWait { job: Some(job), awaited: entry.id, reason });
        let (waits, place) = {
            let state = entry.lock();
            (state.record.state == JobState::Waiting, state.place.clone())
        };
        // On a shared store, another engine may run the job.
        if !waits || !(engine.source.has(&place) || engine.is_driven()) {
            return Ok(());
        }
        let phase = engine.scheduler().phase;
        if phase != Phase::Open && Arc::ptr_eq(engine, &self.body.engine) {
            // In a shutdown the awaited job does not start any more.
            self.body.core.attempt.token.stop(StopCause::Shutdown);
            return Err(EngineError::ToldToStop { job, cause: StopCause::Shutdown });
        }
        if matches!(place, Place::Unhandled) {
            return refused("no handler for it is registered in this engine".to_owned());
        }
        if !engine.is_driven() {
            return Ok(());
        }
        if inside::depth() >= DEEPEST {
            return refused(format!(
                "{DEEPEST} jobs wait for each other on this thread already, which is the most"
            ));
        }
        if engine.take_waiting(entry) {
            run::run(engine, entry);
        } else {
            engine.source.tick(engine)?;
        }
        Ok(())
    }

    /// Ends the wait. The thread goes on when the limits have room for its job.
    pub(crate) fn end(mut self, end: Option<End>) -> Option<End> {
        self.leave();
        let engine = &self.body.engine;
        loop {
            // A job that is told to stop goes on without room, and returns.
            let stops = self.body.core.stop_cause().is_some();
            let mut scheduler = engine.scheduler();
            if scheduler.queue.go_on(self.body.core.entry.id, stops) {
                return end;
            }
            engine.quiet.wait_for(&mut scheduler, STEP);
        }
    }

    /// Notes the end of the wait.
    fn leave(&mut self) {
        self.is_over = true;
        let job = self.body.core.entry.id;
        let mut scheduler = self.body.engine.scheduler();
        if let Some(at) = scheduler.waits.iter().position(|wait| *wait == (job, self.awaited)) {
            scheduler.waits.swap_remove(at);
        }
        if !scheduler.waits.iter().any(|(waiter, _)| *waiter == job) {
            scheduler.queue.come_back(job);
        }
        scheduler.blocked -= usize::from(self.works);
        drop(scheduler);
        self.body.core.entry.tell_state();
    }
}

/// A dropped future or a panic ends the wait at once.
impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_over {
            self.leave();
            self.body.engine.scheduler().queue.go_on(self.body.core.entry.id, true);
        }
    }
}

/// The jobs from `from` to `to`, each of which waits for the next one.
fn path(waits: &[(JobId, JobId)], from: JobId, to: JobId) -> Option<Vec<JobId>> {
    let (mut paths, mut seen) = (vec![vec![from]], HashSet::from([from]));
    while let Some(path) = paths.pop() {
        let last = path.last().copied()?;
        if last == to {
            return Some(path);
        }
        for (_, next) in waits.iter().filter(|(waiter, _)| *waiter == last) {
            if seen.insert(*next) {
                paths.push([path.as_slice(), &[*next]].concat());
            }
        }
    }
    None
}

/// The sentence about a circle of jobs that would never end.
fn circle(path: &[JobId]) -> String {
    match path {
        [] | [_] => "a job cannot end before it has ended".to_owned(),
        path => {
            let names: Vec<String> = path.iter().map(ToString::to_string).collect();
            format!("job {}, so none of them would end", names.join(" waits for job "))
        }
    }
}

#[cfg(test)]
mod tests {
    use job_core::Timestamp;

    use super::*;

    fn id(n: u8) -> JobId {
        JobId::from_parts(Timestamp::from_micros(u64::from(n) * 1_000), [n; 10])
    }

    #[test]
    fn a_wait_that_closes_a_circle_is_found_however_long_it_is() {
        let waits = [(1, 2), (2, 3), (2, 5), (3, 4), (5, 6), (6, 5)].map(|(one, other)| (id(one), id(other)));
        let path = |from, to| path(&waits, id(from), id(to)).map(|path| path.len());
        assert_eq!([path(1, 1), path(1, 2), path(1, 4), path(2, 6)], [Some(1), Some(2), Some(4), Some(3)]);
        assert_eq!([path(4, 1), path(5, 2), path(7, 1)], [None, None, None]);
        let told = circle(&[id(1), id(2)]);
        assert_eq!(told, format!("job {} waits for job {}, so none of them would end", id(1), id(2)));
    }
}
