//! [`Source`]: gives an engine its jobs, and takes back those that it no longer holds. There are two: `Alone` for
//! an engine with its own store, and `Cluster` for one of several on a shared store. No other folder asks which.

use std::{fmt, sync::Arc};

use job_core::{JobId, JobRecord};
use job_store::{Holder, StoreError};

use crate::{
    engine::{
        config::Mode,
        core::EngineCore,
        scheduler::{Phase, Scheduler},
    },
    job::{entry::Entry, error::EngineError, place::Place},
    seam::sync::MutexGuard,
};

/// The body of a thread.
pub(crate) type Life = Arc<dyn Fn(&Arc<EngineCore>) + Send + Sync>;

/// The source of an engine's jobs.
pub(crate) trait Source: fmt::Debug + Send + Sync {
    /// Takes up the unfinished jobs of earlier engines, before any thread starts.
    fn open(&self, engine: &Arc<EngineCore>) -> Result<(), EngineError>;

    /// The threads of the source, by name.
    fn threads(self: Arc<Self>, mode: Mode) -> Vec<(&'static str, Life)>;

    /// Does one round of the work of the source's threads, on the calling thread.
    fn tick(&self, engine: &Arc<EngineCore>) -> Result<(), EngineError>;

    /// Whether new jobs wait in this engine's own queue, which has a bound.
    fn queues(&self) -> bool;

    /// Called when new jobs of the registry are stored.
    fn accept(&self, engine: &EngineCore, scheduler: &mut Scheduler, new: &[Arc<Entry>]);

    /// Called when a worker has looked for a job.
    fn worker_looked(&self, scheduler: &Scheduler, found: bool);

    /// Called when a worker becomes free unexpectedly.
    fn worker_is_free(&self);

    /// Called when a worker no longer holds a job: the job is complete, waits again, or belongs to another engine.
    fn release(&self, engine: &EngineCore, scheduler: MutexGuard<'_, Scheduler>, entry: &Arc<Entry>);

    /// Called after a conflict of changes: reads the record again. `false` if no other engine could have changed
    /// it.
    fn catch_up(&self, engine: &EngineCore, entry: &Arc<Entry>) -> Result<bool, StoreError>;

    /// Called when the working store has refused a change of this job `times` times. `Ok`: the job is left to its
    /// present engine. `Err(None)`: the change is made once more, from the present record. `Err(Some)`: the record
    /// could not be read.
    fn refused(
        &self,
        engine: &EngineCore,
        entry: &Arc<Entry>,
        error: StoreError,
        times: u32,
    ) -> Result<(), Option<StoreError>>;

    /// Makes the entry of an unfinished job that is not in the registry.
    fn find(&self, engine: &EngineCore, record: JobRecord) -> Arc<Entry>;

    /// Whether this engine may run a job at this place.
    fn has(&self, place: &Place) -> bool;

    /// Notes that a caller of this engine waits for this job, so that changes by other engines are looked for.
    fn watch_remote(&self, entry: &Entry);

    /// Reads the record of a job again, if other engines may have changed it.
    fn refresh(&self, engine: &EngineCore, entry: &Arc<Entry>) -> Result<(), StoreError>;

    /// The engine that holds a job, and until when; `None` of an engine alone.
    fn holder(&self, job: JobId) -> Result<Option<Holder>, StoreError>;

    /// Called when the engine enters a phase of its shutdown.
    fn enter(&self, phase: Phase);

    /// In a shutdown, gives the claimed jobs that have not begun back, so that other engines can claim them.
    fn drain(&self, engine: &EngineCore);
}
