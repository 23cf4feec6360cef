//! Submission: from requests to stored, queued jobs.

use std::{sync::Arc, time::Instant};

use job_core::{JobClass, JobRecord, JobSpec};
use job_store::{ErrorKind, StoreError};

use crate::{
    error::EngineError,
    handle::JobHandle,
    live::Live,
    shared::{Phase, Scheduler, Shared},
};

/// How long a submission waits for room in the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// Until then; without end when the time cannot be told.
    Until(Option<Instant>),
}

impl Shared {
    /// Stores new jobs and queues them.
    pub(crate) fn submit(
        self: &Arc<Self>,
        specs: &[JobSpec],
        patience: Patience,
    ) -> Result<Vec<JobHandle>, EngineError> {
        for spec in specs {
            spec.check()?;
        }
        self.health.check()?;
        let mut found: Vec<Option<JobHandle>> =
            specs.iter().map(|spec| self.find_existing(spec)).collect::<Result<_, _>>()?;
        let new: Vec<&JobSpec> =
            specs.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(spec, _)| spec).collect();
        if !new.is_empty() {
            let mut stored = self.store_new(&new, patience)?.into_iter();
            for place in found.iter_mut().filter(|place| place.is_none()) {
                *place = stored.next();
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The job that stands for this request already.
    fn find_existing(self: &Arc<Self>, spec: &JobSpec) -> Result<Option<JobHandle>, EngineError> {
        let options = spec.options();
        if let Some(key) = &options.idempotency_key
            && let Some(id) = self.store.find_key(spec.graph_name(), key)?
            && let Some(handle) = self.handle(id)?
        {
            return Ok(Some(handle));
        }
        if options.reuse
            && let Some(id) = self.store.find_finished(spec)?
        {
            return self.handle(id);
        }
        Ok(None)
    }

    fn store_new(self: &Arc<Self>, specs: &[&JobSpec], patience: Patience) -> Result<Vec<JobHandle>, EngineError> {
        let places = count_classes(specs);
        self.reserve(places, patience)?;
        let now = self.clock.now();
        let records: Vec<JobRecord> =
            specs.iter().map(|&spec| JobRecord::waiting(self.ids.next(now), spec.clone(), now)).collect();
        let stored = self.insert(&records);
        let mut scheduler = self.scheduler();
        for (held, places) in scheduler.reserved.iter_mut().zip(places) {
            *held -= places;
        }
        if let Err(error) = stored {
            drop(scheduler);
            self.room.notify_all();
            return self.taken_meanwhile(specs, patience, error);
        }
        let lives: Vec<Arc<Live>> = records.into_iter().map(|record| Arc::new(Live::new(record))).collect();
        for live in &lives {
            self.enqueue(&mut scheduler, live);
        }
        let closed = scheduler.phase == Phase::Closed;
        drop(scheduler);
        for live in &lives {
            if closed {
                // Stored and acknowledged; the next open runs it.
                live.lose(EngineError::ShuttingDown);
            }
            self.watchers.tell(&live.record());
        }
        self.metrics.submitted(lives.len());
        Ok(lives.into_iter().map(|live| JobHandle::new(Arc::clone(self), live)).collect())
    }

    /// Another thread submitted the same idempotency key between our look and our write: its job is the answer.
    fn taken_meanwhile(
        self: &Arc<Self>,
        specs: &[&JobSpec],
        patience: Patience,
        error: StoreError,
    ) -> Result<Vec<JobHandle>, EngineError> {
        let keyed = specs.iter().any(|spec| spec.options().idempotency_key.is_some());
        if error.kind != ErrorKind::AlreadyExists || !keyed {
            return Err(error.into());
        }
        // One by one, so that two requests of this batch under one key become one job as well.
        specs
            .iter()
            .map(|&spec| match self.find_existing(spec)? {
                Some(handle) => Ok(handle),
                None if specs.len() > 1 => {
                    self.store_new(&[spec], patience)?.pop().ok_or_else(|| EngineError::Store(error.clone()))
                }
                None => Err(EngineError::Store(error.clone())),
            })
            .collect()
    }

    /// Inserts, and believes the store rather than the error: a write may have happened although it was
    /// reported as failed.
    fn insert(&self, records: &[JobRecord]) -> Result<(), StoreError> {
        self.store.insert(records, self.config.durability).or_else(|error| match records.first() {
            Some(first) if error.kind.is_retryable() && self.store.get(first.id) == Ok(Some(first.clone())) => {
                Ok(())
            }
            _ => Err(error),
        })
    }

    fn reserve(&self, places: [usize; 2], patience: Patience) -> Result<(), EngineError> {
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
        Ok(())
    }

    /// The class that has no room for that many more.
    fn full(&self, scheduler: &Scheduler, places: [usize; 2]) -> Option<JobClass> {
        JobClass::ALL.into_iter().zip(scheduler.reserved).zip(places).find_map(|((class, reserved), places)| {
            let taken = scheduler.queue.waiting(class) + reserved;
            (places > 0 && taken + places > self.config.queue_bound).then_some(class)
        })
    }
}

fn count_classes(specs: &[&JobSpec]) -> [usize; 2] {
    JobClass::ALL.map(|class| specs.iter().filter(|spec| spec.options().class == class).count())
}
