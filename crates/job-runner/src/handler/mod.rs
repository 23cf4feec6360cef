//! [`Handler`]: runs the jobs of one kind, with a [`JobContext`].

pub(crate) mod context;
pub(crate) mod partition;
pub(crate) mod rows;
pub(crate) mod saved;
pub(crate) mod services;
pub(crate) mod threads;

use std::{fmt, sync::Arc};

use job_core::JobKind;
use rustc_hash::FxHashMap;

use crate::{handler::context::JobContext, job::error::JobError, seam::shield};

/// Runs jobs of one kind. Any closure `Fn(&mut JobContext) -> Result<(), JobError>` is one.
///
/// Several workers may call a handler at once, each with its own job. The body must be repeatable: after a crash
/// it is called again for the same job. [`JobContext::attempt`] is then one higher, and the earlier rows are gone.
pub trait Handler: Send + Sync + 'static {
    /// Does the work of one job.
    ///
    /// # Errors
    /// Any error ends the job; see [`JobError`].
    fn run(&self, ctx: &mut JobContext) -> Result<(), JobError>;
}

impl<F> Handler for F
where
    F: Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static,
{
    fn run(&self, ctx: &mut JobContext) -> Result<(), JobError> {
        self(ctx)
    }
}

/// Handlers by the kind of their jobs.
#[derive(Default, Clone)]
pub(crate) struct Handlers(FxHashMap<JobKind, Arc<dyn Handler>>);

impl Handlers {
    pub(crate) fn add(&mut self, kind: JobKind, handler: impl Handler) {
        shield::discard(self.0.insert(kind, Arc::new(handler)));
    }

    pub(crate) fn kinds(&self) -> Vec<JobKind> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn has(&self, kind: &JobKind) -> bool {
        self.0.contains_key(kind)
    }

    pub(crate) fn find(&self, kind: &JobKind) -> Option<Arc<dyn Handler>> {
        self.0.get(kind).cloned()
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        shield::discard_all(self.0.drain());
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
