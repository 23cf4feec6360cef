//! [`Handler`]: runs the jobs of one kind, with a [`JobContext`].

pub(crate) mod context;
pub(crate) mod declared;
pub(crate) mod partition;
pub(crate) mod rows;
pub(crate) mod saved;
pub(crate) mod services;
pub(crate) mod showing;
pub(crate) mod threads;

use std::{collections::BTreeSet, fmt, sync::Arc};

use job_core::{JobKind, JobSpec, Parameters};
use rustc_hash::FxHashMap;
use tracing::Span;

use crate::{
    handler::{context::JobContext, declared::Declaration},
    job::error::JobError,
    seam::shield,
};

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

    /// Whether such a request can be run, asked before the job is stored: each submission waits for the answer.
    /// [`EngineBuilder::check`](crate::EngineBuilder::check) gives one to a closure. By default every request can.
    ///
    /// # Errors
    /// Why not, for the caller of the submission. Nothing is stored then.
    fn check(&self, spec: &JobSpec) -> Result<(), JobError> {
        let _ = spec;
        Ok(())
    }
}

impl<F> Handler for F
where
    F: Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static,
{
    fn run(&self, ctx: &mut JobContext) -> Result<(), JobError> {
        self(ctx)
    }
}

/// Whether a request can be run.
pub(crate) type Check = dyn Fn(&JobSpec) -> Result<(), JobError> + Send + Sync;

/// Puts the span of an attempt into the trace of its job.
pub(crate) type Adopt = dyn Fn(&Span, &str) + Send + Sync;

/// Handlers by the kind of their jobs, and what is asked about requests before they are jobs.
#[derive(Default, Clone)]
pub(crate) struct Handlers {
    bodies: FxHashMap<JobKind, Arc<dyn Handler>>,
    checks: FxHashMap<JobKind, Arc<Check>>,
    declared: FxHashMap<JobKind, Declaration>,
    adopt: Option<Arc<Adopt>>,
    /// Whether parameters that a declaration does not have are left out.
    lenient: bool,
}

impl Handlers {
    pub(crate) fn add(&mut self, kind: JobKind, handler: impl Handler) {
        shield::discard(self.bodies.insert(kind, Arc::new(handler)));
    }

    pub(crate) fn add_check(&mut self, kind: JobKind, check: Arc<Check>) {
        shield::discard(self.checks.insert(kind, check));
    }

    pub(crate) fn adopt_spans(&mut self, adopt: Arc<Adopt>) {
        shield::discard(self.adopt.replace(adopt));
    }

    /// Tells the host of the span of an attempt, if its job was submitted from a trace.
    pub(crate) fn adopt(&self, span: &Span, spec: &JobSpec) {
        if let (Some(adopt), Some(parent)) = (&self.adopt, &spec.options().trace_parent)
            && let Err(message) = shield::run(|| adopt(span, parent))
        {
            shield::log(|| tracing::warn!(message, "the span of a job could not be put into its trace"));
        }
    }

    pub(crate) fn declare(&mut self, kind: JobKind, declared: Declaration) {
        self.declared.insert(kind, declared);
    }

    pub(crate) const fn ignore_unknown(&mut self) {
        self.lenient = true;
    }

    /// The parameters without those that are left out, and their names.
    pub(crate) fn known(&self, kind: &JobKind, parameters: Parameters) -> (Parameters, Vec<String>) {
        match self.declared.get(kind).filter(|_| self.lenient) {
            Some(declared) => parameters.only(|name| declared.knows(name)),
            None => (parameters, Vec::new()),
        }
    }

    /// The request without the parameters that are left out.
    pub(crate) fn lenient(&self, spec: &Arc<JobSpec>) -> Arc<JobSpec> {
        let (known, ignored) = self.known(spec.kind(), spec.parameters().clone());
        if ignored.is_empty() {
            return Arc::clone(spec);
        }
        Arc::new(JobSpec::clone(spec).with_raw_parameters(known).ignoring(ignored))
    }

    pub(crate) const fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// Every kind that has a handler or a declaration, in the order of their names.
    pub(crate) fn declared(&self) -> Vec<(JobKind, Option<Declaration>)> {
        let kinds: BTreeSet<&JobKind> = self.bodies.keys().chain(self.declared.keys()).collect();
        kinds.into_iter().map(|kind| (kind.clone(), self.declared.get(kind).cloned())).collect()
    }

    pub(crate) fn kinds(&self) -> Vec<JobKind> {
        self.bodies.keys().cloned().collect()
    }

    pub(crate) fn has(&self, kind: &JobKind) -> bool {
        self.bodies.contains_key(kind)
    }

    pub(crate) fn find(&self, kind: &JobKind) -> Option<Arc<dyn Handler>> {
        self.bodies.get(kind).cloned()
    }

    /// Asks the host whether this request can be run. Not under a lock.
    pub(crate) fn check(&self, spec: &JobSpec) -> Result<(), JobError> {
        let check = || {
            self.checks.get(spec.kind()).map_or(Ok(()), |check| check(spec))?;
            self.bodies.get(spec.kind()).map_or(Ok(()), |handler| handler.check(spec))
        };
        let panicked = |message| Err(JobError::failed(format!("its check panicked: {message}")));
        shield::run(check).unwrap_or_else(panicked)
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        shield::discard_all(self.bodies.drain());
        shield::discard_all(self.checks.drain());
        shield::discard(self.adopt.take());
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.bodies.keys()).finish()
    }
}
