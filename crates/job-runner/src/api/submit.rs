//! Submission: from requests to stored, queued jobs.

use std::{collections::HashMap, sync::Arc};

use job_core::{JobClass, JobId, JobKind, JobRecord, JobSpec, shown};
use job_store::{ErrorKind, StoreError};

use crate::{
    engine::{
        config::Mode,
        core::EngineCore,
        scheduler::{Phase, Scheduler},
    },
    job::{
        cancel::StopCause,
        entry::Entry,
        error::{EngineError, JobError},
        place::Place,
    },
    seam::sync::Instant,
    worker::inside,
};

/// How long a submission waits for room in the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// Until this time; without a limit if the time is beyond the range of the clock.
    Until(Option<Instant>),
}

/// The answer to one request of a batch.
enum Answer {
    /// A job that was there.
    Known(Arc<Entry>),
    /// The new job with this index.
    New(usize),
}

impl Answer {
    fn entry(self, new: &[Arc<Entry>]) -> Option<Arc<Entry>> {
        match self {
            Self::Known(entry) => Some(entry),
            Self::New(at) => new.get(at).cloned(),
        }
    }
}

impl EngineCore {
    /// Stores new jobs and queues them.
    pub(crate) fn submit(
        self: &Arc<Self>,
        specs: &[Arc<JobSpec>],
        patience: Patience,
    ) -> Result<Vec<Arc<Entry>>, EngineError> {
        let lenient: Vec<Arc<JobSpec>>;
        let specs = if self.handlers.is_lenient() {
            lenient = specs.iter().map(|spec| self.handlers.lenient(spec)).collect();
            &lenient
        } else {
            specs
        };
        self.submit_from_outside(specs, patience).map_err(|error| match inside::body() {
            // A body of this engine submits during its shutdown: its own job is stopped too, and runs again.
            Some(body) if error == EngineError::ShuttingDown && Arc::ptr_eq(&body.engine, self) => {
                body.core.attempt.token.stop(StopCause::Shutdown);
                EngineError::ToldToStop { job: body.core.entry.id, cause: StopCause::Shutdown }
            }
            _ => error,
        })
    }

