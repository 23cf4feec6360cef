//! [`Source`]: where the jobs of an engine come from, and where they go when it is done with them. An engine has one
//! of two: `Alone` with its store, or one of several (`Cluster`) on a store that they share. No other room asks which.

use std::{fmt, sync::Arc};

use job_core::JobRecord;
use job_store::StoreError;

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

/// Where jobs come from.
pub(crate) trait Source: fmt::Debug + Send + Sync {
    /// Takes up what earlier engines left, before any thread starts.
    fn open(&self, engine: &Arc<EngineCore>) -> Result<(), EngineError>;

    /// The threads that it needs, by name.
    fn threads(self: Arc<Self>, mode: Mode) -> Vec<(&'static str, Life)>;

    /// Does once what its threads do.
    fn tick(&self, engine: &Arc<EngineCore>) -> Result<(), EngineError>;

    /// Whether new jobs wait in the queue of this engine, which has a bound.
    fn queues(&self) -> bool;

    /// New jobs of the registry are stored.
    fn accept(&self, engine: &EngineCore, scheduler: &mut Scheduler, new: &[Arc<Entry>]);

    /// A worker has looked for a job.
    fn worker_looked(&self, scheduler: &Scheduler, found: bool);

    /// A worker is free that was not expected to be.
    fn worker_is_free(&self);

    /// Called when a worker no longer holds a job: the job is complete, waits again, or belongs to another engine.
    fn release(&self, engine: &EngineCore, scheduler: MutexGuard<'_, Scheduler>, entry: &Arc<Entry>);

    /// A change of a job met another one: brings the record up to date. `false` where no other engine could change it.
    fn catch_up(&self, engine: &EngineCore, entry: &Arc<Entry>) -> Result<bool, StoreError>;

    /// The store works, and has refused a change of this job this number of times. `Ok`: the job is left to its
    /// present engine. `Err(None)`: the change is to be made once more from the record as it is now. `Err` of an
    /// error: the record could not be read.
    fn refused(
        &self,
        engine: &EngineCore,
        entry: &Arc<Entry>,
        error: StoreError,
        times: u32,
    ) -> Result<(), Option<StoreError>>;

    /// The entry of an unfinished job that the registry does not have.
    fn find(&self, engine: &EngineCore, record: JobRecord) -> Arc<Entry>;

    /// Whether a job at this place is this engine's to run.
    fn has(&self, place: &Place) -> bool;

    /// A caller in this engine waits for this job from now on, so changes by others are looked for.
    fn watch_remote(&self, entry: &Entry);

    /// Brings the record of a job up to date that others may have changed.
    fn refresh(&self, engine: &EngineCore, entry: &Arc<Entry>) -> Result<(), StoreError>;

    /// The engine begins a phase of its shutdown.
    fn enter(&self, phase: Phase);

    /// In a shutdown: what has not begun is for others.
    fn drain(&self, engine: &EngineCore);
}