    fn submit_from_outside(
        self: &Arc<Self>,
        specs: &[Arc<JobSpec>],
        patience: Patience,
    ) -> Result<Vec<Arc<Entry>>, EngineError> {
        specs.iter().try_for_each(|spec| self.admit(spec))?;
        self.health.check()?;
        let mut looks = 0;
        loop {
            let (answers, new) = self.sort(specs)?;
            let stored = if new.is_empty() { Ok(Vec::new()) } else { self.store_new(&new, patience) };
            match stored {
                Ok(stored) => {
                    return Ok(answers.into_iter().filter_map(|answer| answer.entry(&stored)).collect());
                }
                // Another thread took a key after the look-up, so its job is the answer.
                Err(EngineError::Store(error))
                    if error.kind == ErrorKind::AlreadyExists && looks <= specs.len() =>
                {
                    looks += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether this engine takes such a request.
    fn admit(&self, spec: &JobSpec) -> Result<(), EngineError> {
        spec.check()?;
        if !self.takes(spec.kind()) {
            let mut registered = self.handlers.kinds();
            registered.sort_unstable();
            return Err(EngineError::UnknownKind { kind: spec.kind().clone(), registered });
        }
        self.handlers.check(spec).map_err(|error| match error {
            JobError::Store(error) => EngineError::Store(error),
            error => EngineError::Refused { kind: spec.kind().clone(), reason: error.to_string() },
        })
    }

    /// Whether a job of this kind has an engine that may run it: this one, or another of the same store.
    fn takes(&self, kind: &JobKind) -> bool {
        let alone = self.source.queues() && self.config.mode != Mode::FrontEnd;
        !alone || self.config.any_kind || self.handlers.has(kind)
    }

    /// Sorts requests into those that a stored job answers and those that need a new job. Two requests of one
    /// batch with the same key become one job.
    fn sort<'s>(
        self: &Arc<Self>,
        specs: &'s [Arc<JobSpec>],
    ) -> Result<(Vec<Answer>, Vec<&'s Arc<JobSpec>>), EngineError> {
        let (mut answers, mut new) = (Vec::with_capacity(specs.len()), Vec::with_capacity(specs.len()));
        let mut keys = HashMap::new();
        for spec in specs {
            if let Some(entry) = self.find_existing(spec)? {
                answers.push(Answer::Known(entry));
                continue;
            }
            let next = new.len();
            let key = spec.options().idempotency_key.as_deref();
            let at = key.map_or(next, |key| *keys.entry((spec.graph(), key)).or_insert(next));
            match new.get(at) {
                None => new.push(spec),
                Some(first) if first.asks_the_same(spec) => {}
                Some(first) => return Err(key_taken(key.unwrap_or_default(), None, first, spec)),
            }
            answers.push(Answer::New(at));
        }
        Ok((answers, new))
    }

    /// The stored job that answers this request, if there is one.
    fn find_existing(self: &Arc<Self>, spec: &JobSpec) -> Result<Option<Arc<Entry>>, EngineError> {
        let options = spec.options();
        if let Some(key) = &options.idempotency_key
            && let Some(id) = self.store().find_key(spec.graph(), key)?
            && let Some(entry) = self.find(id)?
        {
            match self.refresh(&entry) {
                Ok(first) if first.state.holds_key() => {
                    let same = first.spec.asks_the_same(spec);
                    return if same { Ok(Some(entry)) } else { Err(key_taken(key, Some(id), &first.spec, spec)) };
                }
                Ok(_) | Err(EngineError::UnknownJob(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if options.reuse {
            return match self.store().find_reusable(spec) {
                Ok(found) => found.map_or(Ok(None), |id| Ok(self.find(id)?)),
                // A result that cannot be read is not reused: the work is done again.
                Err(error) if error.kind == ErrorKind::Corrupt => {
                    tracing::warn!(%error, "a result that may be reused cannot be read");
                    Ok(None)
                }
                Err(error) => Err(error.into()),
            };
        }
        Ok(None)
    }

    fn store_new(
        self: &Arc<Self>,
        specs: &[&Arc<JobSpec>],
        patience: Patience,
    ) -> Result<Vec<Arc<Entry>>, EngineError> {
        // On a shared store nothing bounds the jobs that wait.
        let queues = self.source.queues();
        if queues {
            self.check_unhandled(specs)?;
        }
        let places = if queues { count_classes(specs) } else { [0; 2] };
        let mut held = self.reserve(places, patience)?;
        let now = self.clock.now();
        let entries: Vec<Arc<Entry>> = specs
            .iter()
            .map(|&spec| {
                let record = JobRecord::waiting(self.ids.next(now), Arc::clone(spec), now);
                let place = if queues { Place::Waiting(None) } else { Place::Outside };
                Arc::new(Entry::new(record, place))
            })
            .collect();
        // The jobs are registered before they are stored. A reader that finds one in the store must get this
        // entry, and not a second one.
        held.show(&entries);
        let records: Vec<JobRecord> = entries.iter().map(|entry| entry.record()).collect();
        self.insert(&records)?;
        let mut scheduler = self.scheduler();
        held.take(&mut scheduler);
        for entry in &entries {
            let state = entry.lock();
            // Another engine may have changed the job already, and this engine may have announced that.
            if state.record.revision == 0 {
                self.events.lock().tell(&state.record);
            }
        }
        self.source.accept(self, &mut scheduler, &entries);
        let closed = scheduler.phase == Phase::Closed;
        drop(scheduler);
        if closed {
            // The jobs are stored and acknowledged, and the next open runs them.
            for entry in &entries {
                entry.lose(EngineError::LeftUnfinished(entry.id));
            }
        }
        self.tell_moved();
        self.metrics.submitted(entries.len());
        Ok(entries)
    }

    /// Inserts records. After an error it asks the store, since a write may have happened although it was reported
    /// as failed.
    pub(crate) fn insert(&self, records: &[JobRecord]) -> Result<(), StoreError> {
        self.store().insert(records, self.config.durability).or_else(|error| match records.first() {
            // In a shared store another engine may have changed the job already.
            Some(first) if error.kind.is_retryable() && matches!(self.store().get(first.id), Ok(Some(_))) => {
                Ok(())
            }
            _ => Err(error),
        })
    }

    /// Jobs that no handler here can run wait in no queue; there is a bound for them too.
    fn check_unhandled(&self, specs: &[&Arc<JobSpec>]) -> Result<(), EngineError> {
        let unhandled = specs.iter().filter(|spec| !self.handlers.has(spec.kind()));
        match (unhandled.clone().next(), unhandled.count()) {
            (Some(first), count) if self.scheduler().registry.unhandled() + count > self.config.queue_bound => {
                Err(EngineError::QueueFull { class: first.options().class, bound: self.config.queue_bound })
            }
            _ => Ok(()),
        }
    }

    fn reserve(&self, places: [usize; 2], patience: Patience) -> Result<Reserved<'_>, EngineError> {
        let mut scheduler = self.scheduler();
        loop {
            if scheduler.phase != Phase::Open {
                return Err(EngineError::ShuttingDown);
            }
            let Some(class) = self.full(&scheduler, places) else { break };
            let full = EngineError::QueueFull { class, bound: self.config.queue_bound };
            match patience {
                Patience::None => return Err(full),
                Patience::Until(None) => self.room.wait(&mut scheduler),
                Patience::Until(Some(until)) => {
                    if self.room.wait_until(&mut scheduler, until).timed_out() {
                        return if self.full(&scheduler, places).is_some() { Err(full) } else { continue };
                    }
                }
            }
        }
        for (held, places) in scheduler.reserved.iter_mut().zip(places) {
            *held += places;
        }
        Ok(Reserved { engine: self, places, shown: Vec::new() })
    }

    /// The class that has no room for that many more.
    fn full(&self, scheduler: &Scheduler, places: [usize; 2]) -> Option<JobClass> {
        JobClass::ALL.into_iter().zip(scheduler.reserved).zip(places).find_map(|((class, reserved), places)| {
            let taken = scheduler.queue.waiting(class) + reserved;
            (places > 0 && taken + places > self.config.queue_bound).then_some(class)
        })
    }
}

/// The refusal of another request under the key of `first`.
fn key_taken(key: &str, job: Option<JobId>, first: &JobSpec, other: &JobSpec) -> EngineError {
    let asked = |spec: &JobSpec| format!("{} with {}", spec.kind(), shown(spec.parameters().as_str()));
    EngineError::KeyTaken { key: key.to_owned(), job, first: asked(first), other: asked(other) }
}

/// Places in the queue for jobs that are being stored. If the store fails or panics, they are given back, and the
/// jobs are removed from the registry.
struct Reserved<'s> {
    engine: &'s EngineCore,
    places: [usize; 2],
    shown: Vec<Arc<Entry>>,
}

impl Reserved<'_> {
    fn show(&mut self, entries: &[Arc<Entry>]) {
        self.shown = entries.to_vec();
        self.engine.scheduler().registry.insert(entries);
    }

    /// Moves the stored jobs to the queue, under the same lock.
    fn take(mut self, scheduler: &mut Scheduler) {
        self.give_back(scheduler);
        self.shown.clear();
    }

    fn give_back(&mut self, scheduler: &mut Scheduler) {
        for (held, places) in scheduler.reserved.iter_mut().zip(std::mem::take(&mut self.places)) {
            *held -= places;
        }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.places == [0; 2] && self.shown.is_empty() {
            return; // taken
        }
        let shown = std::mem::take(&mut self.shown);
        let mut scheduler = self.engine.scheduler();
        self.give_back(&mut scheduler);
        // A job with a lease was stored in spite of the error, and this engine has claimed it.
        for entry in shown.iter().filter(|entry| entry.lease().is_none()) {
            scheduler.registry.remove(entry);
        }
        drop(scheduler);
        self.engine.room.notify_all();
    }
}

fn count_classes(specs: &[&Arc<JobSpec>]) -> [usize; 2] {
    JobClass::ALL.map(|class| specs.iter().filter(|spec| spec.options().class == class).count())
}
